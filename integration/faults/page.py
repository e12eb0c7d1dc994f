"""How does the table look as a page of the documentation?  Plain reStructuredText."""

from __future__ import annotations

import common
from common import escape, row
from runs import GOOD, WORDS, Cell, Fault
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
    "crash": "The process dies of an invalid memory access (SIGSEGV).",
    "abort": "The event loop aborts the process (SIGABRT).",
    "hang": "The script was not done in time, and was killed.",
    "wrong": "The selector gives a wrong answer, or does something wrong.",
    "leak": "Something is left behind that should have been freed.",
    "spins": "The process keeps a core busy although it has nothing to do.",
    "error": "The selector raises an exception instead of doing its work.",
    "missing": "There is no such class.",
    "fine": "None of these happens.",
    "n/a": "The question does not arise here.",
    "not installed": "The library was not installed when this page was made.",
}

_TOP = """\
What breaks selectors under greenlet hubs
=========================================

.. Written by ``python integration/faults --write docs/faults.rst``; edit the scripts, not this.

.. role:: bad
.. role:: good

Each row of the table is a short script in ``integration/faults/scenarios``.  Each cell was run in a
fresh interpreter.  One command runs them all on your machine, with your versions::

    python integration/faults

The columns are:

* *stdlib, unpatched*: ``selectors.DefaultSelector`` in an ordinary process, with threads in place
  of greenlets.
* *gevent's own*: ``GeventSelector``, with each of gevent's two loops.  In a process that gevent has
  patched, this is ``selectors.DefaultSelector``.
* *eventlet's own*: eventlet's ``SelectSelector``.  In a process that eventlet has patched, this is
  ``selectors.DefaultSelector``.
* *ours*: the classes of coopselectors, imported before the patch.  Each script runs with
  ``DefaultSelector``, and with ``PollSelector`` and ``SelectSelector`` where the question makes
  sense for them.
"""


def versions() -> str:
    """What this machine runs, in one line."""
    return common.versions(("gevent", "eventlet", "greenlet"))


def coloured(word: str, text: str) -> str:
    """The text of a cell; the stylesheet gives each role a colour."""
    if word in GOOD:
        return f":good:`{escape(text)}`" if word == "fine" else escape(text)
    return f":bad:`{escape(text)}`"


def render(rows: list[tuple[Fault, dict[str, Cell]]]) -> str:
    """The whole page."""
    kinds = PEERS + OURS
    said = {cell.word for _, cells in rows for cell in cells.values()}
    lines = [_TOP, f"This page was made with {versions()}.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
    lines += row("Fault", *(HEADINGS[kind] for kind in kinds))
    for fault, cells in rows:
        lines += row(
            f"`{fault.title}`_", *(coloured(cells[kind].word, cells[kind].text) for kind in kinds)
        )
    lines += ["", "What the words mean", "-------------------", ""]
    for word in WORDS:
        if word in said:
            lines += [coloured(word, word), f"    {_MEANINGS[word]}"]
    for fault, _ in rows:
        lines += ["", fault.title, "-" * len(fault.title), "", fault.text]
        lines += ["", f"Script: ``integration/faults/scenarios/{fault.name}.py``"]
    return "\n".join(lines) + "\n"
