"""Does a selector work while pyfakefs has replaced `os`, and after?"""

from __future__ import annotations

import pytest

import coopselectors
from coopselectors import EVENT_READ

fake_filesystem_unittest = pytest.importorskip("pyfakefs.fake_filesystem_unittest")

CLASSES = ("EpollSelector", "PollSelector", "SelectSelector", "DefaultSelector")


def works(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    assert selector.select(0) == selector.select(0.005) == []

    def answer():
        runtime.sleep(0.01)
        writer.send(b"x")

    task = runtime.spawn(answer)
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)
    selector.unregister(reader)


@pytest.mark.epoll
@pytest.mark.parametrize("kind", CLASSES)
def test_selectors(runtime, connect, kind):
    make = getattr(coopselectors, kind)
    with make() as before:
        with fake_filesystem_unittest.Patcher() as fake:
            works(runtime, before, connect)
            with make() as meanwhile:
                works(runtime, meanwhile, connect)
                fake.fs.create_file("/a/file", contents="fake")
                works(runtime, before, connect)
            with make() as waited_for:
                waited_for.register(connect()[0], EVENT_READ)
                task = runtime.spawn(waited_for.select, 5)
                runtime.sleep(0.02)
                waited_for.close()
                with pytest.raises(ValueError, match="closed"):
                    runtime.join(task)
            assert coopselectors.info()["runtime"] == runtime.owner
        works(runtime, before, connect)
        with make() as after:
            works(runtime, after, connect)


@pytest.mark.epoll
def test_primitives(runtime, connect):
    poll, epoll = coopselectors.select.poll(), coopselectors.select.epoll()
    for patcher in (fake_filesystem_unittest.Patcher(), None):
        reader, writer = connect()
        if patcher:
            patcher.setUp()
        try:
            writer.send(b"x")
            fd = reader.fileno()
            for each in (poll, epoll, coopselectors.select.poll(), coopselectors.select.epoll()):
                each.register(reader, 1)
                assert each.poll(1) == [(fd, 1)]
                each.unregister(reader)
            assert coopselectors.select.select([reader], [], [], 1) == ([reader], [], [])
        finally:
            if patcher:
                patcher.tearDown()
    epoll.close()
