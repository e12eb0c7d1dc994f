"""Which class is best on this machine, now?"""

from __future__ import annotations

from abc import ABCMeta
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    List,
    Optional,
    Tuple,
    Type,
    TypeVar,
    cast,
)

from . import _runtime, _selectors
from ._base_selector import Selector
from ._followers import Followers
from ._hubs import is_usable, is_usable_select
from ._runtime import modules, offered

if TYPE_CHECKING:
    from typing_extensions import Self

_Method = TypeVar("_Method", bound=Callable[..., Any])

# The standard module's order of preference: what costs least per call comes first.
_ORDER = ("KqueueSelector", "DevpollSelector", "EpollSelector", "PollSelector", "SelectSelector")

_KINDS: List[Type[Selector]] = [
    vars(_selectors)[name] for name in _ORDER if name in vars(_selectors)
]
_MISSING = [
    f"{name}: this platform does not have it" for name in _ORDER if name not in vars(_selectors)
]

_first = _KINDS[0]
#: The name of the class that the standard module chooses on this platform.
BEST = _first.__name__
_first_name = _first._primitive_name
# The `select` module, what reads it, and what it offered for the first class when that class was
# last chosen.  While these are unchanged, so is the choice.
_first_seen: Any = object(), {}, None


class _WhereThereIsOne:
    """A method that tools find in the class, but that instances on poll or select lack.

    It says that it is a function, for `mock.create_autospec`.
    """

    def __init__(self, function: Any) -> None:
        self.__func__ = function
        self.__code__ = function.__code__

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return FunctionType

    def __get__(self, selector: Any, owner: Any = None) -> Any:
        if selector is None:
            return self.__func__
        if not selector._poller.backend.has_kernel_object:
            raise AttributeError(f"{owner.__name__!r} object has no attribute 'fileno'")
        return self.__func__.__get__(selector, owner)


def _where_there_is_one(function: _Method) -> _Method:
    made: Any = _WhereThereIsOne(function)
    return cast("_Method", made)


class _Signature:
    """What `inspect.signature` says of the class: what its `__init__` takes."""

    def __get__(self, selector: Any, owner: Any = None) -> Any:
        if selector is not None:
            raise AttributeError("__signature__")
        from inspect import Signature, signature

        _, *parameters = signature(owner.__init__).parameters.values()
        return Signature(parameters)


# What an instance of a subclass has from the class that was chosen for it.
_OF_ITS_KIND = (
    "_primitive_name",
    "_backend_cls",
    "_primitive",
    "_selector_cls",
    "_EVENT_READ",
    "_EVENT_WRITE",
)


class DefaultSelector(Selector):
    """The best selector that this machine offers at the moment of the call.

    Calling this class returns an instance of the first class that works, in the order kqueue,
    /dev/poll, epoll, poll, select.  A subclass is built on the same primitive.  Each call chooses
    again, so a saved reference to this class stays valid whatever happens to the ``select`` module.

    `runtime` pins the selector to ``"native"``, ``"gevent"`` or ``"eventlet"``; the other classes
    accept it, too.  By default, each `select` call finds out who has patched the ``select`` module.
    Pin a selector in a program that uses gevent or eventlet without patching, or in a thread that
    must not have a hub.

    Raises ValueError for an unknown runtime, ImportError if its library is not installed, and
    RuntimeError, with a list of what was tried, if no class works.  The other classes raise OSError
    if the kernel does not have the primitive or no descriptor is left.
    """

    __signature__: Any = _Signature()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls is not DefaultSelector:
            return super().__new__(cls)
        module, offers, own = _first_seen
        try:
            if modules["select"] is module and offers.get(_first_name) is own:
                return _first(*args, **kwargs) if args or kwargs else _first()  # type: ignore[return-value]
        except (OSError, KeyError):
            pass  # no descriptor left, say, or the module has been taken away
        selector, _ = open_best(*args, **kwargs)
        return cast("Self", selector)

    def __init__(self, *, runtime: Optional[str] = None) -> None:
        # Only for subclasses, whose backend is chosen in the same way.
        if DefaultSelector in type(self).__mro__:
            chosen, _ = open_best(runtime=runtime)
            for name in _OF_ITS_KIND:
                setattr(self, name, getattr(chosen, name, None))
            self._kind = type(chosen)
            chosen.close()
            super().__init__(runtime=runtime)
        else:  # called by another that has been set on the class, see _followers
            Selector.__init__(self, runtime=runtime)

    @property
    def _selector(self) -> Any:
        kind: Any = self._kind
        return kind._selector.__get__(self)

    @_where_there_is_one
    def fileno(self) -> int:
        """Return the kernel object's descriptor; ValueError if the selector is closed.

        An instance that uses poll or select has no such method.
        """
        return self._poller.descriptor()


#: The classes that it has chosen, which isinstance() takes for it.
followers = Followers(DefaultSelector)


def open_best(*, runtime: Optional[str] = None) -> Tuple[Selector, List[str]]:
    """Return an instance of the best class that works, and why better ones do not work."""
    global _first_seen
    tried = _MISSING.copy()
    for kind in _KINDS:
        name = kind._primitive_name
        own = offered(name)
        reason = _reason_against(name, own)
        if reason:
            tried.append(f"{kind.__name__}: {reason}")
            continue
        try:
            selector = kind() if runtime is None else kind(runtime=runtime)
            if not kind._backend_cls.made_is_proof:
                try:
                    selector._poller.poll(0)
                except BaseException:
                    selector.close()
                    raise
        except OSError as error:
            tried.append(f"{kind.__name__}: {error}")
            continue
        if kind not in followers.kinds:
            # In the standard module both names are one class, so isinstance() must be true.
            ABCMeta.register(DefaultSelector, kind)
            followers.add(kind)
        is_foreign = _runtime.owner(own) == _runtime.FOREIGN  # and may turn out to be broken
        if kind is _first and kind._backend_cls.made_is_proof and not is_foreign:
            offers = _runtime.offers_of(_runtime.select_module())
            _first_seen = modules.get("select"), offers, own
        return selector, tried
    raise RuntimeError(f"no selector works here; tried {'; '.join(tried)}")


def _reason_against(name: str, own: Any) -> str:
    """Why ``select.<name>`` is not to be used, if it is not; see the table in _runtime."""
    if own is None:
        return f"select.{name} was deleted" if _runtime.is_meant_to_be_gone(name) else ""
    if not callable(own):
        return f"select.{name} is {type(own).__name__}, which cannot be called"
    is_foreign = _runtime.owner(own) == _runtime.FOREIGN
    if _runtime.is_broken(own) or (
        is_foreign and not (is_usable_select(own) if name == "select" else is_usable(own))
    ):
        return f"select.{name} was replaced, and the replacement does not work"
    return ""
