"""watchdog: an observer of a folder

A thread of its own waits for inotify.  gevent patches all but ``queue``: watchdog compares the
``maxsize`` of its queue with a number, and gevent's is None where there is no limit.
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
    "eventlet 0.41 makes it None where there is no limit",
    "gevent, imported first": "a subclass of Thread that was defined before gevent 26.9 patched "
    "cannot be joined",
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
