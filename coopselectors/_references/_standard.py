"""Which classes and functions do the same as ours, and which would block a hub?

They are recognised by identity, not by name: programs and patchers make copies of
the ``selectors`` and ``select`` modules (``del sys.modules["select"]``, eventlet's
``import_patched``), and each copy has classes and functions of its own.
"""

from __future__ import annotations

import sys
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import Any, Dict, Iterable, List, Optional, Set

from . import _inert
from ._holders import Kept, Table, everything, holders_of, of_types, referents_of
from ._replacements import (
    BEST,
    NAMES,
    PRIMITIVES,
    counterpart,
    our_primitive,
    select_for,
)

#: The modules of gevent and eventlet whose names stand for those of the standard module.
GREEN_SELECTORS = ("gevent.selectors", "eventlet.green.selectors")
_GREEN_SELECT = ("gevent.select", "eventlet.green.select")

#: The modules whose selector classes are replaced by `install`.
HOMES = ("selectors", *GREEN_SELECTORS)

# The prefix of the unpatched copies that eventlet keeps for itself.
_ORIGINAL = "__original_module_"

# The types of a class's own descriptors, which refer to it.
_DESCRIPTORS = frozenset(
    map(
        id,
        (
            GetSetDescriptorType,
            MemberDescriptorType,
            MethodDescriptorType,
            WrapperDescriptorType,
            ClassMethodDescriptorType,
        ),
    )
)


def is_private(module: str, label: str = "") -> bool:
    """Whether a module belongs to us or to a patcher, and must keep what it holds.

    The selector classes of gevent and eventlet may be replaced; `label` says which name it is.
    """
    package = module.partition(".")[0]
    if package == _inert.OURS or module.startswith(_ORIGINAL):
        return True
    if module == "typing":
        return True  # it remembers what it was asked about
    if package not in ("gevent", "eventlet"):
        return False
    if module == "gevent.selectors" and label == "gevent.selectors.GeventSelector":
        return True  # which looks itself up by this name
    return module not in GREEN_SELECTORS or label.rpartition(".")[0] != module


def is_primitive(thing: Any) -> bool:
    """Whether it is the interpreter's own ``select.select``, ``poll``, ``epoll`` or the like."""
    return primitive_name(thing) is not None


def primitive_name(thing: Any) -> Optional[str]:
    if type(thing) is BuiltinFunctionType:
        home, name = thing.__module__, thing.__name__
    elif _inert.is_class(thing):
        home, name = _inert.home_of(thing), _inert.name_of(thing)
    else:
        return None
    return name if type(home) is str and home == "select" and name in PRIMITIVES else None


def can_be_called(primitive: Any) -> bool:
    """Whether it makes something.

    The type of what ``select.poll()`` returns is called poll, too.
    """
    ours = our_primitive(primitive_name(primitive) or "")
    return ours is None or _inert.is_class(ours) == _inert.is_class(primitive)


def blocks(kind: type) -> bool:
    """Whether a selector class waits in the kernel, whoever has patched what.

    gevent and eventlet put their own in the place of what some of the standard classes have kept.
    """
    if _inert.is_ours(kind):
        return False
    kept = _inert.inherited(kind, "_selector_cls")
    if kept is None:
        kept = _inert.inherited(kind, "_select")
    if type(kept) is staticmethod:
        kept = kept.__func__
    # The standard KqueueSelector asks for select.kqueue each time; patchers take both away.
    return is_primitive(kept) or _inert.full_name(kind) == "selectors.KqueueSelector"


def object_blocks(thing: Any) -> bool:
    """Whether an object waits in the kernel: one of a primitive, or a selector that has one."""
    kind = type(thing)
    if is_primitive(kind):
        return True
    kept = (_inert.own_vars(thing) or {}).get("_selector")
    return blocks(kind) if kept is None else is_primitive(type(kept))


class Standard:
    """All selector classes and ``select`` primitives that the process has now."""

    def __init__(self) -> None:
        #: {id of a selector class: the class}, of the standard, gevent's and eventlet's.
        self.classes = Table()
        #: {id of a class: the class}, of those that others have derived and that block.
        self.derived = Table()
        #: {id of a primitive: it}, of any copy of the select module.
        self.primitives = Table()
        #: {id of a type: it}, of the objects that poll() and the like return.
        self.types = Table()
        #: {id of a function or type of gevent's or eventlet's: its name in select}
        self.green = Table()
        # {id of a class that its own module has chosen as the DefaultSelector}
        self._defaults: Set[int] = set()
        self._add_types()
        self._modules = self._copies_of_select()
        for module in self._modules:
            for name in PRIMITIVES:
                self._add_function(_inert.module_vars(module).get(name))
        for home in _GREEN_SELECT:
            for name, thing in vars_of_module(home).items():
                # gevent copies what it finds there, and may have found ours.
                if name in PRIMITIVES and _home_of_any(thing) in _GREEN_SELECT:
                    self.green[id(thing)] = (thing, name)

    def _add_types(self) -> None:
        bases = Kept()
        for kind in [object, *_inert.subclasses_of(object)]:
            name = _inert.name_of(kind)
            if name in PRIMITIVES and primitive_name(kind) is not None:
                self.types[id(kind)] = kind
                if can_be_called(kind):
                    self.primitives[id(kind)] = kind
            elif name == "BaseSelector" and _inert.home_of(kind) == "selectors":
                bases.append(kind)
        for base in bases:
            for kind in _inert.subclasses_of(base):
                name, home = _inert.name_of(kind), _inert.home_of(kind)
                if home in HOMES and (name in NAMES or name == "GeventSelector"):
                    self.classes[id(kind)] = kind
                    if _is_default(kind):
                        self._defaults.add(id(kind))
                elif (name[:1] != "_" or home not in HOMES) and blocks(kind):
                    self.derived[id(kind)] = kind

    def classes_named(self, name: str, offered: Any) -> List[Any]:
        """The selector classes of a name, and the one that the standard module offers by it."""
        return [
            kind
            for kind in self.classes.values()
            if kind is offered or _inert.name_of(kind) == name
        ]

    def holders(self, things: Iterable[Any]) -> Kept:
        """Who holds one of `things`, which are from here.

        Primitives that no module offers any more are found on the way, and added.
        """
        things = Kept(things)
        found = holders_of(Kept([*things, *self._modules]))
        fresh = Kept()
        for each in found:
            if type(each) is BuiltinFunctionType and self._add_function(each):
                fresh.append(each)
        known = set(map(id, found))
        found.extend(each for each in holders_of(fresh) if id(each) not in known)
        return Kept(each for each in found if not _only_describes(each))

    def ours_for(self, thing: Any, key: Any, selects: Dict[int, Any]) -> Any:
        """What stands for a class or function that is held under `key`; None if nothing does.

        `selects` are the functions that were made for such as ``select.select``, by identity:
        what was one thing in all places stays one.
        """
        if id(thing) in self.classes:
            is_named_so = type(key) is str and key == "DefaultSelector"
            name = _inert.name_of(thing)
            if name == "GeventSelector" or (is_named_so and id(thing) in self._defaults):
                name = "DefaultSelector"
            return counterpart(name)
        if id(thing) in self.green:
            primitive = self.green[id(thing)][1]
        else:
            primitive = (id(thing) in self.primitives and primitive_name(thing)) or ""
        if primitive != "select":
            return our_primitive(primitive)
        if id(thing) not in selects:
            selects[id(thing)] = select_for(thing)
        return selects[id(thing)]

    def _copies_of_select(self) -> Kept:
        copies = Table()
        for each in list(sys.modules.values()):
            if _inert.is_module(each) and _inert.module_name(each) == "select":
                copies[id(each)] = each
        for kind in self.types.values():  # a type refers to the module that it was made for
            for each in referents_of(kind):
                if _inert.is_module(each):
                    copies[id(each)] = each
        if sys.version_info < (3, 10):  # where it does not, but the functions do
            for each in of_types(everything(), {id(BuiltinFunctionType)}):
                if is_primitive(each) and _inert.is_module(each.__self__):
                    copies[id(each.__self__)] = each.__self__
        return Kept(copies.values())

    def _add_function(self, thing: Any) -> bool:
        known = id(thing) in self.primitives
        if known or not is_primitive(thing) or not can_be_called(thing):
            return False
        self.primitives[id(thing)] = thing
        return True


def vars_of_module(name: str) -> Dict[Any, Any]:
    """The namespace of a loaded module; empty if there is none of that name."""
    module = sys.modules.get(name)
    return _inert.module_vars(module) if _inert.is_module(module) else {}


def _is_default(kind: type) -> bool:
    """Whether a selector class is what its module has chosen, and not a program."""
    if _inert.name_of(kind) == BEST:
        return True
    method = _inert.inherited(kind, "get_map")
    namespace = method.__globals__ if type(method) is FunctionType else {}
    chosen = namespace.get("DefaultSelector")
    is_chosen = chosen is kind or chosen is counterpart("DefaultSelector")  # since install()
    return is_chosen and BEST not in namespace  # eventlet's copy of the module has no better one


def _home_of_any(thing: Any) -> Any:
    if _inert.is_class(thing):
        return _inert.home_of(thing)
    home = thing.__module__ if type(thing) is FunctionType else ""
    return home if type(home) is str else ""


def _only_describes(holder: Any) -> bool:
    kind = type(holder)
    if kind is BuiltinFunctionType and _inert.is_module(holder.__self__):
        return True  # a function of the module that we have looked for
    if _inert.is_a_hint(kind) or _inert.home_of(kind) == "_abc":
        return True  # as what an abstract class knows of its subclasses does
    return id(kind) in _DESCRIPTORS
