"""ClusterShell, with each of its engines

A ``Task`` runs local commands and waits for their output with ``epoll``, ``poll`` or ``select``, as
it is told.  If the ``select`` module lacks that primitive, it uses another.  eventlet must leave
``os`` unpatched: its ``os.read`` waits for data even on the non-blocking pipes that ClusterShell
reads from.
"""

from ClusterShell.Defaults import Defaults
from ClusterShell.Task import task_self

NEEDS = ("ClusterShell",)
SELECT = True
UNPATCHED = {"eventlet": "os"}


def program(here):
    def run(engine):
        defaults = Defaults([])
        defaults.engine = engine
        task = task_self(defaults)
        first = task.shell("sleep 0.6; echo one")
        second = task.shell("cat; exit 3")
        second.write(b"two\n")
        second.set_write_eof()
        task.resume()
        engine = type(task._engine).identifier
        return engine, first.read(), second.read(), task.max_retcode()

    engines = ("epoll", "poll", "select")
    answers = here.together(*(lambda engine=engine: run(engine) for engine in engines))
    assert [answer[1:] for answer in answers] == [(b"one", b"two", 3)] * 3, answers
    if here.kind == "install(select=True)":
        assert [answer[0] for answer in answers] == list(engines), answers
