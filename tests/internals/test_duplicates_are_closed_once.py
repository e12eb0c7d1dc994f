"""Is a duplicate of ours closed, and nothing that has its number since?

Private, because nobody else knows the numbers, and which files get them is chance.
"""

from __future__ import annotations

import errno
import os

import pytest

from coopselectors._pollers._duplicates import Duplicate
from support import native, seams

pytestmark = pytest.mark.epoll


def is_open(fd):
    try:
        seams.system.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def epolls():
    """Makes epolls, which share one inode."""
    made = []

    def make():
        made.append(native.real_epoll())
        return made[-1].fileno()

    yield make
    for each in made:
        each.close()


def test_a_file_of_which_nothing_can_be_known_leaves_no_duplicate(connect, monkeypatch):
    before = os.listdir("/proc/self/fd")

    def fail(fd):
        raise OSError(errno.ENOMEM, "on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(seams.system, "fstat", fail)
        with pytest.raises(OSError, match="on purpose"):
            Duplicate(connect()[0].fileno())
    assert len(os.listdir("/proc/self/fd")) == len(before) + 2  # the sockets


def test_a_number_that_is_free_is_left_alone(connect):
    made = Duplicate(connect()[0].fileno())
    seams.system.close(made.fd)
    made.close()
    assert made.fd == -1


def test_a_number_of_which_nothing_can_be_known_is_given_back(connect, monkeypatch):
    made = Duplicate(connect()[0].fileno())
    number = made.fd

    def fail(fd):
        raise OSError(errno.ENOMEM, "on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(seams.system, "fstat", fail)
        made.close()
    assert not is_open(number)


def test_another_file_of_the_same_inode_stays_open(epolls):
    made = Duplicate(epolls())
    number = made.fd
    os.dup2(epolls(), number)
    made.close()
    assert is_open(number)
    os.close(number)


def test_another_file_of_the_same_inode_stays_open_if_the_witness_is_gone(epolls):
    made = Duplicate(epolls())
    number, witness = made.fd, made._witness.fileno()
    reader, writer = os.pipe()
    os.dup2(reader, witness)
    os.dup2(epolls(), number)
    made.close()
    assert is_open(number)
    assert is_open(witness)
    for each in (number, witness, reader, writer):
        os.close(each)


def test_it_is_closed(epolls, connect):
    for fd in (epolls(), connect()[0].fileno()):
        made = Duplicate(fd)
        number = made.fd
        made.close()
        assert not is_open(number)
