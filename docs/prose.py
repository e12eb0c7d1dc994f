"""Is the prose free of what a linter can find?  Runs proselint on it.

    python docs/prose.py

It reads the pages, the change fragments and the docstrings of the package, without code blocks,
literals and directives.  Ends with 1 if proselint finds anything.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).parent.parent
PAGES = ("*.rst", "docs/*.rst", "changes/*.rst")

#: {what is switched off: why}
OFF = {
    "typography": "plain ASCII quotes, dots and x in reStructuredText, and two spaces after a full "
    "stop",
    "social_awareness": "it takes the server waitress for a person",
}

_NO_PROSE = re.compile(r"\s*(:[\w-]+:(\s|$)|>>>)")
_LITERAL = re.compile(r"``.+?``|`[^`]+`_?_?|:\w+:`[^`]+`", re.DOTALL)


def prose_of_page(text: str) -> str:
    """The page with code and directives blanked out, and a name for each literal; same lines."""
    lines, indent = [], -1  # of the block that is left out, if there is one
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if indent >= 0 and line.strip() and depth <= indent:
            indent = -1
        if indent >= 0:
            lines.append("")
        elif line.lstrip().startswith(".. "):
            # The cells of a table are prose.
            indent = -1 if "list-table::" in line else depth
            lines.append("")
        elif line.endswith("::"):
            indent = depth
            lines.append(line[:-1])
        else:
            lines.append("" if _NO_PROSE.match(line) else line)
    return _LITERAL.sub(_name_of, "\n".join(lines))


def _name_of(literal: re.Match[str]) -> str:
    """A word in the place of a literal, another one for each, on as many lines."""
    return f"X{literal.start()}" + "\n" * literal[0].count("\n")


def prose_of_module(text: str) -> str:
    """The docstrings of a module, on the lines on which they are."""
    lines = [""] * (text.count("\n") + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                first = node.body[0].lineno - 1
                for number, line in enumerate(prose_of_page(docstring).splitlines(), first):
                    lines[number] = line
    return "\n".join(lines)


def all_prose() -> Iterator[tuple[Path, str]]:
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            yield path, prose_of_page(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "coopselectors").rglob("*.py")):
        yield path, prose_of_module(path.read_text(encoding="utf-8"))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "proselint.json")
        config.write_text(json.dumps({"checks": dict.fromkeys(OFF, False)}))
        files = []
        for path, text in all_prose():
            # It reads files of some endings only.
            file = Path(folder, path.relative_to(ROOT)).with_suffix(path.suffix + ".txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            files.append(str(file))
        command = [sys.executable, "-m", "proselint", "check", "--config", str(config), *files]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        found = re.sub(r"\.txt(?=:\d)", "", result.stdout.replace(f"{folder}/", ""))
    print(found, end="")
    return 1 if found or result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
