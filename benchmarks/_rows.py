"""What is compared with what, and how much of the peer's cost is too much?"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional, Tuple

from _turns import Work

#: A row that is not measured in this way.
NOT = -1.0

RUNTIMES = ("native", "gevent-libev", "gevent-libuv", "eventlet")

_TITLES = {
    "standard": "standard EpollSelector",
    "standard.DefaultSelector": "standard EpollSelector",
    "standard.PollSelector": "standard PollSelector",
    "bare": "bare epoll.poll",
    "recv": "bare recv",
    "plain": "without it",
    "ours": "ours, 1 ready of 10",
}


class Row(NamedTuple):
    """A figure: our cost divided by the peer's."""

    #: runtime/what
    name: str
    title: str
    workload: str
    ours: str
    peer: str
    #: The most that the ratio may be, of instructions and of time: None, there is no limit; NOT,
    #: it is not measured.
    instructions: Optional[float]
    time: Optional[float]
    #: How often the workload is done where instructions are counted.
    repetitions: int = 200
    #: Where the peer does not do the same.
    peer_workload: str = ""
    #: epoll_wait calls for each hop.
    epoll_waits: Optional[float] = NOT

    @property
    def runtime(self) -> str:
        return self.name.partition("/")[0]

    def works(self) -> Tuple[Work, Work]:
        """Ours, and the peer's."""
        theirs = self.peer_workload or self.workload
        return Work(self.runtime, self.workload, self.ours), Work(self.runtime, theirs, self.peer)

    def against(self) -> str:
        """The peer's name on the page."""
        return title_of(self.runtime, self.peer)


def title_of(runtime: str, subject: str) -> str:
    """What the page calls it."""
    if not subject.startswith("hub"):
        return _TITLES[subject]
    library = runtime.partition("-")[0]
    name = subject.partition(".")[2]
    if name:
        return f"{library}'s" if name == "select" else f"{library}'s {name}"
    return {"gevent": "GeventSelector", "eventlet": "eventlet's selector"}[library]


_LIFE = "make, register, select, close"
_COMMUNICATE = "two files, as communicate"
_STANDARD = "standard.DefaultSelector"


def rows() -> List[Row]:
    """All of them, in the order of the page."""
    return [*_native(), *_gevent(), *_elsewhere(), *_primitives(), *_programs()]


def _native() -> Iterator[Row]:
    def row(name: str, title: str, *limits: Optional[float], repetitions: int = 300) -> Row:
        return Row(f"native/{name}", title, name, "ours", _STANDARD, *limits, repetitions)

    yield row("life", _LIFE, 1.15, None)
    yield row("communicate", _COMMUNICATE, 0.95, None)
    yield Row(
        "native/communicate-poll",
        f"{_COMMUNICATE}, PollSelector",
        "communicate",
        "ours.PollSelector",
        "standard.PollSelector",
        1.2,
        None,
    )
    yield row("1-of-1000", "1 ready of 1000", 0.85, 1, repetitions=2000)
    yield row("1000-of-1000", "1000 ready of 1000", 0.35, 0.6, repetitions=20)
    yield Row(
        "native/1000-of-1000-bare",
        "1000 ready of 1000",
        "1000-of-1000",
        "ours",
        "bare",
        1.9,
        1.35,
        20,
        "epoll-1000-of-1000",
    )
    yield row("register", "register and unregister", 0.85, 1.05)
    yield row("modify", "modify", 0.65, 1.05)
    yield row("modify-data", "modify of data only", 0.7, 1.05)
    yield Row(
        "native/1-of-9000",
        "1 ready of 9000",
        "1-of-9000",
        "ours",
        "ours",
        NOT,
        1.2,
        peer_workload="1-of-10",
    )


def _gevent() -> Iterator[Row]:
    def row(name: str, title: str, *limits: Optional[float], **options: int) -> Row:
        return Row(f"gevent-libev/{name}", title, name, "ours", "hub", *limits, **options)

    yield row("life", _LIFE, 0.42, None)
    yield row("communicate", _COMMUNICATE, 0.40, None)
    yield Row(
        "gevent-libev/communicate-poll",
        f"{_COMMUNICATE}, PollSelector",
        "communicate",
        "ours.PollSelector",
        "hub.PollSelector",
        0.45,
        None,
    )
    for name, title, at_most in (("hop", "hop", 0.85), ("answer", "answer of a process", NOT)):
        for idle in (10, 1000):
            yield row(f"{name}-{idle}", f"{title}, {idle} idle", 0.75, at_most, epoll_waits=2)
        timed = f"{title}, with time-out, 1000 idle"
        yield row(f"{name}-1000-timeout", timed, 0.63, at_most)
        yield Row(
            f"gevent-libev/{name}-recv",
            f"{title}, 10 idle",
            f"{name}-10",
            "ours",
            "recv",
            1.08,
            None,
            peer_workload=f"recv-{name}",
        )
    yield row("1-of-1000", "1 ready of 1000", 0.22, 0.33, repetitions=1000)
    yield row("1000-of-1000", "1000 ready of 1000", None, 0.22, repetitions=20)
    for name, at_most in (("SelectSelector", 0.15), ("PollSelector", 0.15)):
        yield Row(
            f"gevent-libev/1-of-1000-{name}",
            f"{name}, 1 ready of 1000",
            "1-of-1000",
            f"ours.{name}",
            f"hub.{name}",
            NOT,
            at_most,
        )


#: How hops compared before the core was rebuilt: (without a time-out, with one).
_HOPS_BEFORE = {"gevent-libuv": (0.85, 0.5), "eventlet": (0.14, 0.14)}


def _elsewhere() -> Iterator[Row]:
    for runtime, (plain, timed) in _HOPS_BEFORE.items():
        for name, title, limit, repetitions in (
            ("life", _LIFE, 0.6, 200),
            ("hop-10", "hop, 10 idle", plain, 100),
            ("hop-10-timeout", "hop with time-out, 10 idle", timed, 100),
        ):
            yield Row(f"{runtime}/{name}", title, name, "ours", "hub", limit, None, repetitions)
    for name, title, limit in (
        ("1-of-100", "1 ready of 100", 0.1),
        ("100-of-100", "100 ready of 100", 0.03),
    ):
        yield Row(f"gevent-libuv/{name}", title, name, "ours", "hub", NOT, limit)
    yield Row(
        "eventlet/1-of-100-SelectSelector",
        "SelectSelector, 1 ready of 100",
        "1-of-100",
        "ours.SelectSelector",
        "hub.SelectSelector",
        NOT,
        0.03,
    )


def _primitives() -> Iterator[Row]:
    for runtime in ("gevent-libev", "gevent-libuv", "eventlet"):
        works = [
            ("select-1-of-20", "select.select, 1 ready of 20"),
            ("select-hop-0", "select.select, hop"),
            ("select-hop-20", "select.select, hop, 20 idle"),
        ]
        if runtime != "eventlet":  # it takes poll away
            works += [
                ("poll-hop-0", "poll.poll, hop"),
                ("poll-hop-20", "poll.poll, hop, 20 idle"),
            ]
        for name, title in works:
            yield Row(f"{runtime}/{name}", title, name, "ours.select", "hub.select", None, 1, 100)
    for runtime in RUNTIMES:
        for name, title, limit, repetitions in (
            ("epoll-1-of-1000", "epoll.poll, 1 ready of 1000", 1.7, 1000),
            ("epoll-1000-of-1000", "epoll.poll, 1000 ready of 1000", 1.1, 20),
        ):
            yield Row(
                f"{runtime}/{name}", title, name, "ours.select", "bare", NOT, limit, repetitions
            )


def _programs() -> Iterator[Row]:
    for runtime in RUNTIMES:
        for name, title, repetitions in (
            ("urllib3", "urllib3, a GET", 100),
            ("subprocess", "subprocess.run(input=...)", 20),
            ("connection-wait", "multiprocessing.connection.wait", 200),
            ("asyncio-echo", "asyncio, an echo", 200),
        ):
            yield Row(
                f"{runtime}/program-{name}",
                title,
                name,
                "installed",
                "plain",
                1.02,
                1.02,
                repetitions,
            )
