"""Is a class or function replaced or named, whatever holds it, and restored later?"""

from __future__ import annotations

import textwrap

import pytest

from support.runtimes import missing

PATCHES = {
    "native": "",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

#: What each of these ways holds is called `thing`.
LIBRARY = """
import collections, dataclasses, enum, functools, types

one = thing
listed = [1, thing]
queue = collections.deque([thing])
ordered = collections.OrderedDict(kind=thing)
defaults_to = collections.defaultdict(list, kind=thing)
table = {"net": {"kind": thing}, 7: [thing], ("a", 1): thing}
group = {thing, 1}
by_thing = {"first": 1, thing: 2, "last": 3}
proxied = types.MappingProxyType({"kind": thing})
part = functools.partial(thing)
part_of = functools.partial(print, 1, thing, sep=thing)

def by_default(how=thing, size=3, *, by=thing):
    return how, size, by

def around(how):
    def inner():
        return how
    return inner

closure = around(thing)

class Client:
    kind = thing
    OPTIONS = {"kind": thing}

    class Inner:
        kind = thing

    static = staticmethod(thing)

    @staticmethod
    def make(how=thing):
        return how

    @classmethod
    def build(cls, how=thing):
        return how

    def __init__(self):
        self.kind = thing
        self.inside = [{"deep": thing}]

class Slotted:
    __slots__ = ("kind",)

    def __init__(self):
        self.kind = thing

@dataclasses.dataclass
class Data:
    made: object = dataclasses.field(default_factory=thing)
    plain: object = thing

class Kind(enum.Enum):
    ONE = [thing]

client, slotted, data = Client(), Slotted(), Data.__new__(Data)
namespace = types.SimpleNamespace(kind=thing)
"""

#: What cannot be replaced.
FIXED = """
import collections

pair = (1, thing)
nested = {"pair": [(thing,)]}
frozen = frozenset([thing])
Point = collections.namedtuple("Point", "x y")
point = Point(1, thing)

class Own(list):
    pass

own = Own([thing])

class OwnTable(dict):
    pass

own_table = OwnTable(kind=thing)

def running():
    local = thing
    yield

suspended = running()
next(suspended)
"""

SCRIPT = """
import gc, selectors, select, sys, types, warnings
warnings.simplefilter("ignore")
THINGS = {name: getattr(home, name) for name, home in (
    ("EpollSelector", selectors), ("PollSelector", selectors), ("SelectSelector", selectors),
    ("select", select), ("poll", select), ("epoll", select),
)}
def take(name, source):
    module = sys.modules[name] = types.ModuleType(name)
    module.thing = THINGS[sys.argv[1]]
    exec(source, vars(module))
    del module.thing
    return module
them = take("theirs", LIBRARY)
rest = take("rest", FIXED)
held = (THINGS.pop(sys.argv[1]),)  # a tuple, or it would be replaced, too
THINGS.clear()

def walk(thing, seen, found, path):
    "All that can be reached, with its identity and order."
    if id(thing) in seen or len(path) > 12:
        return
    seen[id(thing)] = thing  # kept, or its identity would be used again
    if isinstance(thing, (dict, types.MappingProxyType)):
        inside = [(repr(key)[:60], each) for key, each in thing.items()]
        found[path] = [(id(key), id(each)) for key, each in thing.items()]
    elif isinstance(thing, (list, tuple, collections.deque)):
        inside = list(enumerate(thing))
        found[path] = [id(each) for each in thing]
    elif isinstance(thing, (set, frozenset)):
        inside, found[path] = [], sorted(map(id, thing))
    elif isinstance(thing, types.FunctionType):
        inside = [("d", thing.__defaults__), ("k", thing.__kwdefaults__)]
        inside += [("c", thing.__closure__)]
        found[path] = [id(each) for _, each in inside]
    elif isinstance(thing, types.CellType):
        inside, found[path] = [], id(thing.cell_contents)
    elif isinstance(thing, (staticmethod, classmethod)):
        inside, found[path] = [("f", thing.__func__)], id(thing.__func__)
    elif isinstance(thing, functools.partial):
        inside = [("a", thing.args), ("k", thing.keywords)]
        found[path] = id(thing.func), id(thing.args), id(thing.keywords)
    elif isinstance(thing, type) and thing.__module__ in ("theirs", "rest"):
        inside, found[path] = [("v", vars(thing))], None
    elif hasattr(thing, "kind") and hasattr(thing, "__slots__"):
        inside, found[path] = [], id(thing.kind)
    elif type(thing).__module__ == "theirs" or isinstance(thing, types.SimpleNamespace):
        inside, found[path] = [("i", vars(thing))], None
    else:
        inside = []
    for key, each in inside:
        walk(each, seen, found, (*path, key))

import collections, functools
def picture():
    found, seen = {}, {}
    for module in (them, rest, selectors, select):
        space = {key: each for key, each in vars(module).items() if key != "__builtins__"}
        found[module.__name__] = {key: id(each) for key, each in space.items()}
        if module in (them, rest):
            for key, each in space.items():
                walk(each, seen, found, (module.__name__, key))
    return found
"""

CHECK = """
import coopselectors
before = picture()
done = coopselectors.install(select=True).replaced
def is_ours(each):
    return each.__module__.startswith("coopselectors")
left = {name: each for name, each in {
    "one": them.one, "list": them.listed[1], "deque": them.queue[0],
    "OrderedDict": them.ordered["kind"], "defaultdict": them.defaults_to["kind"],
    "dict": them.table["net"]["kind"], "number": them.table[7][0], "pair": them.table["a", 1],
    "set": next(each for each in them.group if each != 1), "key": list(them.by_thing)[1],
    "proxy": them.proxied["kind"],
    "partial": them.part.func, "argument": them.part_of.args[1],
    "keyword": them.part_of.keywords["sep"], "default": them.by_default()[0],
    "keyword-only": them.by_default()[2], "closure": them.closure(),
    "class": vars(them.Client)["kind"], "OPTIONS": them.Client.OPTIONS["kind"],
    "Inner": vars(them.Client.Inner)["kind"], "static": them.Client.static,
    "make": them.Client.make(), "build": them.Client.build(),
    "instance": them.client.kind, "deep": them.client.inside[0]["deep"], "slot": them.slotted.kind,
    "field": them.Data.__dataclass_fields__["made"].default_factory,
    "plain field": them.Data.__dataclass_fields__["plain"].default, "enum": them.Kind.ONE.value[0],
    "namespace": them.namespace.kind,
}.items() if not is_ours(each)}
assert not left, left
assert list(them.by_thing.values()) == [1, 2, 3]
named = {each.where for each in coopselectors.audit() if each.held is held[0]}
if sys.argv[1:] == ["PollSelector", "gevent"]:  # gevent has given it a poll() of its own
    assert not named
else:
    [local] = [each for each in named if each.startswith("'local' in rest.running() (File ")]
    assert {each for each in named if "rest" in each} == {local,
        "element 1 of rest.pair", "element 0 of rest.nested['pair'][0]",
        "an element of rest.frozen",
        "element 1 of rest.point", "element 0 of rest.own", "rest.own_table['kind']",
    }, named
assert not [each for each in named if "theirs" in each], named
assert {
    "theirs.one", "element 1 of theirs.listed", "element 0 of theirs.queue",
    "theirs.ordered['kind']", "theirs.defaults_to['kind']",
    "theirs.table['net']['kind']", "element 0 of theirs.table[7]", "theirs.table[('a', 1)]",
    "an element of theirs.group", "a key of theirs.by_thing", "theirs.part.func",
    "theirs.part_of.args[1]", "theirs.part_of.keywords['sep']",
    "default argument 'how' of theirs.by_default", "default argument 'by' of theirs.by_default",
    "variable 'how' in the closure of theirs.around.<locals>.inner",
    "theirs.Client.kind", "theirs.Client.OPTIONS['kind']", "theirs.Client.Inner.kind",
    "default argument 'how' of theirs.Client.make", "theirs.client.kind", "theirs.slotted.kind",
    "theirs.namespace.kind", "theirs.proxied['kind']",
    "field 'made' of dataclass theirs.Data, its default_factory",
} <= {*done}, sorted(done)
assert coopselectors.install(select=True).replaced == done
again = coopselectors.uninstall()
assert again == [], again
after = picture()
assert after == before, [key for key in before if before[key] != after.get(key)]
"""


@pytest.mark.parametrize("thing", ["EpollSelector", "PollSelector", "select", "poll", "epoll"])
@pytest.mark.parametrize("name", PATCHES)
def test_every_way_to_hold_it(run_python, name, thing):
    lack = missing({"gevent": "gevent-libev"}.get(name, name))
    if name != "native" and lack:
        pytest.skip(lack)
    sources = f"LIBRARY = {LIBRARY!r}\nFIXED = {FIXED!r}\n"
    run_python(sources + SCRIPT + PATCHES[name] + CHECK, thing, name)


def test_what_was_frozen_is_found(run_python):
    sources = f"LIBRARY = {LIBRARY!r}\nFIXED = {FIXED!r}\n"
    run_python(sources + SCRIPT + "gc.freeze()" + CHECK, "EpollSelector")
    run_python(sources + SCRIPT + "gc.freeze()" + CHECK, "epoll")


def test_a_running_function(run_python):
    run_python(
        """
        import selectors, coopselectors
        kept = []
        def outer():
            kind = selectors.PollSelector
            listed = [kind]
            kept.append(lambda: kind)
            done = coopselectors.install().replaced
            assert kind is not coopselectors.PollSelector
            found = {each.where.partition(" (File")[0]: each for each in coopselectors.audit()}
            assert "'kind' in __main__.outer()" in found
            closure = "variable 'kind' in the closure of __main__.outer.<locals>.<lambda>"
            assert "runs" in found[closure].advice
            coopselectors.uninstall()
        outer()
        coopselectors.install()
        assert kept[0]() is coopselectors.PollSelector
        """
    )


def test_a_running_function_that_has_its_variables_in_a_dictionary(run_python):
    run_python(
        """
        import selectors, coopselectors
        kept = []
        def outer():
            kind = selectors.PollSelector
            kept.append(lambda: kind)
            assert len(locals()) == 1
            coopselectors.install()
            assert kind is not coopselectors.PollSelector
            coopselectors.uninstall()
        outer()
        coopselectors.install()
        assert kept[0]() is coopselectors.PollSelector
        coopselectors.uninstall()
        """
    )


def test_attributes_of_weak_dictionaries_and_of_what_is_named_as_a_descriptor(run_python):
    run_python(
        """
        import selectors, weakref, coopselectors
        class method_descriptor:
            pass
        named = method_descriptor()
        values, keys, things = weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(), {*()}
        by_kind = weakref.WeakValueDictionary({selectors.PollSelector: named})
        for each in (named, values, keys):
            each.kind = selectors.PollSelector
        places = {f"__main__.{each}.kind" for each in ("named", "values", "keys")}
        assert places <= {each.where for each in coopselectors.audit()}
        assert places <= {*coopselectors.install().replaced}
        assert named.kind is values.kind is keys.kind is coopselectors.PollSelector
        assert by_kind[coopselectors.PollSelector] is named
        del named, each
        assert not by_kind.data  # it looks for the key that its reference has kept
        assert coopselectors.uninstall()
        """
    )


def test_less_usual_ways_to_hold_it(run_python):
    run_python(
        """
        import dataclasses, selectors, types, typing
        from selectors import PollSelector
        import coopselectors
        standard = (PollSelector,)  # which cannot be replaced

        class Own(list):
            pass
        own = Own([[PollSelector]])
        own.inside = [PollSelector]

        def annotated(kind: PollSelector):
            pass
        annotated.__annotations__  # CPython makes the dictionary when it is asked for
        def not_asked(kind: PollSelector):  # of which it has a tuple until then
            pass
        hint = typing.Optional[PollSelector]
        # Since CPython 3.11 it has a dictionary only if somebody asks for it, since 3.14 none.
        getattr(hint, "__dict__", None)
        bound_hint = typing.TypeVar("bound_hint", bound=PollSelector)
        new_hint = typing.NewType("new_hint", PollSelector)
        field = dataclasses.field(default=PollSelector)
        [code, *_] = compile("def from_nowhere(kind): return kind", "x.py", "exec").co_consts
        from_nowhere = types.FunctionType(code, {}, "from_nowhere", (PollSelector,))

        class Slots:
            __slots__ = "kind", "unset"
        class Other:
            # The accessors of another class, which do not take an object of this one.
            __slots__ = "held", "__weakref__"
            kind = Slots.kind
            __dict__ = vars(Own)["__dict__"]
        slots, other = Slots(), Other()
        slots.kind = other.held = PollSelector

        done = coopselectors.install().replaced
        ours = coopselectors.PollSelector
        assert own[0] == own.inside == [ours]
        assert annotated.__annotations__["kind"] is field.default is ours
        assert slots.kind is other.held is ours
        assert from_nowhere() is standard[0]
        assert {
            "element 0 of __main__.own[0]", "element 0 of __main__.own.inside",
            "__main__.annotated.__annotations__['kind']", "__main__.field.default",
            "__main__.slots.kind", "__main__.other.held",
        } <= {*done}, done
        found = {each.where: each.advice for each in coopselectors.audit()}
        advice = found["default argument 'kind' of <a function>.from_nowhere"]
        assert advice == "its owner is unknown: call install() before it is made"
        # What is only said about a class, nobody waits with.
        said = [*done, *found]
        for each in ("hint", "typing"):
            assert not [where for where in said if each in where], said
        assert coopselectors.uninstall() == []
        assert own[0] == own.inside == [PollSelector]
        assert annotated.__annotations__["kind"] is field.default is slots.kind is PollSelector
        assert not_asked.__annotations__["kind"] is PollSelector
        """
    )


def test_what_is_read_only_stays_as_it_is(run_python):
    run_python(
        """
        import selectors, coopselectors
        class Client:
            selector = property(selectors.PollSelector)
        done = coopselectors.install().replaced
        assert vars(Client)["selector"].fget is selectors._PollLikeSelector.__subclasses__()[0]
        assert not [where for where in done if "Client" in where], done
        assert coopselectors.uninstall() == []
        """
    )


#: Holders of `thing` that Python does not look up by name alone.
ODD = """
import collections, contextvars, functools, itertools, operator, types, weakref

class Alive:
    pass

class OwnPartial(functools.partial):
    pass

class OwnProperty(property):
    pass

class OwnStatic(staticmethod):
    pass

class OwnClass(classmethod):
    pass

class OwnDefault(collections.defaultdict):
    pass

class OwnTable(dict):
    pass

class Client:
    fget = property(thing)
    fset = property(None, thing)
    fdel = property(None, None, thing)
    own_property = OwnProperty(thing)
    cached = functools.cached_property(thing)
    of_classmethod = property(classmethod(thing))
    of_staticmethod = property(staticmethod(thing))
    of_partial = property(functools.partial(thing))
    in_classmethod = classmethod(property(thing))
    in_staticmethod = staticmethod(functools.partial(thing))
    own_static = OwnStatic(thing)
    own_class = OwnClass(thing)
    method = functools.partialmethod(thing, 1)
    arguments = functools.partialmethod(print, thing, how=thing)
    single = functools.singledispatchmethod(thing)
    dynamic = types.DynamicClassAttribute(thing)

remembered = functools.lru_cache(maxsize=None)(thing)
factory = collections.defaultdict(thing)
both = collections.defaultdict(thing, kind=thing)
own_factory = OwnDefault(thing)
deep_factory = collections.defaultdict(functools.partial(thing))
own_table = OwnTable(kind=1)
own_table.attribute = thing
counted = collections.Counter({thing: 2})
bound = types.MethodType(print, thing)
bound_to = types.MethodType(thing, 1)
own_partial = OwnPartial(thing)
piece = slice(thing)
repeated = itertools.repeat(thing)
mapped = map(thing, [1])
getter = operator.itemgetter(thing)
variable = contextvars.ContextVar("variable", default=thing)
stopped = StopIteration(thing)
alive = Alive()
finalizer = weakref.finalize(alive, thing)
finalizer.atexit = False
"""

#: Those of them that nobody can change.
STAY = """
Client.fget.fget Client.fset.fset Client.fdel.fdel Client.own_property.fget
Client.in_classmethod.fget Client.own_static.__func__ Client.own_class.__func__
remembered bound.__self__ bound_to.__func__ own_partial.func piece.stop repeated mapped getter
variable
"""

#: A piece of the path to each of the others.
CHANGE = """
Client.cached.func Client.of_classmethod.fget Client.of_staticmethod.fget Client.of_partial.fget
Client.in_staticmethod.func Client.method.func Client.arguments.keywords Client.single
Client.dynamic.fget factory.default_factory both.default_factory both['kind']
own_factory.default_factory deep_factory.default_factory own_table.attribute stopped.value
weakref.finalize
"""


@pytest.mark.parametrize("thing", ["PollSelector", "poll", "EpollSelector", "epoll"])
@pytest.mark.parametrize("name", PATCHES)
def test_what_audit_says_that_install_replaces_is_replaced(run_python, name, thing):
    lack = missing({"gevent": "gevent-libev"}.get(name, name))
    if name != "native" and lack:
        pytest.skip(lack)
    script = """
        found = [each for each in coopselectors.audit() if each.held is held[0]]
        done = coopselectors.install(select=True).replaced
        left = [each.where for each in coopselectors.audit() if each.held is held[0]]
        promised = {each.where for each in found if each.advice.endswith(" replaces it")}
        assert promised <= {*done}, promised - {*done}
        assert not promised & {*left}, promised & {*left}
        assert not {each.where for each in found} - promised - {*left}
        for each in STAY:
            advice = {one.advice for one in found if one.where == f"theirs.{each}"}
            assert len(advice) == 1, (each, advice)
            assert advice.pop().endswith("before it is made"), each
            assert f"theirs.{each}" in left, each
        for each in CHANGE:
            assert [where for where in promised if each in where], each
            assert not [where for where in left if each in where], each
        assert them.factory.default_factory.__module__.startswith("coopselectors")
        assert coopselectors.uninstall() == []
        assert them.factory.default_factory is them.both["kind"] is held[0]
        assert them.Client.__dict__["cached"].func is held[0]
    """
    if (name, thing) == ("gevent", "PollSelector"):  # gevent has given it a poll() of its own
        script = "assert not [each for each in coopselectors.audit() if each.held is held[0]]"
    start = f"import selectors, select, sys, types, coopselectors\nODD = {ODD!r}\n"
    start += f"STAY, CHANGE = {STAY.split()!r}, {CHANGE.split()!r}\n"
    take = SCRIPT.partition("them = ")[0] + (
        "them = take('theirs', ODD)\nheld = (THINGS.pop(sys.argv[1]),)\nTHINGS.clear()\n"
    )
    run_python(
        start + take + PATCHES[name] + "\n" + textwrap.dedent(script),
        thing,
        PYTHONWARNINGS="ignore",
    )


def test_what_is_gone_when_it_is_to_be_put_back(run_python):
    run_python(
        """
        import selectors, coopselectors
        class Slots:
            __slots__ = ("kind",)
        slots = Slots()
        slots.kind = selectors.PollSelector
        def around(kind):
            return lambda: kind
        closure = around(selectors.PollSelector)
        coopselectors.install()
        assert slots.kind is closure() is coopselectors.PollSelector
        del slots.kind, closure.__closure__[0].cell_contents
        assert sorted(coopselectors.uninstall()) == [
            "__main__.slots.kind",
            "variable 'kind' in the closure of __main__.around.<locals>.<lambda>",
        ]
        """
    )


def test_a_function_that_runs_and_has_run_before(run_python):
    run_python(
        """
        import selectors, coopselectors
        kept = []
        def outer(kind, runs=True):
            kept.append(lambda: kind)
            if runs:
                coopselectors.install()
        outer(selectors.PollSelector, False)
        outer(selectors.EpollSelector)
        # The variable of the call that has ended belongs to nobody else.
        assert kept[0]() is coopselectors.PollSelector
        coopselectors.uninstall()
        assert kept[0]() is selectors.PollSelector
        """
    )


def test_living_objects_and_where_they_were_made(run_python):
    run_python(
        """
        import coopselectors, select, selectors, tracemalloc
        def found():
            return {each.where: each.what for each in coopselectors.audit()}
        early = selectors.PollSelector()
        assert found()["__main__.early"] == "a selectors.PollSelector object"
        tracemalloc.start(5)
        code = "late = selectors.PollSelector()\\nmade = {1: (2, select.epoll())}"
        exec(compile(code, "program.py", "exec"))
        said = found()
        assert said["__main__.late"] == "a selectors.PollSelector object, made at program.py:1"
        made = said["__main__.made[1][1]"]
        assert made == "a select.epoll object, made at program.py:2"
        assert said["__main__.early"] == "a selectors.PollSelector object"
        left = coopselectors.install(select=True).left
        assert {*map(id, left)} == {id(early), id(late)}
        """
    )


@pytest.mark.skipif(missing("eventlet") != "", reason="not installed: eventlet")
def test_copies_that_eventlet_makes(run_python, tmp_path):
    (tmp_path / "client.py").write_text(
        "import selectors\nKIND = selectors.DefaultSelector\n"
        "class Client:\n    kind = selectors.PollSelector\n    pair = (selectors.PollSelector,)\n"
    )
    run_python(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import eventlet, eventlet.green.time
        copy = eventlet.import_patched("client", ("time", eventlet.green.time))
        eventlet.monkey_patch()
        import coopselectors
        places = [each.where for each in coopselectors.audit()]
        assert "__patched_module_client.KIND" in places, places
        coopselectors.install()
        assert copy.KIND is coopselectors.EpollSelector
        assert copy.Client.kind is coopselectors.PollSelector
        places = [each.where for each in coopselectors.audit()]
        assert places == ["element 0 of client.Client.pair"], places
        """,
        PYTHONWARNINGS="ignore",
    )


def test_a_second_copy_of_a_standard_module(run_python):
    run_python(
        """
        import sys, types
        import select, selectors
        Epoll, epoll, choose = selectors.EpollSelector, select.epoll, select.select
        del sys.modules["selectors"], sys.modules["select"]
        import selectors as anew, select as other
        assert anew is not selectors and other is not select
        import coopselectors
        del selectors, select
        coopselectors.install(select=True)
        assert Epoll is coopselectors.EpollSelector
        assert epoll is coopselectors.select.epoll
        assert choose.__module__ == "coopselectors.select"
        """
    )


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_the_selectors_of_gevent_and_eventlet(run_python, library):
    lack = missing({"gevent": "gevent-libev"}.get(library, library))
    if lack:
        pytest.skip(lack)
    green = {"gevent": "gevent.selectors", "eventlet": "eventlet.green.selectors"}[library]
    run_python(
        f"""
        {PATCHES[library]}
        import coopselectors, {green} as green
        before = dict(vars(green))
        done = coopselectors.install().replaced
        for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector"):
            if name in before:
                assert getattr(green, name) is getattr(coopselectors, name)
                assert "{green}." + name in done
        if "GeventSelector" in before:
            with green.GeventSelector() as selector:  # it looks itself up by its name
                assert not selector.get_map()
        assert not [each for each in coopselectors.audit() if each.where.startswith("{green}")]
        coopselectors.uninstall()
        assert dict(vars(green)) == before
        """,
        PYTHONWARNINGS="ignore",
    )
