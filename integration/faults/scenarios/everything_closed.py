"""A daemon closes every descriptor

A process that becomes a daemon closes all descriptors and opens files of its own, which get the
same numbers; then the selector of before goes.  No file of the program's may be closed with it.
"""

import gc
import socket
from posix import closerange, fstat, pipe
from selectors import EVENT_READ

from _support import CLASSES, run


def scenario(here, Selector):
    reader, _writer = pair = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    selector.select(0.01)
    closerange(3, 1024)
    files = [fd for _ in range(20) for fd in pipe()]
    inodes = [fstat(fd).st_ino for fd in files]
    for end in pair:
        end.detach()
    try:
        selector.close()
    except Exception:
        pass  # it may say that something is gone
    del selector
    gc.collect()
    lost = 0
    for fd, inode in zip(files, inodes):
        try:
            lost += fstat(fd).st_ino != inode
        except OSError:
            lost += 1
    return f"wrong: {lost} of the program's files closed" if lost else None


run(scenario, classes=CLASSES[:1])
