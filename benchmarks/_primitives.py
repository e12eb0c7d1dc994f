"""What do the primitives of `coopselectors.select` cost, beside the bare ones and the hubs'?"""

from __future__ import annotations

import select as theirs
import time
from contextlib import ExitStack
from functools import partial
from typing import Any, Callable, Dict, Iterator, Tuple

import coopselectors
from _bench import Measure, compare, descriptors, idle_files, pairs, per_call

Measured = Iterator[Tuple[str, int, Dict[str, Any]]]
WokenBy = Callable[[Callable[[Any], Any], int, Any, Any], Callable[[], None]]

# What nobody has patched, in the same process.
_bare = coopselectors._unpatched
_ours = coopselectors.select

_NUMBER = 1000
#: What gevent's and eventlet's take some milliseconds for, beside these.
_FEW = 20


def measure_primitives(is_patched: bool, woken_by: WokenBy, rounds: int) -> Measured:
    """Everything: what it was, with how many files, and the figures."""
    for title, ready in (("one ready", 1), ("all ready", _NUMBER)):
        yield f"epoll, {title}", _NUMBER, _epoll_finds_at_once(ready, rounds)
    if is_patched:
        yield "select, one ready", _FEW, _select_finds_at_once(rounds)
        for idle in (0, _FEW):
            yield "select, woken", idle, _woken(_selects(), idle, 5, woken_by, rounds)
        if hasattr(theirs, "poll"):
            both = {"ours": _ours.poll, "theirs": theirs.poll}
            for idle in (0, _FEW):
                yield "poll, woken", idle, _woken(both, idle, 5000, woken_by, rounds)


def _epoll_finds_at_once(ready: int, rounds: int) -> Dict[str, Any]:
    """A call that does not wait."""
    with descriptors(_NUMBER, ready) as numbers, ExitStack() as stack:
        measures = {}
        for name, kind in (("ours", _ours.epoll), ("bare", _bare.epoll)):
            epoll = kind()
            stack.callback(epoll.close)
            for fd in numbers:
                epoll.register(fd, _ours.EPOLLIN)
            assert len(epoll.poll(0)) == ready
            measures[name] = _per_poll(epoll.poll)
        return compare(measures, rounds)


def _per_poll(poll: Callable[[float], Any]) -> Measure:
    """Like `per_call`, but called as programs call it: to go through a partial() costs more."""

    def measure(repetitions: int) -> float:
        turns = range(repetitions)
        started = time.perf_counter()
        for _ in turns:
            poll(0)
        return (time.perf_counter() - started) / repetitions

    return measure


def _selects() -> Dict[str, Callable[[], Any]]:
    return {"ours": partial(_Select, _ours.select), "theirs": partial(_Select, theirs.select)}


class _Select:
    """``select.select`` with the interface of a ``select.poll()``."""

    def __init__(self, select: Callable[..., Any]) -> None:
        self._select = select
        self._files: list[int] = []

    def register(self, fd: int, _: int) -> None:
        self._files.append(fd)

    def poll(self, timeout: float) -> Any:
        return self._select(self._files, (), (), timeout)


def _select_finds_at_once(rounds: int) -> Dict[str, Any]:
    with descriptors(_FEW, 1) as numbers:
        return compare(
            {
                name: per_call(partial(select, numbers, (), (), 5))
                for name, select in (("ours", _ours.select), ("theirs", theirs.select))
            },
            rounds,
        )


def _woken(
    kinds: Dict[str, Callable[[], Any]], idle: int, timeout: Any, woken_by: WokenBy, rounds: int
) -> Dict[str, Any]:
    """One greenlet waits, and the hub makes its file ready; the time-out never runs out."""
    with pairs(1) as [(here, there)], idle_files(idle) as numbers:
        measures = {}
        for name, kind in kinds.items():
            waiting = kind()
            for fd in (*numbers, here.fileno()):
                waiting.register(fd, _ours.POLLIN)
            cycle = woken_by(waiting.poll, here.fileno(), there, timeout)
            for _ in range(10):  # the first time that it sleeps is not like the others
                cycle()
            measures[name] = per_call(cycle)
        return compare(measures, rounds)
