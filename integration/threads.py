"""Do threads that share selectors lose anything, with the GIL or without it?

``python integration/threads.py [--seconds N] [--threads N]``: threads register, modify, unregister,
select and close, all at once, on selectors of every class and on the primitives.  What each call
has to come to is known, so whatever is lost, reported wrongly, raised or left over is counted; the
exit status is 1 if that is not nothing.  On a free-threaded build it is run with the GIL on
and with it off, and both have to come to the same.
"""

from __future__ import annotations

import argparse
import collections
import errno
import faulthandler
import gc
import os
import random
import socket
import subprocess
import sys
import sysconfig
import threading
import time

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from coopselectors import select as primitives

CLASSES = [
    found
    for name in ("EpollSelector", "KqueueSelector", "PollSelector", "SelectSelector")
    if (found := getattr(coopselectors, name, None)) is not None
]
PATIENCE = 20.0  # seconds until a file that is ready counts as never reported
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


class Run:
    """One scene, played by all threads until the time is up."""

    def __init__(self, number: int, seconds: float) -> None:
        self.number = number
        self.end = time.monotonic() + seconds
        self.start = threading.Barrier(number)
        self.done: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    def play(self, scene) -> None:
        threads = [
            threading.Thread(target=self._play, args=(scene, index)) for index in range(self.number)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _play(self, scene, index) -> None:
        own = collections.Counter()  # `+=` on what is shared would lose counts of its own
        try:
            self.start.wait()
            scene(self, index, own)
        except BaseException as error:
            self.fault(f"{scene.__name__}: {type(error).__name__}: {error}")
            self.start.abort()
            self.end = 0.0  # what comes after is a consequence
        finally:
            with self._lock:
                self.done.update(own)

    def fault(self, what: str) -> None:
        with self._lock:
            self.faults[what] += 1

    def expect(self, found, wanted, what: str) -> None:
        if found != wanted:
            self.fault(f"{what}: {found!r} instead of {wanted!r}")


def until(run: Run, selector, mine, wanted: int, what: str) -> None:
    """Select until our own file is reported, whatever others' files are reported beside it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            found = selector.select(PATIENCE)
        except OSError as error:
            # What another thread closes on our way into select(2), that refuses: the standard
            # module's class raises this, too.
            if error.errno == errno.EBADF and isinstance(selector, coopselectors.SelectSelector):
                continue
            raise
        for key, events in found:
            if key.fileobj is mine and events & wanted:
                run.expect(key.fd, mine.fileno(), f"{what}: the key's descriptor")
                return
    run.fault(f"{what}: ready, and not reported in {PATIENCE} s")


def each_its_own(run: Run, index: int, done: collections.Counter) -> None:
    """Threads that share nothing but the process."""
    chance = random.Random(index)
    reader, writer = socket.socketpair()
    with reader, writer:
        while run.goes_on():
            with chance.choice(CLASSES)() as selector:
                key = selector.register(reader, EVENT_READ, index)
                run.expect(selector.select(0), [], "nothing to read")
                writer.send(b"x")
                run.expect(selector.select(PATIENCE), [(key, EVENT_READ)], "something to read")
                reader.recv(1)
                key = selector.modify(reader, EVENT_READ | EVENT_WRITE, index)
                run.expect(selector.select(PATIENCE), [(key, EVENT_WRITE)], "may be written")
                run.expect(selector.unregister(reader), key, "the key that was registered")
                run.expect(len(selector.get_map()), 0, "files left")
            done["selectors of a thread's own"] += 1


def one_for_all(selector):
    """A scene in which all threads use one selector, each for a file of its own."""

    def one_for_all(run: Run, index: int, done: collections.Counter) -> None:
        what = f"a shared {type(selector).__name__}"
        while run.goes_on():
            # Closed after it is unregistered, as it should be, and its number is used again.
            reader, writer = socket.socketpair()
            with reader, writer:
                key = selector.register(reader, EVENT_READ, index)
                run.expect(selector.get_key(reader), key, f"{what}: get_key")
                writer.send(b"x")
                until(run, selector, reader, EVENT_READ, f"{what}: read")
                reader.recv(1)
                changed = selector.modify(reader, EVENT_WRITE, (index, "write"))
                run.expect(changed.data, (index, "write"), f"{what}: the data of modify")
                until(run, selector, reader, EVENT_WRITE, f"{what}: write")
                run.expect(selector.unregister(reader), changed, f"{what}: unregister")
                run.expect(reader in selector.get_map(), False, f"{what}: still in the map")
            done[f"rounds in {what}"] += 1
            time.sleep(0)  # others select while the number means no file

    return one_for_all


def one_poll_for_all(make):
    """The same with a primitive that threads may share."""
    shared = make()

    def one_poll_for_all(run: Run, index: int, done: collections.Counter) -> None:
        what = f"a shared {make.__name__}"
        reader, writer = socket.socketpair()
        with reader, writer:
            own = reader.fileno()
            while run.goes_on():
                shared.register(own, 0x1)
                writer.send(b"x")
                deadline = time.monotonic() + PATIENCE
                while not any(fd == own and mask & 0x1 for fd, mask in shared.poll(PATIENCE)):
                    if time.monotonic() > deadline:
                        run.fault(f"{what}: ready, and not reported in {PATIENCE} s")
                        break
                reader.recv(1)
                shared.modify(own, 0x4)
                if (own, 0x4) not in shared.poll(PATIENCE):
                    run.fault(f"{what}: may be written, and was not reported")
                shared.unregister(own)
                done[f"rounds in {what}"] += 1

    return one_poll_for_all


class Closing:
    """All threads but one wait, and that one closes; then another selector, and so on."""

    def __init__(self, number: int) -> None:
        self._turn = threading.Barrier(number, self._next)
        self._number = 0
        self._selector = None
        self._idle = socket.socketpair()
        self._goes_on = True
        self._run = None

    def _next(self) -> None:
        """What one thread does while all others are at the barrier."""
        self._goes_on = self._run.goes_on()
        self._selector = CLASSES[self._number % len(CLASSES)]()
        self._selector.register(self._idle[0], EVENT_READ)
        self._number += 1
        if not self._goes_on:
            self._selector.close()

    def scene(self, run: Run, index: int, done: collections.Counter) -> None:
        chance = random.Random(index)
        self._run = run
        while True:
            self._turn.wait(PATIENCE)
            if not self._goes_on:
                break
            selector = self._selector
            if index == 0:
                time.sleep(chance.choice((0, 0, 0.001, 0.003)))
                selector.close()
                done["selectors closed while others wait"] += 1
            else:
                began = time.monotonic()
                try:
                    found = selector.select(PATIENCE)
                except (ValueError, RuntimeError):  # closed meanwhile; closed before
                    done["who waited and was told"] += 1
                else:
                    run.fault(f"closed: {found!r} after {time.monotonic() - began:.1f} s")
            self._turn.wait(PATIENCE + 10)  # with another `_next`, which nobody looks at
            self._selector.close()

    def close(self) -> None:
        for each in self._idle:
            each.close()


def collect() -> None:
    """What PyPy finds it finalizes, and so closes, only at one of the next collections."""
    for _ in range(3):
        gc.collect()


def descriptors() -> int:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return len(os.listdir(folder))


def play_all(number: int, seconds: float) -> tuple:
    """Every scene in turn; what was done, and what was wrong."""
    selectors = [kind() for kind in CLASSES]
    scenes = [each_its_own, *(one_for_all(selector) for selector in selectors)]
    if hasattr(primitives, "epoll"):
        scenes.append(one_poll_for_all(primitives.epoll))
    closing = Closing(number)
    scenes.append(closing.scene)
    done, faults = collections.Counter(), collections.Counter()
    for scene in scenes:
        run = Run(number, seconds / len(scenes))
        run.play(scene)
        done.update(run.done)
        faults.update(run.faults)
    for selector in selectors:
        if len(selector.get_map()):
            faults[f"{len(selector.get_map())} files left in {type(selector).__name__}"] += 1
        selector.close()
    closing.close()
    rounds = done["selectors closed while others wait"] * (number - 1)
    if done["who waited and was told"] != rounds:
        faults[f"{done['who waited and was told']} of {rounds} who waited were told"] += 1
    return done, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=8)
    chosen = parser.parse_args()
    if FREE_THREADED and "PYTHON_GIL" not in os.environ:
        statuses = []
        for gil in "10":
            environment = {**os.environ, "PYTHON_GIL": gil}
            command = [sys.executable, __file__, *sys.argv[1:]]
            statuses.append(subprocess.run(command, env=environment, check=False).returncode)
        return max(map(abs, statuses))

    faulthandler.dump_traceback_later(chosen.seconds * 3 + 120, exit=True)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    if gil:
        sys.setswitchinterval(1e-5)  # so that threads meet where they rarely do
    play_all(chosen.threads, 0.5)  # opens what is kept for all
    collect()
    before = descriptors(), threading.active_count()
    done, faults = play_all(chosen.threads, chosen.seconds)
    collect()
    after = descriptors(), threading.active_count()
    if after != before:
        faults[f"descriptors and threads: {before} before, {after} after"] += 1
    if gil != getattr(sys, "_is_gil_enabled", lambda: True)():
        faults["the GIL was turned on meanwhile"] += 1

    print(f"{sys.version.split()[0]}, GIL {'on' if gil else 'off'}, {chosen.threads} threads")
    for what, count in sorted(done.items()):
        print(f"{count:9}  {what}")
    for what, count in sorted(faults.items()):
        print(f"{count:9}  FAULT: {what}")
    print(f"verdict: {sum(faults.values())} lost, wrong or left over")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
