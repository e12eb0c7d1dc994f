"""Does a hub work as it does without us?  Its own greenlet, its end, its idling, its monitor."""

from __future__ import annotations

import os
import time
from posix import write
from textwrap import dedent

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams
from support.runtimes import missing

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
gevent_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv")


@hubs_only
def test_the_hub_itself_may_look_but_not_wait(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    seen = []

    def look():
        seen.append(selector.select(0))
        try:
            selector.select(0.01)
        except BaseException as error:
            seen.append(error)

    for _ in range(2):
        runtime.call_in_hub(look)
        runtime.sleep(0.01)
        writer.send(b"x")
    assert seen[0] == []
    assert len(seen[2]) == 1
    for error in (seen[1], seen[3]):
        assert type(error).__name__ in ("BlockingSwitchOutError", "RuntimeError")
        assert "blocking function" in str(error)


@gevent_only
def test_an_idle_selector_does_not_keep_the_hub_alive(runtime, selector, connect):
    import gevent

    selector.register(connect()[0], EVENT_READ)
    runtime.introduce(selector)
    with pytest.raises(gevent.exceptions.LoopExit):
        gevent.event.Event().wait()
    started = time.monotonic()
    assert gevent.wait(timeout=5)
    assert time.monotonic() - started < 4


@gevent_only
def test_a_waiting_selector_keeps_the_hub_alive(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    thread = runtime.start_thread(
        lambda: (native.select([], [], [], 0.1), write(writer.fileno(), b"x"))
    )
    assert len(selector.select()) == 1
    runtime.join_thread(thread)


@hubs_only
@pytest.mark.classes("EpollSelector", "PollSelector")
def test_a_ready_file_that_nobody_waits_for_costs_nothing(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    writer.send(b"x")
    started = time.process_time()
    runtime.sleep(0.3)
    assert time.process_time() - started < 0.15
    assert selector.select(1) == [(key, EVENT_READ)]
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)


@gevent_only
def test_after_a_loop_exit_everything_works_as_before(runtime, selector, connect):
    import gevent

    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    for _ in range(3):
        runtime.introduce(selector)
        with pytest.raises(gevent.exceptions.LoopExit):
            gevent.event.Event().wait()
        task = runtime.spawn(writer.send, b"x")
        assert selector.select(5) == [(key, EVENT_READ)]
        runtime.join(task)
        reader.recv(1)


@gevent_only
def test_a_hub_destroyed_by_the_greenlet_just_woken(runtime, Selector, connect):
    reader, writer = connect()

    def in_thread():  # `leave_thread` destroys the hub from within our call-back
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            return len(selector.select(20))

    thread = runtime.start_thread(in_thread)
    runtime.sleep(0.05)
    writer.send(b"x")
    assert runtime.join_thread(thread) == 1


#: Destroys the main hub, with or without its loop, and waits through the next one.
DESTROY = """
    import os, sys
    os.environ["GEVENT_LOOP"] = sys.argv[1]
    from gevent import monkey; monkey.patch_all()
    import gevent, socket, coopselectors
    ours, theirs = socket.socketpair()
    selector = getattr(coopselectors, sys.argv[2])()
    selector.register(ours, coopselectors.EVENT_READ)

    def wait():
        assert selector.select(0.01) == []
        gevent.spawn(lambda: (gevent.sleep(0.005), theirs.send(b"x")))
        assert len(selector.select(20)) == 1
        ours.recv(1)

    wait()
    for turn in range(6):
        gevent.get_hub().destroy(destroy_loop=sys.argv[3] == "with its loop")
        wait()
        if turn == 1:
            before = len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) == before, (before, os.listdir("/proc/self/fd"))
"""


def skip_without(loop):
    lacking = missing({"libev-cext": "gevent-libev", "libuv-cffi": "gevent-libuv"}.get(loop, loop))
    if lacking:
        pytest.skip(lacking)


@pytest.mark.parametrize("loop", ["libev-cext", "libuv-cffi"])
@pytest.mark.parametrize("name", ["EpollSelector", "SelectSelector"])
@pytest.mark.parametrize("how", ["with its loop", "alone"])
def test_a_new_hub_after_one_that_was_destroyed(run_python, loop, name, how):
    skip_without(loop)
    run_python(DESTROY, loop, name, how)


#: Waits, and beside it something that holds the hub up for long, in a process with the monitor.
MONITOR = """
    import sys
    sys.stderr = open(sys.argv[2], "w", 1)
    from gevent import monkey; monkey.patch_all()
    import gevent, socket, coopselectors
    from gevent.monkey import get_original
    ours, theirs = socket.socketpair()
    selector = coopselectors.DefaultSelector()
    selector.register(ours, coopselectors.EVENT_READ)
    gevent.spawn(lambda: (gevent.sleep(0.5), theirs.send(b"x")))
    selector.select(0.3)
    assert len(selector.select(20)) == 1
    for _ in range(1000):
        selector.select(0)
    if sys.argv[1] == "blocks":
        get_original("time", "sleep")(1)
        gevent.sleep(0.1)
"""


@pytest.mark.parametrize("kind", ["waits", "blocks"])
def test_gevents_monitor_has_nothing_to_report(run_python, kind, tmp_path):
    skip_without("libev-cext")
    settings = {"GEVENT_MONITOR_THREAD_ENABLE": "true", "GEVENT_MAX_BLOCKING_TIME": "0.1"}
    log = tmp_path / "log"
    run_python(MONITOR, kind, str(log), **settings)
    assert ("blocked" in log.read_text()) == (kind == "blocks")


#: Leaves everything as it is: selectors that are ready, waited in, dropped in a cycle.
LEAVE = """
    import os, sys, warnings
    warnings.simplefilter("ignore")
    loop, name = sys.argv[1:]
    if loop == "eventlet":
        import eventlet; eventlet.monkey_patch()
        from eventlet import spawn, sleep
    elif loop != "native":
        os.environ["GEVENT_LOOP"] = loop
        from gevent import monkey; monkey.patch_all()
        from gevent import spawn, sleep
    else:
        import threading
        from time import sleep
        spawn = lambda function: threading.Thread(target=function, daemon=True).start()
    import socket, coopselectors

    ours, theirs = socket.socketpair()
    made = [getattr(coopselectors, name)() for _ in range(4)]
    for selector in made:
        selector.register(ours, coopselectors.EVENT_READ)
        selector.itself = selector
        selector.select(0.01)
    spawn(made[0].select)
    spawn(made[1].select)
    sleep(0.02)
    del made[2], selector
    theirs.send(b"x")
    print("the end")
"""


@pytest.mark.parametrize("loop", ["native", "libev-cext", "libuv-cffi", "eventlet"])
@pytest.mark.parametrize("name", ["EpollSelector", "PollSelector"])
def test_the_interpreter_ends_while_selectors_are_open(run_python, loop, name, tmp_path):
    skip_without(loop)
    log = tmp_path / "log"
    script = f"import os\nos.dup2(os.open({str(log)!r}, os.O_CREAT | os.O_WRONLY), 2)\n"
    assert run_python(script + dedent(LEAVE), loop, name) == "the end\n"
    assert log.read_text() == ""


@gevent_only
def test_a_selector_outlives_a_hub_of_another_thread_that_waited_in_it(runtime, selector, connect):
    (reader, _), (file, peer) = connect(), connect()
    selector.register(reader, EVENT_READ)
    for _ in range(3):
        assert runtime.join_thread(runtime.start_thread(selector.select, 0.01)) == []
    selector.register(file, EVENT_READ)  # that hub cannot be told any more
    peer.send(b"x")
    assert [key.fileobj for key, _ in selector.select(5)] == [file]
    selector.close()


@gevent_only
def test_a_close_that_gevent_has_put_off(runtime, selector):
    # Its os.close closes at the end of a turn of the loop; an idle loop does not come that far.
    reader, writer = os.pipe()
    key = selector.register(reader, EVENT_READ)
    selector.select(0.01)
    os.close(writer)
    started = time.monotonic()
    assert selector.select(20) == [(key, EVENT_READ)]
    assert time.monotonic() - started < 10
    selector.unregister(reader)
    os.close(reader)


@gevent_only
def test_a_close_that_gevent_puts_off_during_the_yield(runtime, selector, connect):
    reader, writer = os.pipe()
    selector.register(reader, EVENT_READ, "closed")
    selector.register(connect()[1], EVENT_WRITE, "ready")
    selector.select(1)
    hub = runtime.hub()
    seams.no_turn_is_due(hub)
    try:
        runtime.spawn(os.close, writer)
        assert sorted(key.data for key, _ in selector.select(1)) == ["closed", "ready"]
    finally:
        seams.a_turn_is_due(hub)
    selector.unregister(reader)
    os.close(reader)


@pytest.mark.skipif(bool(missing("eventlet")), reason="eventlet is not installed")
def test_eventlets_asyncio_hub_may_wait_with_ours(run_python):
    said = run_python(
        """
        import time, warnings
        warnings.simplefilter("ignore")
        import coopselectors
        coopselectors.install(select=True)
        import eventlet, eventlet.hubs
        eventlet.monkey_patch()
        own = eventlet.hubs.get_hub().loop._selector
        before, cpu = time.monotonic(), time.process_time()
        ticks = []
        eventlet.spawn(lambda: [(eventlet.sleep(0.02), ticks.append(1)) for _ in range(5)])
        eventlet.sleep(0.5)
        assert time.monotonic() - before >= 0.5
        assert time.process_time() - cpu < 0.1
        print(type(own._selector).__module__, len(ticks))
        """,
        EVENTLET_HUB="asyncio",
    )
    assert said == "coopselectors.select 5\n"
