"""Does a forked child ever wait for a thread that only its parent has?  It must not."""

from __future__ import annotations

import os
import posix
import signal
import sys
import textwrap

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ, EVENT_WRITE
from support.stop_at import StopAt

FORKS = 500  # in each of the four runtimes


def uses(shared):
    """What threads are in the middle of."""
    reader, _ = posix.pipe()
    number = posix.dup(reader)

    def change():
        with coopselectors.EpollSelector() as own:
            own.register(reader, EVENT_READ)
            own.modify(reader, EVENT_READ | EVENT_WRITE)
            own.unregister(reader)
        try:
            shared.register(number, EVENT_READ)
            shared.modify(number, EVENT_READ, "data")
            shared.unregister(number)
        except KeyError:
            pass  # another thread's turn

    def wait():
        with coopselectors.PollSelector() as own:
            own.register(reader, EVENT_READ)
            own.select(0.001)
        coopselectors.select.select([reader], [], [], 0.001)
        with coopselectors.select.epoll() as own:
            own.register(reader)
            own.poll(0.001)

    def install():
        coopselectors.install()
        coopselectors.audit()
        coopselectors.uninstall()

    return [change, wait, install]


def child(shared):
    """Whatever a child may call."""
    reader, writer = posix.pipe()
    shared.register(reader, EVENT_READ)
    posix.write(writer, b"x")
    assert [key.fd for key, _ in shared.select(0)] in ([reader], [])
    for kind in ("EpollSelector", "SelectSelector"):
        with getattr(coopselectors, kind)() as own:
            own.register(reader, EVENT_READ)
            assert len(own.select(0)) == 1
    assert coopselectors.select.select([reader], [], [], 0)[0] == [reader]
    with coopselectors.select.epoll() as own:
        own.register(reader, 1)
        assert own.poll(0) == [(reader, 1)]
    shared.close()


def fork_beside(runtime, forks):
    """The statuses of the children that did not end well."""
    sys.setswitchinterval(5e-4)  # the others run for so long before it is this thread's turn
    shared, ended, wrong = coopselectors.EpollSelector(), [], []

    def work(use):
        while not ended:
            use()

    threads = [runtime.start_thread(work, use) for use in uses(shared)]
    for number in range(forks):
        runtime.sleep(0.0005)
        process = posix.fork()
        if not process:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            status = 1
            try:
                child(shared)
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(status)
        status = posix.waitpid(process, 0)[1]
        if status:
            wrong.append([number, status])
            if len(wrong) > 2:
                break
    ended.append(True)
    for thread in threads:
        runtime.join_thread(thread)
    return wrong


@pytest.mark.epoll
@pytest.mark.once
@pytest.mark.timeout(200)
def test_two_thousand_children(fresh):
    assert fresh(fork_beside, FORKS) == []


@pytest.mark.epoll
@pytest.mark.runtimes("native")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.uncounted
@pytest.mark.parametrize("what", ["register", "modify", "unregister", "select", "close", "epoll"])
def test_a_fork_at_any_line_of_another_thread(runtime, what):
    line, hung = 1, []
    while True:
        reader, writer = posix.pipe()
        selector = coopselectors.EpollSelector()
        user = coopselectors.select.epoll()
        if what != "register":
            selector.register(reader, EVENT_READ)
        acts = {
            "register": lambda: selector.register(reader, EVENT_READ),
            "modify": lambda: selector.modify(reader, EVENT_WRITE),
            "unregister": lambda: selector.unregister(reader),
            "select": lambda: selector.select(0),
            "close": selector.close,
            "epoll": user.close,
        }
        thread = StopAt(acts[what], line)
        process = posix.fork()
        if not process:
            signal.alarm(10)
            for act in (lambda: selector.register(writer, EVENT_WRITE), lambda: selector.select(0)):
                try:
                    act()
                except (ValueError, KeyError):
                    pass  # the thread was through with it, or in the middle
            selector.close()
            user.close()
            child(coopselectors.EpollSelector())
            os._exit(0)
        status = posix.waitpid(process, 0)[1]
        was_there = thread.go_on()
        selector.close()
        user.close()
        for fd in (reader, writer):
            posix.close(fd)
        if status:
            hung.append((line, status))
        if not was_there:
            break
        line += 1
    assert hung == []
    assert line > 3


def test_a_failing_at_fork_hook_does_not_stop_the_others(run_python):
    output = run_python(
        """
        import os, sys
        from coopselectors import _fork
        class Owner:
            def __init__(self, fails):
                self.fails, self.told = fails, False
            def forked(self):
                self.told = True
                if self.fails:
                    raise MemoryError
        owners = [Owner(number % 2) for number in range(10)]
        for owner in owners:
            _fork.tell(owner)
        sys.excepthook = lambda *_: None
        child = os.fork()
        if not child:
            os._exit(0 if all(owner.told for owner in owners) else 1)
        print(os.waitpid(child, 0)[1])
        """
    )
    assert output == "0\n"


def test_a_fork_within_an_import_that_the_adapter_waits_for(run_python, tmp_path):
    # The module forks while it is imported, as some do by subprocess.  Another thread imports the
    # adapter, and with it a library that imports this very module.
    (tmp_path / "eventlet.py").write_text("is_begun.append(True)\nimport forks\n")
    (tmp_path / "forks.py").write_text(
        textwrap.dedent(
            """
            import os, threading, time
            import coopselectors
            def first_use():
                try:
                    coopselectors.EpollSelector(runtime="eventlet")
                except ImportError:
                    pass  # this is no eventlet
            threading.Thread(target=first_use).start()
            while not is_begun:
                time.sleep(0.001)
            time.sleep(0.05)
            child = os.fork()
            if not child:
                os._exit(0)
            print(os.waitpid(child, 0)[1])
            """
        )
    )
    output = run_python(
        """
        import builtins, sys
        sys.path.insert(0, sys.argv[1])
        builtins.is_begun = []
        import forks
        """,
        str(tmp_path),
    )
    assert output == "0\n"
