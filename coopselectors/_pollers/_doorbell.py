"""How is somebody woken who waits in the kernel?  By a file that is always readable.

Registered with the kernel object that he waits on, it is there until somebody takes it out: a
wake-up cannot be lost, and there is nothing to drain.
"""

from __future__ import annotations

from typing import Dict, Tuple

from .. import _unpatched

# {a number that counts up: (descriptor, identity)}.  The last one is in use; the others were closed
# by somebody, for there are programs that close a number twice, and it may be ours by then.
_made: Dict[int, Tuple[int, Tuple[int, int]]] = {}


def doorbell() -> int:
    """The descriptor of such a file; there is one for the whole process, opened at first need."""
    number = len(_made)
    if number:
        fd, identity = _made[number - 1]
        try:
            if _identity(fd) == identity:
                return fd
        except OSError:
            pass
    reader, writer = _unpatched.pipe()
    _unpatched.close(writer)  # the end of file is readable for ever
    mine = reader, _identity(reader)
    made = _made.setdefault(number, mine)
    if made is not mine:  # another thread was faster
        _unpatched.close(reader)
    return made[0]


def _identity(fd: int) -> Tuple[int, int]:
    status = _unpatched.fstat(fd)
    return status.st_dev, status.st_ino
