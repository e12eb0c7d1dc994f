"""How does a selector report signals?  With a pipe that the interpreter writes them to.

    python examples/signals.py [native|gevent|eventlet]

kqueue has EVFILT_SIGNAL for this.  Source: signal.set_wakeup_fd in the standard library's manual;
pipe(7).  The interpreter's own handler, in C, writes the byte at the moment of the signal.
Handlers in Python run when the main thread gets to them.  Under a hub, that may be later, and in
whichever greenlet is running.

Fall-back: none is needed, as every CPython has it.
"""

from __future__ import annotations

import os
import signal
import subprocess

import coopselectors as selectors
from _runtime import Ticker, enter

# $PPID is this process.
SENDER = "sleep 0.12; kill -USR1 $PPID; sleep 0.12; kill -USR2 $PPID; kill -TERM $PPID"


def main() -> None:
    enter()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)  # a handler must never wait: set_wakeup_fd demands it
    missing = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM}
    for number in missing:
        # Without a handler, the signal would end the process.
        signal.signal(number, lambda number, frame: None)
    signal.set_wakeup_fd(writer)
    sender = subprocess.Popen(["sh", "-c", SENDER])
    print("Waiting for signals from another process.")
    with selectors.DefaultSelector() as selector, Ticker():
        selector.register(reader, selectors.EVENT_READ)
        while missing:
            selector.select()
            for number in os.read(reader, 4096):  # a byte each
                print(f"{signal.Signals(number).name} came.")
                missing.discard(number)
    signal.set_wakeup_fd(-1)
    sender.wait()


if __name__ == "__main__":
    main()
