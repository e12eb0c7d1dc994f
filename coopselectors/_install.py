"""How do the selectors inside other people's libraries become ours?

By what they are, not by where they are: a class of the standard module's, gevent's or eventlet's is
replaced in whatever holds it, and put back from there.  If it is asked for, so are the functions
and types of the ``select`` module.  Nothing is imported, and no code of anybody else's is run.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set

from . import _inert, _standard
from ._bindings import attribute, places_in
from ._holders import Kept, Table, undisturbed
from ._paths import Paths
from ._places import ABSENT, Place
from ._replacements import NAMES, PRIMITIVES, counterpart, our_primitive
from ._standard import Standard, vars_of_module


class Installed(NamedTuple):
    """What `install` did."""

    #: Where something was replaced, as ``package.module.name``; all that is so now, not only by
    #: this call.
    replaced: List[str]
    #: Selectors that existed before, which nothing can change: they go on as they are.
    left: List[Any]


class _Change(NamedTuple):
    place: Place
    before: Any
    ours: Any


_changes: List[_Change] = Kept()

# What is filled by itself, and not searched.
_HOMES = ("selectors", "select")


def install(modules: Optional[Iterable[str]] = None, *, select: bool = False) -> Installed:
    """Put our classes in the place of the standard ``selectors`` classes, in the whole process.

    The standard module gets all classes that the platform has, also those that gevent and eventlet
    have deleted.  Whatever else holds one of its classes is given ours: modules, classes and
    objects as an attribute, dictionaries, lists and sets, default arguments, closures,
    ``functools.partial``.  What cannot be changed, such as a tuple, stays; `audit` names it.
    `modules` are the names of those to limit that to; the standard module itself is changed only if
    it is among them.

    With `select`, the ``select`` module is filled in the same way, by `coopselectors.select`: what
    gevent and eventlet have deleted comes back, and what waits there, or was taken from there, is
    replaced.  What somebody else has put there is left alone.

    To be called by applications, once all is imported, before or after the patch.  To call it again
    looks for what was imported since, and puts back what a later patch has written over in the
    standard module.  Libraries import coopselectors instead.

    It imports no module and runs no code of anybody else's.  If it fails, nothing is changed.

    Returns a named tuple of two lists: ``replaced``, the places that are ours now, and ``left``,
    the selectors that existed before and go on as they are.  Raises ValueError, before anything is
    changed, for a module that is not loaded.
    """
    wanted: Optional[Set[int]] = None
    if modules is not None:
        wanted = set()
        for name in modules:
            if not _inert.is_module(sys.modules.get(name)):
                raise ValueError(f"cannot install into {name!r}: no such module is loaded")
            wanted.add(id(vars_of_module(name)))
    done = len(_changes)
    try:
        with undisturbed():
            left = _replace(wanted, select)
        return Installed([change.place.label for change in _changes], left)
    except BaseException:
        _undo(_changes[done:])
        del _changes[done:]
        raise


def uninstall() -> List[str]:
    """Put back what `install` replaced, where it is still ours.

    Returns a list of the places that somebody else has changed since; they are left alone.  Raises
    RuntimeError if nothing is installed.
    """
    if not _changes:
        raise RuntimeError("coopselectors is not installed: there is nothing to undo")
    changes = _changes[:]
    _changes.clear()
    return _undo(changes)


def is_installed() -> bool:
    """Return whether `install` was called, and not undone."""
    return bool(_changes)


def _replace(wanted: Optional[Set[int]], select: bool) -> List[Any]:
    """Do it in the modules with these namespaces; returns the selectors that exist already."""
    standard = Standard()
    things = Table(standard.classes)
    if select:
        things.update(standard.primitives)
        things.update({number: thing for number, (thing, _) in standard.green.items()})
    instances = Table({**standard.classes, **standard.derived})
    holders = standard.holders(Table({**things, **instances}).values())
    if select:
        things.update(standard.primitives)
    left = Kept(each for each in holders if id(type(each)) in instances)
    paths = Paths()
    paths.look_for(holders)
    selects: Dict[int, Any] = {}
    homes = [id(vars_of_module(name)) for name in _HOMES]
    places = [
        place
        for holder in holders
        if id(holder) not in homes
        for place in places_in(holder, things, paths)
        if _may_replace(place, wanted)
    ]
    for place in sorted(places, key=lambda place: place.label):
        _put(place, standard.ours_for(place.held, place.key, selects))
    if wanted is None or id(vars_of_module("selectors")) in wanted:
        for name in NAMES:
            place = attribute(vars_of_module("selectors"), name, "selectors")
            _put(place, counterpart(name))
    if select and (wanted is None or id(vars_of_module("select")) in wanted):
        for name in (*PRIMITIVES, "kevent"):
            place = attribute(vars_of_module("select"), name, "select")
            absent = place.held is ABSENT
            # What somebody else has put there stands for nothing of ours, and stays.
            standard_one = None if absent else standard.ours_for(place.held, name, selects)
            _put(place, our_primitive(name) if absent else standard_one)
    return left


def _may_replace(place: Place, wanted: Optional[Set[int]]) -> bool:
    if place.set is None or not place.root or place.root in _HOMES:
        return False
    if wanted is not None and id(vars_of_module(place.root)) not in wanted:
        return False
    return not _standard.is_private(place.root, place.label)


def _put(place: Place, ours: Any) -> None:
    if ours is None or place.set is None or place.get() is ours:
        return
    # Noted first: a signal handler may raise at any moment.
    _changes.append(_Change(place, place.get(), ours))
    try:
        place.set(ours)
    except (AttributeError, TypeError):
        del _changes[-1]  # a type of C that cannot be changed


def _undo(changes: List[_Change]) -> List[str]:
    """Undo the last first; returns where somebody else has been since."""
    others = []
    for place, before, ours in reversed(changes):
        if place.set is not None and place.get() is ours:
            place.set(before)
        else:
            others.append(place.label)
    return others
