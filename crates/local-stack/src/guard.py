"""Runs one tool of the set-up, and takes it along when the owner goes.

Usage: guard.py PROGRAM [ARGUMENT]..., as the leader of a process group. The owner holds the write end of our
standard input. However the owner ends, SIGKILL included, the kernel closes that pipe, and at its end we kill the
group: the tool, what the tool has started, and ourselves.
"""

import os
import signal
import subprocess
import sys
import threading


def watch():
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


tool = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=watch, daemon=True).start()
status = tool.wait()
sys.stdout.flush()
# Python reports the death by a signal as its negative number; shells add 128 to it.
os._exit(status if status >= 0 else 128 - status)
