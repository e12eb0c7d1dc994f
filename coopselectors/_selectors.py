"""The selector classes: one for each primitive of the operating system."""

from __future__ import annotations

import selectors
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Dict, List, Optional, Set

from . import _unpatched
from ._backends import (
    IN,
    OUT,
    DevpollBackend,
    EpollBackend,
    KqueueBackend,
    Pair,
    PollBackend,
    SelectBackend,
)
from ._backends._select import pairs_of
from ._base_selector import Selector
from ._extra_events import KeventKey
from ._hubs import Hub, Source
from ._keys import _Mapping

# The primitive's name in a subclass that overrides `_select`.  No hub is remembered for this name,
# so each call comes to `_look`.
_OVERRIDDEN = "_select"

# The attributes of every selector.
_STATE = ("_fd_to_key", "_known", "_made_map", "_pinned", "_poller", "_seen")


def _own_primitive(self: Any) -> Any:
    """Our primitive over the same kernel object.  Some programs use the private `_selector`."""
    from .select._around import primitive_around

    return primitive_around(self._poller)


class SelectSelector(Selector):
    """select(2): bound by ``FD_SETSIZE``, which is 1024 on most platforms."""

    _primitive_name = "select"
    _backend_cls = SelectBackend

    # As in the standard class, of which programs override `_select`.

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        is_overridden = cls._select is not SelectSelector._select
        cls._primitive_name = _OVERRIDDEN if is_overridden else "select"

    def _look(self) -> Hub:
        # Made for each call, as it holds the selector.
        is_overridden = self._primitive_name is _OVERRIDDEN
        return _OverriddenSelect(self) if is_overridden else super()._look()

    def _select(self, r: Any, w: Any, x: Any, timeout: Optional[float] = None) -> Any:
        from .select import select

        return select(r, w, x, timeout)

    # It has no kernel object, so it can be pickled and copied if its files can.  While it is
    # installed, it is pickled as the standard class, so each class loads the other's state.

    def __getstate__(self) -> Dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name not in _STATE}
        theirs = {name: getattr(self, name) for name in ("_fd_to_key", "_readers", "_writers")}
        pinned = None if self._pinned is None else self._pinned.name
        mapping: Any = _Mapping
        return {**own, **theirs, "_map": mapping(self), "_pinned": pinned}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        SelectSelector.__init__(self, runtime=state.get("_pinned"))
        for fd, key in state["_fd_to_key"].items():
            self._fd_to_key[fd] = key
            self._poller.register(fd, key.events)
        own = state.keys() - {*_STATE, "_readers", "_writers", "_map"}
        vars(self).update((name, state[name]) for name in own)

    @property
    def _readers(self) -> Set[int]:
        return self._fds_for(EVENT_READ)

    @property
    def _writers(self) -> Set[int]:
        return self._fds_for(EVENT_WRITE)

    def _fds_for(self, event: int) -> Set[int]:
        # Of a copy: other threads may register meanwhile.
        return {fd for fd, key in list(self._fd_to_key.items()) if key.events & event}


class _OverriddenSelect(Hub):
    """Asks the `_select` of a subclass, once for each call of `select`, as the standard class does.

    It decides how long that waits, and what is ready.
    """

    name = "overridden"

    def __init__(self, selector: SelectSelector) -> None:
        super().__init__()
        self._selector = selector

    def wait(
        self,
        poller: Any,
        timeout: Optional[float],
        deadline: Optional[float],
        source: Optional[Source] = None,
    ) -> List[Pair]:
        selector = self._selector
        if poller.closed:
            poller.raise_closed()
        try:
            ready = selector._select(selector._readers, selector._writers, [], timeout)
        except InterruptedError:
            return []
        return pairs_of(*ready)


if _unpatched.poll is not None:

    class PollSelector(Selector, selectors._PollLikeSelector):
        """poll(2): any descriptor, and the whole list is handed to the kernel at each call."""

        _primitive_name = "poll"
        _backend_cls = PollBackend
        _selector_cls = _primitive = _unpatched.poll
        _EVENT_READ, _EVENT_WRITE = IN, OUT
        _selector = property(_own_primitive)


if _unpatched.epoll is not None:

    class EpollSelector(Selector, selectors._PollLikeSelector):
        """epoll(7), of Linux: the kernel keeps the list."""

        _primitive_name = "epoll"
        _backend_cls = EpollBackend
        _selector_cls = _primitive = _unpatched.epoll
        _EVENT_READ, _EVENT_WRITE = IN, OUT
        _selector = property(_own_primitive)

        def fileno(self) -> int:
            """Return the kernel object's descriptor; ValueError once the selector is closed."""
            return self._poller.descriptor()


if _unpatched.devpoll is not None:

    class DevpollSelector(Selector, selectors._PollLikeSelector):
        """/dev/poll, poll(7d), of Solaris and illumos: the kernel keeps the list."""

        _primitive_name = "devpoll"
        _backend_cls = DevpollBackend
        _selector_cls = _primitive = _unpatched.devpoll
        _EVENT_READ, _EVENT_WRITE = IN, OUT
        _selector = property(_own_primitive)

        def fileno(self) -> int:
            """Return the kernel object's descriptor; ValueError once the selector is closed."""
            return self._poller.descriptor()


if _unpatched.kqueue is not None:

    class KqueueSelector(Selector):
        """kqueue(2), of macOS and the BSDs: the kernel keeps the list."""

        _primitive_name = "kqueue"
        _backend_cls = KqueueBackend

        def fileno(self) -> int:
            """Return the kernel object's descriptor; ValueError once the selector is closed."""
            return self._poller.descriptor()

        def register_kevent(self, kevent: Any, data: Any = None) -> SelectorKey:
            """Watch a process, a signal, a timer or a vnode.

            `kevent` is a ``select.kevent``, as in kqueue(2); KQ_EV_ADD is added to its flags.
            `data` is stored in the key.  Returns a SelectorKey whose `fileobj` is the kevent, whose
            `fd` is its ident, and whose `events` is 0.  `select` reports it with an `Events` of
            value 0: its `kevent` is the event from the kernel, and its `native` is that event's
            fflags.  ``get_map()`` does not contain it, because it is no file.

            Raises ValueError for KQ_EV_DELETE and for the filters that `register` is for, KeyError
            if a kevent of this ident and filter is registered already, and OSError if the kernel
            refuses it (ESRCH: no such process).  After an error, the selector is unchanged.
            """
            key = KeventKey(kevent, kevent.ident, 0, data)
            self._kqueue().add_kevent(key)
            if self._poller.per_file_waiters:
                self._poller.changed()
            return key

        def unregister_kevent(self, kevent: Any) -> SelectorKey:
            """Stop watching the kevent with this ident and filter, which may have fired already.

            Returns its SelectorKey.  Raises KeyError if there is none.
            """
            return self._kqueue().remove_kevent(kevent)

        def _kqueue(self) -> KqueueBackend:
            self._poller.descriptor()  # a ValueError if closed; a forked child gets its own
            backend: Any = self._poller.backend
            kqueue: KqueueBackend = backend
            return kqueue
