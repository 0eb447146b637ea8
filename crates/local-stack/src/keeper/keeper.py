"""Keeps one server process: starts it, signals it, and takes it along when the owner goes.

The owner holds the write end of our standard input and writes one JSON command a line; we answer with one JSON
event a line. However the owner ends, SIGKILL included, the kernel closes that pipe: at its end we kill the
server's process group, frozen or not, remove the run folder and leave. A server that was started with an "end"
gets that signal first, and time to end by itself. Should somebody kill us instead, the server dies with us
(PR_SET_PDEATHSIG), and the folder, whose lock we held through standard error, is swept by the next owner.

Commands: {"do": "start", "argv": [..], "env": {"SET": "x", "NOT": null}, "folder": "..", "log": "..", "end": null}
          {"do": "signal", "name": "SIGSTOP"}
          {"do": "write", "path": "a named pipe", "text": ".."}
Events:   {"started": pid}  {"exited": pid, "status": n}  {"done": true}  {"failed": "text"}
"""

import ctypes
import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

# Seconds that a server gets, which is ready already, to open the pipe that it is written to.
READER_MAX = 10
# Seconds that a server gets to end by itself before it is killed; PostgreSQL needs five where a part of it hangs.
END_MAX = 10
PR_SET_PDEATHSIG = 1
FOLDER = sys.argv[1]
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
KEEPER = os.getpid()

child = None
# The name of the signal that the server is asked to end with.
farewell = None


def say(**event):
    try:
        os.write(1, (json.dumps(event) + "\n").encode())
    except OSError:
        pass  # The owner is gone; the end of our input follows.


def die_with_keeper():
    """Runs in the child before exec."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != KEEPER:
            os._exit(1)


def start(argv, env, folder, log, end):
    global child, farewell
    if child is not None:
        raise RuntimeError("the server runs already, as process %d" % child.pid)
    with open(log, "ab") as output:
        child = subprocess.Popen(
            argv,
            env={name: value for name, value in {**os.environ, **env}.items() if value is not None},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_keeper,
        )
    farewell = end
    say(started=child.pid)


def children():
    """The server's own children, where the kernel names them."""
    try:
        with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as pids:
            return [int(pid) for pid in pids.read().split()]
    except OSError:
        return []


def kill():
    """Kills the server with its children, which may lead groups of their own: PostgreSQL's do, and end late alone."""
    # What has stopped makes no more children, and collects none whose number would then be another's.
    os.killpg(child.pid, signal.SIGSTOP)
    for pid in children():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.killpg(child.pid, signal.SIGKILL)


def send(name):
    if child is None:
        raise RuntimeError("the server does not run")
    if name == "SIGKILL":
        kill()
    else:
        os.killpg(child.pid, getattr(signal, name))
    if name == "SIGSTOP" and hasattr(os, "waitid"):
        # Until the last thread has stopped, one of them may still answer. WNOWAIT leaves the news for `reap`.
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    say(done=True)


def open_pipe(path):
    """The named pipe, as soon as the server reads it: one that has just begun to answer may not do so yet."""
    deadline = time.monotonic() + READER_MAX
    while True:
        try:
            # Without O_NONBLOCK, opening a pipe that nobody reads would hold us up for ever.
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            alive = child is not None and child.poll() is None
            if error.errno != errno.ENXIO or not alive or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def write(path, text):
    pipe = open_pipe(path)
    try:
        os.write(pipe, text.encode())
    finally:
        os.close(pipe)
    say(done=True)


def obey(line):
    try:
        command = json.loads(line)
        do = command.pop("do")
        {"start": start, "signal": send, "write": write}[do](**command)
    except Exception as error:
        say(failed="%s: %s" % (type(error).__name__, error))


def reap():
    global child
    if child is not None and child.poll() is not None:
        pid, status = child.pid, child.returncode
        child = None
        say(exited=pid, status=status)


def ask_to_end():
    os.killpg(child.pid, getattr(signal, farewell))
    try:
        child.wait(END_MAX)
    except subprocess.TimeoutExpired:
        pass


def leave():
    if child is not None:
        try:
            if farewell is not None:
                ask_to_end()
            if child.returncode is None:
                kill()
        except OSError:
            pass
        child.wait()
    os.chdir("/")
    shutil.rmtree(FOLDER, ignore_errors=True)


def main():
    # A terminal's Ctrl-C is for the owner alone, which then stops us in order.
    os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pending = b""
    try:
        while True:
            ready, _, _ = select.select([0, wake_read], [], [])
            if wake_read in ready:
                try:
                    os.read(wake_read, 4096)
                except BlockingIOError:
                    pass
                reap()
            if 0 in ready:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    obey(line)
    finally:
        leave()


main()
