"""Which runtime owns `select` right now?

Only this question is answered here.  It is asked again at every call, of the ``select`` module that
``sys.modules`` has at that moment, and it is answered by who *patched*: gevent and eventlet are
recognised by the functions that they put there, and never imported.

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

"Broken" is what cannot be called, raises anything when it is called without arguments, returns what
has no ``register`` and ``poll``, or whose ``poll`` returns no list.  So is what raises TypeError,
AttributeError, NotImplementedError or an OSError of ENOSYS, EPERM or EACCES in a wait, in the place
of ``select.select``, too, and there what returns anything but three collections.  What was found
out in a wait goes on in the same call without it, and from then on it counts as nothing to call.
Anything else that is raised in a wait comes out of it.

`DefaultSelector` is the first class whose own primitive is not broken, and was not deleted by
somebody unknown; if there is none, it raises RuntimeError with what was tried.  A function in the
place of ``select.select`` is tried with no files before `SelectSelector` is chosen.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Iterator, Mapping

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

# The module seen last, and what it offers by a name.
_module: Any = sys.modules["select"]

#: ``modules["select"]`` is the module that counts.  eventlet.import_patched() shows its own to the
#: copy that it makes of us, while that is imported.
modules: Mapping[str, Any] = sys.modules
if getattr(_module, "__name__", None) == "eventlet.green.select":
    modules = {"select": _module}
_offers: Mapping[str, Any] = vars(_module)

# What somebody put there and turned out not to work when it was called, the latest last.
_broken: Any = []


def select_module() -> Any:
    """The ``select`` module that counts now: a program may drop it and import it anew.

    Ours in its place does not say which runtime has patched; then the last one still counts.
    """
    found = modules.get("select")
    return _module if found is None or found is sys.modules.get(OURS) else found


class _Attributes(Mapping[str, Any]):
    """What an object that is no module, but stands in the place of one, offers by a name."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self._thing, name)
        except Exception:  # somebody may have put anything there
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self._thing))

    def __len__(self) -> int:
        return len(dir(self._thing))


def offers_of(module: Any) -> Mapping[str, Any]:
    """What a module offers by a name."""
    return vars(module) if isinstance(module, ModuleType) else _Attributes(module)


def offered(name: str) -> Any:
    """What the ``select`` module offers by a name at this moment, None if nothing."""
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
    """The runtime to which `primitive`, something out of the ``select`` module, belongs.

    What cannot be called belongs to nobody, and so to the ordinary process.
    """
    if _unpatched.is_builtin(primitive) or not callable(primitive):
        return NATIVE
    module = home(primitive)
    if module == OURS:  # `install` has put it there, in the place of another
        covered = replaced_by(primitive)
        return NATIVE if covered is None else owner(covered)
    if is_broken(primitive):
        return NATIVE
    return _PATCHERS.get(module, FOREIGN)


def replaced_by(primitive: object) -> Any:
    """What `install` has put `primitive`, one of ours, in the place of, or None."""
    if home(primitive) != OURS:
        return None
    ours = getattr(primitive, "__wrapped__", primitive)  # functools.wraps() gives it our name
    return getattr(getattr(ours, "__self__", None), "replaces", None)


def mark_broken(primitive: Any) -> None:
    """What somebody put into the ``select`` module does not work: do without from now on."""
    _broken.append(primitive)
    del _broken[:-8]


def is_broken(primitive: Any) -> bool:
    """Whether that was found out."""
    return any(primitive is each for each in _broken)


def is_meant_to_be_gone(name: str) -> bool:
    """Whether it was somebody unknown who has deleted ``select.<name>``.

    What a known hub deleted would block it, and does not in our hands.
    """
    return owner(offered("select")) in (NATIVE, FOREIGN) and not _deleted_by_hub(name)


def _deleted_by_hub(name: str) -> bool:
    # Somebody may have wrapped the hub's function since.
    saved = getattr(sys.modules.get("gevent.monkey"), "saved", None)
    if type(saved) is dict and name in (saved.get("select") or ()):
        return True
    patched = getattr(sys.modules.get("eventlet.patcher"), "already_patched", None)
    return type(patched) is dict and bool(patched.get("select"))


def current_runtime() -> str:
    """Say which runtime owns ``select.select`` right now.

    Returns ``"native"`` (nobody patched it, or there is nothing to call), ``"gevent"``,
    ``"eventlet"``, or ``"foreign"`` for a function that belongs to neither.  Asking imports nothing
    and changes nothing.
    """
    return owner(offered("select"))
