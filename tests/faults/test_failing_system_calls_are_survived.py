"""What if a system call fails?  Every call that we make, one after the other, with every error.

The calls are counted in one run without a fault; then one of them fails, in a run of its own.  A
fault may come out once, as the OSError that it is, and the same step done again has to work.
"""

from __future__ import annotations

import errno
import os
import resource
import time
from posix import close, dup

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams

pytestmark = [pytest.mark.once, pytest.mark.counted]

#: What the manual pages name, but for what says something about the file: EBADF and EPERM on
#: epoll_ctl are brought about with closed and regular files, in test_registration.py.
ERRORS = {
    "epoll_create": (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSYS),
    "EPOLL_CTL_ADD": (errno.ENOMEM, errno.ENOSPC, errno.EINVAL, errno.ELOOP),
    "EPOLL_CTL_MOD": (errno.ENOMEM, errno.ENOENT),
    "EPOLL_CTL_DEL": (errno.ENOENT, errno.EBADF),
    "epoll_wait": (errno.EINVAL, errno.EBADF),
    "is it an epoll": (errno.EINVAL, errno.EBADF),
    "poll": (errno.ENOMEM, errno.EINVAL),
    "select": (errno.ENOMEM, errno.EINVAL),
    "dup": (errno.EMFILE,),
    "dup2": (errno.EBADF, errno.EMFILE),
    "pipe": (errno.EMFILE, errno.ENFILE),
}


class Kernel:
    """Lets the call with one number fail; puts itself in the place of the originals."""

    def __init__(self, monkeypatch):
        self.arm(None, 0)
        kernel = self

        class Epoll:
            def __init__(self):
                kernel.enter("epoll_create")
                self.real = epoll()
                self.fileno, self.close = self.real.fileno, self.real.close

            @property
            def closed(self):
                return self.real.closed

            def register(self, fd, mask):
                kernel.enter("EPOLL_CTL_ADD")
                self.real.register(fd, mask)

            def modify(self, fd, mask):
                kernel.enter("EPOLL_CTL_MOD")
                self.real.modify(fd, mask)

            def unregister(self, fd):
                kernel.enter("EPOLL_CTL_DEL")
                self.real.unregister(fd)

            def poll(self, timeout, maxevents):
                if maxevents > 1:
                    kernel.enter("epoll_wait")
                else:  # close() asks whether its number is an epoll still
                    kernel.enter("is it an epoll", self.real.fileno())
                return self.real.poll(timeout, maxevents)

        class Poll:
            def __init__(self):
                self.real = poll()
                self.register, self.modify = self.real.register, self.real.modify
                self.unregister = self.real.unregister

            def poll(self, timeout):
                kernel.enter("poll")
                return self.real.poll(timeout)

        epoll, poll = seams.platform.epoll, seams.platform.poll
        monkeypatch.setattr(seams.platform, "epoll", Epoll)
        monkeypatch.setattr(seams.platform, "poll", Poll)
        names = {"select": seams.platform, **dict.fromkeys(("dup", "dup2", "pipe"), seams.system)}
        for name, owner in names.items():
            monkeypatch.setattr(owner, name, self.counted(name, getattr(owner, name)))

    def arm(self, number, which):
        """Let call `number`, from now, fail with error `which` of those that it can fail with."""
        self.calls, self.fails, self.which = 0, number, which
        self.failed, self.told = None, 0
        #: What is not ours any more, if it was said that it is no epoll: it must not be closed.
        self.lost = None

    def counted(self, name, function):
        def call(*arguments):
            self.enter(name)
            return function(*arguments)

        return call

    def enter(self, name, lost=None):
        number, self.calls = self.calls, self.calls + 1
        if number == self.fails and self.which < len(ERRORS[name]):
            self.failed, self.lost = ERRORS[name][self.which], lost
            raise OSError(self.failed, f"{name} fails on purpose")

    def step(self, function):
        """Do `function`, and do it again if the fault came out of it."""
        try:
            return function()
        except OSError as error:
            assert error.errno == self.failed
            self.told += 1
            assert self.told == 1
            return function()


def a_while(runtime):
    """Seconds; longer than poll(2) and select(2) wait without a kernel object."""
    return 0.002 if runtime.cooperative else 0.008


def story(kernel, runtime, Selector, connect):
    """One of everything that makes a system call."""
    (reader, writer), (other, peer) = connect(), connect()
    ready = lambda timeout: {key.fileobj: events for key, events in selector.select(timeout)}  # noqa: E731
    selector = kernel.step(Selector)
    kernel.step(lambda: selector.register(reader, EVENT_READ))
    kernel.step(lambda: selector.register(other, EVENT_READ))
    assert kernel.step(lambda: ready(a_while(runtime))) == {}

    task = runtime.spawn(lambda: (runtime.sleep(a_while(runtime)), writer.send(b"x")))
    assert kernel.step(lambda: ready(10)) == {reader: EVENT_READ}
    kernel.step(lambda: runtime.join(task))
    kernel.step(lambda: runtime.sleep(a_while(runtime)))  # nobody waits: it is disarmed
    reader.recv(1)
    assert kernel.step(lambda: ready(a_while(runtime))) == {}

    def modify():
        if other in selector.get_map():
            selector.modify(other, EVENT_WRITE)
        else:  # bpo-30014: a refused modify unregisters
            selector.register(other, EVENT_WRITE)

    kernel.step(modify)
    assert kernel.step(lambda: ready(10)) == {other: EVENT_WRITE}
    selector.unregister(other)

    number = dup(other.fileno())
    kernel.step(lambda: selector.register(number, EVENT_READ))
    close(number)  # lives on in `other`, which nobody can name any more
    selector.unregister(number)
    peer.send(b"x")
    assert kernel.step(lambda: ready(a_while(runtime))) == {}

    def wait():
        return kernel.step(lambda: ready(10))

    task = runtime.spawn(wait)
    kernel.step(lambda: runtime.sleep(a_while(runtime)))
    writer.send(b"x")
    assert kernel.step(lambda: runtime.join(task)) == {reader: EVENT_READ}
    reader.recv(1)

    task = runtime.spawn(wait)
    kernel.step(lambda: runtime.sleep(a_while(runtime)))
    selector.close()
    try:
        if not runtime.cooperative and kernel.failed and not kernel.told:
            # A thread in the kernel is woken by a file.  If it was that which failed, it sleeps
            # on, as it does in the standard module.
            writer.send(b"x")
        kernel.step(lambda: runtime.join(task))
    except ValueError as error:
        assert "closed" in str(error)
    else:
        assert not runtime.cooperative
        assert kernel.failed is not None


def story_of_one_that_is_not_nested(kernel, runtime, Selector, connect):
    """What is different if the kernel would not have the selector in the nest."""
    reader, writer = connect()
    selector = kernel.step(Selector)
    kernel.step(lambda: selector.register(reader, EVENT_READ))
    chain = [native.real_epoll() for _ in range(4)]
    for outer, inner in zip(chain, chain[1:]):
        outer.register(inner.fileno(), 1)
    kernel.step(lambda: selector.register(chain[0].fileno(), EVENT_READ))
    task = runtime.spawn(lambda: (runtime.sleep(a_while(runtime)), writer.send(b"x")))
    assert len(kernel.step(lambda: selector.select(10))) == 1
    kernel.step(lambda: runtime.join(task))
    selector.close()
    for each in chain:
        each.close()


def fail_everywhere(story, kernel, *of_the_test):
    """Let each call of a story fail in every way; return how often one did."""
    *_, connect = of_the_test
    story(kernel, *of_the_test)  # also opens what is kept for all
    connect.close()
    before = sorted(os.listdir("/proc/self/fd"))
    number = which = failures = 0
    while True:
        kernel.arm(number, which)
        started = time.monotonic()
        story(kernel, *of_the_test)
        assert time.monotonic() - started < 5  # a wake-up that is lost shows after ten seconds
        connect.close()
        if kernel.lost is not None:
            close(kernel.lost)
        assert sorted(os.listdir("/proc/self/fd")) == before
        if kernel.failed is not None:
            failures, which = failures + 1, which + 1
        elif kernel.calls > number:
            number, which = number + 1, 0
        else:
            break
    return failures


@pytest.mark.once
@pytest.mark.epoll
def test_any_call_may_fail(runtime, Selector, connect, monkeypatch):
    assert fail_everywhere(story, Kernel(monkeypatch), runtime, Selector, connect) >= 25


@pytest.mark.once
@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_any_system_call_may_fail_for_a_selector_that_is_not_nested(
    runtime, Selector, connect, monkeypatch
):
    story = story_of_one_that_is_not_nested
    assert fail_everywhere(story, Kernel(monkeypatch), runtime, Selector, connect) >= 5


@pytest.mark.epoll
def test_no_descriptor_left(runtime, Selector, connect):
    reader, writer = connect()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd"))) + 1
    stuffing = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
        with pytest.raises(OSError) as caught:
            while True:
                stuffing.append(dup(0))
        assert caught.value.errno == errno.EMFILE
        with pytest.raises(OSError):
            coopselectors.EpollSelector()
        assert selector.select(0.01) == []
        for timeout in (10, None):
            task = runtime.spawn(lambda: (runtime.sleep(0.005), writer.send(b"x")))
            assert len(selector.select(timeout)) == 1
            runtime.join(task)
            reader.recv(1)
    finally:
        for fd in stuffing:
            close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    task = runtime.spawn(lambda: (runtime.sleep(0.005), writer.send(b"x")))
    assert len(selector.select(10)) == 1
    runtime.join(task)
    selector.close()
