"""Which runtime owns ``select`` right now?

This module answers only this question.  It is asked at every call, of the ``select`` module that is
in ``sys.modules`` at that moment.  What counts is who has *patched*: gevent and eventlet are
recognised by the functions that they put there, and are never imported.

The rules, for what ``select.select`` is (columns) and what the class's own primitive is (rows,
``select.epoll`` for `EpollSelector`):

====================  ====================  ======================  ================================
own primitive         the interpreter's,    gevent's, eventlet's    somebody's function
                      or nothing to call
====================  ====================  ======================  ================================
the interpreter's     the kernel            the hub                 that function waits for our own
                                                                    descriptor
missing               the kernel; not       the hub: it deleted     as above; not chosen, unless a
                      chosen by default     what blocks it          known hub has deleted it
replaced, and works   the replacement is given the files at each call
replaced, and broken  as if it were missing
====================  ====================  ======================  ================================

Once gevent's or eventlet's functions are loaded, a replacement may be a wrapper around one.  It
then waits for our own descriptor in each case, as a hub must not be given a user's file.

A replacement is "broken" if it cannot be called, raises anything when it is called without
arguments, returns an object without ``register`` and ``poll``, or if its ``poll`` returns no list.
It is also broken if it raises TypeError, AttributeError, NotImplementedError, or OSError with
ENOSYS, EPERM or EACCES during a wait.  The same holds for ``select.select``, which is also broken
if it returns anything but three collections.  If this turns out during a wait, the same call goes
on without the replacement, which is ignored from then on.  A wait passes on any other exception.
A function that returns nothing before the time is up is called again, because an empty answer is
never early (PEP 475).  If it did not wait at all, a pause of 5 ms in ``time.sleep`` comes first.

`DefaultSelector` is the first class whose own primitive is not broken and was not deleted by an
unknown patcher.  If there is none, it raises RuntimeError with what was tried.  A replaced
``select.select`` is tried with no files before `SelectSelector` is chosen.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Dict, Mapping, Protocol

from . import _unpatched

NATIVE = "native"
GEVENT = "gevent"
EVENTLET = "eventlet"
FOREIGN = "foreign"

#: The runtimes that a selector can be pinned to.
PINNABLE = (NATIVE, GEVENT, EVENTLET)

#: Where our own primitives come from.
OURS = f"{__package__}.select"

_PATCHERS = {"gevent.select": GEVENT, "eventlet.green.select": EVENTLET}

# The module seen last.
_module: Any = sys.modules["select"]

#: ``modules["select"]`` is the module that counts.  While eventlet.import_patched() imports a copy
#: of this package, that copy sees eventlet's module.
modules: Mapping[str, Any] = sys.modules
if getattr(_module, "__name__", None) == "eventlet.green.select":
    modules = {"select": _module}

# Replacements that turned out to be broken when they were called, the latest last.
_broken: Any = []


def select_module() -> Any:
    """The ``select`` module that counts now: a program may delete and import it again.

    If ours replaces it, it does not show which runtime has patched, so the last one still counts.
    """
    found = modules.get("select")
    return _module if found is None or found is sys.modules.get(OURS) else found


class _Attributes:
    """Reads names of an object that is no ordinary module, but replaces one."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self._thing, name)
        except Exception:  # the object may be anything
            raise KeyError(name) from None

    def get(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            return None


_namespace_of: Any = vars(ModuleType)["__dict__"].__get__


class Offers(Protocol):
    """What is asked of a module's namespace."""

    def __getitem__(self, name: str, /) -> Any: ...

    def get(self, name: str, /) -> Any: ...


def offers_of(module: Any) -> Offers:
    """A mapping from the names of a module to what it offers."""
    # By its type and the accessor in C, because a proxy may claim to be anything.
    kind = type(module)
    namespace = _namespace_of(module) if issubclass(kind, ModuleType) else {}
    # A module of a class of its own may answer for names that are not in its namespace.
    return namespace if kind is ModuleType or "select" in namespace else _Attributes(module)


# What the module seen last offers by a name.
_offers = offers_of(_module)


def offered(name: str) -> Any:
    """What the ``select`` module offers under a name at this moment; None if nothing."""
    global _module, _offers
    module = select_module()
    if module is not _module:
        _module, _offers = module, offers_of(module)
    return _offers.get(name)


def home(thing: Any) -> str:
    """The module that a function or class says it comes from; never raises."""
    try:
        found = getattr(thing, "__module__", None)
    except Exception:
        return ""
    return found if type(found) is str else ""


def owner(primitive: object) -> str:
    """The runtime to which `primitive`, an object from the ``select`` module, belongs.

    An object that cannot be called belongs to nobody, and so to the ordinary process.
    """
    if _unpatched.is_builtin(primitive) or not callable(primitive):
        return NATIVE
    module = home(primitive)
    if module == OURS:  # `install` has replaced another one with it
        replaced = replaced_by(primitive)
        return NATIVE if replaced is None else owner(replaced)
    if is_broken(primitive):
        return NATIVE
    return _PATCHERS.get(module, FOREIGN)


def replaced_by(primitive: object) -> Any:
    """The object that `install` replaced with `primitive`, one of ours; None if none."""
    if home(primitive) != OURS:
        return None
    ours = getattr(primitive, "__wrapped__", primitive)  # functools.wraps() gives it our name
    return getattr(getattr(ours, "__self__", None), "replaces", None)


def mark_broken(primitive: Any) -> None:
    """Ignore a replacement in the ``select`` module from now on, because it does not work."""
    _broken.append(primitive)
    del _broken[:-8]


def is_broken(primitive: Any) -> bool:
    """Whether a replacement turned out to be broken."""
    return any(primitive is each for each in _broken)


def is_meant_to_be_gone(name: str) -> bool:
    """Whether an unknown patcher deleted ``select.<name>``, so that it must not be used.

    What gevent and eventlet delete would block their hubs, but ours does not.
    """
    return owner(offered("select")) in (NATIVE, FOREIGN) and not _deleted_by_hub(name)


def _deleted_by_hub(name: str) -> bool:
    # The hub's function may have been wrapped since.
    return name in saved_by_gevent("select") or _is_patched_by_eventlet()


def patched_by() -> str:
    """The runtime that has patched ``select.select``, also if somebody has wrapped it since."""
    if "select" in saved_by_gevent("select"):
        return GEVENT
    return EVENTLET if _is_patched_by_eventlet() else NATIVE


def saved_by_gevent(module: str) -> Dict[str, Any]:
    """What gevent has replaced in a module, by name; what it returns may be written to."""
    saved = getattr(sys.modules.get("gevent.monkey"), "saved", None)
    found = saved.get(module) if type(saved) is dict else None
    return found if type(found) is dict else {}


def _is_patched_by_eventlet() -> bool:
    patched = getattr(sys.modules.get("eventlet.patcher"), "already_patched", None)
    return type(patched) is dict and bool(patched.get("select"))


def has_hub() -> bool:
    """Whether gevent's or eventlet's functions are there, so that somebody may have wrapped one."""
    return any(name in sys.modules for name in _PATCHERS)


def current_runtime() -> str:
    """Return the runtime that owns ``select.select`` now.

    This is ``"native"`` if nobody has patched it or it cannot be called, ``"gevent"``,
    ``"eventlet"``, or ``"foreign"`` for a function that belongs to none of these.  Asking imports
    nothing and changes nothing.
    """
    return owner(offered("select"))
