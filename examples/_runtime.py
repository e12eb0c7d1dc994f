"""What do all examples need?  The patch that the command line asks for, and a ticker.

The code of an example is the same in all three runtimes; only `enter` knows which one it is.  It
patches late, after all imports.  Programs should patch first, but coopselectors works either way.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import warnings
from typing import Any


def enter() -> None:
    """Patch this process as the command line says.

    Ends the process with a message if the library is not installed.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "runtime", nargs="?", choices=["native", "gevent", "eventlet"], default="native"
    )
    runtime = parser.parse_args().runtime
    try:
        if runtime == "gevent":
            import gevent.monkey

            gevent.monkey.patch_all()
        elif runtime == "eventlet":
            warnings.simplefilter("ignore")  # eventlet warns of itself
            import eventlet

            eventlet.monkey_patch()
    except ImportError as error:
        sys.exit(f"{error}; install it with: python -m pip install {runtime}")


class Ticker:
    """Counts the hundredths of a second in which others could run while its block lasts."""

    def __enter__(self) -> None:
        self._ticks = 0
        self._ticking = True
        # Looked up after the patch: a greenlet under a hub, else a thread.
        self._runner = threading.Thread(target=self._run)
        self._runner.start()

    def _run(self) -> None:
        while self._ticking:
            self._ticks += 1
            time.sleep(0.01)

    def __exit__(self, *error: Any) -> None:
        self._ticking = False
        self._runner.join()
        print(f"Meanwhile the ticker ran {self._ticks} times.")
