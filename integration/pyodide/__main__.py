"""Does the package work in WebAssembly?  On pyodide, which npm has, in node.

``python integration/pyodide [--outcomes FILE]`` makes a wheel, installs pyodide beside a copy of
the test, and runs that.  Exit status 1 if anything failed, or if it could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SOURCES = ("coopselectors", "LICENSE", "README.rst", "pyproject.toml", "setup.cfg", "setup.py")


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), text=True, stdout=subprocess.PIPE, check=False, **options
    )


def prepare(folder: Path) -> tuple[str, Path | None]:
    """Why it cannot be run, if so, and the wheel."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            return f"{tool} is not installed", None
    source = folder / "source"  # setuptools would take what earlier builds have left behind
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, source / name)
    done = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source)
    if done.returncode:
        return "the wheel could not be built", None
    for path in HERE.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    done = run("npm", "install", "--no-audit", "--no-fund", "--silent", cwd=folder)
    if done.returncode:
        return "npm could not install pyodide", None
    return "", next(folder.glob("*.whl"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcomes", type=Path, help="note there what came of it")
    path = parser.parse_args().outcomes
    with tempfile.TemporaryDirectory() as name:
        trouble, wheel = prepare(Path(name))
        if trouble:
            facts = {"interpreter": "pyodide", "not_run": trouble}
            print(f"pyodide: not run: {trouble}")
        else:
            command = ["node", "--test", "--test-reporter", "tap", "pyodide.test.mjs"]
            done = run(*command, cwd=name, env={**os.environ, "WHEEL": str(wheel)}, timeout=300)
            facts = facts_of(done.stdout)
            shown = [line for line in done.stdout.splitlines() if len(line) < 300]  # not its source
            print("\n".join(shown if done.returncode else summary(done.stdout)))
            trouble = f"status {done.returncode}" if done.returncode else ""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1) + "\n")
    return int(bool(trouble))


def summary(said: str) -> list[str]:
    return [line for line in said.splitlines() if re.match(r"ok |not ok |# CPython", line)]


def facts_of(said: str) -> dict[str, object]:
    """What came of the run, as .ci/outcomes.py notes it."""
    who = re.search(r"# (CPython [\d.]+) on WebAssembly, (pyodide [\w.]+)", said)
    passed = len(re.findall(r"^ok ", said, re.MULTILINE))
    failures = re.findall(r"^not ok \d+ - (.*)", said, re.MULTILINE)
    found = [["native", "", "passed", passed], ["native", "", "failed", len(failures)]]
    return {
        "interpreter": who[1] if who else "CPython",
        "platform": "emscripten",
        "libraries": [who[2]] if who else [],
        "found": [each for each in found if each[3]],
        "failures": failures,
        "known": {},
        "lacking": {},
    }


if __name__ == "__main__":
    sys.exit(main())
