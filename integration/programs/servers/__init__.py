"""How is a server run beside the programs?  Each script here is one, in an ordinary process.

A script prints one line, its address and its name with a tab between, or ``not run: ...`` with the
command that brings what it lacks.  It ends when its standard input does: it outlives nobody.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Iterable


class Servers(ExitStack):
    """Those that run; leaving it ends them."""

    def start(self, names: Iterable[str]) -> dict[str, str]:
        """Run the scripts of those names, all at once; return the line that each prints."""
        started = {name: self._start(name) for name in names}
        return {name: _line(name, server) for name, server in started.items()}

    def _start(self, name: str) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(f"{name}.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt at the keyboard is not meant for it
        )
        self.callback(_end, server)
        return server


def _line(name: str, server: subprocess.Popen[str]) -> str:
    line = server.stdout.readline().strip()
    return line or f"fails: servers/{name}.py ended with status {server.wait()}"


def _end(server: subprocess.Popen[str]) -> None:
    server.stdin.close()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()
