"""ClusterShell, with each of its engines

A ``Task`` runs local commands, and waits for what they print with ``epoll``, ``poll`` or
``select``: the engine that it is told to take, or another where the module has no such thing.
eventlet patches all but ``os``: its ``os.read`` waits for data also where ClusterShell has opened a
pipe that does not block, and looks whether there are any.
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
