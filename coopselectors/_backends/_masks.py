"""Which bits do poll(2), /dev/poll and epoll(7) use?

<poll.h> and <sys/epoll.h> agree on them, on every platform that has either.  No version of the
interpreter names them all.
"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE

IN = 0x001
PRI = 0x002
OUT = 0x004
ERR = 0x008
HUP = 0x010
#: poll(2) says this of a file that is closed.
NVAL = 0x020

#: What the kernel reports whether or not it was asked to.
ALWAYS = ERR | HUP

# epoll(7) only.
EXCLUSIVE = 1 << 28
WAKEUP = 1 << 29
ONESHOT = 1 << 30
ET = 1 << 31

#: The standard module's own events.
BOTH = EVENT_READ | EVENT_WRITE

#: The masks for the standard module's events, which are the index.
MASKS = (0, IN, OUT, IN | OUT)
