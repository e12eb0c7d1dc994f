"""Which servers do the programs need?  Installs the Debian packages of those that are missing.

    python integration/programs/servers

Where there is no apt-get, or a package cannot be installed, the programs that need it are not run.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path


def packages() -> list[str]:
    """The constant PACKAGE of each server; it is read without running it."""
    found = []
    for script in sorted(Path(__file__).parent.glob("[!_]*.py")):
        for node in ast.parse(script.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PACKAGE":
                found.append(ast.literal_eval(node.value))
    return found


def is_installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    asked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return asked.stdout == b"installed"


def main() -> int:
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        print("there is no apt-get here: nothing was installed")
        return 0
    missing = [package for package in packages() if not is_installed(package)]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["sudo", "-E", "apt-get"] if os.geteuid() and shutil.which("sudo") else ["apt-get"]
    if missing:
        subprocess.run([*apt, "update", "-q"], stdout=subprocess.DEVNULL, check=False)
    for package in missing:
        command = [*apt, "install", "-y", "-q", "--no-install-recommends", package]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=False)
        print(f"{package}: {'could not be' if done.returncode else 'has been'} installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
