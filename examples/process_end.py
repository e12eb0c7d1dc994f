"""How does a selector report the end of a child process?  With a pidfd.

    python examples/process_end.py [native|gevent|eventlet]

A pidfd is readable once the process has ended.  kqueue has EVFILT_PROC for this.  Source:
pidfd_open(2), Linux 5.3; os.pidfd_open, CPython 3.9.

Fall-back if the interpreter or the kernel has no pidfd: a pipe(7) whose write end only the child
holds.  Its read end is at the end of file when the child has ended.  The report is late if the
child's own children have inherited the write end and still run, and early if the child closes it.
"""

from __future__ import annotations

import os
import subprocess

import coopselectors as selectors
from _runtime import Ticker, enter


def start(*command: str) -> tuple[subprocess.Popen[bytes], int, str]:
    """Start a child; return it, a descriptor that is readable once it has ended, and its kind."""
    reader, writer = os.pipe()  # always made: it is not known yet whether there will be a pidfd
    child = subprocess.Popen(command, pass_fds=[writer])
    os.close(writer)
    try:
        pidfd = os.pidfd_open(child.pid)
    except (AttributeError, OSError):  # no such call, or gevent has reaped the child already
        return child, reader, "a pipe"
    os.close(reader)
    return child, pidfd, "a pidfd"


def main() -> None:
    enter()
    child, end, kind = start("sh", "-c", "sleep 0.25; exit 3")
    print(f"Waiting for the end of a child process, by {kind}.")
    with selectors.DefaultSelector() as selector, Ticker():
        selector.register(end, selectors.EVENT_READ)
        selector.select()
    os.close(end)
    # Not os.waitid() on the pidfd: gevent reaps its children itself, and only Popen can ask it.
    print(f"The child has ended, with status {child.wait()}.")


if __name__ == "__main__":
    main()
