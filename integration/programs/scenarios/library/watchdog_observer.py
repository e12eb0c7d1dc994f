"""watchdog: an observer of a folder

A thread of the observer waits for inotify.  gevent must leave ``queue`` unpatched: watchdog
compares the ``maxsize`` of its queue with a number, and gevent sets it to None if the queue has no
limit.
"""

import tempfile
from pathlib import Path

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

NEEDS = ("watchdog",)
SELECT = True
UNPATCHED = {"gevent": "queue"}
KNOWN = {
    "eventlet, patched first": "watchdog 7.1 compares the maxsize of its queue with a number, and "
    "eventlet 0.41 sets it to None if the queue has no limit",
    "gevent, imported first": "gevent 26.9 cannot join a thread whose class was defined before the"
    " patch",
}


def program(here):
    seen = []

    class Handler(FileSystemEventHandler):
        def on_created(self, event):
            seen.append(Path(event.src_path).name)

    with tempfile.TemporaryDirectory() as folder:
        observer = Observer()
        observer.schedule(Handler(), folder)
        observer.start()
        for name in ("one", "two"):
            here.sleep(0.3)
            Path(folder, name).touch()
            here.until(lambda name=name: name in seen)
        observer.stop()
        observer.join()
    assert seen == ["one", "two"], seen
