"""What does a selector class do, step by step?  For the standard module and for ours.

WebAssembly has no socket pairs and no threads, and nothing blocks there: pipes can be waited for.
Left out is where ours are meant to differ: modify() with bad events, and register() after close().
"""

import json
import os
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from selectors import EVENT_READ, EVENT_WRITE


class Real:
    def __float__(self):
        return 0.0


class Index:
    def __index__(self):
        return 0


class File:
    def __init__(self, number):
        self.number = number

    def fileno(self):
        return self.number

    def __repr__(self):
        return "File"


TIMEOUTS = {
    "None": None,
    "zero": 0,
    "below zero": -1,
    "a little": 0.001,
    "False": False,
    "nan": float("nan"),
    "infinite": float("inf"),
    "huge": 1e300,
    "text": "1",
    "Fraction": Fraction(1, 1000),
    "Decimal": Decimal("0.001"),
    "__float__": Real(),
    "__index__": Index(),
    "a list": [],
}


def kind_of(call):
    """The words of a refusal are the interpreter's own, and depend on what is calculated first."""

    def called(argument):
        try:
            return call(argument)
        except Exception as error:
            return type(error)

    return called


def behaviour(module, name):
    """``[[step, outcome], ...]``, in words that do not tell whose class it is."""
    selectors = import_module(module)
    steps = []

    def step(what, call, *arguments):
        try:
            found = call(*arguments)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        steps.append([what, repr(found)])
        return found

    reader, writer = os.pipe()
    other, other_writer = os.pipe()
    selector = getattr(selectors, name)()
    step("its class", lambda: type(selector).__name__)
    step("nothing registered", selector.select, 0)
    step("register", selector.register, reader, EVENT_READ, "data")
    step("register again", selector.register, reader, EVENT_READ)
    step("register no events", selector.register, other, 0)
    step("register unknown events", selector.register, other, 64)
    step("register a negative number", selector.register, -1, EVENT_READ)
    step("register what is no file", selector.register, "text", EVENT_READ)
    step("register an object", selector.register, File(other), EVENT_READ)
    step("the number of files", lambda: len(selector.get_map()))
    step("nothing ready", selector.select, 0)
    step("nothing ready in a while", selector.select, 0.01)
    step("nothing ready, no time-out", selector.select)
    os.write(writer, b"x")
    for what, timeout in TIMEOUTS.items():
        step(f"ready, time-out {what}", kind_of(selector.select), timeout)
    step("modify the data", selector.modify, reader, EVENT_READ, "other data")
    step("modify the events", selector.modify, reader, EVENT_READ | EVENT_WRITE)
    step("modify what is not registered", selector.modify, writer, EVENT_READ)
    step("ready after modify", selector.select, 0)
    step("register the writing end", selector.register, writer, EVENT_WRITE)
    step("both ready", lambda: sorted(selector.select(0)))
    step("get_key", lambda: selector.get_key(reader).data)
    step("get_key of none", selector.get_key, 1_000_000)
    step("unregister", selector.unregister, writer)
    step("unregister again", selector.unregister, writer)
    os.write(other_writer, b"x")
    os.close(other_writer)
    step("the other end is closed", lambda: sorted(events for _, events in selector.select(0)))
    os.close(reader)
    step("a closed file", lambda: sorted(events for _, events in selector.select(0)))
    step("unregister a closed file", selector.unregister, reader)
    step("what is left", lambda: [events for _, events in selector.select(0)])
    step("close", selector.close)
    step("close again", selector.close)
    step("the map of a closed one", selector.get_map)
    step("get_key of a closed one", selector.get_key, other)
    os.close(other)
    os.close(writer)
    return steps


def as_json(module, name):
    return json.dumps(behaviour(module, name))


def classes(module):
    """The names of a module's classes, those that it has for itself left out."""
    names = [name for name in vars(import_module(module)) if name.endswith("Selector")]
    return json.dumps(sorted(name for name in names if not name.startswith("_")))


def after_install():
    """What the standard module's class is while ours is installed, and after that."""
    import selectors

    import coopselectors

    coopselectors.install()
    during = selectors.DefaultSelector.__module__.partition(".")[0]
    steps = behaviour("selectors", "DefaultSelector")
    coopselectors.uninstall()
    return json.dumps([during, selectors.DefaultSelector.__module__, steps])
