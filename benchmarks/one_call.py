"""What does one select() call cost beside the standard module's and the hub's own selector?

    python benchmarks/one_call.py [gevent|gevent-libuv|eventlet|native]

All selectors watch sockets of the same kind in the same process and are called in turn, round by
round; what is printed are medians, and medians of the ratios within a round.  The standard
module's class is taken before the patch: nothing blocks here, so it shows what an unpatched
process would pay.
"""

from __future__ import annotations

import os
import selectors
import socket
import statistics
import sys
import time
from typing import Any, Callable

import coopselectors

StandardSelector = selectors.DefaultSelector


def peers(runtime: str) -> dict[str, Callable[[], Any]]:
    """Patch this process for `runtime`, and return what to compare, by name."""
    found: dict[str, Callable[[], Any]] = {"stdlib": StandardSelector}
    if runtime.startswith("gevent"):
        if runtime.endswith("libuv"):
            os.environ["GEVENT_LOOP"] = "libuv-cffi"
        import gevent.monkey

        gevent.monkey.patch_all()
        from gevent.selectors import GeventSelector

        found["gevent"] = GeventSelector
    elif runtime == "eventlet":
        import eventlet

        eventlet.monkey_patch()
        found["eventlet"] = selectors.SelectSelector
    found["ours"] = coopselectors.DefaultSelector
    return found


def time_calls(selector: Any, calls: int, ready: int) -> float:
    """Seconds per call, while `ready` files are ready at each."""
    started = time.perf_counter()
    for _ in range(calls):
        found = selector.select(5)
    elapsed = (time.perf_counter() - started) / calls
    # eventlet's selector reports one file per call; that is its best.
    assert len(found) in (ready, 1), (type(selector), len(found), ready)
    return elapsed


def compare(found: dict[str, Callable[[], Any]], registered: int, ready: int, rounds: int) -> None:
    pairs = [socket.socketpair() for _ in range(registered)]
    for _, writer in pairs[:ready]:
        writer.send(b"x")
    made = {}
    for name, kind in found.items():
        selector = made[name] = kind()
        for reader, _ in pairs:
            selector.register(reader, selectors.EVENT_READ)
    calls = {name: 3 if name == "eventlet" else max(20, 2000 // ready) for name in made}
    times: dict[str, list[float]] = {name: [] for name in made}
    for number in range(rounds + 1):
        for name, selector in made.items():
            elapsed = time_calls(selector, calls[name], ready)
            if number:  # the first round warms up
                times[name].append(elapsed)
    print(f"{ready} ready of {registered}")
    for name, series in times.items():
        ratios = [ours / theirs for ours, theirs in zip(times["ours"], series)]
        micros = statistics.median(series) * 1e6
        print(f"  {name:10} {micros:10.2f} us   ours / this {statistics.median(ratios):6.3f}")
    for selector in made.values():
        selector.close()
    for reader, writer in pairs:
        reader.close()
        writer.close()


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else "gevent"
    found = peers(runtime)
    print(f"{runtime}, CPython {sys.version.split()[0]}")
    for registered, ready in ((1, 1), (1000, 1), (1000, 1000)):
        compare(found, registered, ready, rounds=15)


if __name__ == "__main__":
    main()
