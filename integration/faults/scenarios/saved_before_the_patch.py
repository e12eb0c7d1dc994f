"""A selector class, or a selector, is saved before the patch

``from selectors import DefaultSelector`` in a library that was imported first, and the class stays
what it was: it waits in the kernel, and no greenlet of the process runs meanwhile.  What gevent
and eventlet offer cannot reach it.
"""

from _support import CLASSES, run


def save(module):
    return module.DefaultSelector, module.DefaultSelector()


def scenario(here, Selector):
    saved, selector = here.before
    turns = []

    def take_turns():
        while True:
            turns.append(1)
            here.sleep(0.005)

    here.spawn(take_turns)
    for each in (saved(), selector):
        here.sleep(0.01)
        before = len(turns)
        each.select(0.5)
        if len(turns) - before < 5:
            return "wrong: blocks every greenlet"
    return None


run(scenario, classes=CLASSES[:1], before_patch=save)
