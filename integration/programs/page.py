"""How do the rows look, on a terminal and as a page of the documentation?"""

from __future__ import annotations

import common
from common import escape, row
from overlays import Overlay
from runs import AGAIN, GROUPS, KINDS, ORDERS, RUNTIMES, Program, Row

_WIDTHS = (9, 26, 9, 15)

_TOP = """\
Programs that people run
========================

.. Written by ``python integration/programs --page docs/programs.rst``; edit the scripts, not this.

Each program does real work in a fresh interpreter, against real servers on the loopback interface.
Meanwhile a greenlet that sleeps in a loop shows whether the hub runs.  One command runs all
programs on your machine, with your versions.  A second one installs the servers, if you have
apt-get::

    python -m pip install ".[gevent,eventlet,integration]" && python integration/programs
    python integration/programs/servers

In rows *patched first*, the program patches before it imports anything else.  In rows *imported
first*, it imports itself and its libraries before it patches.  ``install()`` and
``install(select=True)`` are called right after the patch.  In the column *Run*, the program is
started with ``python -m coopselectors run``.
"""

_TO_DO = """\
The smallest change that makes a program work in both orders of patch and import, or in one of them.
"""

_WORDS = """\
works
    The results are right, no error is in the log, and the process ends by itself.  Other greenlets
    ran at least every 0.25 s, although the program waited for 0.5 s or more.
works, with the library's own selectors
    The same, but the program patched after coopselectors, so it used the library's own selectors.
works, at the second try
    It failed at the first try, perhaps because the machine was busy.
blocks the hub for N s
    The results are right, but no other greenlet ran for that long.
hangs
    The work was not done in time, and the process was killed.
does not end
    The work was done, but the process did not end in time.
fails
    The program raised an exception, returned a wrong result, or never used coopselectors.
not run
    The program cannot run there.  The reason follows, or the command that installs what it lacks.
"""

_LABELS = {
    "without": "works unchanged",
    "install()": "``install()``",
    "install(select=True)": "``install(select=True)``",
    "run": "``python -m coopselectors run``",
}


def versions(programs: list[Program]) -> str:
    """What this machine runs, in one line."""
    names = {name for each in programs if not each.overlay for name in each.needs}
    return common.versions([*RUNTIMES, "greenlet", *sorted(names, key=str.lower)])


def line(*texts: str) -> str:
    """One line of the table on a terminal."""
    padded = [text.ljust(width) for text, width in zip(texts, _WIDTHS)]
    return " ".join([*padded, *texts[len(_WIDTHS) :]]).rstrip()


def summary(rows: list[Row], kinds: tuple[str, ...]) -> str:
    """How many runs came to what, one line for each kind."""
    lines = []
    for kind in kinds:
        cells = [each.cells[kind] for each in rows if kind in each.cells]
        works = sum(cell.works for cell in cells)
        left_out = sum(cell.good for cell in cells) - works
        others = len(cells) - works - left_out
        lines.append(f"{kind}: {works} work, {others} do not, {left_out} not run")
    return "\n".join(lines)


def what_to_do(rows: list[Row]) -> str:
    """The least that makes a program work in one runtime; `rows` are its orders."""
    program, runtime = rows[0].program, rows[0].runtime
    unpatched = program.unpatched.get(runtime, "")
    left_out = f"; leave ``{unpatched}`` unpatched" if unpatched else ""
    tried = {}
    for kind in KINDS:
        found = [each.cells[kind].text.removesuffix(AGAIN) for each in rows if kind in each.cells]
        if found and not any(text.startswith("not run") for text in found):
            tried[kind] = found
    if not tried:
        return "not run"
    for kind, found in tried.items():
        if all(text == "works" for text in found):
            return _LABELS[kind] + left_out
    for kind, found in tried.items():
        for order, text in zip(ORDERS, found):
            if text == "works":
                with_ours = "" if kind == "without" else f", and {_LABELS[kind]}"
                return _ADVICE[order] + with_ours + left_out
    return "does not work"


_ADVICE = {"patched first": "patch first", "imported first": "patch after the import"}


def render(
    programs: list[Program], rows: list[Row], servers: dict[str, str], overlays: dict
) -> str:
    """The whole page."""
    lines = [_TOP]
    kinds = [kind for kind in KINDS if any(kind in each.cells for each in rows)]
    if "run" not in kinds:
        lines += ["The column *run* is left out: this version has no such command.", ""]
    lines += ["What to do", "----------", ""]
    lines += [_TO_DO]
    lines += _overview(programs, rows)
    lines += ["", "What happened", "-------------", "", _WORDS]
    for group, title in GROUPS.items():
        lines += [title, "~" * len(title), "", ".. list-table::", "   :header-rows: 1", ""]
        headings = [f"``{kind}``" if "(" in kind else kind.capitalize() for kind in kinds]
        lines += row("Program", "Runtime", "Order", *headings)
        for each in rows:
            if each.program.group == group:
                texts = [escape(each.cells[kind].text) for kind in kinds]
                lines += row(f"`{each.program.title}`_", each.runtime, each.order, *texts)
        lines.append("")
    lines += ["What each program does", "----------------------", ""]
    for program in programs:
        lines += _described(program, overlays[program.overlay])
    lines += ["Versions", "--------", "", f"This page was made with {versions(programs)}.", ""]
    named = [text for text in sorted({*servers.values()}) if text]
    lines += [f"The servers were {', '.join(named)}.", ""] if named else []
    return "\n".join(lines)


def _overview(programs: list[Program], rows: list[Row]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", "", *row("Program", *RUNTIMES)]
    for program in programs:
        advice = []
        for runtime in RUNTIMES:
            mine = [each for each in rows if (each.program, each.runtime) == (program, runtime)]
            advice.append(what_to_do(mine) if mine else "n/a")
        lines += row(f"`{program.title}`_", *advice)
    return lines


def _described(program: Program, overlay: Overlay) -> list[str]:
    lines = [program.title, "~" * len(program.title), ""]
    lines += [program.text, ""] if program.text else []
    for where, reason in program.known.items():
        lines += [f"Known to fail with {where}: {reason}.", ""]
    if program.overlay:
        found = [f"{name} {common.version(name, overlay.path)}" for name in program.needs]
        lines += [f"It runs with {', '.join(found)}.", ""]
    lines += [
        f"Script: ``integration/programs/{program.path.relative_to(program.path.parents[2])}``"
    ]
    return [*lines, ""]
