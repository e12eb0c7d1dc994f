"""What should a selector say, whatever happens to its files?

A model, kept as simple as it can be, beside the real things: open files with what they would be
ready for, the numbers that name them, and who registered what under which number.  Everything
that can happen is one method of `World`, which does it to both.

A file that is closed while registered is *lost* to the selector until it is unregistered.  What
is said of it in the meantime differs by class, as in the standard module: epoll forgets it
unless a duplicate lives on, poll says POLLNVAL, select refuses the whole call.  Only of lost files
does the model not know what to expect.
"""

from __future__ import annotations

import _socket
import fcntl
import gc
import os
import posix
import signal
import time
import traceback

from coopselectors import EVENT_READ, EVENT_WRITE

_F_DUPFD_CLOEXEC = getattr(fcntl, "F_DUPFD_CLOEXEC", 1030)  # PyPy does not name it

# What poll(2) and epoll(7) call it.
IN, OUT, ERR, HUP = 0x1, 0x4, 0x8, 0x10


class Description:
    """An open file as the kernel has it: it lives as long as any descriptor names it."""

    def __init__(self, kind):
        self.kind = kind  # "socket", or an end of a pipe: "reader", "writer"
        self.peer = None
        self.unread = 0  # bytes
        self.full = False  # nothing more can be written until the peer has read all
        self.holders = 0  # descriptors, of this process and of others

    def mask(self):
        mask = IN if self.unread else 0
        if self.kind != "reader" and not self.full:
            mask |= OUT
        if not self.peer.holders:
            mask |= {"socket": IN | OUT | HUP, "reader": HUP, "writer": ERR}[self.kind]
        return mask


class File:
    """A descriptor, for as long as it is open; like a socket it has none any more when closed."""

    def __init__(self, number, description):
        self.number = number
        self.is_open = True
        self.description = description
        description.holders += 1

    def fileno(self):
        return self.number if self.is_open else -1

    def close(self):
        self.is_open = False
        self.description.holders -= 1
        if not self.description.holders:
            self.description.unread = 0
            self.description.peer.full = False
        posix.close(self.number)


class Watch:
    """A selector, and what has to be registered in it."""

    def __init__(self, selector):
        self.selector = selector
        self.is_select = type(selector).__name__ == "SelectSelector"
        self.closed = False
        self.keys = {}  # {fd: SelectorKey}
        self.files = {}  # {fd: the File that had this number when it was registered}
        self.given = []  # every SelectorKey that there ever was

    def set(self, fd, key, file):
        self.keys[fd], self.files[fd] = key, file
        self.given.append(key)

    def drop(self, fd):
        del self.keys[fd], self.files[fd]

    def lost(self):
        return {fd for fd, file in self.files.items() if file is None or not file.is_open}

    def ready(self):
        """{fd: events} of all that is ready and not lost."""
        events = {fd: self._events(fd) for fd in self.keys.keys() - self.lost()}
        return {fd: ready for fd, ready in events.items() if ready}

    def _events(self, fd):
        mask = self.files[fd].description.mask()
        write = OUT | ERR if self.is_select else OUT | ERR | HUP
        events = (mask & (IN | ERR | HUP) and EVENT_READ) | (mask & write and EVENT_WRITE)
        return events & self.keys[fd].events

    def verify(self, answer):
        """Is this what `select` had to return just now?"""
        said = {}
        for key, events in answer:
            assert key is self.keys.get(key.fd), f"{key} is not registered"
            assert key.fd not in said, f"{key} comes twice"
            assert events, f"{key} is ready for nothing"
            assert not events & ~key.events, f"{key} did not ask for {events}"
            said[key.fd] = events
        for fd in self.lost():
            said.pop(fd, None)
        assert said == self.ready(), f"{said} is said to be ready, {self.ready()} is"

    def verify_map(self):
        assert dict(self.selector.get_map() or {}) == self.keys
        assert (self.selector.get_map() is None) == self.closed


class Waiter:
    """Somebody in `select`, beside the main greenlet or thread."""

    def __init__(self, world, watch, timeout, limit, then):
        self.world = world
        self.watch = watch
        self.timeout = timeout  # that of select()
        self.limit = limit  # that of a Timeout around it
        self.then = then  # what it does when it is woken: a method of World, and its arguments
        self.version = world.version
        self.started = None
        self.inside = False
        self.done = False
        self.error = None
        self.answer = None  # a thread's: only the main thread knows what it should be
        self.task = world.runtime.spawn(self._run)

    def is_due(self):
        if self.watch.closed or self.watch.ready():
            return True
        limits = [limit for limit in (self.timeout, self.limit) if limit is not None]
        return bool(limits and self.started) and time.monotonic() > self.started + min(limits)

    def _run(self):
        self.inside = True
        self.started = time.monotonic()
        try:
            self._wait()
        except BaseException as error:
            self.error = error
        finally:
            self.inside = False
            self.done = True

    def _wait(self):
        runtime = self.world.runtime
        try:
            if self.limit is None:
                answer = self.watch.selector.select(self.timeout)
            else:
                with runtime.Timeout(self.limit):
                    answer = self.watch.selector.select(self.timeout)
        except getattr(runtime, "Timeout", ()):
            assert time.monotonic() - self.started >= self.limit - 0.001
        except getattr(runtime, "Killed", ()):
            pass
        except ValueError as error:
            assert "closed" in str(error)
            assert self.watch.closed
        except OSError:
            assert self.watch.is_select
            assert self.watch.lost() or self._is_disturbed()
        else:
            self.inside = False
            if not runtime.cooperative:
                self.answer = answer, time.monotonic()
                return
            self.verify(answer, time.monotonic())
            if self.then is not None:
                try:
                    self.world.do(*self.then)
                except getattr(runtime, "Killed", ()):
                    assert self.then[0] == "kill"  # which blocks; our own end was on its way

    def verify(self, answer, ended):
        if not answer and not self.watch.closed:
            assert self.timeout is not None, "an empty answer without a time-out"
            assert ended - self.started >= self.timeout, "too early"
        if self._is_disturbed():
            for key, _ in answer:
                assert any(key is given for given in self.watch.given)
        elif answer or not self.timeout:
            self.watch.verify(answer)

    def _is_disturbed(self):
        # A thread may have looked before the last change and return after it.
        return not self.world.runtime.cooperative and self.version != self.world.version


class World:
    """All files, selectors and waiters of one run."""

    def __init__(self, runtime, classes, patience):
        self.runtime = runtime
        self.classes = classes
        self.patience = patience  # seconds until a wake-up counts as lost
        self.refusing = tuple(kind for kind in classes if kind.__name__.startswith(("E", "K")))
        self.version = 0  # counts the changes
        self.files = []  # those that are open
        self.watches = []  # those that are not closed
        self.waiters = []  # those that are not yet seen to be done
        self.dropped = False  # has a selector been, without being closed?
        self.is_child = False
        self.last_data = 0

    def do(self, name, *arguments):
        """Do one thing, if it can be done now.  Numbers choose among what there is, in a circle."""
        if self.is_child and name in ("send", "fill", "drain"):
            return  # somebody who waited at the fork wants to: but it would be our parent's data
        self.version += 1
        getattr(self, name)(*arguments)
        for watch in self.watches:
            watch.verify_map()

    # -- files

    def make_pair(self, kind):
        if len(self.files) > 12:
            return
        if kind == "socket":
            ends = _socket.socketpair()
            kinds = ("socket", "socket")
        else:
            ends = posix.pipe()
            kinds = ("reader", "writer")
        pair = [Description(each) for each in kinds]
        for end, own, peer in zip(ends, pair, reversed(pair)):
            own.peer = peer
            number = end if kind == "pipe" else end.detach()
            os.set_blocking(number, False)
            self.files.append(File(number, own))

    def duplicate(self, which, number):
        """Another descriptor of the same file, at the lowest number that is free from there on."""
        if self.files and len(self.files) <= 14:
            file = pick(self.files, which)
            fresh = fcntl.fcntl(file.number, _F_DUPFD_CLOEXEC, max(number, 3))
            self.files.append(File(fresh, file.description))

    def close(self, which, other=None):
        """Close a file that may be registered; another one may take its number at once."""
        if self.files:
            file = self.files.pop(which % len(self.files))
            file.close()
            if other is not None:
                self.duplicate(other, file.number)
            return file

    def close_and_unregister(self, which, other):
        """The order that programs should avoid and do not."""
        if self.files:
            file = self.close(which, other)
            for watch in self.watches:
                key = watch.keys.get(file.number)
                if watch.files.get(file.number) is file:
                    assert watch.selector.unregister(key.fileobj) is key
                    watch.drop(file.number)

    def hand_over(self, which, other, events):
        """A file lives on in a duplicate, and another one is registered under its number."""
        used = {file for watch in self.watches for file in watch.files.values()}
        files = [file for file in self.files if file in used]
        if files and len(self.files) <= 13:
            file = pick(files, which)
            number = self.files.index(file)
            watches = [watch for watch in self.watches if watch.files.get(file.number) is file]
            self.duplicate(number, 0)
            self.close_and_unregister(number, other)
            heir = self._named(file.number)
            for watch in watches:
                key = watch.selector.register(heir, events, self._data())
                watch.set(file.number, key, heir)

    def unregister_and_close(self, which):
        if self.files:
            file = pick(self.files, which)
            for watch in self.watches:
                if file.number in watch.keys:
                    watch.selector.unregister(file.number)
                    watch.drop(file.number)
            self.close(which)

    def send(self, which):
        able = [file for file in self._writers() if file.description.peer.unread < 8]
        if able:
            posix.write(pick(able, which).number, b"x")
            pick(able, which).description.peer.unread += 1

    def fill(self, which):
        """Write until nothing more goes in."""
        able = self._writers()
        if able:
            file = pick(able, which)
            file.description.full = True
            try:
                while True:
                    file.description.peer.unread += posix.write(file.number, b"x" * 65536)
            except BlockingIOError:
                pass

    def drain(self, which):
        """Read everything."""
        able = [file for file in self.files if file.description.unread]
        if able:
            self._read_all(pick(able, which))

    def send_and_drain(self, which):
        """Nobody else gets a turn in between: to whoever waits, nothing has happened."""
        files = {file.description: file for file in self.files}
        able = [
            (writer, files[writer.description.peer])
            for writer in self._writers()
            if not writer.description.peer.unread and writer.description.peer in files
        ]
        if able:
            writer, reader = pick(able, which)
            posix.write(writer.number, b"x")
            reader.description.unread = 1
            self._read_all(reader)

    def _writers(self):
        """What can be written to without SIGPIPE."""
        files = [file for file in self.files if file.description.kind != "reader"]
        return [file for file in files if file.description.peer.holders]

    def _read_all(self, file):
        own = file.description
        while own.unread:
            own.unread -= len(posix.read(file.number, 1 << 20))
        own.peer.full = False

    # -- selectors

    def make_selector(self, which):
        if len(self.watches) < 6:
            self.watches.append(Watch(pick(self.classes, which)()))

    def register(self, which, number, events, by_number):
        if not self.watches or not self.files:
            return
        watch, file = pick(self.watches, which), pick(self.files, number)
        fileobj = file.number if by_number else file
        try:
            key = watch.selector.register(fileobj, events, self._data())
        except KeyError:
            assert file.number in watch.keys
        else:
            assert file.number not in watch.keys
            assert key[:3] == (fileobj, file.number, events)
            watch.set(file.number, key, file)

    def register_in_vain(self, which, number, fault):
        """Registrations that have to fail, and to leave nothing behind."""
        if not self.watches or not self.files:
            return
        watch, file = pick(self.watches, which), pick(self.files, number)
        if fault == "events":
            attempt = (file, 8)
        elif fault == "number":
            attempt = (-1, EVENT_READ)
        elif not isinstance(watch.selector, self.refusing):
            return  # the others take anything, until they are asked
        else:
            attempt = (1000, EVENT_READ)
        try:
            watch.selector.register(*attempt)
        except (ValueError, OSError):
            return
        raise AssertionError(f"registered {attempt}")

    def modify(self, which, number, events, by_number, with_data):
        watch = self._with_keys(which)
        if watch is None:
            return
        fd = pick(list(watch.keys), number)
        old, is_lost = watch.keys[fd], fd in watch.lost()
        data = self._data() if with_data else old.data
        try:
            key = watch.selector.modify(fd if by_number else old.fileobj, events, data)
        except OSError:
            assert is_lost
            watch.drop(fd)
            return
        assert key[1:] == (fd, events, data)
        # The kernel was asked only if there was something to change.
        renewed = is_lost and events != old.events
        watch.set(fd, key, self._named(fd) if renewed else watch.files[fd])

    def unregister(self, which, number, by_number):
        watch = self._with_keys(which)
        if watch is not None:
            fd = pick(list(watch.keys), number)
            key = watch.keys[fd]
            assert watch.selector.unregister(fd if by_number else key.fileobj) is key
            watch.drop(fd)

    def select(self, which, timeout):
        if not self.watches:
            return
        watch = pick(self.watches, which)
        started = time.monotonic()
        try:
            answer = watch.selector.select(timeout)
        except OSError:
            assert watch.is_select
            assert watch.lost()
        except ValueError:
            assert watch.closed
        else:
            watch.verify(answer)
            assert answer or time.monotonic() - started >= timeout, "too early"

    def close_selector(self, which):
        if self.watches:
            watch = self.watches.pop(which % len(self.watches))
            watch.closed = True  # a thread may notice at once
            watch.selector.close()
            watch.keys.clear()
            watch.files.clear()
            watch.verify_map()

    def drop_selector(self, which):
        """Forget a selector without closing it, though somebody may still wait in it."""
        if self.watches and (self.runtime.cooperative or not self.waiters):
            self.watches.pop(which % len(self.watches))
            self.dropped = True

    def _with_keys(self, which):
        return pick([watch for watch in self.watches if watch.keys], which)

    def _named(self, fd):
        return next((file for file in self.files if file.number == fd), None)

    def _data(self):
        self.last_data += 1
        return self.last_data

    # -- those who wait

    def wait(self, which, timeout, limit, then):
        if not self.watches or len(self.waiters) > 7:
            return
        if not self.runtime.cooperative:
            limit = then = None
            if not self.runtime.wakes_threads and timeout != 0.002:
                timeout = 0.006
        self.waiters.append(Waiter(self, pick(self.watches, which), timeout, limit, then))

    def kill(self, which):
        if self.waiters and self.runtime.cooperative:
            waiter = pick(self.waiters, which)
            if waiter.inside or not waiter.started:
                self.runtime.kill(waiter.task)
                waiter.done = waiter.done or not waiter.started
                assert waiter.done

    def nudge(self, which):
        """A stranger switches into somebody who waits, as eventlet does (its issue 551)."""

        def switch():
            if waiter.inside:
                waiter.task.switch()

        if self.waiters and self.runtime.cooperative:
            waiter = pick(self.waiters, which)
            self.runtime.call_in_hub(switch)

    def pause(self, seconds):
        self.runtime.sleep(seconds)
        self.settle()

    def settle(self):
        """Let everybody run: who has to wake, wakes, and nobody has anything to complain of."""
        until = time.monotonic() + self.patience
        self.runtime.sleep(0)
        while True:
            for waiter in self.waiters:
                if waiter.error is not None:
                    raise waiter.error
                if waiter.answer is not None:
                    waiter.verify(*waiter.answer)
            self.waiters = [waiter for waiter in self.waiters if not waiter.done]
            late = [waiter for waiter in self.waiters if waiter.is_due()]
            if not late:
                return
            assert time.monotonic() < until, f"not woken: {vars(late[0])}, {vars(late[0].watch)}"
            self.runtime.sleep(0.001)

    def idle(self):
        """Whoever still waits does so without using the processor."""
        self.settle()
        if self.waiters and self.runtime.cooperative:
            used = []
            gc.disable()
            while not used or (min(used) > 0.005 and len(used) < 5):
                used.append(-time.process_time())
                self.runtime.sleep(0.01)
                used[-1] += time.process_time()
            gc.enable()
            assert min(used) <= 0.005, "the hub spins"

    # -- other processes

    def fork(self, script):
        """Do `script` in a child, which must come to no other results, nor change ours."""
        if self.is_child:
            return
        if not self.runtime.cooperative:
            self.settle()
            if self.waiters:
                return
        reader, writer = posix.pipe()
        child = os.fork()
        if not child:
            report = b""
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(30)
                self._in_child(script)
            except BaseException:
                report = traceback.format_exc().encode()
            finally:
                posix.write(writer, report[-60_000:])
                os._exit(0)
        posix.close(writer)
        report = b""
        while piece := posix.read(reader, 65536):
            report += piece
        posix.close(reader)
        _, status = posix.waitpid(child, 0)
        assert not report, f"in the child: {report.decode()}"
        assert status == 0

    def _in_child(self, script):
        self.is_child = True
        for description in {file.description for file in self.files}:
            description.holders += 1  # our parent
        for step in script:
            self.do(*step)
        self.finish()

    # -- the end

    def finish(self):
        """Everything must be as it should when nothing more happens."""
        self.settle()
        for number in range(len(self.watches)):
            self.select(number, 0)

    def clear(self):
        """Give everything back, whatever state it is in."""
        waiting, self.waiters = self.waiters, []
        for watch in self.watches:
            watch.closed = True
            watch.selector.close()
        for waiter in waiting:
            if self.runtime.cooperative:
                self.runtime.kill(waiter.task)
            else:
                self.runtime.join(waiter.task)
        for file in self.files:
            posix.close(file.number)
        self.watches.clear()
        self.files.clear()
        self.runtime.sleep(0.001)


def pick(items, number):
    """One of `items`, or None if there is none."""
    return items[number % len(items)] if items else None
