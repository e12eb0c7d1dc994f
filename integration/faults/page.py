"""How does the table look as a page of the documentation?  Plain reStructuredText."""

from __future__ import annotations

import common
from common import escape, row
from runs import WORDS, Cell, Fault
from scenarios._support import OURS, PEERS

HEADINGS = {
    "stdlib": "stdlib, unpatched",
    "gevent-libev": "gevent's own, libev",
    "gevent-libuv": "gevent's own, libuv",
    "eventlet": "eventlet's own",
    "ours-native": "ours, unpatched",
    "ours-gevent-libev": "ours, gevent with libev",
    "ours-gevent-libuv": "ours, gevent with libuv",
    "ours-eventlet": "ours, eventlet",
}

_MEANINGS = {
    "crash": "the process dies of a bad memory access (SIGSEGV)",
    "abort": "the event loop ends the process (SIGABRT)",
    "hang": "the script was not done when its time was up, and was killed",
    "wrong": "an answer, or a behaviour, that is not true",
    "leak": "something is left behind that should be gone",
    "spins": "the process keeps a core busy while it has nothing to do",
    "error": "an exception where work was expected",
    "missing": "there is no such class",
    "fine": "none of it",
    "n/a": "the question does not arise here",
    "not installed": "the library was not there when the page was made",
}

_TOP = """\
What breaks selectors under greenlet hubs
=========================================

.. Written by ``python integration/faults --write docs/faults.rst``; edit the scripts, not this.

Each row is a short script under ``integration/faults/scenarios``, run in a fresh interpreter for
each cell.  One command runs them all, on your machine, with your versions::

    python integration/faults

The stdlib's column is ``selectors.DefaultSelector`` in a process that nobody has patched, with
threads in the place of greenlets.  gevent's own is ``GeventSelector``, with either of its loops,
and eventlet's own is its ``SelectSelector``: both are ``selectors.DefaultSelector`` in a process
that the library has patched.  Ours are the classes of ``coopselectors``, imported before the patch:
``DefaultSelector``, and ``PollSelector`` and ``SelectSelector`` too where the question makes sense
for them.
"""


def versions() -> str:
    """What this machine runs, in one line."""
    return common.versions(("gevent", "eventlet", "greenlet"))


def render(rows: list[tuple[Fault, dict[str, Cell]]]) -> str:
    """The whole page."""
    kinds = PEERS + OURS
    said = {cell.word for _, cells in rows for cell in cells.values()}
    lines = [_TOP, f"This page was made with {versions()}.", "", "What the words mean:", ""]
    for word in WORDS:
        if word in said:
            lines += [f"{word}", f"    {_MEANINGS[word]}"]
    lines += ["", ".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
    lines += row("Fault", *(HEADINGS[kind] for kind in kinds))
    for fault, cells in rows:
        lines += row(f"`{fault.title}`_", *(escape(cells[kind].text) for kind in kinds))
    for fault, _ in rows:
        lines += ["", fault.title, "-" * len(fault.title), "", fault.text]
        lines += ["", f"Script: ``integration/faults/scenarios/{fault.name}.py``"]
    return "\n".join(lines) + "\n"
