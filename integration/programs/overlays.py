"""How does a program get an older version of a package than the other programs?

From a folder that holds that version alone and comes first on its path.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

LIMIT = 120  # seconds


@dataclass(frozen=True)
class Overlay:
    """A folder, or the reason that there is none."""

    path: tuple[Path, ...] = ()
    reason: str = ""


def install(wanted: Iterable[tuple[str, ...]], place: Path) -> dict[tuple[str, ...], Overlay]:
    """Install each set of requirements, and nothing that these require, in a folder of its own."""
    made: dict[tuple[str, ...], Overlay] = {(): Overlay()}
    for requirements in sorted({*wanted} - {()}):
        folder = place / f"overlay-{len(made)}"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps"]
        command += ["--target", str(folder), *requirements]
        try:
            subprocess.run(command, check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)
            made[requirements] = Overlay((folder,))
        except (subprocess.SubprocessError, OSError):
            made[requirements] = Overlay(reason=f"pip cannot install {' '.join(requirements)}")
    return made


def hide(modules: Iterable[str], place: Path) -> dict[str, Path]:
    """For each module a folder that makes an import of it fail, as if it were not installed."""
    made = {}
    for module in sorted({*modules}):
        made[module] = place / f"without-{module}"
        made[module].mkdir()
        (made[module] / f"{module}.py").write_text("raise ImportError('hidden')\n")
    return made
