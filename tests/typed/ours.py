"""What is the type of each result of coopselectors?"""

from __future__ import annotations

import socket
import sys
from typing import Any, Dict, List, Tuple

from typing_extensions import assert_type

import coopselectors as selectors
from coopselectors import (
    EVENT_READ,
    EVENT_WRITE,
    BaseSelector,
    DefaultSelector,
    Events,
    SelectorKey,
    select,
)


class HasFileno:
    def fileno(self) -> int:
        return 0


def a_selector(file: socket.socket) -> None:
    with DefaultSelector() as selector:
        assert_type(selector, DefaultSelector)
        assert_type(selector.fileno(), int)
        key = selector.register(file, EVENT_READ, data="mine")
        assert_type(key, SelectorKey)
        assert_type(key.fd, int)
        assert_type(key.events, int)
        assert_type(selector.register(0, EVENT_READ | EVENT_WRITE), SelectorKey)
        assert_type(selector.register(HasFileno(), EVENT_READ), SelectorKey)
        assert_type(selector.modify(file, EVENT_WRITE), SelectorKey)
        assert_type(selector.unregister(file), SelectorKey)
        assert_type(selector.get_key(file), SelectorKey)
        assert_type(selector.get_map()[file], SelectorKey)
        assert_type(list(selector.get_map().values()), List[SelectorKey])
        assert_type(file in selector.get_map(), bool)
        assert_type(selector.select(), List[Tuple[SelectorKey, int]])
        assert_type(selector.select(0.5), List[Tuple[SelectorKey, int]])
        standard: BaseSelector = selector
        standard.close()


def each_class() -> None:
    with selectors.SelectSelector(runtime="native") as of_select:
        assert_type(of_select, selectors.SelectSelector)
    with selectors.PollSelector(runtime="gevent") as of_poll:
        assert_type(of_poll, selectors.PollSelector)
    with selectors.EpollSelector(runtime=None) as of_epoll:
        assert_type(of_epoll.fileno(), int)
    with selectors.DevpollSelector() as of_devpoll:
        assert_type(of_devpoll.fileno(), int)
    with selectors.KqueueSelector() as of_kqueue:
        assert_type(of_kqueue.fileno(), int)
        kevent = select.kevent(1, select.KQ_FILTER_PROC)
        assert_type(of_kqueue.register_kevent(kevent, data=1), SelectorKey)
        assert_type(of_kqueue.unregister_kevent(kevent), SelectorKey)


def extra_events(file: socket.socket) -> None:
    with selectors.EpollSelector() as selector:
        extra = select.EPOLLRDHUP | select.EPOLLET
        assert_type(extra, int)
        assert_type(selector.register(file, 0, extra_events=extra), SelectorKey)
        assert_type(selector.modify(file, EVENT_READ, extra_events=extra), SelectorKey)
        for _key, events in selector.select():
            assert_type(events, int)
            if isinstance(events, Events):
                assert_type(events.native, int)
                assert_type(events & EVENT_READ, int)


def primitives(file: socket.socket) -> None:
    assert_type(select.select([file], (), [], 1.5)[0], List[socket.socket])
    poll: select.poll = select.poll()
    poll.register(file, select.POLLIN)
    poll.modify(file, select.POLLOUT)
    assert_type(poll.poll(100), List[Tuple[int, int]])
    poll.unregister(file)
    with select.epoll(sizehint=10) as epoll:
        assert_type(epoll, select.epoll)
        epoll.register(file, select.EPOLLIN)
        epoll.modify(file, select.EPOLLOUT)
        assert_type(epoll.poll(1.5, maxevents=2), List[Tuple[int, int]])
        assert_type(epoll.closed, bool)
        assert_type(epoll.fileno(), int)
        assert_type(select.epoll.fromfd(epoll.fileno()), select.epoll)
        epoll.unregister(file)
    kqueue = select.kqueue()
    assert_type(kqueue.control(None, 1, 0.5), List[Any])
    kqueue.close()
    devpoll: select.devpoll = select.devpoll()
    assert_type(devpoll.poll(100), List[Tuple[int, int]])
    try:
        epoll.poll()
    except select.error as error:
        assert_type(error, OSError)


def a_process() -> None:
    assert_type(selectors.__version__, str)
    assert_type(selectors.current_runtime(), str)
    assert_type(selectors.is_installed(), bool)
    installed = selectors.install(["socketserver", "subprocess"], select=True)
    assert_type(installed.replaced, List[str])
    assert_type(installed.left, List[Any])
    assert_type(selectors.uninstall(), List[str])
    for finding in selectors.audit():
        assert_type(finding.where, str)
        assert_type(finding.what, str)
        assert_type(finding.advice, str)
        where, what, _held, advice = finding
        print(f"{where}: {what}; {advice}")
    assert_type(selectors.info(), Dict[str, Any])
    with selectors.warn_blocking(0.1, report=sys.stderr.write) as watch:
        assert_type(watch.stop(), None)
