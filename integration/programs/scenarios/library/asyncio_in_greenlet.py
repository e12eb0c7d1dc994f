"""asyncio in a greenlet: a subprocess, an executor, and calls from another greenlet

The event loop is ``asyncio.SelectorEventLoop``.  Other greenlets run at the same time.
"""

import asyncio
import sys
import time
from selectors import DefaultSelector

CHILD = "import sys, time; time.sleep(0.6); print(sys.stdin.read()[::-1])"


async def in_a_child():
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate(b"abc")
    return said.strip(), child.returncode


async def in_an_executor():
    def work():
        time.sleep(0.6)
        return "done"

    return await asyncio.get_running_loop().run_in_executor(None, work)


def program(here):
    loop = asyncio.SelectorEventLoop(DefaultSelector())
    asyncio.set_event_loop(loop)

    def run():
        try:
            return loop.run_until_complete(work())
        finally:
            loop.close()

    async def from_another_greenlet():
        answer = loop.create_future()
        here.spawn(call, answer)
        return await answer

    def call(answer):
        here.sleep(0.6)
        loop.call_soon_threadsafe(answer.set_result, "called")

    async def work():
        return await asyncio.gather(in_a_child(), in_an_executor(), from_another_greenlet())

    (answers,) = here.together(run)
    assert answers == [(b"cba", 0), "done", "called"], answers
