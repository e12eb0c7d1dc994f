"""How is another program's object inspected without running its code?

``vars(x)``, ``x.name``, ``repr``, ``==``, ``hash``, ``isinstance`` and the methods of a subclass of
dict or list may all call code of the object's class or metaclass, which may import, raise, or take
seconds.  Everything here goes through the accessors that CPython implements in C and that no class
can override, compares by identity, and believes only exact built-in types.
"""

from __future__ import annotations

from abc import ABCMeta
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from .._pickling import InstalledSelectorType, PrimitiveType

#: The name of our own package.
OURS = __name__.partition(".")[0]

_class_name = type.__dict__["__name__"].__get__
_class_qualname = type.__dict__["__qualname__"].__get__
_class_module = type.__dict__["__module__"].__get__
_class_mro = type.__dict__["__mro__"].__get__
_class_flags = type.__dict__["__flags__"].__get__
vars_of_class = type.__dict__["__dict__"].__get__
_module_vars: Any = vars(ModuleType)["__dict__"].__get__
_ACCESSORS = (GetSetDescriptorType, MemberDescriptorType)

# The types whose instances hash, compare and print themselves in C, and those that only hash so.
_PLAIN = frozenset(map(id, (str, int, float, bool, bytes, complex, type(None))))
_CLASSES = (type, ABCMeta, InstalledSelectorType, PrimitiveType)
_HASHED_IN_C = frozenset(map(id, (*_CLASSES, BuiltinFunctionType, FunctionType)))

# Py_TPFLAGS_BASETYPE: whether a class can be derived from it.
_IS_BASE = 1 << 10

#: The longest key of a dictionary that is shown as a whole.
_LONGEST = 60


def is_class(thing: Any) -> bool:
    return issubclass(type(thing), type)


def is_module(thing: Any) -> bool:
    return issubclass(type(thing), ModuleType)


def is_one_of(kind: type, kinds: Iterable[type]) -> bool:
    return any(kind is each for each in kinds)


def name_of(kind: type) -> str:
    return str.__str__(_class_name(kind))


def home_of(kind: type) -> str:
    """The name of the module that a class says it is from; empty if it does not say."""
    try:
        home = _class_module(kind)
    except AttributeError:
        return ""
    return home if type(home) is str else ""


def full_name(kind: type) -> str:
    """As ``module.Class.Inner``."""
    home, qualname = home_of(kind), str.__str__(_class_qualname(kind))
    return qualname if home in ("builtins", "") else f"{home}.{qualname}"


def is_ours(kind: type) -> bool:
    home = home_of(kind)
    # A metaclass of ours may be that of somebody's class.
    return (home == OURS or home.startswith(f"{OURS}.")) and not issubclass(kind, type)


def is_a_hint(kind: type) -> bool:
    """Whether objects of this class only describe other classes, as type hints do."""
    return home_of(kind) == "typing" or full_name(kind) in ("types.GenericAlias", "types.UnionType")


def bases_of(kind: type) -> Tuple[type, ...]:
    """The method resolution order."""
    order: Tuple[type, ...] = _class_mro(kind) or ()
    return order


def _laid_out(kind: type) -> Iterator[type]:
    """Those of the method resolution order whose accessors in C can read an object of `kind`.

    Nuitka's functions, methods and generators say that they are derived from the interpreter's,
    which no class can be, and their memory is laid out otherwise: to read one crashes the process.
    """
    return (each for each in bases_of(kind) if each is kind or _class_flags(each) & _IS_BASE)


def class_items(kind: type) -> List[Tuple[Any, Any]]:
    return list(vars_of_class(kind).items())


def inherited(kind: type, name: str) -> Any:
    """What a class or a base of it keeps under `name`, unbound; None if there is nothing."""
    for each in bases_of(kind):
        found = vars_of_class(each).get(name)
        if found is not None:
            return found
    return None


def subclasses_of(kind: type) -> Iterator[type]:
    """All of them, however far derived, each once."""
    seen = {id(kind)}
    left = [kind]
    each: type
    while left:
        for each in type.__subclasses__(left.pop()):
            if id(each) not in seen:
                seen.add(id(each))
                left.append(each)
                yield each


def module_vars(module: Any) -> Dict[Any, Any]:
    """The namespace of a module, which may be of a class with ideas of its own."""
    namespace = _module_vars(module)
    return namespace if type(namespace) is dict else {}


def module_name(module: Any) -> str:
    """The name that a module has for itself; empty if it has none."""
    name = module_vars(module).get("__name__")
    return name if type(name) is str else ""


def own_vars(thing: Any) -> Any:
    """The dictionary in which an object keeps its attributes, None if there is none to be had."""
    # A class may define `__dict__` as it likes; the accessor in C is that of a base, or is gone.
    for kind in reversed(list(_laid_out(type(thing)))):
        accessor = vars_of_class(kind).get("__dict__")
        if type(accessor) in _ACCESSORS:
            try:
                found = accessor.__get__(thing)
            except (AttributeError, TypeError):
                continue
            return found if type(found) is dict else None
    return None


def slots_of(thing: Any) -> Iterator[Tuple[str, Any, Any]]:
    """(name, accessor, content) of each slot of an object that holds something."""
    for kind in _laid_out(type(thing)):
        for _, accessor in class_items(kind):
            if type(accessor) is MemberDescriptorType:
                try:
                    yield accessor.__name__, accessor, accessor.__get__(thing)
                except (AttributeError, TypeError):
                    continue


def is_plain(key: Any) -> bool:
    """Whether hashing, comparing and printing it runs nothing but C."""
    inside = [key]
    while inside:
        each = inside.pop()
        if type(each) is tuple:
            inside += each
        elif id(type(each)) not in _PLAIN:
            return False
    return True


def is_hashed_in_c(key: Any) -> bool:
    return is_plain(key) or id(type(key)) in _HASHED_IN_C


def text_of(key: Any) -> str:
    """A key of a dictionary, as it would be written."""
    if not is_plain(key):
        return full_name(key) if is_class(key) else f"<a {full_name(type(key))} object>"
    try:
        text = repr(key)
    except (ValueError, RecursionError):  # for a number with very many digits, or deep tuples
        return f"<a {full_name(type(key))} object>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
