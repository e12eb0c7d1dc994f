"""How do the commands look on a terminal?"""

from __future__ import annotations

import argparse
import os
import textwrap
from typing import Any

#: Characters in a line, unless a name alone is longer.
WIDTH = 80

_COLOURS = {"green": "32", "red": "31"}


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=22, width=WIDTH)


def parser_of(
    command: str, usage: str, description: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """A parser that prints its help as it is written, at the same width everywhere."""
    prog = f"python -m coopselectors {command}".rstrip()
    return argparse.ArgumentParser(
        prog=prog,
        usage="\n       ".join(f"{prog} {line}" for line in usage.splitlines()),
        description=textwrap.dedent(description).strip(),
        epilog=textwrap.dedent(epilog).strip(),
        formatter_class=_Formatter,
    )


def folded(text: str, indent: str = "") -> str:
    """The text in lines of `WIDTH`, of which all but the first begin with `indent`."""
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def coloured(text: str, colour: str, stream: Any) -> str:
    """The text in a colour, if `stream` is a terminal on which colours are wanted."""
    if not stream.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
