"""Which of our primitives stands for the one inside a selector?"""

from __future__ import annotations

from typing import Any

from .._pollers._files_poller import FilesPoller


def primitive_around(poller: FilesPoller) -> Any:
    """Our version of a selector's primitive, over the same kernel object."""
    # Each can be imported only if the platform has it.
    backend: Any = poller.backend
    if backend.name == "epoll":
        from ._epoll import epoll

        return epoll._around(poller)
    if backend.name == "poll":
        from ._poll import Poll

        return Poll._around(backend.native, poller)
    from ._devpoll import Devpoll

    return Devpoll._around(backend, poller)
