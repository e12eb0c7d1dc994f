"""What if one process has several interpreters, as with mod_wsgi and `concurrent.interpreters`?

Each has modules and selectors of its own; descriptors and the kernel are shared.  gevent, eventlet
and greenlet do not load in an interpreter that is isolated, so only the main one is patched here.
"""

from __future__ import annotations

import importlib.util

import pytest

#: Both ways of making one: `legacy` is that of Py_NewInterpreter(), which mod_wsgi calls; an
#: `isolated` one has a GIL of its own since Python 3.12.
KINDS = ("isolated", "legacy")

MODULES = ("_interpreters", "_xxsubinterpreters")

pytestmark = [
    pytest.mark.skipif(
        not any(importlib.util.find_spec(name) for name in MODULES),
        reason="this interpreter has no subinterpreters",
    ),
    pytest.mark.uncounted,
]

PATCHES = {
    "native": "",
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

#: What a script begins with: `create(kind)`, `run(interpreter, code)` and `end(interpreter)`.
PRELUDE = """
import warnings; warnings.simplefilter("ignore")
import os, sys
try:
    import _interpreters as low
except ImportError:
    import _xxsubinterpreters as low
try:
    from concurrent import interpreters as high
except ImportError:
    high = None

def create(kind):
    if kind == "isolated":
        made = high.create() if high else low.create()
    elif sys.version_info >= (3, 13):
        made = low.create("legacy")
    else:
        made = low.create(isolated=False)
    run(made, f"import sys; sys.path[:] = {sys.path!r}")
    return made

def run(made, code):
    if hasattr(made, "exec"):
        made.exec(code)
        return
    failed = low.run_string(made, code)
    if failed is not None:
        raise RuntimeError(failed)

def end(made):
    made.close() if hasattr(made, "close") else low.destroy(made)

def descriptors():
    return sorted(os.listdir("/proc/self/fd"))
"""

#: What each interpreter does: it has a selector of each class on a pipe of its own.
BEGIN = """
import os
import coopselectors

assert coopselectors.info()["runtime"] == "native"
classes = ("EpollSelector", "PollSelector", "SelectSelector", "DefaultSelector")
selectors = [getattr(coopselectors, name)() for name in classes]
reader, writer = os.pipe()

def check():
    for selector in selectors:
        assert len(selector.get_map()) == 1
        assert selector.select(0) == [] == selector.select(0.01)
    os.write(writer, b"x")
    for selector in selectors:
        [(key, events)] = selector.select(5)
        assert (key.fd, key.data, events) == (reader, "own", coopselectors.EVENT_READ)
    os.read(reader, 1)

def finish():
    for selector in selectors:
        selector.close()
    os.close(reader)
    os.close(writer)

for selector in selectors:
    selector.register(reader, coopselectors.EVENT_READ, "own")
check()
"""

#: A thread waits in each selector, and `close()` wakes it.
THREADS = """
import threading, time
for selector in selectors:
    told = []
    def wait():
        try:
            told.append(selector.select(30))
        except Exception as error:
            told.append(error)
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    selector.close()
    thread.join(10)
    assert [type(each) for each in told] == [ValueError], told
"""


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=PATCHES)
def patch(request):
    if request.param != "native":
        pytest.importorskip(request.param, exc_type=ImportError)
    return PATCHES[request.param]


def test_each_has_its_own_and_they_end_in_any_order(run_python, kind, patch):
    script = f"""
{patch}
{PRELUDE}
BEGIN = {BEGIN!r}
exec(BEGIN.replace('== "native"', '!= ""'))
for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
    made = [create("{kind}") for _ in order]
    for each in made:
        run(each, BEGIN)
    while order:
        each = order.pop(0)
        run(made[each], "finish()")
        end(made[each])
        check()
        for other in order:
            run(made[other], "check()")
finish()
print("done")
"""
    assert run_python(script) == "done\n"


def test_install_is_for_one_interpreter(run_python, kind):
    script = f"""
{PRELUDE}
import selectors, coopselectors
ours, theirs = create("{kind}"), create("{kind}")
INSTALLED = "import selectors; print(selectors.DefaultSelector.__module__.partition('.')[0])"
run(ours, "import coopselectors; coopselectors.install()")
for each in (ours, theirs):
    run(each, INSTALLED)
exec(INSTALLED)
end(ours)
coopselectors.install()
run(theirs, INSTALLED)
exec(INSTALLED)
end(theirs)
exec(INSTALLED)
"""
    expected = ["coopselectors", "selectors", "selectors", "selectors"] + ["coopselectors"] * 2
    assert run_python(script).split() == expected


def test_audit_and_install_leave_the_others_memory_alone(run_python, kind):
    code = """
import selectors
def outer(kind):
    return lambda: kind
inner = outer(selectors.DefaultSelector)
import coopselectors
coopselectors.audit()
coopselectors.install()
assert not [found for found in coopselectors.audit() if "inner" in found.where]
"""
    script = f"""
{PRELUDE}
def beside(depth):
    if depth:
        return beside(depth - 1)
    for _ in range(4):
        made = create("{kind}")
        run(made, {code!r})
        end(made)
beside(20)
print("done")
"""
    assert run_python(script) == "done\n"


def test_close_wakes_a_thread_of_the_same_interpreter(run_python, kind):
    script = f"""
{PRELUDE}
made = [create("{kind}") for _ in range(2)]
for each in made:
    run(each, {BEGIN!r})
try:
    run(made[0], {THREADS!r})
except Exception as error:
    if "thread is not supported for isolated subinterpreters" not in str(error):
        raise
run(made[1], "check()")
for each in made:
    end(each)
print("done")
"""
    assert run_python(script) == "done\n"


def test_one_that_ends_leaves_no_descriptor_behind(run_python, kind):
    """Its selectors are closed with it, and so is what wakes its threads."""
    script = f"""
{PRELUDE}
def one():
    made = create("{kind}")
    run(made, {BEGIN!r})
    try:
        run(made, {THREADS!r})
    except Exception as error:
        if "thread is not supported for isolated subinterpreters" not in str(error):
            raise
    run(made, "os.close(reader); os.close(writer); left = coopselectors.DefaultSelector()")
    end(made)

one()
before = descriptors()
for _ in range(3):
    one()
assert descriptors() == before, (before, [os.readlink(f"/proc/self/fd/{{fd}}")
    for fd in set(descriptors()) - set(before) if os.path.exists(f"/proc/self/fd/{{fd}}")])
print("done")
"""
    assert run_python(script) == "done\n"
