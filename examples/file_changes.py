"""How does a selector report changes in a directory?  With an inotify descriptor.

    python -m pip install inotify_simple
    python examples/file_changes.py [native|gevent|eventlet]

kqueue has EVFILT_VNODE for this.  Source: inotify(7).  The standard library has no inotify.  The
package inotify_simple has, and its INotify object is registered like any other file.

Import inotify_simple before eventlet's patch, as here: it takes select.poll, which eventlet
deletes.  When the selector reports the object, read with a time-out of 0.  With any other time-out,
inotify_simple waits in that poll, which blocks the hub.

Fall-back: none.  Without inotify, a program has to look at the files again and again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

import coopselectors as selectors
from _runtime import Ticker, enter

try:
    from inotify_simple import INotify, flags
except ImportError as error:
    sys.exit(f"{error}; install it with: python -m pip install inotify_simple")

CHANGES = "sleep 0.12; echo hello >draft; mv draft letter; sleep 0.12; rm letter"
WANTED = flags.CREATE | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE


def main() -> None:
    enter()
    with tempfile.TemporaryDirectory() as directory, INotify() as inotify:
        inotify.add_watch(directory, WANTED)
        changer = subprocess.Popen(["sh", "-c", CHANGES], cwd=directory)
        print("Waiting for what another process does in a directory.")
        with selectors.DefaultSelector() as selector, Ticker():
            selector.register(inotify, selectors.EVENT_READ)
            deleted = False
            while not deleted:
                selector.select()
                for event in inotify.read(timeout=0):
                    print(f"{event.name}: {flags.from_mask(event.mask)[0].name}")
                    deleted = deleted or bool(event.mask & flags.DELETE)
        changer.wait()


if __name__ == "__main__":
    main()
