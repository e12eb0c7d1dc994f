"""pexpect.spawn with use_poll, of a child that takes its time

Each ``expect()`` waits for the child's terminal in ``poll``.  gevent must leave ``os`` unpatched:
its ``os.close`` leaves a file open until the loop turns, and pexpect waits for the end of a pipe
that it closed, without letting the loop turn.
"""

import sys

import pexpect

NEEDS = ("pexpect",)
SELECT = True
UNPATCHED = {"gevent": "os"}

CHILD = """
import time
for _ in range(2):
    name = input("name? ")
    time.sleep(0.4)
    print("hello,", name.upper())
"""


def program(here):
    child = pexpect.spawn(sys.executable, ["-c", CHILD], use_poll=True, encoding="utf-8")
    for name in ("one", "two"):
        child.expect_exact("name? ")
        child.sendline(name)
        child.expect("hello, ([A-Z]+)")
        assert child.match[1] == name.upper(), child.match
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child
