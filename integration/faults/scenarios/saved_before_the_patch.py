"""A selector class, or a selector, is saved before the patch

``from selectors import DefaultSelector`` in a library that was imported first, and the class stays
what it was: it waits in the kernel, and no greenlet of the process runs meanwhile.  What gevent
and eventlet offer cannot reach it.
"""

from time import monotonic

from _support import run


def save(module):
    return module.DefaultSelector, module.DefaultSelector()


def scenario(here, Selector):
    saved, selector = here.before
    for each in (saved(), selector):
        ticks = []

        def tick(ticks=ticks):
            while len(ticks) < 50:
                ticks.append(monotonic())
                here.sleep(0.005)

        task = here.spawn(tick)
        here.sleep(0.01)
        each.select(0.5)
        last = monotonic()
        here.join(task)
        gaps = [after - before for before, after in zip(ticks, [*ticks[1:], last])]
        if max(gaps[: len([t for t in ticks if t < last])]) > 0.4:
            return "wrong: blocks every greenlet"
    return None


run(scenario, classes=("DefaultSelector",), before_patch=save)
