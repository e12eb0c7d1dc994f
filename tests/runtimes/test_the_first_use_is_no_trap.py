"""What does the first call in a process do with an invalid or just closed argument?

What is opened at first use takes the lowest number, perhaps the one that the caller has just closed
and passes in.  Each script is the first to use coopselectors in its process, and in its hub.
"""

from __future__ import annotations

import json

import pytest

from support import runtimes

SETUP = """
import errno, json, os, posix, socket, sys, warnings
warnings.simplefilter("ignore")
runtime = sys.argv[1]
if runtime == "eventlet":
    import eventlet; eventlet.monkey_patch()
elif runtime.startswith("gevent"):
    os.environ["GEVENT_LOOP"] = "libuv-cffi" if runtime.endswith("libuv") else "libev-cext"
    import gevent.monkey; gevent.monkey.patch_all()
import coopselectors, coopselectors.select as ours
from coopselectors import EVENT_READ

def said(act):
    try:
        return act()
    except OSError as error:
        return errno.errorcode[error.errno]
    except Exception as error:
        return type(error).__name__

def opened():
    return len(os.listdir("/proc/self/fd"))

closed = posix.open("/dev/null", 0)
posix.close(closed)  # not with gevent's, which closes later
"""

#: {what is done first: (the script, what it says)}
CASES = {
    **{
        f"{kind}, a closed number": (
            f"""
            selector = coopselectors.{kind}()
            # Its own number is taken by now; another is closed.
            closed = posix.dup(0); posix.close(closed)
            print(json.dumps(said(lambda: selector.register(closed, EVENT_READ))))
            """,
            "EBADF",
        )
        for kind in ("EpollSelector", "DefaultSelector")
    },
    "select, a closed number": (
        "print(json.dumps(said(lambda: ours.select([closed], [], [], 0.01))))",
        "EBADF",
    ),
    "select, a closed number among writers": (
        "print(json.dumps(said(lambda: ours.select([], [closed], [], None))))",
        "EBADF",
    ),
    "select, a closed number of the third list": (
        "print(json.dumps(said(lambda: ours.select([], [], [closed], 5))))",
        "EBADF",
    ),
    "poll, a closed number": (
        """
        poll = ours.poll()
        poll.register(closed, 1)
        print(json.dumps(said(lambda: [mask for _, mask in poll.poll(5000)])))
        """,
        [32],
    ),
    "epoll, a closed number": (
        """
        epoll = ours.epoll()
        closed = posix.dup(0); posix.close(closed)
        print(json.dumps(said(lambda: epoll.register(closed, 1))))
        """,
        "EBADF",
    ),
    "PollSelector, closed after it was registered": (
        """
        selector = coopselectors.PollSelector()
        reader, writer = socket.socketpair()
        selector.register(reader.fileno(), EVENT_READ)
        posix.close(reader.detach())
        print(json.dumps(said(lambda: [mask for _, mask in selector.select(5)])))
        """,
        [1],
    ),
    "SelectSelector, closed after it was registered": (
        """
        selector = coopselectors.SelectSelector()
        reader, writer = socket.socketpair()
        selector.register(reader.fileno(), EVENT_READ)
        posix.close(reader.detach())
        print(json.dumps(said(lambda: selector.select(5))))
        """,
        "EBADF",
    ),
    "select, wrong arguments": (
        """
        before = opened()
        found = [
            said(lambda: ours.select(["x"], [], [], 1)),
            said(lambda: ours.select([-1], [], [], 1)),
            said(lambda: ours.select(1, [], [], 1)),
            said(lambda: ours.select([], [], [], "x")),
            said(lambda: ours.select([], [], [], -1)),
        ]
        print(json.dumps([*found, opened() - before]))
        """,
        ["TypeError", "ValueError", "TypeError", "TypeError", "ValueError"],
    ),
    "selectors, wrong arguments": (
        """
        selectors = [
            getattr(coopselectors, kind)()
            for kind in ("SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector")
        ]
        before = opened()
        found = set()
        for selector in selectors:
            found.add((
                said(lambda: selector.register(0, 0)),
                said(lambda: selector.register(0, 8)),
                said(lambda: selector.register(-1, EVENT_READ)),
                said(lambda: selector.register("x", EVENT_READ)),
                said(lambda: selector.unregister(0)),
                said(lambda: selector.modify(0, EVENT_READ)),
                said(lambda: selector.select("x")),
            ))
        (found,) = found
        print(json.dumps([*found, opened() - before]))
        """,
        ["ValueError"] * 4 + ["KeyError", "KeyError", "TypeError"],
    ),
    "primitives, wrong arguments": (
        """
        poll, epoll = ours.poll(), ours.epoll()
        before = opened()
        found = [
            said(lambda: poll.register("x", 1)),
            said(lambda: poll.register(-1, 1)),
            said(lambda: poll.unregister(0)),
            said(lambda: poll.modify(0, 1)),
            said(lambda: poll.poll("x")),
            said(lambda: epoll.register("x", 1)),
            said(lambda: epoll.register(-1, 1)),
            said(lambda: epoll.poll("x")),
            said(lambda: epoll.poll(1, 0)),
            said(lambda: epoll.poll(1, -2)),
        ]
        print(json.dumps([*found, opened() - before]))
        """,
        [
            *["TypeError", "ValueError", "KeyError", "ENOENT", "TypeError"],
            *["TypeError", "ValueError", "TypeError", "ValueError", "ValueError"],
        ],
    ),
}

NAMES = [
    pytest.param(name, marks=pytest.mark.skip(reason=runtimes.missing(name)))
    if runtimes.missing(name)
    else name
    for name in runtimes.RUNTIMES
]


@pytest.mark.once
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_the_first_call_says_what_the_interpreter_would(run_python, name, case):
    script, expected = CASES[case]
    import textwrap

    found = json.loads(run_python(SETUP + textwrap.dedent(script), name))
    if case.endswith("wrong arguments"):
        *found, opened = found
        # To refuse a time-out may take what wakes threads, and no more.
        assert opened <= 2
    assert found == expected
