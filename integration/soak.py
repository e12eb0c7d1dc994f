"""Does anything get lost, grow or stay behind in a long and rough run?

``python integration/soak.py [RUNTIME...] [--seconds N] [--seed N]``: each runtime has an
interpreter of its own, in which selectors of all classes pass numbered messages while those who
wait are killed, timed out and interrupted by signals, and files and selectors are closed under
them, and while the process forks.  It is wound down every now and then: then a child and its parent
use the same selectors, another child becomes a daemon, which closes every descriptor, and a test
freezes the clock.  After a third of the time it counts what there is of everything, and at the end
there has to be as much.  Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import gc
import importlib.util
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from _thread import start_new_thread  # before any patch: it starts real ones
from time import monotonic  # before it is frozen
from time import sleep as block  # before any patch
from unittest import mock

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE

RUNTIMES = {
    "native": (),
    "gevent-libev": ("gevent",),
    "gevent-libuv": ("gevent", "cffi"),
    "eventlet": ("eventlet",),
}
CLASSES = [coopselectors.EpollSelector, coopselectors.PollSelector, coopselectors.SelectSelector]
AT_ONCE = 10  # scenes
SLICE = 2.0  # seconds between two pauses
PATIENCE = 30.0  # seconds until a wake-up counts as lost
MORE_OBJECTS = 3000  # a hub that warms up has a thousand more or less; kills come by thousands
OBJECTS_OF_A_HUB, MEMORY_OF_A_HUB = 60, 20_000
MORE_MEMORY = 3 << 20  # bytes, or a twentieth

done = collections.Counter()  # what was done
errors = []


class Interruption(Exception):
    """What is thrown into those who wait."""


def enter(name):
    """Turn this interpreter into one of runtime `name`; return what its tools are called."""
    here = types.SimpleNamespace(
        cooperative=True,
        end_of_thread=lambda: None,
        ended=lambda task: task.dead,
        end_hub=lambda: None,
        start_anew=lambda: None,
    )
    if name == "native":
        here.cooperative = False
        here.sleep = time.sleep
        here.count = dict
        here.spawn = spawn_thread
        here.ended = lambda thread: not thread.is_alive()
    elif name == "eventlet":
        warnings.simplefilter("ignore")
        import eventlet
        import eventlet.debug
        import eventlet.hubs

        eventlet.monkey_patch()
        eventlet.debug.hub_exceptions(False)
        here.sleep, here.spawn, here.Timeout = eventlet.sleep, eventlet.spawn, eventlet.Timeout

        def count():
            hub = eventlet.hubs.get_hub()
            timers = [item[1] if isinstance(item, tuple) else item for item in hub.timers]
            timers += [item[1] for item in hub.next_timers]
            return {
                "listeners": sum(map(len, hub.listeners.values())),
                "timers": sum(not timer.called for timer in timers),
            }

        here.count = count
        here.end_of_thread = lambda: eventlet.hubs.get_hub().abort(wait=True)
        here.start_anew = lambda: eventlet.hubs.use_hub("epolls")
    else:
        loop = {"libev": "libev-cext", "libuv": "libuv-cffi"}[name.partition("-")[2]]
        os.environ["GEVENT_LOOP"] = loop
        import gevent.monkey

        gevent.monkey.patch_all()
        here.sleep, here.spawn, here.Timeout = gevent.sleep, gevent.spawn, gevent.Timeout
        gevent.get_hub().exception_stream = None
        here.end_of_thread = lambda: gevent.get_hub().destroy()
        # With gevent.reinit() in its place, libev aborts, also without us (26.9).
        here.end_hub = lambda: gevent.get_hub().destroy(destroy_loop=True)
        here.start_anew = gevent.get_hub

        def count():
            loop = gevent.get_hub().loop
            kinds = collections.Counter(
                type(each).__name__
                for each in gc.get_objects()
                if str(type(each).__module__).startswith("gevent")
            )
            counted = {kind: kinds[kind] for kind in ("io", "timer", "async_", "Hub")}
            return {**counted, "active": loop.activecnt, "pending": loop.pendingcnt}

        here.count = count
    return here


def spawn_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


class Stage:
    """Where the scenes are played: the tools, the dice, and who is still on."""

    def __init__(self, here, seed):
        self.here = here
        self.dice = random.Random(seed)
        self.on = 0

    def start(self, function, *arguments):
        """Run something beside; whatever goes wrong in it is kept."""

        def run():
            try:
                function(*arguments)
            except BaseException as error:
                if type(error).__name__ != "GreenletExit":
                    errors.append(f"{function.__name__}: {type(error).__name__}: {error}")

        return self.here.spawn(run)

    def wait_for(self, condition, what):
        until = monotonic() + PATIENCE
        while not condition():
            if errors or monotonic() > until:
                raise AssertionError(f"waited in vain for {what}")
            self.here.sleep(0.001)

    def join(self, *players):
        # A task that is killed before its start never runs a line: ask the task itself.
        self.wait_for(lambda: all(map(self.here.ended, players)), "somebody's end")

    def selector(self, runtime=None):
        return self.dice.choice(CLASSES)(runtime=runtime)

    def hurt(self, player):
        """Kill whoever waits, or throw something at them."""
        if not self.here.ended(player):
            if self.dice.random() < 0.5:
                done["kills"] += 1
                player.kill()
            else:
                done["throws"] += 1
                player.kill(Interruption)


class Stream:
    """Numbered messages from one socket to another."""

    def __init__(self, total):
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)
        self.total = total
        self.seen = 0

    def send(self, stage):
        for number in range(self.total):
            while True:
                try:
                    self.writer.send(struct.pack("I", number))
                    break
                except BlockingIOError:
                    stage.here.sleep(0.001)
            chance = stage.dice.random()
            if chance < 0.3:
                stage.here.sleep(chance * 0.005)
            elif chance < 0.5:  # the next one shall not make up for this one's wake-up
                stage.wait_for(lambda n=number: self.seen > n, f"message {number}")

    def receive(self):
        try:
            data = self.reader.recv(4096)
        except BlockingIOError:
            errors.append("told to read where there is nothing")
            return
        for (number,) in struct.iter_unpack("I", data):
            if number != self.seen:
                errors.append(f"message {number} came in the place of {self.seen}")
            self.seen = number + 1
            done["messages"] += 1

    def close(self):
        self.reader.close()
        self.writer.close()


def receive_all(stage, selector, streams, timeout):
    while any(stream.seen < stream.total for stream in streams):
        try:
            if timeout is not None and stage.here.cooperative and stage.dice.random() < 0.3:
                with stage.here.Timeout(timeout / 2, False):
                    ready = selector.select(timeout)
                    receive(stage, ready)
                    continue
                done["timeouts"] += 1
            else:
                receive(stage, selector.select(timeout))
        except Interruption:
            return
        except OSError:
            # Another thread has closed a file, and is about to unregister it.
            if stage.here.cooperative or type(selector).__name__ != "SelectSelector":
                raise


def receive(stage, ready):
    for key, _ in ready:
        if key.data is not None:
            key.data.receive()
        elif stage.here.cooperative:
            errors.append("a file that is closed and unregistered was ready")


def messages(stage, runtime=None, hurt=False):
    """Streams into one selector; if `hurt`, those who wait there die, and others take over."""
    streams = [Stream(stage.dice.randrange(5, 30)) for _ in range(stage.dice.randrange(1, 6))]
    with stage.selector(runtime) as selector:
        for stream in streams:
            selector.register(stream.reader, EVENT_READ, stream)
        senders = [stage.start(stream.send, stage) for stream in streams]
        while any(stream.seen < stream.total for stream in streams) and not errors:
            timeout = stage.dice.choice([None, 0.002, 0.01, 5])
            if not stage.here.cooperative:
                timeout = timeout and min(timeout, 0.01)
            receiver = stage.start(receive_all, stage, selector, streams, timeout)
            if hurt:
                stage.here.sleep(stage.dice.random() * 0.01)
                stage.hurt(receiver)
            stage.join(receiver)
        stage.join(*senders)
    for stream in streams:
        stream.close()


def hurt_messages(stage):
    messages(stage, hurt=stage.here.cooperative)


def closed_selector(stage):
    """Whoever waits in a selector that is closed gets a ValueError."""

    def wait():
        try:
            selector.select()
        except ValueError:
            told.append(True)

    told = []
    selector, stream = stage.selector(), Stream(0)
    selector.register(stream.reader, EVENT_READ)
    waiting = [stage.start(wait) for _ in range(stage.dice.randrange(1, 4))]
    stage.here.sleep(stage.dice.random() * 0.004)
    selector.close()
    stage.join(*waiting)
    if len(told) != len(waiting):
        errors.append("a closed selector did not tell all who waited")
    stream.close()
    done["closed selectors"] += 1


def closed_file(stage):
    """A file is closed while registered and waited for; the others are served all the same."""
    streams = [Stream(5), Stream(5)]
    doomed, _other = pair = socket.socketpair()
    with stage.selector() as selector:
        for stream in streams:
            selector.register(stream.reader, EVENT_READ, stream)
        selector.register(doomed, EVENT_READ)
        senders = [stage.start(stream.send, stage) for stream in streams]
        receiver = stage.start(receive_all, stage, selector, streams, None)
        stage.here.sleep(stage.dice.random() * 0.002)
        doomed.close()
        selector.unregister(doomed)
        stage.join(receiver, *senders)
    for end in (*pair, *(stream.reader for stream in streams)):
        end.close()
    for stream in streams:
        stream.close()
    done["closed files"] += 1


def failed_register(stage):
    with stage.selector() as selector, tempfile.TemporaryFile() as regular:
        for file in (-1, 9999 if hasattr(selector, "fileno") else -1, regular):
            try:
                selector.register(file, EVENT_READ)
            except (ValueError, OSError):
                pass
            else:
                selector.unregister(file)
        if len(selector.get_map()) or selector.select(0.001):
            errors.append("a failed register left something behind")
    done["failed registers"] += 1


def dropped(stage):
    """Selectors that nobody closes, in a cycle that only the collector finds."""
    stream = Stream(0)
    selector = stage.selector()
    selector.itself = selector
    selector.register(stream.reader, EVENT_READ | EVENT_WRITE)
    waiter = stage.start(selector.select, 5)
    selector.select(0.001)
    stage.join(waiter)
    stream.close()
    done["dropped"] += 1


def real_thread(stage):
    """A thread with a hub of its own, which it destroys, or with none."""
    pinned = stage.dice.random() < 0.5

    def run():
        try:
            if pinned:
                native(stream)
            else:
                messages(stage)
                stage.here.end_of_thread()
        except BaseException as error:
            errors.append(f"in a thread: {type(error).__name__}: {error}")
        finally:
            ended.append(True)

    def native(stream):
        with stage.selector("native") as selector:
            selector.register(stream.reader, EVENT_READ, stream)
            while stream.seen < stream.total and not errors:
                for key, _ in selector.select(0.5):
                    key.data.receive()

    ended = []
    stream = Stream(20)
    start_new_thread(run, ())
    if pinned:
        stream.send(stage)
    stage.wait_for(lambda: ended, "a thread")
    stream.close()
    done["threads"] += 1


def fork_beside(stage):
    """A child that does nothing, in the middle of what the others do."""
    posix = sys.modules["posix"]
    child = posix.fork()
    if not child:
        os._exit(0)
    if posix.waitpid(child, 0)[1]:
        errors.append("a fork in the middle of things went wrong")
    done["forks beside others"] += 1


SCENES = [messages] * 4 + [hurt_messages] * 6 + [closed_selector, closed_file] * 2
SCENES += [failed_register, dropped, real_thread, fork_beside]


def play(stage, seconds):
    """Scene after scene, several at once, and a fork in each of the pauses."""
    until = monotonic() + seconds
    while monotonic() < until and not errors:
        pause = min(until, monotonic() + SLICE)

        def scenes(pause=pause):
            while monotonic() < pause and not errors:
                stage.dice.choice(SCENES)(stage)

        players = [stage.start(scenes) for _ in range(AT_ONCE)]
        stage.join(*players)
        fork(stage)
        daemon(stage)
        frozen_clocks(stage)


def fork(stage):
    """Parent and child use what was made before, one after the other; nothing else goes on."""
    stream = Stream(2)
    selectors = [kind() for kind in CLASSES]
    for selector in selectors:
        selector.register(stream.reader, EVENT_READ, stream)
        selector.select(0.001)

    def turn(number):
        stream.writer.send(struct.pack("I", number))
        found = [len(selector.select(5)) for selector in selectors]
        stream.receive()
        return found == [1, 1, 1] and not any(selector.select(0) for selector in selectors)

    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        good = turn(0)
        for selector in selectors:
            selector.unregister(stream.reader)
            selector.close()
        os._exit(0 if good and not errors else 1)
    _, status = sys.modules["posix"].waitpid(child, 0)
    stream.seen = 1
    if status != 0 or not turn(1):
        errors.append(f"the fork went wrong: status {status}")
    for selector in selectors:
        selector.close()
    stream.close()
    done["forks"] += 1


def daemon(stage):
    """A child closes every descriptor, opens files, and uses selectors of before and new ones."""
    reader, _writer = pair = socket.socketpair()
    selectors = [kind() for kind in CLASSES]
    for selector in selectors:
        selector.register(reader, EVENT_READ)
        selector.select(0.001)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.alarm(30)
        status = 2
        try:
            status = 0 if in_daemon(stage, selectors) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    _, status = sys.modules["posix"].waitpid(child, 0)
    if status:
        errors.append(f"the daemon went wrong: status {status}")
    for selector in selectors:
        selector.close()
    for end in pair:
        end.close()
    done["daemons"] += 1


def in_daemon(stage, selectors):
    """Whether all is well there: no file of its own is touched, and new selectors hear of them."""
    posix = sys.modules["posix"]
    stage.here.end_hub()
    posix.closerange(3, 1024)
    stage.here.start_anew()
    files = [fd for _ in range(10) for fd in posix.pipe()]
    inodes = [posix.fstat(fd).st_ino for fd in files]
    heard = []
    for kind in CLASSES:
        with kind() as selector:
            selector.register(files[0], EVENT_READ)
            heard.append(len(selector.select(0.001)))
            posix.write(files[1], b"x")
            heard.append(len(selector.select(10)))
            posix.read(files[0], 1)
    for selector in selectors:
        for _ in range(2):
            try:
                selector.select(0.001)
            except (OSError, ValueError):
                pass  # its file is gone
        selector.close()
    return heard == [0, 1] * 3 and inodes == [posix.fstat(fd).st_ino for fd in files]


def frozen_clocks(stage):
    """A wait lasts as long as it should while the clock stands still, and is woken afterwards."""
    stream = Stream(0)
    for kind in CLASSES:
        with kind() as selector:
            selector.register(stream.reader, EVENT_READ)
            started = monotonic()
            standing = stage.dice.choice([1.0, -1e6, 1e12])
            with mock.patch("time.monotonic", return_value=standing):
                if selector.select(0.005):
                    errors.append("something was ready while the clock stood still")
            if not 0.005 <= monotonic() - started < PATIENCE:
                errors.append(f"a wait of 5 ms took {monotonic() - started:.4f} s")
            stage.start(stream.writer.send, b"x")
            if len(selector.select(PATIENCE)) != 1:
                errors.append("nothing was heard after the clock had stood still")
            stream.reader.recv(1)
    stream.close()
    done["frozen clocks"] += 1


def count(here):
    """How much there is of everything."""
    here.sleep(0.5)
    for _ in range(3):
        gc.collect()
        here.sleep(0.01)
    with open("/proc/self/statm") as statm:
        memory = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    kinds = [type(each).__name__ for each in gc.get_objects()]
    return {
        **descriptors(),
        "greenlets": sum("reenlet" in kind or "GreenThread" in kind for kind in kinds),
        "threads": len(os.listdir("/proc/self/task")),
        **here.count(),
        "children": done["forks"] + done["daemons"],
        "objects": len(kinds),
        "memory": memory,
    }


def descriptors():
    """How many there are of each kind."""
    kinds = collections.Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            kinds["fd " + os.readlink(f"/proc/self/fd/{number}").partition("[")[0]] += 1
        except OSError:
            pass  # the one of the list itself
    return kinds


def changes(before, after):
    # gevent's hubs outlive their destruction, with some objects each, whoever makes them.  An
    # active watcher outlives it too, for a destroyed loop does not stop any: the one of our nest.
    hubs = after.get("Hub", 0) - before.get("Hub", 0)
    more = collections.Counter(Hub=hubs, greenlets=hubs, io=hubs)
    # gevent keeps a watcher of each child that it was not asked to wait for; libuv's has an async_.
    more["children"] = after["children"] - before["children"]
    more["async_"] = hubs + more["children"]
    more["objects"] = MORE_OBJECTS + OBJECTS_OF_A_HUB * hubs
    more["memory"] = max(MORE_MEMORY, before["memory"] // 20) + MEMORY_OF_A_HUB * hubs
    return {
        what: f"{before[what]} -> {after[what]}"
        for what in after
        if after[what] > before.get(what, 0) + more[what]
    }


def soak(name, seconds, seed):
    """The whole run, in this interpreter; returns what to print."""
    faulthandler.dump_traceback_later(seconds + 3 * PATIENCE, exit=True)
    here = enter(name)
    warnings.simplefilter("ignore")
    stage = Stage(here, seed)
    signal.signal(signal.SIGUSR1, lambda *_: done.update(signals=1))

    def send_signals():
        while not enough:
            block(0.05)
            os.kill(os.getpid(), signal.SIGUSR1)

    enough = []
    start_new_thread(send_signals, ())
    try:
        play(stage, seconds / 3)
        before = after = count(here)
        play(stage, seconds * 2 / 3)
        after = count(here)
    except AssertionError as error:
        errors.append(str(error))
        before = after = count(here)
    enough.append(True)
    return {
        "done": done,
        "before": before,
        "after": after,
        "errors": errors[:5],
        "changed": changes(before, after),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", help=", ".join(RUNTIMES))
    parser.add_argument("--seconds", type=float, default=300.0, help="each (default: 300)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(soak(options.runtimes[0], options.seconds, options.seed)), flush=True)
        os._exit(0)
    status = 0
    for name in options.runtimes or RUNTIMES:
        if not all(map(importlib.util.find_spec, RUNTIMES[name])):
            print(f"{name}: not installed")
            continue
        command = [sys.executable, __file__, name, "--here", "--seed", str(options.seed)]
        command += ["--seconds", str(options.seconds)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"{name}: FAILED, status {run.returncode}\n{run.stdout}{run.stderr}")
            status = 1
            continue
        told = json.loads(run.stdout.splitlines()[-1])
        print(run.stderr, end="", file=sys.stderr)
        bad = told["errors"] or told["changed"]
        status = status or int(bool(bad))
        lists = [
            ", ".join(f"{number} {what}" for what, number in told[part].items())
            for part in ("done", "before", "after")
        ]
        print(f"{name}: {lists[0]}; before: {lists[1]}; after: {lists[2]}; ", end="")
        print(f"FAILED, seed {options.seed}: {bad}" if bad else "good", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
