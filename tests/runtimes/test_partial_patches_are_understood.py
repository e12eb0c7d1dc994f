"""Who owns `select` after a partial, double, foreign or undone patch?

The rule is one: what ``select.select`` is at the moment of the call decides.
"""

from __future__ import annotations

import textwrap

import pytest

from support.runtimes import missing

SETUP = """
import json, socket, sys, time, warnings
warnings.simplefilter("ignore")
from select import select as builtin
import coopselectors
from coopselectors import EVENT_READ
before = coopselectors.DefaultSelector()

def turns(selector, sleep, spawn):
    "How many turns of 1 ms a greenlet gets while another waits for 0.2 s."
    ticks = []
    def tick():
        while not ticks or ticks[-1] is not None:
            sleep(0.001)
            ticks.append(0)
    never, peer = socket.socketpair()
    with never, peer:
        selector.register(never, EVENT_READ)
        spawn(tick)
        sleep(0)
        ticks.clear()
        started = time.monotonic()
        assert selector.select(0.2) == []
        assert time.monotonic() - started >= 0.2
        counted = len(ticks)
        ticks.append(None)
        selector.unregister(never)
    return counted

def report(sleep, spawn, *others):
    now = coopselectors.DefaultSelector()
    goes_on = [turns(each, sleep, spawn) > 3 for each in (before, now, *others)]
    print(json.dumps([coopselectors.current_runtime(), *goes_on]))
"""

#: {what is done: (who is needed, the script, the owner, whether the hub goes on meanwhile)}
CASES = {
    "gevent leaves select alone": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_all(select=False)
        import gevent
        report(gevent.sleep, gevent.spawn)
        """,
        "native",
        False,
    ),
    "gevent leaves select alone, and the selector is pinned": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_all(select=False)
        import gevent
        before = coopselectors.DefaultSelector(runtime="gevent")
        coopselectors.DefaultSelector = lambda: before
        report(gevent.sleep, gevent.spawn)
        """,
        "native",
        True,
    ),
    "gevent is not aggressive": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_all(aggressive=False)
        import gevent, select
        assert select.epoll
        report(gevent.sleep, gevent.spawn)
        """,
        "gevent",
        True,
    ),
    "gevent patches select only": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_select()
        import gevent
        report(gevent.sleep, gevent.spawn)
        """,
        "gevent",
        True,
    ),
    "eventlet leaves select alone": (
        "eventlet",
        """
        import eventlet; eventlet.monkey_patch(select=False)
        report(eventlet.sleep, eventlet.spawn)
        """,
        "native",
        False,
    ),
    "eventlet patches select only": (
        "eventlet",
        """
        import eventlet; eventlet.monkey_patch(all=False, select=True)
        report(eventlet.sleep, eventlet.spawn)
        """,
        "eventlet",
        True,
    ),
    "eventlet imports it patched": (
        "eventlet",
        """
        import eventlet
        green = eventlet.import_patched("coopselectors")
        assert coopselectors.current_runtime() == "native"
        coopselectors = green
        before = green.EpollSelector()
        report(eventlet.sleep, eventlet.spawn)
        """,
        "eventlet",
        True,
    ),
    "eventlet patches after gevent": (
        "eventlet",
        """
        import gevent.monkey; gevent.monkey.patch_select()
        import eventlet; eventlet.monkey_patch(all=False, select=True)
        report(eventlet.sleep, eventlet.spawn)
        """,
        "eventlet",
        True,
    ),
    "gevent patches after eventlet": (
        "gevent-libev",
        """
        import eventlet; eventlet.monkey_patch(all=False, select=True)
        import gevent.monkey; gevent.monkey.patch_select()
        import gevent
        report(gevent.sleep, gevent.spawn)
        """,
        "gevent",
        True,
    ),
    "a tracing tool wraps gevent's select": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_all()
        import gevent, select
        called = []
        def traced(*arguments, real=select.select):
            called.append(arguments)
            return real(*arguments)
        select.select = traced
        report(gevent.sleep, gevent.spawn)
        assert called
        """,
        "foreign",
        True,
    ),
    "a tracing tool wraps gevent's select in its name": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_all()
        import functools, gevent, select
        real = select.select
        select.select = functools.wraps(real)(lambda *arguments: real(*arguments))
        report(gevent.sleep, gevent.spawn)
        """,
        "gevent",
        True,
    ),
    "a tracing tool wraps eventlet's select": (
        "eventlet",
        """
        import eventlet; eventlet.monkey_patch()
        import select
        called = []
        def traced(*arguments, real=select.select):
            called.append(arguments)
            return real(*arguments)
        select.select = traced
        report(eventlet.sleep, eventlet.spawn)
        assert called
        """,
        "foreign",
        True,
    ),
    "a patch is undone": (
        "gevent-libev",
        """
        import gevent.monkey; gevent.monkey.patch_select()
        import gevent, select
        cooperative = turns(before, gevent.sleep, gevent.spawn)
        assert cooperative > 3, cooperative
        select.select = builtin
        select.epoll = gevent.monkey.get_original("select", "epoll")
        report(gevent.sleep, gevent.spawn)
        """,
        "native",
        False,
    ),
}


@pytest.mark.once
@pytest.mark.counted
@pytest.mark.parametrize("name", CASES)
def test_who_patched_select_last_decides(run_python, name):
    needed, script, owner, cooperative = CASES[name]
    both = ["gevent-libev", "eventlet"] if "after" in name else [needed]
    for each in both:
        if missing(each):
            pytest.skip(missing(each))
    output = run_python(SETUP + textwrap.dedent(script))
    expected = "true" if cooperative else "false"
    assert output == f'["{owner}", {expected}, {expected}]\n'
