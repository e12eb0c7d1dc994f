"""Is each message of docs/messages.rst one that a program can meet, with the type and the words?

`SCRIPTS` has a program for each, which runs in a fresh interpreter; `COMMANDS` has a command line
for each that the commands write.  A message without one fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import coopselectors
from support import ROOT, TESTS, runtimes

pytestmark = pytest.mark.once

TEXT = (ROOT / "docs" / "messages.rst").read_text(encoding="utf-8")
#: {the message, with ``...`` for a value: its type}
MESSAGES = dict(re.findall(r"   \* - ``(.+)``\n     - (.+)\n", TEXT))

KQUEUE = """
import select
selector = coopselectors.KqueueSelector()
def kevent(kind, flags=0):
    return select.kevent(os.getpid(), kind, flags, fflags=select.KQ_NOTE_EXIT)
"""

GEVENT = "import gevent.monkey; gevent.monkey.patch_all()\nimport gevent\n"
EVENTLET = "import eventlet; eventlet.monkey_patch()\n"

#: {the beginning of a message: a program that ends with it}
SCRIPTS = {
    "... (FD ...) is already": "selector.register(ours, 1); selector.register(ours, 1)",
    "... cannot honour": "SelectSelector().register(ours, 1, extra_events=2)",
    "... is already registered": KQUEUE
    + "for _ in range(2): selector.register_kevent(kevent(select.KQ_FILTER_PROC))",
    "... is not registered": "selector.unregister(ours)",
    "... object has no attribute 'fileno'": """
        import select
        for name in ("epoll", "kqueue", "devpoll"):
            setattr(select, name, None)
        coopselectors.DefaultSelector().fileno
    """,
    "EPOLLEXCLUSIVE cannot be combined": """
        import select
        both = select.EPOLLEXCLUSIVE | select.EPOLLONESHOT
        coopselectors.EpollSelector().register(ours, 1, extra_events=both)
    """,
    "EPOLLEXCLUSIVE cannot be used": """
        import select
        inner = select.epoll()
        coopselectors.EpollSelector().register(inner, 1, extra_events=select.EPOLLEXCLUSIVE)
    """,
    "I/O operation on closed": """
        import coopselectors.select
        epoll = coopselectors.select.epoll()
        epoll.close()
        epoll.poll(0)
    """,
    "Invalid events": "selector.register(ours, 8)",
    "KQ_EV_DELETE removes": KQUEUE
    + "selector.register_kevent(kevent(select.KQ_FILTER_PROC, select.KQ_EV_DELETE))",
    "KQ_FILTER_READ and": KQUEUE + "selector.register_kevent(kevent(select.KQ_FILTER_READ))",
    "Python int too large": """
        from coopselectors.select import select
        RUN_UNDER_A_HUB(lambda: select([2 ** 40], [], [], 0))
    """,
    "Selector is closed": "selector.close(); selector.select(0)",
    "argument must be an int": """
        from coopselectors.select import select
        RUN_UNDER_A_HUB(lambda: select([object()], [], [], 0))
    """,
    "arguments 1-3 must be": """
        from coopselectors.select import select
        RUN_UNDER_A_HUB(lambda: select(5, [], [], 0))
    """,
    "cannot create '": "import coopselectors.select; type(coopselectors.select.poll())()",
    "cannot install into": "coopselectors.install(modules=['no_such_module'])",
    "cannot pickle '...'": """
        import coopselectors.select, pickle
        pickle.dumps(coopselectors.select.epoll())
    """,
    "cannot pickle 'coopselectors.select.poll'": """
        import coopselectors.select, pickle
        pickle.dumps(coopselectors.select.poll())
    """,
    "concurrent poll()": """
        import coopselectors.select, threading, time
        poll = coopselectors.select.poll()
        poll.register(ours, coopselectors.select.POLLIN)
        threading.Thread(target=poll.poll, args=(3000,), daemon=True).start()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            poll.poll(0)
    """,
    "install() is not in force": "coopselectors.uninstall()",
    "modules must be": "coopselectors.install('socketserver')",
    "do not call blocking": EVENTLET
    + """
hub = eventlet.hubs.get_hub()
caught = []
def callback():
    try:
        selector.select(1)
    except RuntimeError as error:
        caught.append(error)
hub.schedule_call_global(0, callback)
eventlet.sleep(0.1)
raise caught[0]
""",
    "extra_events of a kqueue": KQUEUE
    + "selector.register(ours, 0, extra_events=select.KQ_EV_CLEAR)",
    "file descriptor cannot be": """
        from coopselectors.select import select
        RUN_UNDER_A_HUB(lambda: select([-1], [], [], 0))
    """,
    "modify() can neither": """
        import select
        selector = coopselectors.EpollSelector()
        selector.register(ours, 1)
        selector.modify(ours, 1, extra_events=select.EPOLLEXCLUSIVE)
    """,
    "module ... has no": "coopselectors.no_such_name",
    "neither gevent nor eventlet": "coopselectors.warn_blocking()",
    "no selector works": """
        import select
        def refuse(*_):
            raise OSError(38, "Function not implemented")
        for name in ("select", "poll", "epoll", "kqueue", "devpoll"):
            setattr(select, name, refuse)
        coopselectors.DefaultSelector()
    """,
    "runtime=... needs": """
        import sys
        sys.modules["eventlet"] = None
        coopselectors.DefaultSelector(runtime="eventlet")
    """,
    "the descriptor of gevent's": GEVENT
    + """
import posix
from support import seams
hub = gevent.get_hub()
gevent.sleep(0.01)
seams.no_turn_is_due(hub)
posix.close(hub.loop.fileno())
selector.select(1)
""",
    "the threshold must be": "coopselectors.warn_blocking(0)",
    "unknown runtime ...: use": "coopselectors.DefaultSelector(runtime='nonsense')",
}

#: {the beginning of a message: (the test that provokes it with means of its own, its words there)}
ELSEWHERE = {
    "this interpreter has no": (
        "tests/internals/test_the_unpatched_select_is_found.py",
        "no built-in 'select'",
    ),
}

#: {the beginning of a message: the arguments of python that have it written}
COMMANDS = {
    "--deep needs": ("-m", "coopselectors", "audit", "--deep=x", "script.py"),
    "--hub-blocked-after must": (
        *("-m", "pytest", "-p", "coopselectors.pytest_plugin"),
        "--hub-blocked-after=-0.5",
    ),
    "--warn must": ("-m", "coopselectors", "run", "--gevent", "--warn", "0", "script.py"),
    "--warn needs": ("-m", "coopselectors", "run", "--warn", "1", "script.py"),
    "cannot patch with": (
        "-c",
        "import sys; sys.modules['gevent'] = None\n"
        "from coopselectors.__main__ import main; main(['run', '--gevent', 'script.py'])",
    ),
    "give either": ("-m", "coopselectors", "audit"),
    "must be above 0 and": ("-m", "coopselectors", "--limit", "soon"),
    "must be at least 1": ("-m", "coopselectors", "--clients", "x"),
    "unknown runtime ...: ...": ("-m", "coopselectors", "nonsense"),
    "what to run?": ("-m", "coopselectors", "run"),
}

#: What the programs have, and how they tell of their end.
BEGINNING = """
import os, socket
if {kqueue}:
    from support import standins
    standins.install("kqueue")
import coopselectors
ours, theirs = socket.socketpair()
selector = coopselectors.DefaultSelector()
SelectSelector = coopselectors.SelectSelector
def RUN_UNDER_A_HUB(function):
    try:
        import gevent.monkey; gevent.monkey.patch_all()
    except ImportError:
        import eventlet; eventlet.monkey_patch()
    function()
try:
"""
END = """
except BaseException as error:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    print(kinds, [" ".join(str(each).split()) for each in error.args])
"""

LACKS = {
    "gevent": lambda: runtimes.missing("gevent-libev"),
    "eventlet": lambda: runtimes.missing("eventlet"),
    "RUN_UNDER_A_HUB": lambda: runtimes.missing("gevent-libev") and runtimes.missing("eventlet"),
    "poll": lambda: "" if sys.platform == "linux" else "Linux",
    "EPOLL": lambda: "" if sys.platform == "linux" else "Linux",
    "Kqueue": lambda: "" if sys.platform == "linux" else "Linux",
}


def beginning_of(message, known):
    """The longest of `known` that the message begins with."""
    return max((each for each in known if message.startswith(each)), key=len, default=None)


def matches(message, text):
    pattern = ".+".join(re.escape(part) for part in message.split("..."))
    return re.search(rf"(^|: ){pattern}$", text) is not None


def start(*arguments):
    here = [str(Path(coopselectors.__file__).parent.parent), str(TESTS)]
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(here)},
        cwd=TESTS / "docs",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def beginning_for(script):
    return BEGINNING.format(kqueue="KqueueSelector" in script)


def skip_what_lacks(script):
    for word, lack in LACKS.items():
        if word in script and lack():
            pytest.skip(lack())


def test_no_message_is_forgotten():
    assert len(MESSAGES) > 30
    known = [*SCRIPTS, *COMMANDS, *ELSEWHERE]
    found = [beginning_of(message, known) for message in MESSAGES]
    assert [message for message, each in zip(MESSAGES, found) if each is None] == []
    assert sorted(found) == sorted(known), "each has one of its own"


@pytest.mark.parametrize("beginning", SCRIPTS)
def test_a_program_meets_it(beginning):
    [message] = [
        each for each in MESSAGES if beginning_of(each, [*SCRIPTS, *COMMANDS]) == beginning
    ]
    script = textwrap.dedent(SCRIPTS[beginning])
    skip_what_lacks(script)
    done = start("-c", beginning_for(script) + textwrap.indent(script, "    ") + END)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    kinds, _, texts = last.partition("] [")
    assert f"'{MESSAGES[message]}'" in kinds, last
    texts = eval(f"[{texts}")
    assert any(matches(message, text) for text in texts), last


@pytest.mark.parametrize("beginning", ELSEWHERE)
def test_another_test_provokes_it(beginning):
    path, words = ELSEWHERE[beginning]
    [message] = [each for each in MESSAGES if each.startswith(beginning)]
    assert words in (ROOT / path).read_text(encoding="utf-8")
    assert matches(message, f"{beginning} {words.partition('no ')[2]} module, and none on sys.path")


@pytest.mark.parametrize("beginning", COMMANDS)
def test_a_command_writes_it(beginning):
    [message] = [
        each for each in MESSAGES if beginning_of(each, [*SCRIPTS, *COMMANDS]) == beginning
    ]
    done = start(*COMMANDS[beginning])
    assert done.returncode == (4 if "pytest" in COMMANDS[beginning] else 2), done.stderr
    assert matches(message, done.stderr.strip().splitlines()[-1]), done.stderr


@pytest.mark.parametrize(
    ("message", "text", "result"),
    [
        ("Invalid events: ...", "Invalid events: 8", True),
        ("Invalid events: ...", "Invalid events: ", False),
        ("must be at least 1", "error: argument --clients: must be at least 1", True),
        ("must be at least 1", "it must be at least 1", False),
        ("must be at least 1", "must be at least 10", False),
    ],
)
def test_a_text_that_is_another_is_found(message, text, result):
    assert matches(message, text) is result
