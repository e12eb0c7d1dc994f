"""How do the figures look as a page of the documentation, with plots?"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Dict, List, Sequence

from _report import plots, table_row
from _targets import Row, rows

_TOP = """\
How fast it is
==============

.. Written by ``python benchmarks --page docs/speed.rst``; edit the scripts, not this.

Every figure is our cost divided by theirs: the median over rounds in which all are measured in
turn, in one process.  A select that sleeps makes no system call but the hub's own wait and one
``epoll_wait`` that does not block, now and then two, and no ``epoll_ctl``
(``tests/selectors/test_calls_stay_cheap.py`` counts them).  One command measures it all on your
machine::

    python -m pip install ".[gevent,eventlet,bench]" && python benchmarks

"""

#: (file, work, title): cost against the number of files.
_CURVES = (
    ("one-ready", "one ready", "One file ready, of so many that are registered"),
    ("all-ready", "all ready", "So many files ready, all that are registered"),
    ("woken", "woken", "Blocked and woken, with so many idle files beside"),
)

#: (file, works, figure, title): costs side by side.
_BARS = (
    (
        "churn",
        ("register and unregister, 1000", "modify, 1000", "modify of data only, 1000", "life, 1"),
        "seconds",
        "What changes a selector; its whole life",
    ),
    ("memory", ("memory, 2000", "memory, once ready, 2000"), "bytes", "Bytes for each file"),
    (
        "others",
        ("ping-pong, 1000", "asyncio server, 200", "fairness, 100"),
        "seconds",
        "Two greenlets that wake each other; a message of an asyncio server; a ticker's delay",
    ),
)

_NAMES = {
    "ours": "coopselectors",
    "stdlib": "stdlib, unpatched",
    "gevent": "gevent's selector",
    "eventlet": "eventlet's selector",
    "gevent's PollSelector": "gevent's PollSelector",
    "bare epoll": "an epoll alone",
}

_PRIMITIVES_SLEEP = (
    "The hub's own call watches the file itself.  Ours asks the kernel before and after the sleep, "
    "and whether each number still means the same file: so a closed file is told of at once, and "
    "nothing that was drained.  With 20 files that costs less than to watch each."
)

#: Why a target may be out of reach, by its work and what it is held against.
_REASONS = {
    ("1000 ready of 1000", "bare epoll.poll"): (
        "The loop over what is ready takes a third of what the kernel takes, and that is for one "
        "look into a dictionary and one append.  Under a hub the switch there and back is added, "
        "and twice a millisecond a whole turn of gevent's loop, which libuv takes 50 us for."
    ),
    ("1 ready of 1000", "GeventSelector"): (
        "It would be 0.31 without the clock that has the loop turn twice a millisecond.  Then a "
        "ticker of 1 ms came 5 to 16 ms late while another greenlet selected on ready files."
    ),
    ("blocked and woken, 1000 idle", "GeventSelector"): (
        "Both sleep in the same loop.  gevent's has been told by it which file is ready; ours asks "
        "its epoll, so that what it reports is true when it returns."
    ),
    ("make, register, select, close", "gevent's poll"): (
        "An epoll has to be made, filled and closed, three system calls; gevent's PollSelector is "
        "a list that it hands to the loop, and is dearer at each select."
    ),
    ("make, register, select, close", "eventlet's"): (
        "An epoll has to be made, filled and closed, three system calls; eventlet's is a list."
    ),
    ("SelectSelector, 1 ready of 1000", "gevent's"): (
        "Where something is ready at once, gevent's asks select(2) as ours does, and all the cost "
        "is in that call.  To ask it of fewer files, those of which an epoll knows something, is "
        "no way: select(2) goes by numbers, and sees files that an older epoll does not."
    ),
    ("SelectSelector, 1 ready of 100", "eventlet's"): (
        "eventlet's takes 700 us and ours 20, most of them in the system call; the figure moves "
        "between 0.027 and 0.031."
    ),
    ("asyncio server, time a message", "GeventSelector"): (
        "Most of a message is asyncio's own work and two system calls of its socket.  With clients "
        "in another process on the same processors, the figure moves between 0.74 and 0.97."
    ),
    ("longest delay of a 1 ms ticker", "GeventSelector"): (
        "The longest of some hundred delays is mostly what the machine had to do besides."
    ),
    ("epoll.poll, 1 ready of 1000", "bare epoll.poll"): (
        "A look at the clock and one at a thread's own data, by which others get their turn every "
        "5 ms, beside a call that takes 0.6 us; the figure moves between 1.5 and 1.8."
    ),
    ("select.select, blocked and woken", "gevent's"): _PRIMITIVES_SLEEP,
    ("select.select, blocked and woken", "eventlet's"): _PRIMITIVES_SLEEP,
    ("select.select, blocked and woken, 20 idle", "gevent's"): _PRIMITIVES_SLEEP,
    ("poll.poll, blocked and woken", "gevent's"): _PRIMITIVES_SLEEP,
}


def write(figures: Dict[str, Any], page: Path) -> None:
    """The page, and beside it the plots that it shows."""
    lines = [_TOP, f"This page was made with {figures['versions']}.", ""]
    lines += [".. list-table::", "   :header-rows: 1", ""]
    lines += table_row("Work", "Against", "Runtime", "At most", "Measured")
    table = rows(figures["runtimes"])
    for row in table:
        measured = "not measured" if row.measured is None else f"{row.measured:.3g}"
        if row.missed:
            measured += " (missed)"
        work, against, at_most, runtime, _ = row.target
        lines += table_row(work, against, runtime, f"{at_most:.3g}", measured)
    lines += ["", *_remembered(figures["runtimes"]), *_reasons(table)]
    for name, work, title in _CURVES:
        file = page.with_name(f"speed-{name}.svg")
        _curves(figures["runtimes"], work, f"{title}: seconds for a call", file)
        lines += ["", f".. image:: {file.name}", f"   :alt: {title}"]
    for name, works, figure, title in _BARS:
        file = page.with_name(f"speed-{name}.svg")
        _bars(figures["runtimes"], works, figure, f"{title} ({figure})", file)
        lines += ["", f".. image:: {file.name}", f"   :alt: {title}"]
    page.write_text("\n".join(lines) + "\n")


def _remembered(runtimes: Dict[str, Any]) -> List[str]:
    """What the table of answers costs."""
    if "native" not in runtimes:
        return []
    used = runtimes["native"]["memory, once ready, 2000"]
    return textwrap.wrap(
        f"A file that has been seen ready takes {used['ours']['bytes']:.0f} bytes instead of the "
        f"standard module's {used['stdlib']['bytes']:.0f}: the answer is kept, and that is what "
        "makes many ready files cheap.  An idle file takes no more than there.",
        100,
    )


def _reasons(table: List[Row]) -> List[str]:
    """What is to be said of the targets that were missed."""
    lines: List[str] = []
    for work, against in dict.fromkeys(row.target[:2] for row in table if row.missed):
        reason = _REASONS.get((work, against))
        if reason is not None:
            lines += ["", f"**{work}, {against}.**", *textwrap.wrap(reason, 100)]
    return ["", "What was missed, and why", "------------------------", *lines] if lines else []


def _curves(runtimes: Dict[str, Any], work: str, title: str, file: Path) -> None:
    measured = {
        runtime: [key.rpartition(", ") for key in results if key.rpartition(", ")[0] == work]
        for runtime, results in runtimes.items()
    }
    with plots([name for name, keys in measured.items() if keys], title, file) as all_axes:
        for runtime, axes in all_axes.items():
            series: Dict[str, List[Any]] = {}
            for key in measured[runtime]:
                for peer, cost in runtimes[runtime]["".join(key)].items():
                    series.setdefault(peer, []).append((int(key[2]), cost["seconds"]))
            for peer, points in series.items():
                axes.plot(*zip(*points), marker="o", markersize=3, label=_NAMES[peer])
            axes.set(xscale="log", yscale="log", xlabel="files")
            axes.legend(fontsize="small")


def _bars(
    runtimes: Dict[str, Any], works: Sequence[str], figure: str, title: str, file: Path
) -> None:
    measured = {
        name: [work for work in works if work in results] for name, results in runtimes.items()
    }
    with plots([name for name, found in measured.items() if found], title, file) as all_axes:
        for runtime, axes in all_axes.items():
            found = measured[runtime]
            peers = list(dict.fromkeys(peer for work in found for peer in runtimes[runtime][work]))
            for index, peer in enumerate(peers):
                costs = [runtimes[runtime][work].get(peer, {}).get(figure, 0) for work in found]
                places = [place + index / (len(peers) + 1) for place in range(len(found))]
                axes.bar(places, costs, 1 / (len(peers) + 1), label=_NAMES[peer])
            names = [work.rpartition(", ")[0].replace(" ", "\n", 1) for work in found]
            axes.set_xticks(range(len(found)), names, fontsize="x-small")
            axes.set(yscale="log" if figure == "seconds" else "linear")
            axes.legend(fontsize="x-small")
