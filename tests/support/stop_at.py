"""How does a test see what happens while another thread is in the middle of a call?"""

from __future__ import annotations

import os
import sys
import threading

import coopselectors

OURS = os.path.dirname(coopselectors.__file__)


class StopAt:
    """A thread that stops at one line of ours, until `go_on`."""

    def __init__(self, function, line):
        self.lines, self._line = 0, line
        self._there, self._go_on = threading.Event(), threading.Event()
        self._function = function
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._there.wait()

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._line:
                self._there.set()
                self._go_on.wait()
        return self._trace

    def _run(self):
        sys.settrace(self._trace)
        try:
            self._function()
        finally:
            sys.settrace(None)
            self._there.set()

    def go_on(self):
        self._go_on.set()
        self._thread.join()
        return self.lines >= self._line
