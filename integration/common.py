"""What do `programs` and `faults` share?  An interpreter with a time limit, and a page's table."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Sequence

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a fresh interpreter came to."""

    status: int | None  # the exit status; None if it was not done in time
    verdict: str  # what the last line said that began with "verdict: ", if there was one
    complaint: str  # what it wrote to stderr


def run(
    script: Path,
    *arguments: str,
    limit: float,
    launcher: Sequence[str] = (),
    path: Sequence[Path] = (),
) -> Outcome:
    """Run a script; after `limit` seconds it ends, with all that it has started.

    `launcher` comes before the script on the command line, and `path` before other imports.
    """
    process = subprocess.Popen(
        [sys.executable, *launcher, str(script), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment(path),
        start_new_session=True,  # so that what it starts goes with it
    )
    try:
        said, complaint = process.communicate(timeout=limit)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        put_down(process)
        (said, complaint), status = process.communicate(), None
    put_down(process)
    verdicts = [line for line in said.splitlines() if line.startswith("verdict: ")]
    verdict = verdicts[-1][len("verdict: ") :] if verdicts else ""
    return Outcome(status, verdict, complaint)


def put_down(process: subprocess.Popen[str]) -> None:
    """End all that is left of a session that was started here."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def environment(path: Sequence[Path] = ()) -> dict[str, str]:
    """Where an interpreter finds `path`, and coopselectors: if not installed, in this checkout."""
    found = dict(os.environ)
    for name in ("GEVENT_LOOP", "EVENTLET_HUB"):
        found.pop(name, None)
    folders = [str(folder) for folder in path]
    if not version("coopselectors"):
        folders.append(str(CHECKOUT))
    if folders:
        found["PYTHONPATH"] = os.pathsep.join([*folders, *filter(None, [found.get("PYTHONPATH")])])
    return found


def version(distribution: str, path: Sequence[Path] = ()) -> str:
    """The version that is installed, in one of the folders or else in general, or nothing."""
    for found in metadata.distributions(name=distribution, path=[str(each) for each in path]):
        return found.version
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def versions(names: Sequence[str]) -> str:
    """The interpreter, these distributions, and the system."""
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    found += [f"{name} {version(name)}" if version(name) else f"no {name}" for name in names]
    return ", ".join([*found, f"{platform.system()} {platform.release().partition('-')[0]}"])


def row(first: str, *others: str) -> list[str]:
    """A row of a list-table."""
    return [f"   * - {first}", *(f"     - {other}" for other in others)]


def escape(text: str) -> str:
    """As it is to be written in reStructuredText."""
    for character in "\\*`_|":
        text = text.replace(character, "\\" + character)
    return text
