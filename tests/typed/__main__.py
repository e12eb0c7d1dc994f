"""Are the types right?  Asks two type checkers, of the installed package: ``python tests/typed``.

Both have to accept `ours.py`, and `program.py` with the standard module as well as with ours; and
to refuse each line of `refused.py` that is marked so, and no other.  All that for the oldest and
the newest Python and for each platform.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Tuple

HERE = Path(__file__).parent

# mypy 2 knows nothing older.
OLDEST = {"mypy": "3.10", "pyright": "3.9"}
NEWEST = "3.14"

# What pyright calls them.
PLATFORMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}

#: {(file, line): what is wrong with it}
Complaints = dict[Tuple[str, int], str]


def output_of(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in (0, 1) or done.stderr:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def mypy(folder: Path, version: str, platform: str) -> Complaints:
    options = ["--strict", "--output=json", f"--python-version={version}", f"--platform={platform}"]
    lines = output_of("mypy", *options, ".", cwd=folder).splitlines()
    found = [json.loads(line) for line in lines]
    return {
        (each["file"], each["line"]): each["message"]
        for each in found
        if each["severity"] == "error"
    }


def pyright(folder: Path, version: str, platform: str) -> Complaints:
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": version,
        "pythonPlatform": PLATFORMS[platform],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    options = ["--outputjson", f"--pythonpath={sys.executable}"]
    found = json.loads(output_of("basedpyright", *options, cwd=folder))
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1): each["message"]
        for each in found["generalDiagnostics"]
    }


def cases(folder: Path) -> Complaints:
    """Fill a folder with all cases; returns what is to be refused of them."""
    for name in ("program.py", "ours.py", "refused.py"):
        (folder / name).write_text((HERE / name).read_text())
    program = (HERE / "program.py").read_text()
    unchanged = "\nimport selectors\n"
    assert program.count(unchanged) == 1
    ours = program.replace(unchanged, "\nimport coopselectors as selectors\n")
    (folder / "program_with_ours.py").write_text(ours)
    lines = (HERE / "refused.py").read_text().splitlines()
    return {
        ("refused.py", number): line
        for number, line in enumerate(lines, 1)
        if "  # refused" in line
    }


def differences(refused: Complaints, complaints: Complaints) -> Iterator[str]:
    for (file, line), message in sorted(complaints.items()):
        if (file, line) not in refused:
            yield f"{file}:{line}: {message}"
    for (file, line), text in sorted(refused.items()):
        if (file, line) not in complaints:
            yield f"{file}:{line}: was not refused: {text}"


def main() -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        refused = cases(folder)
        for checker in (mypy, pyright):
            name = checker.__name__
            targets = [(OLDEST[name], "linux"), *((NEWEST, platform) for platform in PLATFORMS)]
            for version, platform in targets:
                found = list(differences(refused, checker(folder, version, platform)))
                wrong += len(found)
                verdict = "not right" if found else f"right; {len(refused)} lines refused"
                print(f"{name}, Python {version}, {platform}: {verdict}", flush=True)
                print("".join(f"  {each}\n" for each in found), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
