"""How do the commands look on a terminal?"""

from __future__ import annotations

import argparse
import os
import sys
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


def is_a_terminal(stream: Any) -> bool:
    """Whether a stream, which may be None or anything that prints, is a terminal."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())


class Output:
    """Prints to ``sys.stdout`` or ``sys.stderr``, also after a program has replaced it.

    The stream is the one that was there first, unless the program has closed or detached it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._first = getattr(sys, name)
        self.is_a_terminal = is_a_terminal(self._first)

    def print(self, text: str, colour: str = "", end: str = "\n") -> None:
        """Print a text, on a terminal in a colour, and in escapes what cannot be encoded."""
        for stream in (self._first, getattr(sys, self._name, None)):
            if stream is None:
                continue
            try:
                shown = _encodable(_coloured(text, colour, stream), stream)
                # A wrapper that the program has made may close the stream before the end.
                print(shown, end=end, file=stream, flush=True)
            except (AttributeError, ValueError):
                continue  # it is closed or detached, or is no stream
            except OSError:
                pass  # nobody reads it any more
            return


def _coloured(text: str, colour: str, stream: Any) -> str:
    """The text in a colour, if `stream` is a terminal on which colours are wanted."""
    if not colour or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if is_a_terminal(stream) else text


def _encodable(text: str, stream: Any) -> str:
    """The text with escape sequences for what `stream` cannot encode."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
