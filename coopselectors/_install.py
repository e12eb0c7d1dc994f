"""How do the selectors inside other libraries become ours?

They are recognised by identity, not by name: a class of the standard module, gevent or eventlet is
replaced in every object that holds it, and put back there.  On request, so are the functions and
types of the ``select`` module.  Nothing is imported, and no code of other modules is run.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set

from . import _default, _runtime
from ._pickling import REPLACED, InstalledSelectorType
from ._references import _inert, _places, _standard
from ._references._bindings import KEY_OF, attribute, places_in
from ._references._holders import Kept, Table, undisturbed
from ._references._paths import Paths
from ._references._places import ABSENT, GONE, Place
from ._references._replacements import NAMES, PRIMITIVES, counterpart, our_primitive, select_for
from ._references._standard import Standard, vars_of_module


class Installed(NamedTuple):
    """What `install` did."""

    #: Where our classes and functions are now, as ``package.module.name``, by this call or an
    #: earlier one.
    replaced: List[str]
    #: Selectors that existed before.  Nothing can change them.
    left: List[Any]


class _Change(NamedTuple):
    place: Place
    before: Any
    ours: Any
    #: Whether `before` is what gevent or eventlet has put there since.
    is_patched: bool = False


_changes: List[_Change] = Kept()

# What writing to a place raises if it is of a type in C that keeps it as it is, or if another
# thread has changed it meanwhile.
_REFUSED = (AttributeError, TypeError, LookupError, RuntimeError, ValueError)

# These modules are filled by name, and not searched.
_HOMES = ("selectors", "select")


def install(modules: Optional[Iterable[str]] = None, *, select: bool = False) -> Installed:
    """Replace the standard ``selectors`` classes by ours, in the whole process.

    The standard module gets all classes that the platform has, including those that gevent and
    eventlet have deleted.  Every other reference to one of its classes is replaced as well:
    attributes of modules, classes and objects, dictionaries, lists and sets, default arguments,
    closures, ``functools.partial``.  What cannot be changed, such as a tuple, is left; `audit`
    names it.  `modules` limits this to the modules of these names; the standard module itself is
    changed only if it is one of them.

    With `select`, the functions and classes of the ``select`` module are replaced in the same way
    by those of `coopselectors.select`, including deleted ones.  Those of another patcher are left
    alone.

    Applications call this after all imports, and best after the patch; gevent and eventlet do not
    overwrite it later.  Call it again to replace what was imported since.  Libraries should import
    coopselectors instead.

    It imports no module and runs no code of other modules.  If it fails, nothing is changed.

    Returns a named tuple of two lists: ``replaced``, the places that hold ours now, and ``left``,
    the selectors that existed before and cannot be changed.  Raises ValueError, before anything is
    changed, for a module that is not loaded, and TypeError for a string in place of a list.
    """
    wanted: Optional[Set[int]] = None
    if modules is not None:
        wanted = set()
        if isinstance(modules, str):
            raise TypeError(f"modules must be a list of names, such as [{modules!r}]")
        for name in modules:
            if not _inert.is_module(sys.modules.get(name)):
                raise ValueError(
                    f"cannot install into {name!r}: no such module is loaded; import it first"
                )
            wanted.add(id(vars_of_module(name)))
    _changes[:] = [each for each in _changes if each.place.get() is not GONE]
    done = len(_changes)
    try:
        with undisturbed():
            left = _replace(wanted, select)
        return Installed([each.place.label for each in _changes if each.place.label], left)
    except BaseException:
        _undo(done)
        raise


def uninstall() -> List[str]:
    """Put back everything that `install` replaced.

    What gevent and eventlet have patched since is put in the place of ours.  Returns a list of the
    places that other code has changed since; they are left alone.  Raises RuntimeError if nothing
    is installed.
    """
    if not _changes:
        raise RuntimeError("install() is not in force, so there is nothing to undo")
    _default.followers.put_back()
    REPLACED.clear()
    return _undo(0)


def is_installed() -> bool:
    """Return whether `install` is in force."""
    return bool(_changes)


def _replace(wanted: Optional[Set[int]], select: bool) -> List[Any]:
    """Replace in the modules with these namespaces; returns the selectors that exist already."""
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
    # Keys come last, as the values are found by them.
    for place in sorted(places, key=lambda place: (place.label.startswith(KEY_OF), place.label)):
        _put(place, standard.ours_for(place.held, place.key, selects))
    if wanted is None or id(vars_of_module("selectors")) in wanted:
        _watch("selectors")
        for name in NAMES:
            place = attribute(vars_of_module("selectors"), name, "selectors")
            before = place.held
            ours = standard.ours_for(before, name, selects)
            if before is ABSENT or before is counterpart(name):
                ours = counterpart(name)
            # What somebody else has put there stays.
            _put(place, ours)
            if ours is not None:
                _put(_type_of(ours), InstalledSelectorType)
                known = REPLACED.setdefault(ours, [])
                found = standard.classes_named(name, before)
                known += [kind for kind in found if kind not in known]
    if select and (wanted is None or id(vars_of_module("select")) in wanted):
        _watch("select")
        for name in (*PRIMITIVES, "kevent"):
            place = attribute(vars_of_module("select"), name, "select")
            absent = place.held is ABSENT
            # Another patcher's function replaces nothing of ours, and stays.
            standard_one = None if absent else standard.ours_for(place.held, name, selects)
            _put(place, our_primitive(name) if absent else standard_one)
    return left


class _Watched(ModuleType):
    """A module that has ours.  What gevent or eventlet writes over them is kept for `uninstall`.

    Otherwise what is imported after a later patch would get the classes of the patch.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_of_a_hub(sys._getframe(1)):
            value = _keep_for_uninstall(self, name, value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if not _is_of_a_hub(sys._getframe(1)) or _keep_for_uninstall(self, name, ABSENT) is ABSENT:
            super().__delattr__(name)

    def __reduce__(self) -> Any:
        return import_module, (self.__name__,)  # some picklers know modules by their exact type


def _watch(name: str) -> None:
    module = sys.modules.get(name)
    if type(module) is ModuleType:
        _put(_type_of(module), _Watched)


def _is_of_a_hub(frame: FrameType) -> bool:
    module = dict.get(frame.f_globals, "__name__")
    return type(module) is str and module.partition(".")[0] in ("gevent", "eventlet")


def _keep_for_uninstall(module: ModuleType, name: str, theirs: Any) -> Any:
    """Note what a hub puts into a module; returns what is to stand there: ours, if it does now."""
    namespace = _inert.module_vars(module)
    for index, change in reversed(list(enumerate(_changes))):
        place = change.place
        if namespace is vars_of_module(place.root) and place.key == name:
            if place.get() is not change.ours:
                break
            saved = _runtime.saved_by_gevent(place.root)
            if saved.get(name) is change.ours:  # what `gevent.monkey.get_original` returns
                saved[name] = change.before
            is_new = name == "select" and theirs not in (change.before, ABSENT)
            ours = select_for(theirs) if is_new else change.ours
            _changes[index] = _Change(place, theirs, ours, is_patched=True)
            return ours
    return theirs


def _finish_patch() -> None:
    """Have gevent's patch reach the standard classes: it has found ours in their place."""
    for name, attribute_name, primitive in (
        ("SelectSelector", "_select", "select"),
        ("PollSelector", "_selector_cls", "poll"),
    ):
        kind: Any = vars_of_module("selectors").get(name)
        theirs = _runtime.offered(primitive)
        is_standard = _inert.is_class(kind) and _inert.home_of(kind) == "selectors"
        if is_standard and _runtime.owner(theirs) == _runtime.GEVENT:
            setattr(kind, attribute_name, staticmethod(theirs))


def _type_of(thing: Any) -> Place:
    """The place of its type, which is of no interest to the caller of `install`."""
    return Place("", "", None, type(thing), *_places.type_of(thing))


def _may_replace(place: Place, wanted: Optional[Set[int]]) -> bool:
    if place.set is None or not place.root or place.root in _HOMES:
        return False
    if wanted is not None and id(vars_of_module(place.root)) not in wanted:
        return False
    return not _standard.is_private(place.root, place.label)


def _put(place: Place, ours: Any) -> None:
    if ours is None or place.set is None or ours is place.held:
        return
    # Noted first: a signal handler may raise at any moment.
    _changes.append(_Change(place, place.held, ours))
    try:
        if place.get() is place.held:  # and not what another thread has put there meanwhile
            place.set(ours)
            return
    except _REFUSED:
        pass
    del _changes[-1]


def _undo(first: int) -> List[str]:
    """Undo the changes from this one on, the last one first.

    Returns the places that other code has changed since.  What is undone is forgotten at once, so
    that after an exception of a signal handler, another call does the rest.
    """
    others = []
    while len(_changes) > first:
        place, before, ours, is_patched = _changes[-1]
        try:
            if place.set is not None and place.get() is ours:
                place.set(before)
            now = place.get()
            is_other = now is not before and now is not GONE
        except _REFUSED:
            is_other = True
        if is_other and place.label:
            others.append(place.label)
        if is_patched and place.root == "selectors":
            _finish_patch()
        del _changes[-1]
    return others
