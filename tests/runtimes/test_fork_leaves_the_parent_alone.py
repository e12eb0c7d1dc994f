"""Does a forked child leave its parent alone, and do its own selectors work?"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import time
from posix import close, dup
from posix import fork as posix_fork
from posix import waitpid as posix_waitpid

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, workers
from support.runtimes import missing, standard

# eventlet warns of every fork, and the interpreter of those beside threads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")


def test_nothing_that_the_child_does_touches_the_parent(runtime, selector, connect, in_child):
    reader, writer = connect()
    other, peer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)

    def child():
        selector.unregister(reader)
        selector.register(other, EVENT_READ)
        nothing = selector.select(0.01)
        selector.modify(other, EVENT_READ | EVENT_WRITE)
        writable = [events for _, events in selector.select(5)]
        selector.close()
        return nothing, writable

    assert in_child(child)() == ([], [EVENT_WRITE])
    writer.send(b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    reader.recv(1)
    peer.send(b"x")  # the child's file, not ours
    assert selector.select(0.01) == []
    task = runtime.spawn(writer.send, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)


def test_what_the_child_unregisters_is_not_unregistered_for_the_parent(
    runtime, selector, connect, in_child
):
    # Nothing else happens in the child: a stranger in its epoll would have the parent look again.
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    assert in_child(lambda: selector.unregister(reader) is not None)()
    writer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]


@pytest.mark.parametrize("first", ["select", "register", "modify", "unregister", "fileno", "close"])
def test_the_childs_selector_works(runtime, selector, connect, in_child, first):
    reader, writer = connect()
    other, _ = connect()
    selector.register(reader, EVENT_READ)
    selector.register(other, EVENT_READ)
    runtime.introduce(selector)
    fresh, _ = connect()

    def child():
        if first == "register":
            selector.register(fresh, EVENT_READ)
        elif first == "modify":
            selector.modify(other, EVENT_READ | EVENT_WRITE)
            selector.modify(other, EVENT_READ)
        elif first == "unregister":
            selector.unregister(other)
        elif first == "fileno" and hasattr(selector, "fileno"):
            assert os.fstat(selector.fileno())
        elif first == "close":
            selector.close()
            writer.send(b"x")
            return [True], len(os.listdir("/proc/self/fd")) <= before + more
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        found = [key.fileobj is reader for key, _ in selector.select(10)]
        runtime.join(task)
        return found, len(os.listdir("/proc/self/fd")) <= before + more

    # The pipe to the parent; and below a stand-in's kqueue is something that is inherited.
    more = 8 if workers.PLATFORM else 3
    before = len(os.listdir("/proc/self/fd"))
    assert in_child(child)() == ([True], True)
    assert [key.fileobj for key, _ in selector.select(5)] == [reader]


@hubs_only
def test_greenlets_that_wait_at_the_fork_wait_on_in_both(runtime, selector, connect, in_child):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    task = runtime.spawn(selector.select, 20)
    runtime.sleep(0.01)
    go, gone = connect()

    def child():
        gone.send(b"x")
        runtime.sleep(0.05)
        writer.send(b"x")
        return len(runtime.join(task))

    result = in_child(child)
    assert len(runtime.join(task)) == 1
    go.recv(1)
    assert result() == 1


def test_many_children(runtime, Selector, connect, in_child):
    reader, writer = connect()
    selectors = [Selector() for _ in range(20)]
    for selector in selectors:
        selector.register(reader, EVENT_READ)
        runtime.introduce(selector)
    selectors[0].close()

    def child():
        writer.send(b"x")
        found = [len(selector.select(5)) for selector in selectors[1:]]
        with Selector() as own:
            own.register(reader, EVENT_READ)
            found.append(len(own.select(5)))
        return found

    for _ in range(3):
        assert in_child(child)() == [1] * 20
        reader.recv(1)
    for selector in selectors[1:]:
        assert selector.select(0) == []
        selector.close()


@pytest.mark.runtimes("gevent-libev", "gevent-libuv")
def test_gevents_own_fork(runtime, selector, connect):
    import gevent.os

    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    child = gevent.os.fork()
    if child == 0:
        status = 1
        try:
            selector.unregister(reader)
            selector.register(reader, EVENT_READ)
            task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
            status = 0 if len(selector.select(10)) == 1 else 2
            runtime.join(task)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert selector.select(5) == [(key, EVENT_READ)]


def serve(selector, reader, answers):
    with answers:
        answers.send([key.fileobj is reader for key, _ in selector.select(10)])
        selector.unregister(reader)
        selector.close()


def test_multiprocessing(runtime, selector, connect):
    context = multiprocessing.get_context("fork")
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=serve, args=(selector, reader, theirs))
    child.start()
    theirs.close()
    writer.send(b"x")
    assert ours.recv() == [True]
    ours.close()
    child.join()
    assert child.exitcode == 0
    assert selector.select(5) == [(key, EVENT_READ)]


@pytest.mark.uncounted
@pytest.mark.classes("EpollSelector")
def test_a_fork_with_thousands_of_files_costs_what_it_costs_without_us(runtime, Selector, connect):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(5000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files + 200), hard))
    reader, _ = connect()
    numbers = [os.dup(reader.fileno()) for _ in range(files)]
    try:
        with Selector() as ours, standard.EpollSelector() as theirs:
            with_ours, with_theirs = [], []
            for _ in range(9):
                for costs, selector in ((with_theirs, theirs), (with_ours, ours)):
                    for number in numbers:
                        selector.register(number, EVENT_READ)
                    started = time.process_time()  # others may have the processor meanwhile
                    child = posix_fork()
                    if child == 0:
                        os._exit(0)
                    costs.append(time.process_time() - started)
                    posix_waitpid(child, 0)
                    for number in numbers:
                        selector.unregister(number)
            assert min(with_ours) / min(with_theirs) < 2
    finally:
        for number in numbers:
            close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@hubs_only
def test_a_selector_that_was_closed_just_before_the_fork(runtime, Selector, connect, in_child):
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    task = runtime.spawn(selector.select)
    runtime.sleep(0.02)
    selector.close()

    def waiter_is_told():
        try:
            runtime.join(task)
        except ValueError as error:
            return str(error)

    result = in_child(waiter_is_told)
    assert "closed" in waiter_is_told()
    assert "closed" in result()


def test_what_the_child_unregisters_first_is_forgotten(runtime, selector, connect, in_child):
    (reader, _), (other, writer) = connect(), connect()
    number = os.dup(reader.fileno())
    selector.register(number, EVENT_READ)
    selector.register(other, EVENT_READ)

    def child():
        selector.unregister(number)
        close(number)
        writer.send(b"x")
        return [key.fd == other.fileno() for key, _ in selector.select(5)]

    assert in_child(child)() == [True]
    close(number)


@pytest.mark.parametrize("where", ["in the parent", "in the child"])
def test_a_file_that_was_closed_while_registered(runtime, selector, connect, in_child, where):
    reader, writer = connect()
    numbers = [os.dup(reader.fileno()) for _ in range(3)]
    for number in numbers:
        selector.register(number, EVENT_READ)
    if where == "in the parent":
        close(numbers[0])
    writer.send(b"x")
    if type(selector).__name__ == "SelectSelector":
        selector.unregister(numbers[0])  # select(2) refuses it

    def child():
        if where == "in the child":
            close(numbers[0])  # and the child's own kernel object gets its number
        return sorted({key.fd for key, _ in selector.select(5)} - {numbers[0]})

    assert in_child(child)() == numbers[1:]
    for number in numbers[where == "in the parent" :]:
        close(number)


@pytest.mark.parametrize("loop", ["libev-cext", "libuv-cffi"])
def test_a_fork_that_gevent_does_not_know(run_python, loop):
    lack = missing(f"gevent-{loop.partition('-')[0]}")
    if lack:
        pytest.skip(lack)
    output = run_python(
        """
        import os, posix, socket, warnings
        warnings.simplefilter("ignore")
        import gevent.monkey; gevent.monkey.patch_all(os=False, signal=False)
        import gevent, time
        from coopselectors import DefaultSelector, EVENT_READ
        def hears():
            reader, writer = socket.socketpair()
            with DefaultSelector() as selector:
                selector.register(reader, EVENT_READ)
                gevent.spawn_later(0.02, posix.write, writer.fileno(), b"x")
                started = time.monotonic()
                return len(selector.select(20)) == 1 and time.monotonic() - started < 10
        idle, _ = socket.socketpair()
        waiting = DefaultSelector()
        waiting.register(idle, EVENT_READ)
        gevent.spawn(waiting.select)
        gevent.sleep(0.05)
        child = posix.fork()
        if not child:
            os._exit(not (hears() and hears()))
        assert posix.waitpid(child, 0)[1] == 0
        print(hears(), flush=True)
        os._exit(0)
        """,
        GEVENT_LOOP=loop,
    )
    assert output == "True\n"


@pytest.mark.skipif(bool(missing("eventlet")), reason="eventlet is not installed")
@pytest.mark.parametrize("hub", ["epolls", "poll", "selects"])
def test_eventlets_hub_goes_on_in_a_child_without_what_was_closed(run_python, hub):
    output = run_python(
        """
        import os, posix, select, socket, sys, time, warnings
        warnings.simplefilter("ignore")
        sys.excepthook = lambda *how: (sys.__excepthook__(*how), os._exit(9))
        if not hasattr(select, os.environ["EVENTLET_HUB"].replace("epolls", "epoll")):
            if os.environ["EVENTLET_HUB"] != "selects":
                sys.exit(print("done"))
        import eventlet
        eventlet.monkey_patch()
        from eventlet.hubs import get_hub
        from coopselectors import DefaultSelector, EVENT_READ
        reader, writer = socket.socketpair()
        selector = DefaultSelector()
        selector.register(reader, EVENT_READ)
        waiting = eventlet.spawn(selector.select, 20)
        hub = get_hub()
        for _ in range(5):
            eventlet.sleep(0.01)  # else ours may get the number that is closed below
        if os.environ["EVENTLET_HUB"] == "epolls":
            closed = os.dup(reader.fileno())
            hub.add(hub.READ, closed, id, id, id)
            posix.close(closed)
        child = os.fork()
        eventlet.spawn(writer.send, b"x")
        started = time.monotonic()
        assert len(waiting.wait()) == 1
        assert time.monotonic() - started < 15
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("done")
        """,
        EVENTLET_HUB=hub,
    )
    assert output == "done\n"


@pytest.mark.skipif(bool(missing("eventlet")), reason="eventlet is not installed")
@pytest.mark.parametrize("before", ["closed", "another file", "in use"])
def test_eventlets_epoll_is_replaced_under_its_number(run_python, before):
    """If it is still there: a daemon may have closed it, and a file of its own may be there now."""
    output = run_python(
        """
        import os, posix, select, socket, sys, warnings
        warnings.simplefilter("ignore")
        if not hasattr(select, "epoll"):
            sys.exit(print("done"))
        import eventlet
        eventlet.monkey_patch()
        from eventlet.hubs import get_hub
        from coopselectors import DefaultSelector, EVENT_READ
        reader, writer = socket.socketpair()
        selector = DefaultSelector()
        selector.register(reader, EVENT_READ)
        selector.select(0.01)
        hub, (file, other) = get_hub(), posix.pipe()
        number = hub.poll.fileno()
        in_use = hub.poll.poll
        if sys.argv[1] == "closed":
            hub.poll.close()
        elif sys.argv[1] == "another file":
            posix.dup2(file, number)
        child = posix.fork()
        if not child:
            writer.send(b"x")
            assert len(selector.select(10)) == 1
            if sys.argv[1] == "another file":
                assert posix.fstat(number) == posix.fstat(file)
            if sys.argv[1] == "in use":
                assert hub.poll.fileno() == number
                in_use(0)
            os._exit(0)
        assert posix.waitpid(child, 0)[1] == 0
        print("done", flush=True)
        os._exit(0)
        """,
        before,
        EVENTLET_HUB="epolls",
    )
    assert output == "done\n"


@pytest.mark.skipif(bool(missing("eventlet")), reason="eventlet is not installed")
def test_eventlets_asyncio_hub_gets_a_kernel_object_of_its_own(run_python):
    by_itself = run_python(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        eventlet.sleep(0.01)
        child = os.fork()
        if not child:
            try:
                eventlet.sleep(0.01)
                os._exit(0)
            finally:
                os._exit(1)
        print(os.waitpid(child, 0)[1])
        """,
        EVENTLET_HUB="asyncio",
    )
    if by_itself != "0\n":
        pytest.skip("the asyncio hub of this eventlet does not survive a fork by itself")
    output = run_python(
        """
        import os, posix, socket, warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        from eventlet.hubs import get_hub
        from coopselectors import DefaultSelector, EVENT_READ
        reader, writer = socket.socketpair()
        selector = DefaultSelector()
        selector.register(reader, EVENT_READ)
        waiting = eventlet.spawn(selector.select)
        hub = get_hub()
        for _ in range(5):
            eventlet.sleep(0.01)  # else ours may get the number that is closed below
        loops = hub.loop._selector
        closed = os.dup(reader.fileno())
        hub.add(hub.READ, closed, id, id, id)
        posix.close(closed)
        child = os.fork()
        if not child:
            assert hub.loop._selector is not loops
        eventlet.spawn(writer.send, b"x")
        assert len(waiting.wait()) == 1
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert hub.loop._selector is loops
        print("done")
        """,
        EVENTLET_HUB="asyncio",
    )
    assert output == "done\n"


@pytest.mark.classes("EpollSelector", "PollSelector")
def test_a_child_that_has_no_descriptor_left_may_try_again(runtime, selector, connect, in_child):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    writer.send(b"x")

    def child():
        runtime.sleep(0.01)  # the hub needs one of its own first
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            first = len(selector.select(0))
        except OSError as error:
            first = error.errno
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
        return first, len(selector.select(5))

    result = in_child(child)()
    assert isinstance(result, tuple), result
    first, then = result
    assert first in (1, errno.EMFILE)
    assert then == 1


def test_a_child_may_close_before_it_does_anything_else(runtime, selector, connect, in_child):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)

    def child():
        selector.close()
        try:
            selector.select(0)
        except (ValueError, RuntimeError) as error:
            return str(error)

    assert "closed" in in_child(child)()
    writer.send(b"x")
    assert len(selector.select(5)) == 1


@pytest.mark.epoll
@pytest.mark.classes("EpollSelector")
def test_a_child_closes_what_was_to_be_replaced(runtime, selector, connect, in_child):
    reader, writer = connect()
    selector.register(reader, EVENT_READ, extra_events=native.constants["EPOLLET"])
    writer.send(b"x")
    early = [dup(reader.fileno()) for _ in range(100)]  # so many that it is to be replaced
    for fd in early:
        selector.register(fd, EVENT_WRITE)
    kernel_object = native.epoll.fromfd(dup(selector.fileno()))
    for fd in early:
        close(fd)
        selector.unregister(fd)
    in_child(selector.close)()
    assert kernel_object.poll(0, 1)[0][0] == reader.fileno()
    kernel_object.close()
