"""How does what others set on DefaultSelector reach its instances?

In the standard module, DefaultSelector is the class of its instances.  Ours is a class of its own.
So while it is installed, what is set on it, by `mock.patch.object` for example, is set on the
classes that it has chosen, too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Set, Tuple

from ._pickling import FOLLOWERS

_ABSENT: Any = object()


class Followers:
    """The classes that follow the changes of another one, `leader`."""

    def __init__(self, leader: type) -> None:
        self.kinds: Set[type] = set()
        # As the leader is without what others set.
        self._own: Dict[str, Any] = dict(vars(leader))
        # {name: what others have set}, and {(class, name): what the class itself had there before}.
        self._given: Dict[str, Any] = {}
        self._before: Dict[Tuple[type, str], Any] = {}
        FOLLOWERS[leader] = self._follow

    def add(self, kind: type) -> None:
        self.kinds.add(kind)
        for name, value in self._given.items():
            self._give(kind, name, value)

    def put_back(self) -> None:
        """Give the classes what they had before."""
        for (kind, name), before in self._before.items():
            _write(kind, name, before)
        self._given.clear()
        self._before.clear()

    def _follow(self, name: str, value: Any = _ABSENT) -> None:
        """Pass a change of the leader on; without `value`, a deletion."""
        if value is self._own.get(name, _ABSENT):
            self._given.pop(name, None)
            for kind in self.kinds:
                _write(kind, name, self._before.pop((kind, name), vars(kind).get(name, _ABSENT)))
        else:
            self._given[name] = value
            for kind in self.kinds:
                self._give(kind, name, value)

    def _give(self, kind: type, name: str, value: Any) -> None:
        self._before.setdefault((kind, name), vars(kind).get(name, _ABSENT))
        _write(kind, name, value)


def _write(kind: type, name: str, value: Any) -> None:
    if value is not _ABSENT:
        type.__setattr__(kind, name, value)
        return
    with suppress(AttributeError):  # somebody may have deleted it there
        type.__delattr__(kind, name)
