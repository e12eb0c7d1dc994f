"""What does waiting cost others?  A ticker's delay beside it, and memory.  Prints JSON.

python benchmarks/_side_effects.py RUNTIME ticker-hop|ticker-poll|memory SUBJECT
"""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import sys
import time
import tracemalloc
from pathlib import Path
from selectors import EVENT_READ
from typing import Any, Callable, Dict, List

from workloads import ready_and_idle, subjects

_SECONDS = 0.5
_GREENLETS = 6000
_FILES = 2000


def ticker(busy: Callable[[Any, Any, float], None]) -> Callable[[Any, Any], Dict[str, float]]:
    """How late is a greenlet that wants to run each millisecond, in seconds?

    By the processor time of this process, which is busy all the time: when the machine has given
    the processor to somebody else, that is nobody's fault here.
    """

    def measure(hub: Any, kind: Any) -> Dict[str, float]:
        delays: List[float] = []
        gc.disable()  # one collection of all modules takes 20 ms
        until = time.monotonic() + _SECONDS

        def tick() -> None:
            while time.monotonic() < until:
                started = time.process_time()
                hub.sleep(0.001)
                delays.append(max(0.0, time.process_time() - started - 0.001))

        greenlet = hub.spawn(tick)
        busy(hub, kind, until)
        hub.join(greenlet)
        delays.sort()
        return {
            "median": delays[len(delays) // 2],
            "99 of 100": delays[int(len(delays) * 0.99)],
            "longest": delays[-1],
        }

    return measure


def _hop(hub: Any, kind: Any, until: float) -> None:
    """Four pairs of greenlets that wake each other all the time."""

    def bounce(end: Any) -> None:
        selector = kind()
        selector.register(end, EVENT_READ)
        while time.monotonic() < until:
            if selector.select(0.01):
                end.recv(1)
                end.send(b"x")
        selector.close()

    greenlets = []
    pairs = [socket.socketpair() for _ in range(4)]
    for pair in pairs:
        pair[0].send(b"x")
        greenlets += [hub.spawn(bounce, end) for end in pair]
    for greenlet in greenlets:
        hub.join(greenlet)


def _poll(hub: Any, kind: Any, until: float) -> None:
    """A greenlet that finds a file ready, again and again."""
    here, there = socket.socketpair()
    there.send(b"x")
    selector = kind()
    selector.register(here, EVENT_READ)
    while time.monotonic() < until:
        selector.select(5)
    selector.close()


def memory(hub: Any, kind: Any) -> Dict[str, float]:
    """Bytes for each of many greenlets that wait, each with a selector and a file of its own."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A datagram socket without an address is never readable, and takes one descriptor.
    files = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(_GREENLETS + 10)]
    waiting: List[Any] = []

    def wait(end: Any) -> None:
        selector = kind()
        selector.register(end, EVENT_READ)
        waiting.append(selector)
        selector.select()

    def start(ends: List[Any]) -> None:
        wanted = len(waiting) + len(ends)
        greenlets.extend(hub.spawn(wait, end) for end in ends)
        while len(waiting) < wanted:
            hub.sleep(0.01)
        hub.sleep(0.1)

    greenlets: List[Any] = []
    start(files[:10])  # what the first ones load is not theirs
    gc.collect()
    before = _resident()
    start(files[10:])
    gc.collect()
    return {"bytes": (_resident() - before) / _GREENLETS}


def memory_of_files(ready: int) -> Callable[[Any, Any], Dict[str, float]]:
    """Bytes of the interpreter's for each registered file, after a call that found `ready`."""

    def measure(_: Any, kind: Any) -> Dict[str, float]:
        selector = kind()
        files = ready_and_idle(ready, _FILES - ready)
        gc.collect()
        tracemalloc.start()
        for fd in files:
            selector.register(fd, EVENT_READ)
        selector.select(0)
        gc.collect()
        return {"bytes": tracemalloc.get_traced_memory()[0] / _FILES}

    return measure


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


MEASURES = {
    "ticker-hop": ticker(_hop),
    "ticker-poll": ticker(_poll),
    "memory": memory,
    "memory-idle": memory_of_files(0),
    "memory-ready": memory_of_files(2000),
}


def main() -> None:
    runtime, what, subject = sys.argv[1:]
    hub, kind = subjects(runtime, subject)
    print(json.dumps(MEASURES[what](hub, kind)), flush=True)
    os._exit(0)  # greenlets still wait


if __name__ == "__main__":
    main()
