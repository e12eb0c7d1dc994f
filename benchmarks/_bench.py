"""How are two things compared?  In one process, in turn, by the median of their ratios."""

from __future__ import annotations

import gc
import os
import posix
import socket
import statistics
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Tuple

#: A measurement: called with a number of repetitions, it returns seconds for one of them.
Measure = Callable[[int], float]

#: Seconds that one measurement should take: long enough for the clock, short enough to take turns.
_SLICE = 0.004


def per_call(function: Callable[[], Any]) -> Measure:
    """The measurement of a function that is called again and again."""

    def measure(repetitions: int) -> float:
        turns = range(repetitions)
        started = time.perf_counter()
        for _ in turns:
            function()
        return (time.perf_counter() - started) / repetitions

    return measure


def compare(measures: Dict[str, Measure], rounds: int) -> Dict[str, Dict[str, float]]:
    """Run all of them in turn, round by round.

    Returns for each the median of its seconds, and the median of the ratios of "ours" to it, each
    within its round: what the machine does to one it does to the other, too.
    """
    repetitions = {name: _repetitions(measure) for name, measure in measures.items()}
    times: Dict[str, List[float]] = {name: [] for name in measures}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            names = list(measures)
            for name in names if number % 2 else reversed(names):
                times[name].append(measures[name](repetitions[name]))
    finally:
        gc.enable()
    return {
        name: {
            "seconds": statistics.median(series),
            "ratio": statistics.median(a / b for a, b in zip(times["ours"], series)),
        }
        for name, series in times.items()
    }


def _repetitions(measure: Measure) -> int:
    measure(1)  # the first time may be the slow one, and once is not enough to tell
    cost = measure(1)
    if cost < _SLICE / 10:
        cost = measure(int(_SLICE / 10 / max(cost, 1e-7)) + 1)
    return max(1, min(2000, int(_SLICE / max(cost, 1e-7))))


@contextmanager
def pairs(number: int) -> Iterator[List[Tuple[socket.socket, socket.socket]]]:
    """Connected sockets."""
    made: List[Tuple[socket.socket, socket.socket]] = []
    try:
        for _ in range(number):
            made.append(socket.socketpair())
        yield made
    finally:
        for pair in made:
            for end in pair:
                end.close()


@contextmanager
def idle_files(number: int) -> Iterator[List[int]]:
    """Numbers of files that are never ready, each a file of its own."""
    made: List[int] = []
    try:
        for _ in range(number):
            made.extend(os.pipe())
        yield made[::2]
    finally:
        for fd in made:
            posix.close(fd)


@contextmanager
def descriptors(number: int, ready: int) -> Iterator[List[int]]:
    """Numbers of files of which the first `ready` are ready for reading: duplicates, so that they
    are as low as can be."""
    with pairs(2) as ((readable, writer), (idle, _)):
        writer.send(b"x")
        made: List[int] = []
        try:
            for index in range(number):
                made.append(posix.dup((readable if index < ready else idle).fileno()))
            yield made
        finally:
            for fd in made:
                posix.close(fd)  # gevent puts its os.close off
