"""A selector class, or a selector, is saved before the patch

A library that was imported first has executed ``from selectors import DefaultSelector``.  That
class is not patched.  It waits in the kernel, and meanwhile no greenlet of the process runs.
gevent and eventlet have nothing that reaches such a class.
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
