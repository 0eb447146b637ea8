"""Becomes a program of PostgreSQL's: one that does not run as root, and that ends in order with its keeper.

Usage: launcher.py PROGRAM [ARGUMENT]...

PostgreSQL refuses to run as root, so root becomes `nobody` here. What the programs read and write may stand below
folders that are root's alone, such as /root, therefore one of root's rights is kept, to pass over the permissions of
files. Other systems than Linux cannot hand it on.
"""

import ctypes
import fcntl
import os
import pwd
import signal
import sys

# From <linux/prctl.h>, <linux/securebits.h> and <linux/capability.h>.
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def become_nobody():
    nobody = pwd.getpwnam("nobody")
    if LIBC is not None:
        # Without it, a change of the user takes all rights, and access(2), which initdb asks, knows of none.
        LIBC.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if LIBC is not None:
        # Where root lacks the right this fails, and PostgreSQL says which file it may not have.
        kept = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        # Effective, permitted, inheritable; the second three are for rights beyond the first 32.
        LIBC.capset(header, (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0))
        LIBC.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


# Until now we die with the keeper by its own arrangement, which ends when the user changes.
keeper = os.getppid()
# The log's lock is that of the server and of all its processes: whoever gets it knows that the last of them is gone.
fcntl.flock(1, fcntl.LOCK_EX)
if os.geteuid() == 0:
    become_nobody()
if LIBC is not None:
    # An immediate shutdown, which takes the other processes and the shared memory along.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
    if os.getppid() != keeper:
        os._exit(1)
os.execv(sys.argv[1], sys.argv[1:])
