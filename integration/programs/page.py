"""How does the table look, on a terminal and as a page of the documentation?"""

from __future__ import annotations

import common
from common import escape, row
from runs import KINDS, RUNTIMES, Program, Row

_WIDTHS = (24, 10, 16, 10)

_TOP = """\
Programs that people run
========================

.. Written by ``python integration/programs --page docs/programs.rst``; edit the scripts, not this.

Each program does real work in a fresh interpreter, while a greenlet that sleeps in a loop shows
whether the hub runs.  One command runs them all, on your machine, with your versions::

    python -m pip install ".[gevent,eventlet,integration]" && python integration/programs

*Patched first* is a program that patches before it imports anything else; *imported first* has
imported itself and its libraries before.  *Ours* has called ``coopselectors.install()`` after both,
with ``select=True`` where the program waits in the ``select`` module itself, and *theirs* has not
heard of it.
"""

_WORDS = """\
works
    the results are right, and the hub was never still for 0.25 s, though the program waited for
    0.5 s or more
blocks the hub for N s
    the results are right, but no other greenlet ran for so long
hangs
    it was not done when its time was up, and was killed
fails
    with an exception, with a wrong result, or, of ours, because it went past ours
skipped
    it cannot be run there; what follows is the reason, or the command that brings what it lacks
"""

_LEFT_OUT = """\
What is left out
----------------

redis-py waits in its sockets.  With hiredis, ``PubSub.get_message()`` asks ``poll``, and a selector
only where eventlet has taken ``poll`` away before redis-py was imported.
"""


def versions(programs: list[Program]) -> str:
    """What this machine runs, in one line."""
    names = [*RUNTIMES, "greenlet", *sorted({name for each in programs for name in each.needs})]
    return common.versions(names)


def line(*texts: str) -> str:
    """One line of the table on a terminal."""
    padded = [text.ljust(width) for text, width in zip(texts, _WIDTHS)]
    return " ".join([*padded, *texts[len(_WIDTHS) :]]).rstrip()


def render(programs: list[Program], rows: list[Row]) -> str:
    """The whole page."""
    lines = [_TOP, f"This page was made with {versions(programs)}.", "", _WORDS]
    lines += [".. list-table::", "   :header-rows: 1", ""]
    lines += row("Program", "Runtime", "Order", "Ours", "Theirs")
    for each in rows:
        texts = [escape(each.cells[kind].text) for kind in KINDS]
        lines += row(f"`{each.program.title}`_", each.runtime, each.order, *texts)
    for program in programs:
        lines += ["", program.title, "-" * len(program.title), ""]
        lines += [program.text, ""] if program.text else []
        installed = ", with ``install(select=True)``" if program.select else ""
        lines += [f"Script: ``integration/programs/scenarios/{program.name}.py``{installed}"]
    return "\n".join([*lines, "", _LEFT_OUT])
