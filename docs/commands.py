"""What can each command do?  Writes docs/commands.rst from their --help.

    python docs/commands.py

A test compares the page with the commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent

INTRODUCTION = """\
Command line
============

.. Written by ``python docs/commands.py``; edit that and the commands, not this.

Each command prints its results to standard output, and progress and errors to standard error.
Lines have at most 80 characters, unless a name alone is longer.  Colours are used only on a
terminal, and only if ``NO_COLOR`` is not set.  With ``--json``, the results are printed as JSON.
"""

#: {command: what the page says about it}
COMMANDS = {
    "": "Does it work here?  The verdict is *native* in an ordinary process, and *cooperative* "
    "under a hub.  *blocked*, *corrupted*, *hung* and *failed* are faults; the output has details.",
    "info": "How do selectors wait here?  :func:`coopselectors.info` returns the same.",
    "audit": "What would block a hub?  :doc:`hangs` explains how to use it, and "
    ":func:`coopselectors.audit` does the same in a running process.",
    "run": "Run a program unchanged: see :doc:`run`.",
}


def help_of(command: str) -> str:
    """What a command prints for ``--help``, without colours."""
    arguments = [sys.executable, "-m", "coopselectors", *filter(None, [command]), "--help"]
    done = subprocess.run(
        arguments,
        cwd=HERE.parent,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # As it was called before Python 3.10.
    return done.stdout.replace("optional arguments:", "options:")


def page() -> str:
    lines = [INTRODUCTION]
    for command, text in COMMANDS.items():
        title = f"``python -m coopselectors {command}".rstrip() + "``"
        lines += [title, "-" * len(title), "", *textwrap.wrap(text, 100), ""]
        lines += [".. test: run by tests/docs/test_code_blocks_do_what_they_say.py"]
        lines += [".. code-block:: text", ""]
        lines += [f"    {line}".rstrip() for line in help_of(command).splitlines()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    (HERE / "commands.rst").write_text(page(), encoding="utf-8")
