"""What in this process would block a hub, and what holds it?"""

from __future__ import annotations

import selectors
import sys
from typing import Any, Iterator, List, NamedTuple, Optional

from ._references import _inert, _standard
from ._references._bindings import places_in
from ._references._frames import module_of, running_frames, variable, variables_of
from ._references._holders import Kept, Table, objects_of, undisturbed
from ._references._paths import Paths
from ._references._places import Place, fixed
from ._references._standard import Standard, vars_of_module
from ._references._steps import Path
from ._runtime import NATIVE, current_runtime

_STANDARD = ("select", "selectors")

# The packages whose own objects wait for a hub.
_HUBS = ("eventlet.hubs", "gevent.")


class Finding(NamedTuple):
    """Something that would block the hub."""

    #: The path to it from the module, class or object that holds it, or a variable of a running
    #: function.
    where: str
    #: What it is.
    what: str
    #: The class, function or object itself.
    held: Any
    #: What can be done about it.
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.advice})" if self.advice else "")


def audit() -> List[Finding]:
    """Find everything in this process that would block a hub because no patch has reached it.

    It looks into all loaded modules, classes and objects, into dictionaries, lists, sets and
    tuples, default arguments and closures, and into the variables of every function that runs in
    any thread or greenlet.  Before Python 3.13 it leaves out the variables of functions that call
    ``locals()`` or the like.  It finds references to:

    * classes of the standard ``selectors`` module that were captured before the patch,
    * the functions and types of the ``select`` module that wait, such as ``select.epoll``,
    * objects of any of these.  If `tracemalloc` is running, the finding names the line that made
      the object.

    If nobody has patched, it finds what a patch at this moment would miss, apart from the standard
    modules themselves.  It leaves out what gevent, eventlet and this package keep for their own
    use.  It imports no module and runs no code of other modules.  It takes a few milliseconds, or
    up to a second with millions of objects, and nothing else runs meanwhile.

    Returns a list of named tuples: ``where`` something is held, ``what`` it is, the ``held`` object
    itself, and ``advice``.  The list is empty if nothing would block.
    """
    with undisturbed():
        return _Audit().findings()


class _Audit:
    def __init__(self) -> None:
        standard = Standard()
        self._types = Table({**standard.types, **standard.classes, **standard.derived})
        self._derived = standard.derived
        self._things = Table(standard.derived)
        self._things.update(
            {each: kind for each, kind in standard.classes.items() if _standard.blocks(kind)}
        )
        looked_for = Table({**self._types, **standard.primitives})
        holders = standard.holders(looked_for.values())
        self._things.update(standard.primitives)
        self._objects = Table()
        self._holders = Kept()
        for each in holders:
            if id(type(each)) in self._types:
                self._add(each)
            else:
                self._holders.append(each)
        primitives, untracked = objects_of(set(standard.types))
        for each in primitives:
            self._add(each)
        self._paths = Paths()
        self._paths.untracked = untracked
        self._variables = Kept(self._look_into_functions())
        self._paths.look_for(Kept([*self._holders, *self._objects.values()]))

    def findings(self) -> List[Finding]:
        found = [*self._captured(), *self._living()]
        return sorted(found, key=lambda finding: finding[:2])

    def _add(self, thing: Any) -> None:
        if _standard.object_blocks(thing):
            self._objects[id(thing)] = thing

    def _look_into_functions(self) -> Iterator[Place]:
        """Yield the variables that hold a class or function, and note the other objects in them."""
        for frame, is_free in running_frames():
            root = module_of(frame)
            if root is None or _standard.is_private(root) or not is_free:
                continue
            for name, value in variables_of(frame):
                label = variable(frame, name)
                self._paths.variables.setdefault(id(value), Path(root, label))
                if id(value) in self._things:
                    yield fixed(root, label, value, "the function runs already")
                elif id(type(value)) in self._types:
                    self._add(value)

    def _captured(self) -> Iterator[Finding]:
        """Classes and functions."""
        homes = [id(vars_of_module(name)) for name in ("select", *_standard.HOMES)]
        patched = _is_patched()
        places = Kept(self._variables)
        for holder in self._holders:
            if id(holder) not in homes:
                inside = places_in(holder, self._things, self._paths)
                places.extend(
                    place for place in inside if place.root not in ("select", "selectors")
                )
            elif patched:
                places.extend(places_in(holder, self._things, self._paths))
        for place in places:
            if not _standard.is_private(place.root, place.label):
                yield Finding(place.label, _what(place.held), place.held, self._advice(place))

    def _living(self) -> Iterator[Finding]:
        """Objects."""
        for thing in self._objects.values():
            owners = self._paths.held_by(thing)
            if not any(id(each) in self._objects or self._is_for_a_hub(each) for each in owners):
                made = _made_at(thing)
                what = _what(thing) + (f", made at {made}" if made else "")
                where = self._paths.of(thing).text
                yield Finding(where, what, thing, "install() does not reach what exists already")

    def _is_for_a_hub(self, owner: Any) -> bool:
        """Whether it belongs to us or to a hub: what a hub waits with has to block."""
        home = _inert.home_of(type(owner))
        if home.startswith(_HUBS) or _inert.is_ours(type(owner)):
            return True
        if home.startswith("asyncio."):
            # The loop of eventlet's asyncio hub, or one that it made first and has kept in a
            # default argument: seen in 0.40.4.
            near = self._paths.held_by(owner)
            return any(
                _inert.home_of(type(each)).startswith(_HUBS)
                or _standard.is_private(self._paths.of(each).root)
                for each in near
            )
        return _standard.is_private(self._paths.of(owner).root)

    def _advice(self, place: Place) -> str:
        if id(place.held) in self._derived:
            return "its base cannot be changed: derive it from a class of coopselectors"
        call = "install(select=True)" if _standard.is_primitive(place.held) else "install()"
        if place.set is not None and place.root:
            return f"{call} replaces it"
        return f"{place.reason or 'its owner is unknown'}: call {call} before it is made"


def _is_patched() -> bool:
    try:
        return current_runtime() != NATIVE
    except Exception:  # looking at a replaced function may raise anything
        return True


def _what(thing: Any) -> str:
    if _inert.is_class(thing):
        return f"the class {_inert.full_name(thing)}"
    if _standard.is_primitive(thing):
        return f"the function select.{_standard.primitive_name(thing)}"
    return f"a {_inert.full_name(type(thing))} object"


def _made_at(thing: Any) -> Optional[str]:
    """The line that made an object, if tracemalloc has seen it."""
    tracemalloc = sys.modules.get("tracemalloc")
    if tracemalloc is None or not tracemalloc.is_tracing():
        return None
    # CPython 3.11 does not find it for an object of a class, but for the primitive in it.
    own = (_inert.own_vars(thing) or {}).get("_selector", thing)
    for each in (thing, own):
        for frame in reversed(tracemalloc.get_object_traceback(each) or ()):
            if frame.filename != selectors.__file__:
                return f"{frame.filename}:{frame.lineno}"
    return None
