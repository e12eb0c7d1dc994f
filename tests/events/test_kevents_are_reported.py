"""What a kqueue can wait for besides files: do its events come through select, in every runtime?

On the stand-in here (COOPSELECTORS_TEST_PLATFORM=kqueue); on macOS and the BSDs on the real thing.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE, Events, SelectorKey
from support import native

pytestmark = pytest.mark.classes("KqueueSelector")

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")

# <sys/event.h>; only where there is a kqueue does the interpreter have names for them.
READ, VNODE, PROC, SIGNAL, TIMER = -1, -4, -5, -6, -7
ADD, DELETE, ONESHOT, CLEAR = 0x1, 0x2, 0x10, 0x20
NOTE_EXIT, NOTE_DELETE, NOTE_WRITE = 0x80000000, 0x1, 0x2


def kevent(*arguments, **fields):
    return native.kevent(*arguments, **fields)  # hubs take it out of `select`


@pytest.mark.parametrize("timeout", [None, 20])
def test_a_timer(runtime, selector, timeout):
    ticks = []
    ticker = runtime.spawn(lambda: [(runtime.sleep(0.01), ticks.append(1)) for _ in range(5)])
    timer = kevent(7, TIMER, data=100)
    started = time.monotonic()
    key = selector.register_kevent(timer, "data")
    assert key == SelectorKey(timer, 7, 0, "data")
    assert dict(selector.get_map()) == {}  # it is no file
    for number in (1, 2):
        [(found, events)] = selector.select(timeout)
        assert found is key
        assert type(events) is Events
        assert (events, events.native) == (0, 0)
        assert events.kevent.ident == 7
        assert events.kevent.data >= 1  # how often, since the last call
        assert time.monotonic() - started >= 0.1 * number - 0.01
    runtime.join(ticker)
    assert len(ticks) == 5
    assert selector.unregister_kevent(timer) is key
    assert selector.select(0.15) == []


def test_the_end_of_a_process_beside_a_file(runtime, selector, connect):
    reader, writer = connect()
    file = selector.register(reader, EVENT_READ)
    child = subprocess.Popen([sys.executable, "-c", "input(); raise SystemExit(3)"], stdin=-1)
    process = kevent(child.pid, PROC, fflags=NOTE_EXIT)
    key = selector.register_kevent(process)
    writer.send(b"x")
    assert selector.select(20) == [(file, EVENT_READ)]
    child.stdin.close()
    found = dict(selector.select(20))
    while key not in found:
        found.update(selector.select(20))
    assert found == {file: EVENT_READ, key: 0}
    assert found[key].native & NOTE_EXIT
    reader.recv(1)
    assert selector.select(0.01) == []  # it is told of once, and gone by itself
    with pytest.raises(KeyError, match="already registered"):
        selector.register_kevent(process)
    assert selector.unregister_kevent(process) is key
    child.wait()


@pytest.mark.timeout(60)
def test_a_signal(runtime, selector):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        key = selector.register_kevent(kevent(signal.SIGUSR1, SIGNAL))
        assert selector.select(0.01) == []
        task = runtime.spawn(lambda: (runtime.sleep(0.02), os.kill(os.getpid(), signal.SIGUSR1)))
        assert selector.select(20) == [(key, 0)]
        runtime.join(task)
        selector.unregister_kevent(key.fileobj)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_file_that_changes(runtime, selector, tmp_path):
    with open(tmp_path / "watched", "wb", buffering=0) as file:
        vnode = kevent(file.fileno(), VNODE, flags=CLEAR, fflags=NOTE_WRITE | NOTE_DELETE)
        key = selector.register_kevent(vnode)
        task = runtime.spawn(lambda: (runtime.sleep(0.02), file.write(b"x")))
        [(found, events)] = selector.select(20)
        assert (found, events, events.native) == (key, 0, NOTE_WRITE)
        runtime.join(task)
        assert selector.select(0.01) == []
        os.unlink(tmp_path / "watched")
        [(found, events)] = selector.select(20)
        assert (found, events.native) == (key, NOTE_DELETE)
        selector.unregister_kevent(vnode)


def test_what_cannot_be_registered_leaves_nothing(runtime, selector, connect):
    reader, _ = connect()
    for refused, error, words in (
        (kevent(reader, READ), ValueError, r"call register\(\)"),
        (kevent(1, TIMER, DELETE, data=9), ValueError, r"call unregister_kevent\(\)"),
        (kevent(2**22 + 1, PROC, fflags=NOTE_EXIT), ProcessLookupError, ""),
        (kevent(1, -99), OSError, ""),
    ):
        with pytest.raises(error, match=words or None):
            selector.register_kevent(refused)
    assert selector.select(0.01) == []
    with pytest.raises(KeyError, match="is not registered"):
        selector.unregister_kevent(kevent(1, TIMER))
    timer = kevent(1, TIMER, data=1)
    selector.register_kevent(timer)
    selector.close()
    for call in (selector.register_kevent, selector.unregister_kevent):
        with pytest.raises(ValueError, match="closed"):
            call(timer)


def test_edges_of_both_filters(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ | EVENT_WRITE, extra_events=CLEAR)
    writer.send(b"x")
    [(_, events)] = selector.select(1)
    assert events == EVENT_READ | EVENT_WRITE
    assert events.native & CLEAR
    assert selector.select(0.01) == []
    selector.modify(reader, EVENT_WRITE)
    assert len(selector.select(1)) == len(selector.select(1)) == 1
    writer.close()
    selector.modify(reader, EVENT_READ, extra_events=CLEAR)
    [(_, events)] = selector.select(1)
    assert events.native & 0x8000  # EV_EOF


@hubs_only
def test_file_by_file_kevents_are_looked_for(runtime, selector, refuse_nesting):
    refuse_nesting(selector)
    task = runtime.spawn(selector.select, 20)
    runtime.sleep(0.03)
    started = time.monotonic()
    key = selector.register_kevent(kevent(1, TIMER, flags=ONESHOT, data=50))
    assert runtime.join(task) == [(key, 0)]
    assert time.monotonic() - started < 5  # not at the end of the wait


@pytest.mark.parametrize("timeout", [0, 20])
def test_an_unknown_kqueue_does_not_hide_them(runtime, selector, connect, monkeypatch, timeout):
    monkeypatch.setattr("select.kqueue", functools.partial(native.kqueue), raising=False)
    selector.register(connect()[0], EVENT_READ)
    key = selector.register_kevent(kevent(1, TIMER, flags=ONESHOT, data=50))
    if timeout == 0:
        time.sleep(0.1)
    started = time.monotonic()
    assert selector.select(timeout) == [(key, 0)]
    assert time.monotonic() - started < 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")
def test_a_forked_child_has_its_own(runtime, selector, in_child):
    key = selector.register_kevent(kevent(1, TIMER, data=50))
    gone = selector.register_kevent(kevent(os.getpid(), PROC, fflags=NOTE_EXIT))

    def child():
        other = selector.register_kevent(kevent(2, TIMER, data=50))
        found = {key.fd for key, _ in selector.select(20)}
        while found != {1, 2}:
            found |= {key.fd for key, _ in selector.select(20)}
        return found, bool(selector.unregister_kevent(other.fileobj))

    assert in_child(child)() == ({1, 2}, True)
    assert [key for key, _ in selector.select(20)] == [key]
    selector.unregister_kevent(gone.fileobj)
