"""How do the selectors inside other people's libraries become ours?

By what they are, not by where they are: a class of the standard module's, gevent's or eventlet's is
replaced wherever a loaded module holds it, under whatever name, and put back from there.  If it is
asked for, so are the functions and types of the ``select`` module.
"""

from __future__ import annotations

import gc
import select as standard
import selectors
import sys
from typing import Any, Iterable, List, NamedTuple, Optional, Set

from . import _standard
from ._bindings import ABSENT, Place, attribute, places_in
from ._default import DefaultSelector


class Installed(NamedTuple):
    """What `install` did."""

    #: Where a class was replaced, as ``module.name``; all that is so now, not only by this call.
    replaced: List[str]
    #: Selectors that existed before, which nothing can change: they go on as they are.
    left: List[Any]


class _Change(NamedTuple):
    place: Place
    before: Any
    ours: Any


_changes: List[_Change] = []

# What is filled by itself, and not searched.
_HOMES = (selectors, standard)


def install(modules: Optional[Iterable[str]] = None, *, select: bool = False) -> Installed:
    """Put our classes in the place of the standard ``selectors`` classes, in the whole process.

    The standard module gets all classes that the platform has, also those that gevent and eventlet
    have deleted.  Every loaded module that has taken one of its classes before is given ours: as a
    module's or a class's attribute, in a dictionary that is one, or as a default argument.
    `modules` are the names of those to limit that to; the standard module itself is changed only if
    it is among them.

    With `select`, the ``select`` module is filled in the same way, by `coopselectors.select`: what
    gevent and eventlet have deleted comes back, and what waits there, or was taken from there, is
    replaced.  What somebody else has put there is left alone.

    To be called by applications, once all is imported, before or after the patch.  To call it again
    looks for what was imported since, and puts back what a later patch has written over in the
    standard module.  Libraries import coopselectors instead.

    Returns a named tuple of two lists: ``replaced``, the places that are ours now, and ``left``,
    the selectors that existed before and go on as they are.  Raises ValueError, before anything is
    changed, for a module that is not loaded.
    """
    wanted = None
    if modules is not None:
        wanted = {name: sys.modules.get(name) for name in modules}
        for name, module in wanted.items():
            if module is None:
                raise ValueError(f"cannot install into {name!r}: no such module is loaded")
    done = len(_changes)
    try:
        identities = None if wanted is None else set(map(id, wanted.values()))
        left = _replace_all(identities)
        if select:
            _replace_primitives(identities)
    except BaseException:
        _undo(_changes[done:])
        del _changes[done:]
        raise
    return Installed([change.place.label for change in _changes], left)


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


def _replace_all(wanted: Optional[Set[int]]) -> List[Any]:
    """Do it in the modules of these identities; returns the selectors that exist already."""
    replacements = _standard.Replacements()
    for name, module in _standard.modules_of_others():
        if (wanted is not None and id(module) not in wanted) or module is selectors:
            continue
        for place in places_in(module, name):
            ours = replacements.get(place.get())
            if ours is not None:
                is_default = place.label.endswith(".DefaultSelector")
                _replace(place, DefaultSelector if is_default else ours)
    if wanted is None or id(selectors) in wanted:
        for name in _standard.NAMES:
            ours = _standard.counterpart(name)
            place = attribute(selectors, name, f"selectors.{name}")
            if ours is not None and place.get() is not ours:
                _replace(place, ours)
    return [each for each in gc.get_objects() if replacements.stand_for(type(each))]


def _replace_primitives(wanted: Optional[Set[int]]) -> None:
    primitives = _standard.Primitives()
    for name, module in _standard.modules_of_others():
        if (wanted is not None and id(module) not in wanted) or module in _HOMES:
            continue
        for place in places_in(module, name):
            ours = primitives.get(place.get())
            if ours is not None:
                _replace(place, ours)
    if wanted is None or id(standard) in wanted:
        for name in (*_standard.PRIMITIVES, "kevent"):
            ours = _standard.our_primitive(name)
            place = attribute(standard, name, f"select.{name}")
            if place.get() is not ABSENT:
                ours = primitives.get(place.get())
            if ours is not None:
                _replace(place, ours)


def _replace(place: Place, ours: Any) -> None:
    change = _Change(place, place.get(), ours)
    place.set(ours)
    _changes.append(change)


def _undo(changes: List[_Change]) -> List[str]:
    """Undo the last first; returns where somebody else has been since."""
    others = []
    for place, before, ours in reversed(changes):
        if place.get() is ours:
            place.set(before)
        else:
            others.append(place.label)
    return others
