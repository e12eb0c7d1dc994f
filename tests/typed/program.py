"""A program for the standard module, with types: it must be right with ours, unchanged.

`__main__.py` has it checked as it is, and with ``import coopselectors as selectors``.
"""

from __future__ import annotations

import selectors
import socket
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping, Optional, Tuple, Type

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class Server:
    def __init__(self, selector: Optional[selectors.BaseSelector] = None) -> None:
        self.selector = selector or selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.selector.register(self.listener, selectors.EVENT_READ, data=self.accept)

    def accept(self, key: selectors.SelectorKey) -> None:
        accepted, _ = self.listener.accept()
        self.selector.register(accepted, selectors.EVENT_READ | selectors.EVENT_WRITE, self.echo)
        self.selector.modify(accepted.fileno(), selectors.EVENT_READ, self.echo)

    def echo(self, key: selectors.SelectorKey) -> None:
        with socket.socket(fileno=key.fd) as peer:
            peer.sendall(peer.recv(1024))
        self.selector.unregister(key.fileobj)

    def turn(self, timeout: float) -> int:
        ready: List[Tuple[selectors.SelectorKey, int]] = self.selector.select(timeout)
        for key, events in ready:
            if events & selectors.EVENT_READ:
                callback: Callable[[selectors.SelectorKey], None] = key.data
                callback(key)
        return len(ready)

    def close(self) -> None:
        for key in list(self.selector.get_map().values()):
            if not isinstance(key.fileobj, int):
                print(key.fileobj.fileno(), key.events, key.data)
        self.selector.close()


class Counting(selectors.DefaultSelector):
    """As programs derive from it."""

    calls = 0

    def select(self, timeout: Optional[float] = None) -> List[Tuple[selectors.SelectorKey, int]]:
        self.calls += 1
        return super().select(timeout)


class Own(selectors.DefaultSelector):
    """With the types that the standard module declares."""

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return super().get_map()

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return super().get_key(fileobj)


def best() -> Type[selectors.BaseSelector]:
    kinds: Dict[str, Type[selectors.BaseSelector]] = {
        "default": selectors.DefaultSelector,
        "select": selectors.SelectSelector,
    }
    return kinds["default"]


def main() -> None:
    with selectors.SelectSelector() as selector:
        Server(selector).turn(timeout=1)
    with Counting() as counting:
        Server(counting).turn(0.5)
        print(counting.calls, len(counting.get_map()), counting.get_key(0).fd)


if __name__ == "__main__":
    main()
