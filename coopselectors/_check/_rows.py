"""What comes out for one runtime?  Runs the server and its clients, and judges."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Callable, Dict, List

#: Each with the library that it needs.
RUNTIMES = {
    "native": "",
    "gevent-libev": "gevent",
    "gevent-libuv": "gevent",
    "eventlet": "eventlet",
}

# Half-way the clients are silent for so long that a selector which blocks its hub cannot be taken
# for a machine that is merely slow.  In seconds.
_PAUSE = 1.0
_BLOCKED = 0.5


@dataclass
class Row:
    """What one runtime did.  Times are in seconds."""

    runtime: str
    verdict: str
    detail: str = ""
    version: str = ""
    selector: str = ""
    clients: int = 0
    expected: int = 0
    echoed: int = 0
    corrupted: int = 0
    ticks: int = 0
    held_up: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing blocked and nothing was corrupted."""
        return self.verdict in ("native", "cooperative", "not installed")


def check(
    runtime: str, clients: int, messages: int, limit: float, progress: Callable[[int], None]
) -> Row:
    """Have a server in a fresh interpreter serve `clients` clients, `messages` messages each.

    `progress` is called with the percentage that is done.  What is not done after `limit` seconds
    counts as hung.
    """
    row = Row(runtime, "failed", expected=clients * messages)
    started: List[Any] = []
    watchdog = threading.Timer(limit, _give_up, (row, limit, started))
    watchdog.start()
    with ExitStack() as processes:
        processes.callback(watchdog.cancel)

        def start(module: str, *arguments: object, **streams: Any) -> Any:
            command = [sys.executable, "-m", f"{__package__}.{module}", *map(str, arguments)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **streams)
            started.append(processes.enter_context(process))
            return process

        server = start("server", runtime, stdin=subprocess.PIPE)
        said = _read(server)
        if "missing" in said:
            row.verdict, row.detail = "not installed", said["missing"]
        if "port" in said:
            peers = start(
                "clients", said["port"], clients, messages, _PAUSE, stderr=subprocess.PIPE
            )
            complaint = _follow(peers, progress)
            counts = _read(peers)
            server.stdin.close()  # tells it to stop
            _judge(row, {**counts, **_read(server)}, complaint)
    return row


def _give_up(row: Row, limit: float, started: List[Any]) -> None:
    row.verdict, row.detail = "hung", f"not done after {limit:g} s"
    for process in started:
        process.kill()


def _read(process: Any) -> Dict[str, Any]:
    """The next JSON object that `process` prints; empty if it ends instead."""
    line = process.stdout.readline()
    return dict(json.loads(line)) if line else {}


def _follow(peers: Any, progress: Callable[[int], None]) -> str:
    """Tell of each line with a dot that the clients print; return whatever else they say."""
    percent, rest = 0, ""
    for line in peers.stderr:
        if line == ".\n":
            percent += 1
            progress(percent)
        else:
            rest += line
    return rest.strip()


def _judge(row: Row, result: Dict[str, Any], complaint: str) -> None:
    if row.verdict == "hung":
        return
    for name, value in result.items():
        setattr(row, name, value)
    row.detail = complaint
    if "echoed" not in result:
        row.detail = complaint or "the clients ended before their time"
    elif row.corrupted or row.echoed != row.expected:
        row.verdict = "corrupted"
    elif "held_up" not in result:
        row.detail = "the server ended before its time"
    elif row.held_up > _BLOCKED:
        row.verdict = "blocked"
    else:
        row.verdict = "native" if row.runtime == "native" else "cooperative"
