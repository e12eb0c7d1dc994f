"""How does the kernel come to watch the files that it should watch?

A `FilesPoller` knows its files, so it can register them all with a new kernel object (see
_rebuild).  It does so in three cases: in a forked child, which must not touch the parent's; if
other code has closed the descriptor; and if the kernel keeps reporting files that were closed
before they were unregistered.

A registration belongs to the open file, not to its number.  If a file was closed while a duplicate
is open, the kernel reports it forever, and nobody can name it (epoll(7), "Will closing a file
descriptor cause it to be removed").  Such numbers are the `stale_fds`.  What the kernel reports for
one of them may be about another file, so it is checked with poll(2).  If there are many, the kernel
object is replaced.
"""

from __future__ import annotations

import stat
from typing import Any, List, Mapping, Optional, Set

from .. import _fork
from .._backends import PRI, Backend, Pair
from .._backends._base import extra_of, poll_once
from .._owned import OUR_FDS
from .._unpatched import system
from ._nested import note
from ._poller import _NO_FDS, _NOBODY, CLOSED, Poller
from ._rebuild import rebuild, settle
from ._refusals import modify_again, poll_again, register_again
from ._shadow import open_shadow, poll_noticing

# How many stale numbers there may be before the kernel object is replaced.
_MANY = 64

# Seconds for which a thread waits in poll(2) or select(2) itself, without a shadow.  Most waits are
# shorter.
_SHORT = 0.005


class FilesPoller(Poller):
    """A poller that knows its files.

    `keys` is the selector's own ``{fd: SelectorKey}``.  The selector adds a file before it calls
    `register` or `modify`, and removes it before it calls `unregister`.  So another thread that
    fills a new kernel object meanwhile finds the latest state.
    """

    #: One-shot files that have been reported, and must not be again before the next `modify`.
    fired: Set[int] = _NO_FDS

    def __init__(self, backend: Backend, keys: Mapping[int, Any]) -> None:
        # The same as in the base class, without the call: most selectors live for one select().
        self.state = CLOSED
        self.backend = backend
        self.keys = keys
        self.waiters = _NOBODY
        self.per_file_waiters = _NOBODY
        self.shadow = None
        self.sleeps = 0
        self.has_extras = False
        #: See the top of this file.
        self.stale_fds: Set[int] = _NO_FDS
        #: `close` and `shared` each write their own and then read the other's.  So if two threads
        #: call them at once, at least one of the two knows of the other.
        self._is_shared = self._is_closing = False
        self.state = _fork.generation

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        """Watch `fd`.  Raises OSError if the kernel refuses it, ValueError if this is closed."""
        if self.state is not _fork.settled_generation:
            self.prepare()
        try:
            self.backend.register(fd, events, extra)
        except (OSError, ValueError) as error:
            register_again(self, error, fd, events, extra)
        if fd in OUR_FDS:
            note(fd, self)
        if extra:
            self._note_extra(fd, extra)
        if self.shadow is not None:
            self.add_to_shadow(fd, events, extra)
        if self.per_file_waiters:
            self.changed()

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        """Watch `fd` for `events` instead of `before`; raises what `register` does."""
        if self.state is not _fork.settled_generation:
            self.prepare()
        was_fired = False
        if self.has_extras:
            if extra & self.backend.exclusive:
                return  # nothing changes, see `EpollBackend.refusal_to_change`
            was_fired = fd in self.fired
            self.rearm(fd)
        try:
            self.backend.modify(fd, events, before, extra)
        except (OSError, ValueError) as error:
            modify_again(self, error, fd, events, before, extra, was_fired)
        if extra:
            self._note_extra(fd, extra)
        if self.shadow is not None:
            self._remove_from_shadow(fd, before)
            self.add_to_shadow(fd, events, extra)
        if self.per_file_waiters:
            self.changed()

    def unregister(self, fd: int, before: int) -> None:
        """Forget `fd`, which may be closed already."""
        if self.state is not _fork.settled_generation:
            _fork.notice()
            if self.state is not _fork.generation:
                if self.backend.has_kernel_object or self.state is CLOSED:
                    return  # the next kernel object will not have it
                self.prepare()
        try:
            self.backend.unregister(fd, before)
        except OSError:
            if fd not in self.fired:
                with _fork.lock():
                    self.stale_fds = {*self.stale_fds, fd}
        except (ValueError, KeyError):
            pass  # another thread has just closed it
        if self.has_extras:
            self.rearm(fd)
            with _fork.lock():
                self.exclusive = self.exclusive - {fd}
                self.read_once = self.read_once - {fd}
        if self.shadow is not None:
            self._remove_from_shadow(fd, before)
        if self.per_file_waiters:
            self.changed()
        if self.stale_fds and len(self.stale_fds) > _MANY + len(self.keys) // 8:
            self.mark_stale()

    def take_out(self, fd: int, before: int) -> None:
        """Forget `fd`, which `register` has not registered, unless a signal handler has raised."""
        was_stale = fd in self.stale_fds
        self.unregister(fd, before)
        if not was_stale:
            with _fork.lock():
                self.stale_fds = self.stale_fds - {fd}

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        if self.state is not _fork.settled_generation:
            self.prepare()
        try:
            return self.backend.poll(timeout)
        except (OSError, ValueError, RuntimeError) as error:
            return poll_again(self, error, timeout)

    def poll_noticing(self, timeout: Optional[float]) -> List[Pair]:
        """Like `poll`, but notice changes that others make meanwhile, at the latest after 5 ms."""
        if self.backend.notices_changes or (timeout is not None and timeout <= _SHORT):
            return self.poll(timeout)
        pairs = self.poll(_SHORT)
        if pairs:
            return pairs
        return poll_noticing(self, None if timeout is None else timeout - _SHORT)

    def close(self) -> None:
        backend = self.backend
        if self.state is _fork.settled_generation and (
            backend.wakes_on_close or not backend.is_in_use()
        ):
            self._is_closing = True
            if not self._is_shared:
                # As most selectors end: nobody has to be told, and nobody has to be kept out.
                try:
                    self.state = CLOSED
                    backend.close()
                except BaseException:  # of a signal handler, in the middle of it
                    backend.close()
                    raise
                return
        super().close()

    # The state.

    def shared(self) -> bool:
        self._is_shared = True
        return not self._is_closing and self.state is not CLOSED

    def prepare(self) -> None:
        with _fork.lock():
            if self.state is _fork.generation:
                return  # another thread was faster
            if not self.shared():
                self.raise_closed()
            if not _fork.is_current(self.state):
                self._let_go_of_parents()
            self.rebuild()

    def _let_go_of_parents(self) -> None:
        super()._let_go_of_parents()
        self.shadow = None

    def mark_stale(self) -> None:
        """Have the kernel object replaced at the next call; waiters make that call now."""
        with _fork.lock():
            if self.state is _fork.generation and self.shared():
                self.state = _fork.stale
                self.leave_all()

    def rebuild(self) -> None:
        """Replace the kernel object by another with the same files; the lock is held.

        If this fails, nothing has changed, and the next call tries again.
        """
        if self.backend.has_kernel_object:
            rebuild(self)
        self.stale_fds = _NO_FDS
        self.state = _fork.generation

    # Extra events.

    def _note_extra(self, fd: int, extra: int) -> None:
        self.has_extras = True
        if extra & self.backend.exclusive:
            if fd in self.stale_fds:
                self.mark_stale()  # poll(2) cannot tell which file a wake-up was for
            with _fork.lock():
                self.exclusive = {*self.exclusive, fd}
            self.leave_all()
        if extra & PRI and self.backend.name != "kqueue" and is_read_once(fd):
            with _fork.lock():
                self.read_once = {*self.read_once, fd}
            self.leave_all()

    def mark_fired(self, fd: int) -> None:
        """Note that a one-shot file has been reported."""
        if self.fired is _NO_FDS:
            self.fired = set()
        self.fired.add(fd)

    def rearm(self, fd: int) -> None:
        """Note that a one-shot file may be reported again."""
        if fd in self.fired:
            self.fired.discard(fd)

    def give_back(self, pairs: List[Pair]) -> List[Pair]:
        kept: List[Pair] = []
        if self.has_extras:
            for fd, mask in pairs:
                if fd in self.read_once:
                    kept.append((fd, mask))
                elif extra_of(self.keys.get(fd)) & self.backend.edges:
                    self.rearm(fd)
                    settle(self, fd)
        return kept

    def confirm(self, fd: int, mask: int) -> int:
        """Ask poll(2) what the file that now has a stale number is ready for."""
        return poll_once(fd, mask & 0xFFFF)

    def note(self, fd: int, now: Any, before: Any) -> None:
        """Note that the user has registered or unregistered a file with the native object.

        `now` and `before` are what it is and was watched for; None if it is or was not.
        """
        if fd in self.read_once:
            with _fork.lock():
                self.read_once = self.read_once - {fd}
        if before is not None and self.shadow is not None:
            self._remove_from_shadow(fd, before.events)
        if now is not None:
            if now.extra_events:
                self._note_extra(fd, now.extra_events)
            if self.shadow is not None:
                self.add_to_shadow(fd, now.events, now.extra_events)
        if self.per_file_waiters:
            self.changed()

    # For primitives without a descriptor: see _shadow.

    #: Whether the numbers must be looked up before each sleep; see `Shadow.look_up`.
    looks_up: bool = True

    @property
    def needs_thread(self) -> bool:
        return bool(self.exclusive or self.read_once)

    def has_descriptor(self) -> bool:
        return self.backend.pollable or self.shadow is not None

    def block(self, timeout: Optional[float]) -> List[Pair]:
        return self.poll_noticing(timeout)

    def notify(self, on: bool) -> None:
        shadow = self.shadow
        if shadow is None:
            super().notify(on)
        else:
            shadow.poller.notify(on)

    def pollable(self) -> Optional[Poller]:
        if self.backend.pollable:
            return None if self.refused else self
        if self.refused or self.state is CLOSED:
            return None
        if self.shadow is None:
            if self.state is not _fork.settled_generation:
                self.prepare()
            open_shadow(self)
        shadow = self.shadow
        return None if shadow is None else shadow.poller

    def add_to_shadow(self, fd: int, events: int, extra: int = 0) -> None:
        shadow = self.shadow  # another thread may dismiss it
        if shadow is not None and not shadow.add(fd, events, extra):
            self.dismiss_shadow()
            self.refused = self.refused or shadow.is_refused

    def _remove_from_shadow(self, fd: int, events: int) -> None:
        shadow = self.shadow
        if shadow is not None:
            shadow.remove(fd, events)

    def dismiss_shadow(self) -> None:
        """Drop the shadow, so that the next wait makes another; waiters look again."""
        shadow = self.shadow
        self.shadow = None
        if shadow is not None:
            shadow.poller.close()

    def must_look_first(self) -> bool:
        # poll(2) and select(2) report a closed file; the shadow has lost it.
        if self.shadow is None or not self.looks_up:
            return False
        try:
            return bool(self.poll(0))
        except OSError:
            return True

    def before_sleep(self, again: bool = False) -> Optional[float]:
        shadow = self.shadow  # another thread or a signal handler may dismiss it
        if shadow is None or not self.looks_up:
            return None
        again_in: Optional[float] = shadow.look_up(again)
        return again_in

    def woken_in_vain(self) -> bool:
        shadow = self.shadow
        if shadow is None:
            return False
        try:
            found: Optional[bool] = shadow.found_otherwise(self.poll)
        except (OSError, ValueError):
            if not shadow.poller.closed:
                raise
            return True  # another thread has dismissed it
        if found is None and self.shadow is shadow:
            self.dismiss_shadow()
        return found is not False


def is_read_once(fd: int) -> bool:
    """Whether a file may report POLLPRI to the first poll only, as those of /proc and /sys do."""
    try:
        return stat.S_ISREG(system.fstat(fd).st_mode)
    except OSError:
        return False
