"""What must a type checker refuse?  Each line that is marked, and no other."""

from __future__ import annotations

import coopselectors as selectors
from coopselectors import EVENT_READ, select

selector = selectors.DefaultSelector()

selector.register("a path", EVENT_READ)  # refused
selector.register(object(), EVENT_READ)  # refused
selector.register(None, EVENT_READ)  # refused
selector.register(0, "r")  # refused
selector.register(0)  # refused
selector.register(0, EVENT_READ, None, select.EPOLLET)  # refused: extra_events has a name
selector.register(0, EVENT_READ, extra_events="EPOLLET")  # refused
selector.modify("a path", EVENT_READ)  # refused
selector.unregister(b"0")  # refused
selector.get_key("a path")  # refused
selector.get_map()["a path"]  # refused
selector.get_map()[0] = selector.get_key(0)  # refused: it is read-only
selector.select("1")  # refused
selector.select(timeout=[])  # refused
selector.regster(0, EVENT_READ)  # refused: there is no such method
for _key, events in selector.select():
    print(events.native)  # refused: only Events has it
print(selector.select()[0].fd)  # refused: it is of the key

selectors.DefaultSelector("gevent")  # refused: runtime has a name
selectors.DefaultSelector(runtime=1)  # refused
selectors.EpollSelector(runtime=b"gevent")  # refused
selectors.PollSelector().fileno()  # refused: it has none
selectors.EpollSelector().register_kevent(None)  # refused: kqueue's

selectors.install("socketserver", "subprocess")  # refused: a list of them
selectors.install(select=1)  # refused
selectors.install().replaced.keys()  # refused
selectors.audit("asyncio")  # refused
selectors.audit()[0].who  # refused
selectors.info()[0]  # refused
selectors.current_runtime().name  # refused
selectors.warn_blocking("0.1")  # refused
selectors.warn_blocking(0.1, report="log")  # refused

select.select([0], [], [], "1")  # refused
select.select(0, [], [])  # refused
select.poll().poll("1")  # refused
select.epoll("1")  # refused
select.epoll().poll(timeout="1")  # refused
select.epoll().poll()[0].fd  # refused: a tuple
select.EPOLLIN.value  # refused: an int
