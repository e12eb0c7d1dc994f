"""Does each primitive accept and refuse the same arguments as the native one, everywhere?

Each call is made twice: on ours, and on the native object of this very interpreter.  What comes
out has to be the same, the error's text included, and so has what either says of its file then.
"""

from __future__ import annotations

import gc
import platform
import posix
import socket
import warnings
from decimal import Decimal
from fractions import Fraction
from selectors import EVENT_READ
from types import SimpleNamespace

import pytest

from coopselectors import select as ours
from support import native, seams

IN, OUT, INT = 0x1, 0x4, 2**31
ET, ONESHOT, EXCLUSIVE = 1 << 31, 1 << 30, 1 << 28

NATIVE = {
    name: native.find(name)
    for name in ("epoll", "poll", "devpoll", "kqueue", "select")
    if native.find(name) is not None
}

# On 3.9, what has but `__int__` is an integer still, and deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def fault_of_pypy(reason, is_it=True):
    """The rest of a test is about what PyPy's own objects do otherwise than C's."""
    if is_it and platform.python_implementation() == "PyPy":
        pytest.xfail(f"PyPy: {reason}")


NO_NONE = "epoll.poll() does not take None for a time-out, and ours does"
NO_INDEX = "epoll.poll() and poll.poll() take nothing with __index__() for a time-out"
NAN = "epoll.poll() and select() take a time-out that is not a number, and wait forever"
BY_NAME = "what may be given by name is not the same"


class Index:
    """Something with ``__index__()``, which returns `value` or raises it."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return given(self.value)


class File:
    """Something with ``fileno()``, likewise."""

    def __init__(self, value):
        self.value = value

    def fileno(self):
        return given(self.value)


class Once(File):
    """Something that says its number but once."""

    def fileno(self):
        value, self.value = self.value, RuntimeError("asked twice")
        return given(value)


class Whole:
    def __int__(self):
        return 0


class Real:
    def __float__(self):
        return 0.0


class Contrary(float):
    """A float that lies whenever it is asked in Python."""

    def __lt__(self, other):
        raise RuntimeError("compared")

    __le__ = __gt__ = __ge__ = __eq__ = __lt__
    __hash__ = None


class Large(int):
    pass


def given(value):
    if isinstance(value, BaseException):
        raise value
    return value


def outcome(call, *arguments, **by_name):
    """What a call returns or raises, to be compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = call(*arguments, **by_name)
        except Exception as error:
            return type(error), str(error)
    return value if isinstance(value, (list, tuple, int, type(None))) else type(value).__name__


def kind_of(found):
    """Without the text, which is another in Python than in C for the wrong number of arguments."""
    return found[0] if isinstance(found, tuple) and isinstance(found[0], type) else found


# Each with a file ready, so that good ones return at once, too.
TIMEOUTS = {
    "None": None,
    "no": False,
    "yes": True,
    "zero": 0,
    "minus zero": -0.0,
    "tiny": 1e-320,
    "minus tiny": -1e-320,
    "minus a little": -0.0001,
    "minus half": -0.5,
    "minus one": -1,
    "minus one float": -1.0,
    "less than minus one": -1.0000001,
    "minus two": -2,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus inf": -float("inf"),
    "huge": 1e300,
    "minus huge": -1e300,
    "most milliseconds": INT - 1,
    "more than most milliseconds": INT - 0.9,
    "too many milliseconds": INT,
    "least milliseconds": -INT,
    "less than least milliseconds": -INT - 1,
    "most seconds": 2147483.647,
    "too many seconds": 2147483.648,
    "least seconds": -2147483.648,
    "less than least seconds": -2147483.65,
    "most nanoseconds": 2**63 / 1e9 - 1e-5,
    "too many nanoseconds": 2**63 / 1e9,
    "int64": 2**63 - 1,
    "more than int64": 2**63,
    "less than int64": -(2**63) - 1,
    "int100": 2**100,
    "text": "1",
    "bytes": b"1",
    "empty": "",
    "list": [],
    "object": object(),
    "complex": 1j,
    "decimal": Decimal("0.5"),
    "nan decimal": Decimal("nan"),
    "huge decimal": Decimal("1e30"),
    "fraction": Fraction(1, 2),
    "index zero": Index(0),
    "index one": Index(1),
    "index minus one": Index(-1),
    "index minus two": Index(-2),
    "index huge": Index(2**100),
    "index text": Index("0"),
    "index raises": Index(KeyError("x")),
    "whole": Whole(),
    "real": Real(),
    "contrary": Contrary(0.001),
    "contrary nan": Contrary("nan"),
    "large": Large(2**40),
    "int": Large(1),
}

MOSTS = {
    "minus one": -1,
    "minus two": -2,
    "zero": 0,
    "one": 1,
    "yes": True,
    "no": False,
    "float": 1.0,
    "minus float": -1.0,
    "text": "1",
    "None": None,
    "too large": INT,
    "huge": 2**70,
    "minus huge": -(2**70),
    "index": Index(1),
    "index minus one": Index(-1),
    "index zero": Index(0),
    "index raises": Index(KeyError("x")),
    "whole": Whole(),
    "decimal": Decimal(1),
    "large": Large(1),
}

MASKS = {
    "zero": 0,
    "read": IN,
    "both": IN | OUT,
    "yes": True,
    "index": Index(IN),
    "large": Large(IN | OUT),
    "minus one": -1,
    "sixteen bits": 2**16 - 1,
    "more": 2**16,
    "read and more": 2**40 | IN,
    "float": 1.0,
    "text": "1",
    "None": None,
    "index raises": Index(KeyError("x")),
    "index edge": Index(IN | ET),
    "once": IN | ONESHOT,
    "exclusive": IN | EXCLUSIVE,
    "not exclusive": IN | EXCLUSIVE | ONESHOT,
    "whole": Whole(),
    "decimal": Decimal(1),
}

# What stands for a file: made with the one that is there, and the other that is not registered.
FILES = {
    "number": lambda here, other: other,
    "same": lambda here, other: here,
    "yes": lambda here, other: File(Large(other)),
    "object": lambda here, other: File(other),
    "same object": lambda here, other: File(here),
    "only once": lambda here, other: Once(other),
    "only once the same": lambda here, other: Once(here),
    "minus one": lambda here, other: -1,
    "minus two": lambda here, other: -2,
    "minus huge": lambda here, other: -(2**70),
    "not open": lambda here, other: 10_000_000,
    "too large": lambda here, other: INT,
    "huge": lambda here, other: 2**70,
    "text": lambda here, other: "0",
    "None": lambda here, other: None,
    "float": lambda here, other: float(other),
    "index": lambda here, other: Index(other),
    "nothing": lambda here, other: object(),
    "list": lambda here, other: [other],
    "file minus one": lambda here, other: File(-1),
    "file text": lambda here, other: File("0"),
    "file None": lambda here, other: File(None),
    "file float": lambda here, other: File(1.5),
    "file index": lambda here, other: File(Index(other)),
    "file too large": lambda here, other: File(INT),
    "file huge": lambda here, other: File(2**70),
    "file raises": lambda here, other: File(KeyError("x")),
    "file raises ValueError": lambda here, other: File(ValueError("x")),
    "file raises AttributeError": lambda here, other: File(AttributeError("x")),
    "no method": lambda here, other: SimpleNamespace(fileno=None),
}


class Twins:
    """Ours and the native object, for one set of files."""

    def __init__(self, name, here, other):
        self.name, self.here, self.other = name, here, other
        self.both = (getattr(ours, name)(), NATIVE[name]())
        for each in self.both:
            if name == "kqueue":
                each.control([ours.kevent(here, -1, 1)], 0)
            else:
                each.register(here, IN)

    def alike(self, method, *arguments, **by_name):
        """Call both, and compare what comes out, then and afterwards."""
        mine, theirs = (
            outcome(getattr(each, method), *(self.fresh(each, one) for one in arguments), **by_name)
            for each in self.both
        )
        assert mine == theirs
        assert self.look() == self.look(1)
        return mine

    def fresh(self, each, argument):
        """An argument that is not used up by the other."""
        if isinstance(argument, Once):
            return Once(argument.value)
        return each if argument is self else argument

    def look(self, which=0):
        """What one of them says now."""
        one = self.both[which]
        if getattr(one, "closed", False):
            return None
        if self.name == "kqueue":
            found = [(event.ident, event.filter) for event in one.control(None, 100, 0)]
        else:
            found = one.poll(0)
        me = one.fileno() if hasattr(one, "fileno") else -1
        return sorted((fd, mask) for fd, mask in found if fd != me)

    def close(self):
        for each in self.both:
            if hasattr(each, "close"):
                each.close()


@pytest.fixture
def hurry(runtime, request):
    """Whether whoever finds something may go on, or has to give way first."""
    yield lambda: seams.time_slice(request.param == "hurried")
    seams.time_slice(False)


both_ways = pytest.mark.parametrize("hurry", ["hurried", "calm"], indirect=True)


@pytest.fixture
def files():
    """A ready file, and another one that is ready for writing only."""
    made = [*socket.socketpair(), *socket.socketpair()]
    made[1].send(b"x")
    yield made[0].fileno(), made[2].fileno()
    for each in made:
        each.close()


@pytest.fixture
def kind(Primitive):
    return Primitive.__name__.lower()


@pytest.fixture
def make(kind, files):
    """Makes twins, as often as it is called; closes them all."""
    made = []

    def twins():
        made.append(Twins(kind, *files))
        return made[-1]

    yield twins
    for each in made:
        each.close()


@pytest.fixture
def leaves_nothing(runtime, connect):
    """Nothing is opened, and nobody watches, when the test is over that was not before."""
    before = census(runtime)
    yield
    assert more_than(before, census(runtime)) == {}


def census(runtime):
    runtime.settle()  # a hub keeps what it has just run until its next turn
    gc.collect()
    return runtime.census()


def more_than(before, now):
    """What is left behind; of what others left, the collector may have found some meanwhile."""
    return {name: number for name, number in now.items() if number > before[name]}


descriptors = pytest.mark.usefixtures("leaves_nothing")
with_poll = pytest.mark.primitives("epoll", "poll", "devpoll")


@both_ways
@with_poll
def test_time_outs(runtime, make, hurry):
    twins = make()
    fault_of_pypy(NO_NONE, twins.name == "epoll")
    for name, timeout in TIMEOUTS.items():
        hurry()
        assert twins.alike("poll", timeout) is not None, name
    if runtime.cooperative:
        hurry()
        assert outcome(twins.both[0].poll, float("nan"))[0] is ValueError


@both_ways
@with_poll
def test_time_outs_that_end_without_a_file(runtime, make, hurry, files):
    twins = make()
    for each in twins.both:
        each.unregister(files[0])
    fault_of_pypy(NO_INDEX)
    at_once = ["no", "zero", "minus zero", "tiny", "index zero"]
    if twins.name == "epoll":  # rounds up to milliseconds, and the others away from zero
        at_once += ["minus tiny", "minus a little"]
    for name in at_once:
        hurry()
        assert twins.alike("poll", TIMEOUTS[name]) == [], name


@both_ways
@pytest.mark.primitives("epoll")
@pytest.mark.epoll
def test_how_many_at_most(runtime, make, hurry):
    fault_of_pypy(NO_NONE)
    twins = make()
    for name, most in MOSTS.items():
        for timeout in (0, None, 5, -1, float("nan"), "text", Index(0)):
            hurry()
            assert twins.alike("poll", timeout, most) is not None, name
            hurry()
            twins.alike("poll", timeout=timeout, maxevents=most)
            hurry()
            twins.alike("poll", maxevents=most)


@both_ways
@pytest.mark.primitives("epoll")
@pytest.mark.epoll
def test_how_many_at_most_of_nothing(runtime, make, hurry, files):
    twins = make()
    for each in twins.both:
        each.unregister(files[0])
    for most in MOSTS.values():
        hurry()
        twins.alike("poll", 0, most)


@both_ways
@pytest.mark.primitives("select")
def test_time_outs_of_select(runtime, kind, hurry, files):
    closed = posix.dup(files[0])
    posix.close(closed)
    for name, timeout in TIMEOUTS.items():
        for lists in (
            ([files[0]], [], []),
            ([], [], [files[0]]),
            ([closed], [], []),
            ([-1], [], []),
        ):
            if lists[2] and not refused(timeout):
                continue  # it would wait
            hurry()
            mine = outcome(ours.select, *lists, timeout)
            assert mine == outcome(NATIVE["select"], *lists, timeout), name


def refused(timeout):
    """Whether select(2) takes it for no time-out at all."""
    reader, writer = posix.pipe()
    posix.close(writer)
    try:
        return isinstance(outcome(NATIVE["select"], [reader], [], [], timeout)[0], type)
    finally:
        posix.close(reader)


class Sequence:
    """Not a list, and not to be asked for its length."""

    def __init__(self, *members):
        self._members = members

    def __iter__(self):
        for each in self._members:
            yield given(each)


@both_ways
@pytest.mark.primitives("select")
def test_lists_of_select(runtime, kind, hurry, files):
    fault_of_pypy(NAN)
    here, other = files
    some = {
        "empty": [],
        "one": [here],
        "tuple": (here,),
        "set": {here},
        "dict": {here: 1},
        "twice": [here, here, File(here)],
        "sequence": Sequence(here, File(other)),
        "that raises": Sequence(here, KeyError("x")),
        "that raises TypeError": Sequence(here, TypeError("x")),
        "None": None,
        "number": 5,
        "text": "abc",
        "bytes": bytes([here]),
        "object": object(),
        **{name: [make(here, other)] for name, make in FILES.items() if "once" not in name},
    }
    some.pop("not open")
    for name, list_ in some.items():
        for others in ([here], [other], None, ["x"], [-1]):
            for lists in ((list_, others, []), (others, list_, []), ([here], others, list_)):
                for timeout in (0, 5, "x", float("nan"), -1):
                    if (
                        timeout == 5
                        and not isinstance(outcome(NATIVE["select"], *lists, 0)[0], type)
                        and not any(outcome(NATIVE["select"], *lists, 0))
                    ):
                        continue  # it would wait
                    hurry()
                    mine = outcome(ours.select, *lists, timeout)
                    theirs = outcome(NATIVE["select"], *lists, timeout)
                    assert mine == theirs, (name, lists, timeout)


@with_poll
@descriptors
def test_files(runtime, make, files):
    for file in FILES.values():
        for method, more in (
            ("register", ()),
            ("register", (IN,)),
            ("modify", (OUT,)),
            ("unregister", ()),
        ):
            twins = make()
            twins.alike(method, file(*files), *more)
            twins.alike("register", files[1], IN | OUT)
            twins.alike("unregister", files[1])
            twins.close()


@with_poll
@descriptors
def test_masks(runtime, make, files):
    for mask in MASKS.values():
        for method in ("register", "modify"):
            for number in (0, 1):
                twins = make()
                if method == "register" and number == 0 and twins.name == "epoll":
                    twins.alike("unregister", files[0])
                twins.alike(method, File(files[number]), mask)
                twins.alike("poll", 0)
                twins.alike("unregister", files[0])
                twins.close()


@with_poll
def test_a_file_that_says_its_number_but_once(runtime, make, files):
    edges = (IN, IN | ET, IN | ONESHOT) if "epoll" in NATIVE else (IN,)
    for mask in edges:
        twins = make()
        twins.alike("register", Once(files[1]), mask & 0xFFFF if twins.name != "epoll" else mask)
        twins.alike("modify", Once(files[1]), OUT)
        twins.alike("unregister", Once(files[1]))


@pytest.mark.primitives("epoll")
@pytest.mark.epoll
def test_itself_and_what_cannot_be_polled(runtime, make, files, tmp_path):
    twins = make()
    for method in ("register", "modify"):
        twins.alike(method, twins, IN)
    with open(tmp_path / "regular", "w") as file:
        twins.alike("register", file, IN)
        twins.alike("modify", file, IN)
        twins.alike("unregister", file)
    twins.alike("register", file, IN)  # closed by now


# {method: forms of a call, each (by place, by name)}; FD stands for a file.
FD = object()
FORMS = {
    "register": [
        ((), {}),
        ((FD,), {}),
        ((FD, IN), {}),
        ((FD, IN, 1), {}),
        ((), {"fd": FD}),
        ((), {"fd": FD, "eventmask": IN}),
        ((FD,), {"eventmask": IN}),
        ((FD,), {"mask": IN}),
        ((FD,), {"fd": FD}),
    ],
    "modify": [
        ((), {}),
        ((FD,), {}),
        ((FD, OUT), {}),
        ((FD, OUT, 1), {}),
        ((), {"fd": FD, "eventmask": OUT}),
        ((FD,), {"eventmask": OUT}),
    ],
    "unregister": [((), {}), ((FD,), {}), ((FD, 1), {}), ((), {"fd": FD})],
    "poll": [
        ((), {}),
        ((0,), {}),
        ((0, 1), {}),
        ((0, 1, 2), {}),
        ((), {"timeout": 0}),
        ((), {"timeout": 0, "maxevents": 1}),
        ((0,), {"maxevents": 1}),
        ((), {"maxevents": 1}),
        ((0,), {"timeout": 0}),
        ((0,), {"most": 1}),
    ],
    "fileno": [((1,), {}), ((), {"x": 1})],
    "close": [((1,), {}), ((), {})],
    "fromfd": [
        ((), {}),
        (("x",), {}),
        ((FD, 1), {}),
        ((), {"fd": FD}),
        ((2**70,), {}),
        ((1.0,), {}),
    ],
    "control": [
        ((), {}),
        ((None,), {}),
        ((None, 1), {}),
        ((None, 1, 0), {}),
        ((None, 1, 0, 0), {}),
        ((None,), {"maxevents": 1}),
        ((None, 1), {"timeout": 0}),
        ((), {"changelist": None, "maxevents": 1}),
    ],
    "__enter__": [((), {}), ((1,), {})],
    "__exit__": [((), {}), ((None,), {}), ((None, None, None, None), {})],
}


@pytest.mark.primitives("epoll", "poll", "devpoll", "kqueue")
def test_forms_of_a_call(runtime, make, files):
    fault_of_pypy(BY_NAME)
    for method, forms in FORMS.items():
        for places, names in forms:
            twins = make()
            if any(hasattr(each, method) for each in twins.both):
                assert all(hasattr(each, method) for each in twins.both)
                arguments = [files[1] if each is FD else each for each in places]
                by_name = {name: files[1] if each is FD else each for name, each in names.items()}
                mine, theirs = (
                    kind_of(outcome(getattr(each, method), *arguments, **by_name))
                    for each in twins.both
                )
                if not isinstance(theirs, str):
                    assert mine == theirs, (method, places, names)
                assert twins.look() == twins.look(1)
            twins.close()


@pytest.mark.primitives("epoll", "poll", "devpoll", "kqueue", "select")
@descriptors
def test_forms_of_a_function(runtime, kind):
    fault_of_pypy(BY_NAME, kind == "select")
    if kind == "select":
        forms = [
            ((), {}),
            (([],), {}),
            (([], []), {}),
            (([], [], [], 0), {}),
            (([], [], [], 0, 0), {}),
        ]
        forms += [(([], [], []), {"timeout": 0}), (([], []), {"xlist": [], "timeout": 0})]
    else:
        forms = [
            ((1,), {}),
            ((), {"sizehint": 5}),
            ((), {"flags": 0}),
            ((5, 0), {}),
            ((), {"x": 1}),
        ]
        forms += [((each,), {}) for each in (0, -1, -2, 2**31, 1.0, "1", None, Index(5), Index(0))]
        forms += [((1, each), {}) for each in (1, -1, 2**31, 1.0, "1", None, Index(0), 0o2000000)]
        forms += [((1, 2, 3), {})]
    for places, names in forms:
        mine, theirs = (
            kind_of(outcome(function, *places, **names))
            for function in (getattr(ours, kind), NATIVE[kind])
        )
        if isinstance(theirs, str):  # the name of the class
            assert isinstance(mine, str), (places, names)
        else:
            assert mine == theirs, (places, names)


@pytest.mark.primitives("epoll", "devpoll", "kqueue")
@both_ways
def test_what_is_closed(runtime, make, files, hurry):
    twins = make()
    twins.close()
    twins.alike("fileno")
    twins.alike("close")
    if twins.name == "kqueue":
        for changes in (None, [], 5, "x"):
            for most in (0, 1, -1, "1", None):
                for timeout in (None, 0, -1, float("nan"), "x"):
                    hurry()
                    twins.alike("control", changes, most, timeout)
        return
    fault_of_pypy(NO_NONE, twins.name == "epoll")
    for timeout in TIMEOUTS.values():
        hurry()
        twins.alike("poll", timeout)
    for fd in FILES.values():
        twins.alike("register", fd(*files))
        twins.alike("modify", fd(*files), IN)
        twins.alike("unregister", fd(*files))
    for mask in MASKS.values():
        twins.alike("register", files[0], mask)
    if twins.name == "epoll":
        for timeout in (0, None, "x", float("nan")):
            for most in MOSTS.values():
                hurry()
                twins.alike("poll", timeout, most)
        twins.alike("__enter__")
        twins.alike("__exit__")


@both_ways
@pytest.mark.primitives("kqueue")
def test_control(runtime, make, files, hurry):
    here, other = files
    lists = {
        "None": None,
        "empty": [],
        "one": [ours.kevent(other, -2, 1)],
        "tuple": (ours.kevent(other, -2, 2),),
        "sequence": Sequence(ours.kevent(other, -2, 1)),
        "number": 5,
        "no kevents": [1],
        "not all kevents": [ours.kevent(here, -1, 2), 1],
        "text": "abc",
        "that raises": Sequence(KeyError("x")),
        "not there": [ours.kevent(other, -1, 2)],
    }
    for name, changes in lists.items():
        for most in MOSTS.values():
            for timeout in (0, 5, None, -1, float("nan"), 2**70, "x", Index(0), Index(-1)):
                twins = make()
                hurry()
                mine, theirs = (
                    outcome(each.control, changes, most, timeout) for each in twins.both
                )
                assert shown(mine) == shown(theirs), (name, most, timeout)
                assert twins.look() == twins.look(1)
                twins.close()
    twins = make()
    for name, timeout in TIMEOUTS.items():
        for most in (0, 1):
            hurry()
            mine, theirs = (outcome(each.control, None, most, timeout) for each in twins.both)
            assert shown(mine) == shown(theirs), name


def shown(found):
    """kevents, as what they say."""
    return [repr(each) for each in found] if isinstance(found, list) else found


@both_ways
def test_a_refused_call_leaves_nothing_behind(runtime, Primitive, connect, hurry):
    fault_of_pypy(NAN, runtime.name == "native" and Primitive.__name__ in ("Epoll", "Select"))
    reader, writer = connect()
    primitive = Primitive()
    primitive.watch(reader.fileno())
    assert primitive.wait(0.001) == {}
    assert primitive.wait(0.01) == {}
    bad = [float("nan"), 1e300, 2**100, "1", object()]
    gc.collect()
    before = census(runtime)
    for timeout in bad:
        hurry()
        with pytest.raises((TypeError, ValueError, OverflowError)):
            primitive.call(timeout)
    assert more_than(before, census(runtime)) == {}
    assert primitive.wait(0.001) == {}
    writer.send(b"x")
    assert primitive.wait(5) == {reader.fileno(): EVENT_READ}
    primitive.close()
    posix.close(posix.dup(reader.fileno()))
