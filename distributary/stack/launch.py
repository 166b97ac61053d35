"""Becomes a server: `python -I -S launch.py PARENT SIGNAL USER PROGRAM ARGUMENT…`.

The server gets SIGNAL when PARENT dies, so a killed supervisor leaves nothing behind. USER is `-`
or who root becomes first: PostgreSQL refuses to run as root. That user keeps root's right to pass
through folders (CAP_DAC_OVERRIDE, ambient), so that an installation below `/root` works without
changing anybody's permissions; see capabilities(7).
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522


def become(user: str) -> None:
    """Changes from root to `user`, keeping CAP_DAC_OVERRIDE where the kernel grants it."""
    libc = ctypes.CDLL(None, use_errno=True)
    entry = pwd.getpwnam(user)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_OVERRIDE
    # effective, permitted, inheritable; then the same for capabilities 32 and up
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Sets up this process and replaces it by the server."""
    parent, death_signal, user, *argv = arguments
    if user != "-":
        become(user)
    # After the change of user, which clears it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("The parent is gone.")
    os.execv(argv[0], argv)  # noqa: S606 - becoming the server is the point


if __name__ == "__main__":
    main(sys.argv[1:])
