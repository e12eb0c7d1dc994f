"""What is there to wait for, where the kernel object is the user's own?

An `epoll` or a `kqueue` that was handed out as such belongs to whoever has it: its files are known
to the kernel alone, children of fork(2) share it, and nothing is ever put in its place.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Callable, ClassVar, Dict, List, NoReturn, Optional

from .. import _fork, _unpatched
from .._pollers import IN, Pair, Waitable
from ._waiting import Way


class Kernel(Waitable):
    """A kernel object that a hub can wait for, by its descriptor."""

    #: The primitive's name in the ``select`` module.
    name: ClassVar[str]

    def __init__(self, native: Any, is_shared: bool = False) -> None:
        super().__init__()
        self.native = native
        #: Like the native one's way to collect, but without the doorbell while that is rung.
        self.collect: Callable[..., List[Any]] = self._native_way()
        # The threads that are in `block`.
        self._blocked: Dict[object, None] = {}
        # A nest knows its seats by their descriptors.  One that other objects have, too, is
        # represented by a duplicate.
        self._is_shared = is_shared
        self._duplicate: Optional[_Duplicate] = None

    @abstractmethod
    def _native_way(self) -> Callable[..., List[Any]]:
        """The method of the native object that collects."""

    @abstractmethod
    def _without_doorbell(self, *how: Any) -> List[Any]:
        """What that returns, but for the doorbell."""

    def call_back(self, on: bool) -> None:
        with self._lock:
            if not self.closed:
                self.collect = self._without_doorbell
                super().call_back(on)
                if not self.called_back:
                    self.collect = self._native_way()

    @property
    def needs_thread(self) -> bool:  # type: ignore[override]
        # There is no watching the files one by one: nobody knows them.
        return self.refused

    def wait_fd(self) -> Optional[int]:
        if self.closed:
            self._refuse()
        if not self.seats:
            _fork.tell(self)
        fd: int = self.native.fileno()
        if self._is_shared:
            with self._lock:
                self._duplicate = self._duplicate or _Duplicate(fd)
                fd = self._duplicate.fd
        return fd

    def block(self, timeout: Optional[float]) -> List[Pair]:
        me = object()
        _fork.tell(self)
        self._blocked[me] = None
        try:
            if self.closed:  # asked for after the line above, see `_close`
                return []
            return self._block(timeout)
        finally:
            self._blocked.pop(me, None)

    def _block(self, timeout: Optional[float]) -> List[Pair]:
        """Wait until there is something, but leave it there."""
        # poll(2) looks at its descriptors again when it is woken: by then another file may have the
        # number of one that was closed.
        with self._lock:
            duplicate = _Duplicate(self.native.fileno())
        poll = _unpatched.poll()
        poll.register(duplicate.fd, IN)
        poll.poll(None if timeout is None else timeout * 1e3)
        return []

    def closed_or(self, error: OSError) -> Exception:
        return self._closed_error() if self.closed else error

    def forked(self) -> None:
        super().forked()
        self._blocked.clear()  # these threads are the parent's, and so is who is called back
        self.called_back = 0
        self.collect = self._native_way()

    def _close(self) -> None:
        super()._close()
        self.collect = self._refuse  # nobody is to find the doorbell
        if self._blocked:
            self.ring(True)
        self.native.close()
        self.collect = self._native_way()  # which refuses by itself now, as the native one does
        self._duplicate = None

    def _refuse(self, *_: Any) -> NoReturn:
        raise self._closed_error()

    def _closed_error(self) -> ValueError:
        return ValueError(f"I/O operation on closed {self.name} object")


class _Duplicate:
    """Another descriptor of the same file, for as long as this lives."""

    def __init__(self, fd: int) -> None:
        self.fd = _unpatched.dup(fd)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            _unpatched.close(self.fd)


class WithDescriptor:
    """What an `epoll`, a `kqueue` and a `devpoll` have in common."""

    __slots__ = ("__weakref__", "_native", "_waitable", "_way")

    _native: Any
    _waitable: Any
    _way: Way

    def fileno(self) -> int:
        """The kernel object's own descriptor; ValueError if it is closed."""
        fd: int = self._native.fileno()
        return fd

    @property
    def closed(self) -> bool:
        """Whether it is."""
        closed: bool = self._native.closed
        return closed

    def close(self) -> None:
        """Give the descriptor back; whoever waits under a hub gets a ValueError."""
        self._waitable.close()


class Asked:
    """A kernel object, collected from in the way that one caller has asked for."""

    # So that this way is tried before the first sleep.
    sleepy = 0

    def __init__(self, kernel: Kernel, collect: Callable[[Any], List[Any]]) -> None:
        self._kernel = kernel
        self.poll = collect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)
