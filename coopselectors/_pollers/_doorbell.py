"""How is somebody woken who waits in the kernel?  By a file that is always readable.

Registered with the kernel object that he waits on, it is there until somebody takes it out: a
wake-up cannot be lost, and there is nothing to drain.
"""

from __future__ import annotations

from typing import Dict

from .. import _originals

_made: Dict[str, int] = {}


def doorbell() -> int:
    """The descriptor of such a file; there is one for the whole process, opened at first need."""
    if not _made:
        reader, writer = _originals.pipe()
        _originals.close(writer)  # the end of file is readable for ever
        if _made.setdefault("reader", reader) != reader:  # another thread was faster
            _originals.close(reader)
    return _made["reader"]
