"""Which names are public, and does each say what it takes, returns and raises?"""

from __future__ import annotations

import inspect
import re
import select as standard
import selectors
import typing

import pytest

import coopselectors

EVERYWHERE = {
    "EVENT_READ",
    "EVENT_WRITE",
    "BaseSelector",
    "DefaultSelector",
    "Events",
    "SelectSelector",
    "SelectorKey",
    "__version__",
    "audit",
    "current_runtime",
    "info",
    "install",
    "is_installed",
    "select",
    "uninstall",
    "warn_blocking",
}
WHERE_THE_PLATFORM_HAS_IT = {
    "PollSelector": "poll",
    "EpollSelector": "epoll",
    "DevpollSelector": "devpoll",
    "KqueueSelector": "kqueue",
}
PRIMITIVES = ["select", "poll", "epoll", "devpoll", "kqueue", "kevent"]


def given_by(function):
    """The class of what a function gives to its caller, or of what is in the list that it gives."""
    found = typing.get_type_hints(function)["return"]
    return typing.get_args(found)[0] if typing.get_args(found) else found


# No names of ours.
GIVEN = [
    given_by(function)
    for function in (coopselectors.audit, coopselectors.install, coopselectors.warn_blocking)
]


def public(owner):
    return {name for name in dir(owner) if not name.startswith("_")}


def ours():
    """(where, what) of each class and function of ours that a user gets hold of."""
    for name in sorted(coopselectors.__all__):
        thing = getattr(coopselectors, name)
        if getattr(thing, "__module__", "").startswith("coopselectors."):
            yield name, thing
    for kind in GIVEN:
        yield kind.__name__, kind


def callables():
    for where, thing in ours():
        if not isinstance(thing, type):
            yield where, thing
            continue
        yield f"{where}()", thing
        for name in sorted(public(thing)):
            member = getattr(thing, name)
            if inspect.isfunction(member) and str(member.__module__).startswith("coopselectors."):
                yield f"{where}.{name}", member


CALLABLES = dict(callables())


def said_of(thing):
    """Its docstring, and those to which that refers."""
    if not isinstance(thing, type):
        said = thing.__doc__ or ""
        others = re.findall(r"The arguments are those of `(\w+)`", said)
        return said + "".join(
            getattr(coopselectors.SelectSelector, each).__doc__ for each in others
        )
    kinds = [kind for kind in thing.__mro__ if kind.__module__.startswith("coopselectors.")]
    return "\n".join(kind.__doc__ or "" for kind in kinds)


def test_the_public_names_are_these():
    had = {name for name, own in WHERE_THE_PLATFORM_HAS_IT.items() if hasattr(standard, own)}
    names = coopselectors.__all__
    assert len(names) == len(set(names))
    assert set(names) == EVERYWHERE | had
    standard_names = {name for name in public(selectors) if name[0].isupper()} - {"Mapping"}
    assert standard_names - {"ABCMeta"} <= set(names)


def test_what_is_not_public_begins_with_an_underscore():
    names = public(coopselectors) - {"annotations", "TYPE_CHECKING"}
    assert names == set(coopselectors.__all__) - {"__version__"}


def test_the_public_names_of_select_are_those_of_the_standard_module():
    names = coopselectors.select.__all__
    assert len(names) == len(set(names))
    constants = {name for name in public(standard) if name.isupper()}
    had = {name for name in PRIMITIVES if hasattr(standard, name)}
    assert set(names) == {"error"} | constants | had
    assert all(hasattr(coopselectors.select, name) for name in names)


@pytest.mark.parametrize("where", CALLABLES)
def test_what_is_public_says_what_it_takes_returns_and_raises(where):
    thing = CALLABLES[where]
    said = said_of(thing)
    assert said.strip(), "it has no docstring"
    if thing in GIVEN or thing is coopselectors.Events:
        return  # only we make them
    signature = inspect.signature(thing.__init__ if isinstance(thing, type) else thing)
    names = signature.parameters.keys() - {"self"}
    for name in names:
        assert f"`{name}`" in said, f"{name} is not explained"
    if names:
        assert "rror" in said, "no error is named"
    if signature.return_annotation not in ("None", signature.empty):
        assert "eturn" in said, "it does not say what it returns"


@pytest.mark.parametrize("name", PRIMITIVES[:-1])
def test_each_primitive_says_that_it_is_like_the_standard_one(name):
    if not hasattr(coopselectors.select, name):
        pytest.skip(f"this platform has no {name}")
    thing = getattr(coopselectors.select, name)
    assert "with the same arguments, results and errors" in thing.__doc__
    if isinstance(thing, type):
        for member in public(thing):
            assert getattr(thing, member).__doc__, member
