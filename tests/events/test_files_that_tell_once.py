"""Does the caller get a change that the kernel reports only to the first poll?

POLLPRI of /proc/self/mounts, of a pressure trigger, and of a sysctl is taken by whoever polls
first.  Each script runs in a mount namespace of its own, which takes root and unshare(1).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import coopselectors.select
from support import runtimes, seams

SETUP = """
import ctypes, os, select, sys, threading, time, warnings
warnings.simplefilter("ignore")
runtime, source, way, order = sys.argv[1:]
if runtime == "eventlet":
    import eventlet; eventlet.monkey_patch()
    from eventlet import sleep, spawn
elif runtime.startswith("gevent"):
    os.environ["GEVENT_LOOP"] = "libuv-cffi" if runtime.endswith("libuv") else "libev-cext"
    import gevent.monkey; gevent.monkey.patch_all()
    from gevent import sleep, spawn
else:
    from time import sleep
    spawn = lambda act: threading.Thread(target=act, daemon=True).start()
import coopselectors, coopselectors.select as ours
PRI, ERR = select.POLLPRI, select.POLLERR
library = ctypes.CDLL(None)

def mount():
    library.mount(b"none", b"/mnt", b"tmpfs", 0, None)
    library.umount(b"/mnt")

def rename():
    # What is written is what is there, in a namespace of its own.
    with open("/proc/sys/kernel/hostname", "r+") as file:
        name = file.read()
        file.seek(0)
        file.write(name)

def burn():
    # For a pressure file to tell anything, more has to run than there are processors.
    end = time.time() + 0.6
    for _ in range(2 + (os.cpu_count() or 1)):
        child = posix_fork()
        if child == 0:
            while time.time() < end:
                pass
            os._exit(0)

from posix import fork as posix_fork

if source == "mounts":
    file, change = open("/proc/self/mounts"), mount
elif source == "hostname":
    file, change = open("/proc/sys/kernel/hostname"), rename
else:
    try:
        fd = os.open("/proc/pressure/cpu", os.O_RDWR | os.O_NONBLOCK)
        # A window of 2 s: without CAP_SYS_RESOURCE the kernel takes multiples of that only.
        os.write(fd, b"some 10000 2000000\\0")
    except OSError as error:
        print("cannot:", error, flush=True)
        os._exit(0)
    file, change = os.fdopen(fd, "rb", buffering=0), burn

def made():
    if way == "poll":
        poll = ours.poll()
        poll.register(file, PRI | ERR)
        return lambda seconds: poll.poll(seconds * 1000)
    if way == "epoll":
        epoll = ours.epoll()
        epoll.register(file, PRI)
        return epoll.poll
    if way == "select":
        return lambda seconds: ours.select([], [], [file], seconds)[2]
    selector = getattr(coopselectors, way)()
    selector.register(file, 0, extra_events=PRI)
    return selector.select

wait = made()
told = []
for attempt in range(2):
    if source != "cpu":
        file.seek(0)
        file.read()
    while wait(0):
        pass
    if order == "before":
        change()
    else:
        spawn(lambda: (sleep(0.05), change()))
    told.append(bool(wait(4)))
    sleep(0.1)
print(told)
"""

WAYS = ("poll", "epoll", "select", "EpollSelector", "PollSelector")
SOURCES = {
    "mounts": "/proc/self/mounts",
    "hostname": "/proc/sys/kernel/hostname",
    "cpu": "/proc/pressure/cpu",
}

CASES = [
    (source, way, order)
    for source in ("mounts", "hostname")
    for way in WAYS
    for order in ("meanwhile", "before")
]
# When this one tells, is up to the kernel; and to have it tell, others have to be kept waiting.
CASES += [("cpu", way, "meanwhile") for way in ("poll", "EpollSelector")]

NAMES = [
    pytest.param(name, marks=pytest.mark.skip(reason=runtimes.missing(name)))
    if runtimes.missing(name)
    else name
    for name in runtimes.RUNTIMES
]


def lack(source):
    if not sys.platform.startswith("linux"):
        return "these files are Linux's"
    if os.getuid() or not shutil.which("unshare"):
        return "it takes root, and unshare(1)"
    if not os.path.exists(SOURCES[source]):
        return f"there is no {SOURCES[source]}"
    alone = subprocess.run(["unshare", "-m", "-u", "true"], capture_output=True, check=False)
    return "unshare(1) is not allowed here" if alone.returncode else ""


@pytest.mark.once
@pytest.mark.parametrize(("source", "way", "order"), CASES)
@pytest.mark.parametrize("name", NAMES)
def test_the_caller_is_told(name, source, way, order):
    reason = lack(source)
    if reason:
        pytest.skip(reason)
    command = ["unshare", "-m", "-u", sys.executable, "-c", textwrap.dedent(SETUP)]
    done = subprocess.run(
        [*command, name, source, way, order],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("cannot:"):
        pytest.skip(f"{SOURCES[source]} takes no trigger: {done.stdout[8:].strip()}")
    assert done.stdout == "[True, True]\n"


@pytest.mark.pollable
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.skipif(not os.path.exists("/proc/self/mounts"), reason="this platform has no /proc")
def test_no_thread_waits_once_such_a_file_is_forgotten(runtime, connect):
    poll = coopselectors.select.poll()
    reader, writer = connect()
    with open("/proc/self/mounts") as file:
        poll.register(file, 2)  # POLLPRI
        poll.register(reader, 1)
        for threads in (1, 0):
            waiting = runtime.spawn(poll.poll, 20_000)
            runtime.settle()
            seams.until_threads_wait(runtime, threads)
            writer.send(b"x")
            assert runtime.join(waiting) == [(reader.fileno(), 1)]
            reader.recv(1)
            seams.until_threads_wait(runtime, 0)
            if threads:
                poll.unregister(file)
