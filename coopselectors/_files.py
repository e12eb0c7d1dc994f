"""Which registered file does the caller mean?"""

from __future__ import annotations

from collections.abc import Mapping
from selectors import SelectorKey
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def fd_of(fileobj: FileDescriptorLike) -> int:
    """The descriptor of a file object, or ValueError; the words are the standard module's."""
    if isinstance(fileobj, int):
        fd = fileobj
    else:
        try:
            fd = int(fileobj.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fileobj!r}") from None
    if fd < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")
    return fd


def lookup(keys: Dict[int, SelectorKey], fileobj: FileDescriptorLike) -> int:
    """The descriptor under which `fileobj` is, or would be, in `keys`; ValueError if none."""
    try:
        return fd_of(fileobj)
    except ValueError:
        # A closed file has none any more, but can be found by what it is.
        for key in list(keys.values()):
            if key.fileobj is fileobj:
                return key.fd
        raise


class Map(Mapping["FileDescriptorLike", SelectorKey]):
    """What `get_map` returns: the selector's files, read-only, found by descriptor or by object."""

    # Not the selector itself: that would be a cycle, which only the collector could free.
    def __init__(self, keys: Dict[int, SelectorKey]) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, fileobj: FileDescriptorLike, default: Any = None) -> Any:
        return self._keys.get(lookup(self._keys, fileobj), default)

    def __getitem__(self, fileobj: FileDescriptorLike) -> SelectorKey:
        key: Optional[SelectorKey] = self.get(fileobj)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._keys))  # others may register meanwhile
