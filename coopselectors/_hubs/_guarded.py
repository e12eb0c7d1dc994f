"""How does a callback of ours survive a signal handler that raises in it?

If an exception leaves a callback, both hubs stop watching its file.  A signal handler may raise on
entry to a function, before the `try` in it begins.  A generator resumes inside its `try`, so it
catches that as well.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Generator, List


def guarded(function: Callable[[Any], None], failed: Callable[..., None]) -> Callable[[Any], None]:
    """What calls `function`, and `failed` with the exc_info if that raises anything."""
    if sys.version_info >= (3, 15):
        # The collector finds the hub of an ended thread there, and then complains of each generator
        # that the hub is in.  So a handler that raises on entry to this is not survived.
        def call(argument: Any) -> None:
            try:
                function(argument)
            except BaseException:
                failed(*sys.exc_info())

        return call
    is_begun: List[bool] = []
    served = _serve(function, failed, is_begun)
    next(served)
    is_begun.append(True)
    return served.send


def _serve(
    function: Callable[[Any], None], failed: Callable[..., None], is_begun: List[bool]
) -> Generator[None, Any, None]:
    while True:
        try:
            while True:
                argument = yield
                function(argument)
        except GeneratorExit:
            return
        except BaseException:
            if not is_begun:
                raise
            failed(*sys.exc_info())
