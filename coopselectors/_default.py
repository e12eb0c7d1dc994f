"""Which class is best on this machine, now?"""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any, List, Optional, Set, Tuple, Type, cast

from . import _runtime, _selectors
from ._hubs import is_usable
from ._selectors import _Selector

if TYPE_CHECKING:
    from typing_extensions import Self

# The standard module's order of preference: what costs least per call comes first.
_ORDER = ("KqueueSelector", "DevpollSelector", "EpollSelector", "PollSelector", "SelectSelector")

_KINDS: List[Type[_Selector]] = [
    vars(_selectors)[name] for name in _ORDER if name in vars(_selectors)
]
_MISSING = [
    f"{name}: this platform does not have it" for name in _ORDER if name not in vars(_selectors)
]

# The classes that isinstance() takes for DefaultSelector.
_chosen: Set[Type[_Selector]] = set()


class DefaultSelector(_Selector):
    """The best selector that this machine offers at the moment of the call.

    Calling it gives an instance of the first class of kqueue, /dev/poll, epoll, poll and select
    that works; a subclass of it is built on the same.  The choice is made anew each time, so that
    a saved reference to this class outlives whatever happens to the ``select`` module.

    Arguments, of the other classes too: `runtime` pins the selector to ``"native"``, ``"gevent"``
    or ``"eventlet"``; by default each `select` call goes by who has patched the ``select`` module
    at that moment.  Pin it in a program that uses gevent or eventlet without patching, or in a
    thread that must not have a hub.

    Raises ValueError for an unknown runtime, ImportError where its library is not installed, and
    RuntimeError, with all that was tried, if none of the classes works.  The other classes raise
    OSError where the kernel has no such primitive or no descriptor left.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls is not DefaultSelector:
            return super().__new__(cls)
        selector, _ = open_best(*args, **kwargs)
        # In the standard module both names are one class: isinstance() has to agree.
        if type(selector) not in _chosen:
            ABCMeta.register(DefaultSelector, type(selector))
            _chosen.add(type(selector))
        return cast("Self", selector)

    def __init__(self, *, runtime: Optional[str] = None) -> None:
        # Only subclasses come here: for them, the poller is chosen as the class would be.
        chosen, _ = open_best(runtime=runtime)
        self._poller_cls = chosen._poller_cls  # type: ignore[misc]
        self._selector_cls = chosen._selector_cls
        chosen.close()
        super().__init__(runtime=runtime)

    # It exists only where the chosen poller has it, as in the standard module.
    if TYPE_CHECKING:

        def fileno(self) -> int: ...

    else:

        def __getattr__(self, name: str) -> Any:
            if name == "fileno" and "_poller" in vars(self):
                return self._poller.fileno
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def open_best(*, runtime: Optional[str] = None) -> Tuple[_Selector, List[str]]:
    """An instance of the best class, and what was better and did not work, with the reasons."""
    tried = _MISSING.copy()
    for kind in _KINDS:
        primitive = kind._poller_cls.name
        offered = _runtime.offered(primitive)
        foreign = offered is not None and _runtime.owner(offered) == _runtime.FOREIGN
        if foreign and primitive != "select" and not is_usable(offered):
            tried.append(
                f"{kind.__name__}: the select.{primitive} that somebody put there does not work"
            )
            continue
        try:
            selector = kind(runtime=runtime)
            if not kind._poller_cls.asks_at_once:
                try:
                    selector._poller.poll(0)
                except BaseException:
                    selector.close()
                    raise
        except OSError as error:
            tried.append(f"{kind.__name__}: {error}")
            continue
        return selector, tried
    raise RuntimeError(f"no selector works here; tried {'; '.join(tried)}")
