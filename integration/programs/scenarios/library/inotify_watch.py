"""inotify_simple: read() with a time-out

inotify_simple waits in ``select.poll``.
"""

import tempfile
from pathlib import Path

from inotify_simple import INotify, flags

NEEDS = ("inotify_simple",)
SELECT = True


def program(here):
    with tempfile.TemporaryDirectory() as folder, INotify() as inotify:
        inotify.add_watch(folder, flags.CREATE)
        assert inotify.read(timeout=200) == []

        def create():
            here.sleep(0.4)
            Path(folder, "late").touch()

        here.spawn(create)
        assert [event.name for event in inotify.read(timeout=10_000)] == ["late"]
