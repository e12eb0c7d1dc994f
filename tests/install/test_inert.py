"""Do install() and audit() run no foreign code, import nothing and raise no foreign errors?"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap

import pytest

from coopselectors._references import _holders
from support.runtimes import missing

#: {runtime: how it is patched}
PATCHES = {
    "native": "",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

#: A process full of objects that do something when they are looked at.  `called` is what they did.
CAPTURE = """
from selectors import EpollSelector, PollSelector
from select import epoll, poll, select as wait
"""

TRAPS = """
import importlib.util, os, sys, tempfile, types, warnings, weakref
from unittest import mock
warnings.simplefilter("ignore")
called = []

def trap(kind, *names, raises=False):
    for name in names:
        def method(self, *how, name=name, **named):
            called.append(f"{kind.__name__}.{name}")
            if raises:
                raise RuntimeError(name)
            return getattr(super(kind, self), name)(*how, **named)
        setattr(kind, name, method)

class Table(dict): pass
trap(Table, "get", "items", "keys", "values", "__iter__", "__getitem__", "__contains__", "__len__")
class Row(list): pass
trap(Row, "__iter__", "__getitem__", "__len__", "__contains__", "index")
class Pair(tuple): pass
trap(Pair, "__iter__", "__getitem__", "__len__", "__contains__", "index")
class Group(set): pass
trap(Group, "__iter__", "__contains__", "__len__", "add", "discard")
class Key:
    def __hash__(self): called.append("Key.__hash__"); return 7
    def __eq__(self, other): called.append("Key.__eq__"); return self is other
    def __repr__(self): called.append("Key.__repr__"); raise RuntimeError("no repr")
class Meta(type):
    def __getattribute__(cls, name):
        called.append(f"Meta.{name}")
        return super().__getattribute__(name)
    def __instancecheck__(cls, thing): called.append("Meta.__instancecheck__"); return True
    def __subclasscheck__(cls, thing): called.append("Meta.__subclasscheck__"); return True
    def __eq__(cls, other): called.append("Meta.__eq__"); return cls is other
    def __hash__(cls): called.append("Meta.__hash__"); return 7
    def __bool__(cls): called.append("Meta.__bool__"); return True
    def __setattr__(cls, name, value): called.append("Meta.__setattr__"); raise TypeError(name)
class NoModule(type):
    @property
    def __module__(cls): called.append("NoModule.__module__"); raise AttributeError("__module__")
class Proxy:  # as lazy-object-proxy, wrapt, werkzeug's LocalProxy
    def __getattribute__(self, name): called.append(f"Proxy.{name}"); raise RuntimeError(name)
    __class__ = property(lambda self: called.append("Proxy.__class__"))
    __dict__ = property(lambda self: called.append("Proxy.__dict__"))
    def __bool__(self): called.append("Proxy.__bool__"); raise RuntimeError
    def __eq__(self, other): called.append("Proxy.__eq__"); raise RuntimeError
    def __hash__(self): called.append("Proxy.__hash__"); raise RuntimeError
class Settings:  # as Django's
    def __getattr__(self, name): called.append(f"Settings.{name}"); raise RuntimeError
    def __setattr__(self, name, value): called.append("Settings.__setattr__"); raise RuntimeError
class Module(types.ModuleType):
    def __getattr__(self, name): called.append(f"Module.{name}"); raise ImportError(name)
    def __getattribute__(self, name): called.append(f"Module.{name}"); raise ImportError(name)
    __dict__ = property(lambda self: called.append("Module.__dict__"))
class Descriptor:
    def __get__(self, thing, kind=None): called.append("Descriptor.__get__"); raise RuntimeError
    def __set__(self, thing, value): called.append("Descriptor.__set__")

app = sys.modules["app"] = types.ModuleType("app")
sys.modules["odd"] = Module("odd")
sys.modules["proxy"] = Proxy()
sys.modules["nothing"] = None
app.__getattr__ = lambda name: called.append(f"app.{name}")
app.Watched = Meta("Watched", (), {"kind": EpollSelector, "other": Descriptor()})
app.Odd = NoModule("Odd", (), {"kind": PollSelector})
exec("made = type('WithoutModule', (), {'kind': kind})", space := {"kind": PollSelector})
app.WithoutModule = space["made"]
app.table = Table(kind=EpollSelector, wait=wait)
app.row = Row([EpollSelector, poll])
app.pair = Pair([EpollSelector, epoll])
app.group = Group([EpollSelector, epoll])
app.keys = {Key(): EpollSelector, Key(): 1}
app.mixed = {Key(): 1, EpollSelector: 2}
app.watched = {app.Watched: EpollSelector}
app.proxies = [Proxy(), {"inner": Proxy()}, (Proxy(),)]
app.proxy, app.settings, app.mock = Proxy(), Settings(), mock.MagicMock(spec=EpollSelector)
object.__setattr__(app.settings, "kind", EpollSelector)
app.gone = weakref.proxy(Settings())
app.living = [EpollSelector(), epoll()]
app.holder = app.Watched()
type.__setattr__(app.Watched, "held_by_the_class", epoll)

folder = tempfile.mkdtemp()
sys.path.insert(0, folder)
with open(os.path.join(folder, "heavy.py"), "w") as file:
    file.write("import wave")
spec = importlib.util.find_spec("heavy")
spec.loader = importlib.util.LazyLoader(spec.loader)
heavy = sys.modules["heavy"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(heavy)
"""

LOOK = """
import coopselectors, gc
gc.collect()
called.clear()
before = dict(sys.modules)
for _ in range(2):
    coopselectors.audit()
    coopselectors.install(select=True)
    coopselectors.audit()
    coopselectors.uninstall()
assert called == [], sorted(set(called))
assert "wave" not in sys.modules
new = set(sys.modules) - set(before)
assert not new and all(sys.modules[name] is before[name] for name in before), new
"""


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.epoll
def test_a_process_full_of_traps(run_python, name):
    lack = missing({"gevent": "gevent-libev"}.get(name, name))
    if name != "native" and lack:
        pytest.skip(lack)
    # First, for gevent and eventlet step into each of the traps.
    run_python(CAPTURE + PATCHES[name] + TRAPS + LOOK, PYTHONWARNINGS="ignore")


@pytest.mark.epoll
def test_what_is_in_the_traps_is_found_all_the_same(run_python):
    run_python(
        CAPTURE
        + TRAPS
        + """
import coopselectors
done = coopselectors.install(select=True).replaced
places = {each.where for each in coopselectors.audit()}
assert {"__main__.Watched.kind", "__main__.Odd.kind", "WithoutModule.kind"} & {*done} == {
    "__main__.Watched.kind", "__main__.Odd.kind"
}
assert type.__getattribute__(app.Watched, "kind") is coopselectors.EpollSelector
assert "WithoutModule.kind" in places  # nobody knows whether it is a patcher's
assert "app.settings.kind" in done
for name in ("table['kind']", "keys[<a __main__.Key object>]"):
    assert f"app.{name}" in places, (name, places)
for name in ("row", "pair"):
    assert {f"element 0 of app.{name}", f"element 1 of app.{name}"} <= places, places
assert "an element of app.group" in places
assert "a key of app.mixed" in places
assert {"app.living[0]", "app.living[1]"} <= places
"""
    )


@pytest.mark.epoll
def test_each_says_the_same_twice(run_python):
    run_python(
        CAPTURE
        + TRAPS
        + """
import coopselectors
def said():
    return [each[:2] for each in coopselectors.audit()]
first = said()
kept = coopselectors.audit()
assert said() == first == said() and len(first) > 10
done = coopselectors.install(select=True)
assert coopselectors.install(select=True) == done
after = said()
assert said() == after
assert coopselectors.uninstall() == []
assert said() == first
"""
    )


def test_a_collector_that_was_off_stays_off(run_python):
    run_python(
        """
        import coopselectors, gc
        coopselectors.install(); coopselectors.audit()
        assert gc.isenabled()
        gc.disable()
        coopselectors.install(); coopselectors.audit()
        assert not gc.isenabled()
        """
    )


@pytest.mark.uncounted
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is about CPython's bytecode")
def test_a_collector_that_was_on_is_on_again_wherever_a_signal_handler_raises(run_python):
    run_python(
        """
        import coopselectors, dis, gc, itertools, sys
        class Stop(BaseException):
            pass
        # From 3.12 on, there is an event for each line only.
        moment = "opcode" if sys.version_info < (3, 12) else "line"
        def stop_at(step):
            left = iter(range(step))
            def trace(frame, event, argument):
                if frame.f_code.co_name not in ("undisturbed", "_end"):
                    return None
                frame.f_trace_opcodes = True
                # Before these, the interpreter calls no handler.
                waits = dis.opname[frame.f_code.co_code[frame.f_lasti]] in ("NOP", "SETUP_FINALLY")
                if event == moment and not waits and next(left, None) is None:
                    sys.settrace(None)
                    raise Stop
                return trace
            return trace
        class Thing:
            pass
        for step in itertools.count():
            sys.settrace(stop_at(step))
            try:
                coopselectors.audit()
            except Stop:
                stopped = True
            else:
                stopped = False
            sys.settrace(None)
            assert gc.isenabled(), step
            # Nothing that was found is used again.
            Thing.held = coopselectors._audit.selectors.PollSelector()
            assert "__main__.Thing.held" in [each.where for each in coopselectors.audit()], step
            del Thing.held
            if not stopped:
                break
        assert step > 8
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
@pytest.mark.parametrize("act", ["audit", "install"])
def test_a_child_of_a_process_that_audits_in_another_thread(run_python, act):
    run_python(
        f"""
        import gc, os, selectors, sys, threading, weakref
        import coopselectors
        class Thing:
            pass
        def around(kind):
            return lambda: kind
        closure = around(selectors.PollSelector)
        thing = Thing()
        thing.me = thing
        told = weakref.ref(thing)
        found, go_on = threading.Event(), threading.Event()
        ask = sys._current_frames
        def frames():
            found.set()
            go_on.wait()
            return ask()
        sys._current_frames = frames
        thread = threading.Thread(target=coopselectors.{act})
        thread.start()
        found.wait()
        pid = os.fork()
        if not pid:
            collects = gc.isenabled()
            del thing
            gc.collect()
            os._exit(0 if collects and told() is None else 1)
        go_on.set()
        assert os.waitpid(pid, 0)[1] == 0
        thread.join()
        assert gc.isenabled()
        gc.disable()
        pid = os.fork()
        if not pid:
            os._exit(gc.isenabled())
        assert os.waitpid(pid, 0)[1] == 0
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
def test_a_child_in_the_middle_of_its_own_audit_is_undisturbed(run_python):
    run_python(
        """
        import gc, os, sys
        import coopselectors
        ask = sys._current_frames
        def frames():  # as a signal handler may
            global pid
            pid = os.fork()
            assert not gc.isenabled()
            return ask()
        sys._current_frames = frames
        coopselectors.audit()
        assert gc.isenabled()
        assert not pid or os.waitpid(pid, 0)[1] == 0
        """
    )


def test_dictionaries_of_variables_stay_as_they_are(run_python):
    run_python(
        """
        import coopselectors, selectors, sys
        def look():
            coopselectors.audit()
            coopselectors.install()
            coopselectors.audit()
            coopselectors.uninstall()
        def check(context):
            context["title"] = "final"
            before = dict(context)
            look()
            assert dict(context) == before, (before, dict(context))
        kept = []
        def with_locals(kind=selectors.PollSelector):
            title = "draft"
            context = locals()
            later = 1
            kept.append(lambda: kind)
            check(context)
        def with_vars():
            title = "draft"
            context = vars()
            later = 1
            check(context)
        def with_its_frame():
            title = "draft"
            check(sys._getframe().f_locals)
        def with_the_frame_of_its_caller():
            def render():
                check(sys._getframe(1).f_locals)
            title = "draft"
            render()
        def with_exec():
            exec("hidden = 1")
            before = "hidden" in dir()
            look()
            assert ("hidden" in dir()) == before
        def suspended():
            title = "draft"
            context = locals()
            later = 1
            yield context
        with_locals()
        with_vars()
        with_its_frame()
        with_the_frame_of_its_caller()
        with_exec()
        waits = suspended()
        check(next(waits))
        """
    )


def test_many_closures_are_compared_with_running_functions_once(run_python):
    output = run_python(
        """
        import selectors, sys
        import coopselectors
        ask, asked = sys._current_frames, []
        def frames():
            asked.append(1)
            return ask()
        sys._current_frames = frames
        def around(kind):
            return lambda: kind
        for count in (1, 100):
            closures = [around(selectors.PollSelector) for _ in range(count)]
            for act in (coopselectors.audit, coopselectors.install, coopselectors.uninstall):
                act()
                print(len(asked), end=" ")
                asked.clear()
        """
    )
    once, many = output.split()[:3], output.split()[3:]
    assert once == many


@pytest.mark.once
def test_many_objects_are_looked_at_a_few_times_only(run_python):
    output = run_python(
        """
        import gc, selectors, sys, time, types
        import coopselectors
        app = sys.modules["app"] = types.ModuleType("app")
        app.TABLE = {number: number for number in range(1_000_000)}
        app.TABLE["kind"] = selectors.PollSelector
        class Thing:
            pass
        app.things = [Thing() for _ in range(2_000_000)]
        started = time.process_time()
        [None for each in gc.get_objects() if type(each) is int]
        print(time.process_time() - started)  # of the processor's time: other tests run beside
        started = time.process_time()
        done = coopselectors.install(select=True).replaced
        installed = time.process_time()
        coopselectors.audit()
        print(installed - started, time.process_time() - installed)
        assert "app.TABLE['kind']" in done
        assert app.TABLE["kind"] is coopselectors.PollSelector
        """
    )
    once, install, audit = map(float, output.split())
    assert install < 15 * once
    assert audit < 15 * once


#: Names, namespaces and classes of classes that do something when they are looked at.
NAMED = """
import selectors, sys, types
from selectors import PollSelector
called = []
def trap(kind, *names):
    for name in names:
        def method(self, *how, name=name):
            called.append(f"{kind.__name__}.{name}")
            return getattr(super(kind, self), name)(*how)
        setattr(kind, name, method)
class Name(str): pass
trap(Name, "__eq__", "__ne__", "__hash__", "__str__", "__repr__", "__format__", "__getitem__",
     "__len__", "__contains__", "startswith", "partition")
class Space(dict): pass
trap(Space, "get", "__contains__", "items", "keys", "values", "__iter__", "__len__")
class Meta(type): pass
trap(Meta, "__eq__", "__hash__")

app = sys.modules["app"] = types.ModuleType("app")
app.Named = type(Name("Named"), (), {"kind": PollSelector})
app.Named.__name__, app.Named.__qualname__ = Name("Named"), Name("Named")
app.Derived = type(Name("Derived"), (PollSelector,), {})
app.living = app.Derived()
def function(kind=PollSelector): pass
function.__qualname__ = Name("function")
function.__code__ = function.__code__.replace(co_name=Name("function"))
app.function = function
space = Space(kind=PollSelector, __name__="theirs")
exec("def f(kind=kind): pass", space)
app.f = space["f"]
class Table(dict, metaclass=Meta): pass
class Row(list, metaclass=Meta): pass
class Pair(tuple, metaclass=Meta): pass
class Slot(metaclass=Meta): __slots__ = "kind"
app.table, app.row, app.pair = Table(kind=PollSelector), Row([PollSelector]), Pair([PollSelector])
app.slot = Slot()
app.slot.kind = PollSelector
class Inside(metaclass=Meta): pass
app.inside = [Inside()]
app.inside[0].inner = [{2: PollSelector}]
class Key:
    def __hash__(self): called.append("Key.__hash__"); return 7
    def __repr__(self): called.append("Key.__repr__"); return "key"
class Thing: pass
class Own(dict): pass
app.thing, app.own = Thing(), Own(kind=PollSelector)
for thing in (app.thing, app.own):
    vars(thing).update({Name("kind"): PollSelector, Key(): PollSelector})
"""


def test_names_and_namespaces_of_classes_of_their_own(run_python):
    run_python(
        NAMED
        + """
import coopselectors
def look():
    for _ in range(2):
        coopselectors.audit()
        coopselectors.install(select=True)
        coopselectors.audit()
        coopselectors.uninstall()
called.clear()
look()
space["look"] = look
exec("def running(): local = kind; look()", space)
called.clear()
space["running"]()
assert called == [], sorted(set(called))
done = coopselectors.install().replaced
assert {"__main__.Named.kind", "app.slot.kind"} <= {*done}, done
for function in ("__main__.function", "theirs (not in sys.modules).f"):
    assert f"default argument 'kind' of {function}" in done, done
found = {each.where for each in coopselectors.audit()}
assert {
    "app.Derived", "app.living", "app.table['kind']", "element 0 of app.row",
    "element 0 of app.pair", "app.thing[<a __main__.Name object>]",
    "app.thing[<a __main__.Key object>]", "app.own.<a __main__.Name object>",
    "app.own.<a __main__.Key object>",
} <= found, found
"""
    )


@pytest.mark.parametrize("options", [[], ["-bb"]])
def test_keys_that_cannot_be_printed_or_compared(options):
    script = """
        import selectors, sys, types
        import coopselectors
        deep = ()
        for _ in range(5000):
            deep = (deep,)
        app = sys.modules["app"] = types.ModuleType("app")
        keys = {"number": 10**5000, "deep": deep, "bytes": b"kind", "both": (deep, 10**5000)}
        class Thing(dict):
            pass
        for name, key in keys.items():
            setattr(app, name, {key: selectors.PollSelector})
            setattr(app, f"thing_{name}", Thing(kind=selectors.PollSelector))
            vars(getattr(app, f"thing_{name}"))[key] = selectors.PollSelector
        def label(name, key):
            try:
                text = repr(key)
            except (ValueError, RecursionError):  # which depends on the version of Python
                return f"app.{name}[<a {type(key).__name__} object>]"
            return f"app.{name}[{text}]" if len(text) <= 60 else f"app.{name}[{text[:60]}...]"
        named = {label(name, key) for name, key in keys.items()}
        found = coopselectors.audit()
        assert named <= {each.where for each in found}, [each.where[:80] for each in found]
        done = coopselectors.install(select=True).replaced
        assert named <= {*done}, done
        for name, key in keys.items():
            assert getattr(app, name)[key] is coopselectors.PollSelector
            assert vars(getattr(app, f"thing_{name}"))[key] is coopselectors.PollSelector
        assert coopselectors.uninstall() == []
    """
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is about CPython's memory")
def test_an_object_that_only_says_that_it_is_a_function(run_python):
    """As Nuitka's are: derived from the interpreter's function type, which no class can be.

    The accessors of a function then read whatever lies in the object's memory in that place.
    """
    run_python(
        """
        import coopselectors, ctypes, selectors, sys, types

        WORDS = 24  # more than a function has
        class Compiled:
            __slots__ = tuple(f"word_{index}" for index in range(WORDS))
        made = Compiled()
        for name in Compiled.__slots__:
            setattr(made, name, selectors.PollSelector)

        order = (Compiled, types.FunctionType, object)
        size = ctypes.sizeof(ctypes.c_void_p)
        memory = (ctypes.c_void_p * (type.__basicsize__ // size)).from_address(id(Compiled))
        place = list(memory).index(id(Compiled.__mro__))
        before, memory[place] = memory[place], id(order)
        assert issubclass(Compiled, types.FunctionType)
        assert types.FunctionType.__closure__.__get__(made) is selectors.PollSelector  # it is not

        expected = [f"__main__.made.word_{index}" for index in range(WORDS)]
        found = [each.where for each in coopselectors.audit()]
        assert [each for each in found if "made" in each] == sorted(expected), found
        done = coopselectors.install().replaced
        assert [each for each in done if "made" in each] == sorted(expected), done
        assert made.word_0 is made.word_23 is coopselectors.PollSelector
        assert coopselectors.uninstall() == []
        assert made.word_0 is made.word_23 is selectors.PollSelector
        memory[place] = before
        """
    )


def test_calls_of_a_parent_in_which_the_collector_was_off(monkeypatch):
    call = _holders._Call()
    call.thread, call.collects = 0, False
    _holders._calls.add(call)
    with monkeypatch.context() as patch:
        patch.setattr(gc, "enable", lambda: pytest.fail("turned on"))
        _holders._end_calls_of_the_parent()
    assert not _holders._calls
