"""How does a selector tell which signals came?  By a pipe that the interpreter writes them to.

    python examples/signals.py [native|gevent|eventlet]

What EVFILT_SIGNAL is to kqueue.  Source: signal.set_wakeup_fd in the standard library's manual;
pipe(7).  The byte is written by the interpreter's own handler, in C, at the moment of the signal,
while the handlers written in Python run when the main thread gets to them: under a hub that may
be later, and in whichever greenlet is at work.

Fall-back: none is needed, every CPython has it.
"""

from __future__ import annotations

import os
import signal
import subprocess

import coopselectors as selectors
from _runtime import Ticker, enter

# $PPID is the number of this process.
SENDER = "sleep 0.12; kill -USR1 $PPID; sleep 0.12; kill -USR2 $PPID; kill -TERM $PPID"


def main() -> None:
    enter()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)  # no handler may ever wait: set_wakeup_fd insists on it
    missing = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM}
    for number in missing:
        signal.signal(number, lambda number, frame: None)  # without one it would end the process
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
