"""How is somebody woken who waits in the kernel?  By a file that is always readable.

Registered with the kernel object that he waits on, it is there until somebody takes it out: a
wake-up cannot be lost, and there is nothing to drain.
"""

from __future__ import annotations

from typing import Optional

from .. import _originals

_number: Optional[int] = None


def doorbell() -> int:
    """The descriptor of such a file; there is one for the whole process, opened at first need."""
    global _number
    if _number is None:
        reader, writer = _originals.pipe()
        _originals.close(writer)  # the end of file is readable for ever
        _number = reader
    return _number
