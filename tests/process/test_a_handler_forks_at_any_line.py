"""Does a selector work in a child that a signal handler forks in the middle of its select()?

A server that starts its workers anew on SIGCHLD does that.  The child goes on where the handler was
called.
"""

from __future__ import annotations

import os
import posix
import signal
import sys

import pytest

import coopselectors
from coopselectors import EVENT_READ
from support.stop_at import OURS

pytestmark = [pytest.mark.once, pytest.mark.uncounted]


# greenlet counts no reference to the tracer that it keeps for a greenlet.
TRACERS = []


class AtLine:
    """Has the handler called at one line of ours."""

    def __init__(self, line):
        self._line = line
        self.seen = []
        self.trace = self._trace
        TRACERS.append(self.trace)

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self.seen.append(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
            if len(self.seen) == self._line:
                signal.raise_signal(signal.SIGUSR1)
        return self.trace


def failed_lines(runtime, kind):
    """The lines of a select() at which a fork leaves the child with a selector that fails."""
    children, failed, line, was_there = [], [], 1, True
    told, tell = posix.pipe()  # gevent may miss the end of a child

    def fork(*_):
        sys.settrace(None)
        children.append(os.fork())
        if not children[-1]:
            signal.alarm(20)

    signal.signal(signal.SIGUSR1, fork)
    while was_there:
        selector, (reader, writer), at = getattr(coopselectors, kind)(), posix.pipe(), AtLine(line)
        selector.register(reader, EVENT_READ)
        try:
            sys.settrace(at.trace)
            selector.select(0.005)
            sys.settrace(None)
            if 0 in children:
                posix.write(writer, b"x")
                posix.write(tell, b"1" if len(selector.select(10)) == 1 else b"0")
                posix._exit(0)
        except BaseException:
            if 0 in children:
                posix.write(tell, b"!")
                posix._exit(1)
            raise
        while children:
            children.pop()
            if posix.read(told, 1) != b"1":
                failed.append(at.seen[-1] if len(at.seen) < line else at.seen[line - 1])
        was_there = len(at.seen) >= line
        line += 1
        selector.close(), posix.close(reader), posix.close(writer)
    return [line > 20, failed]


@pytest.mark.parametrize("kind", ["EpollSelector", "PollSelector"])
def test_the_childs_select_hears_of_its_file(fresh, kind):
    assert fresh(failed_lines, kind) == [True, []]
