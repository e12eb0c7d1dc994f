"""Which registered file does the caller mean?"""

from __future__ import annotations

import selectors
from selectors import SelectorKey
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    ItemsView,
    Iterator,
    Mapping,
    Optional,
    Protocol,
    Tuple,
    Union,
    ValuesView,
)


class HasFileno(Protocol):
    """An object with a descriptor."""

    def fileno(self) -> int: ...


_fd_of: Any = selectors._fileobj_to_fd  # type: ignore[attr-defined]


def lookup(keys: Dict[int, SelectorKey], fileobj: Any) -> int:
    """The descriptor of `fileobj`, registered in `keys` or not; ValueError if it has none.

    Who calls this may use a plain number that is not negative as it is.
    """
    try:
        fd = fileobj.fileno()
        if type(fd) is int and fd >= 0:
            return fd
    except (AttributeError, TypeError, ValueError):
        pass
    try:
        found: int = _fd_of(fileobj)
        return found
    except ValueError:
        # A closed file has no descriptor, but the object is still the same.
        for key in list(keys.values()):
            if key.fileobj is fileobj:
                return key.fd
        raise


if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

    File = FileDescriptorLike
    _Mapping = Mapping[File, SelectorKey]
else:
    #: What the caller may pass for a file.
    File = Union[int, HasFileno]

    _Mapping = selectors._SelectorMapping


class Map(_Mapping):
    """What `get_map` returns: the selector's files, read-only, found by descriptor or by object."""

    # Not the selector itself, which would be a reference cycle.
    def __init__(self, keys: Dict[int, SelectorKey]) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, fileobj: File, default: Any = None) -> Any:
        keys = self._keys
        fd = fileobj if type(fileobj) is int and fileobj >= 0 else lookup(keys, fileobj)
        return keys.get(fd, default)

    def __getitem__(self, fileobj: File) -> SelectorKey:
        key: Optional[SelectorKey] = self.get(fileobj)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    # Over copies, because other threads may register and unregister meanwhile.

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._keys))

    def values(self) -> ValuesView[SelectorKey]:
        return _Values(self)

    def items(self) -> ItemsView[File, SelectorKey]:
        return _Items(self)


class _Values(ValuesView[SelectorKey]):
    _mapping: Map

    def __iter__(self) -> Iterator[SelectorKey]:
        return iter(list(self._mapping._keys.values()))

    def __contains__(self, value: object) -> bool:
        return value in list(self)


class _Items(ItemsView[Any, SelectorKey]):
    _mapping: Map

    def __iter__(self) -> Iterator[Tuple[int, SelectorKey]]:
        return iter(list(self._mapping._keys.items()))
