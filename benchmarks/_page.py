"""How do the figures look as a page of the documentation, with plots?"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Dict, List, Sequence

from _report import plots, table_row
from _rows import title_of

_TOP = """\
How fast it is
==============

.. Written by ``python benchmarks``; edit the scripts, not this.

.. figure:: speed-one-ready.svg
   :alt: Microseconds for a select() that finds one file ready, against the number of registered
         files: coopselectors stays level in every runtime.
   :figclass: plot

The first plot shows a ``select()`` call that finds one file ready.  Its cost does not depend on the
number of registered files.  Every figure in the tables is our cost divided by the peer's, so less
than 1 is better.  One command measures it all on your machine; it needs valgrind and strace::

    python -m pip install ".[gevent,eventlet,bench]" && python benchmarks
"""

_INSTRUCTIONS = """\
Instructions
------------

valgrind's callgrind counts the instructions in user space, for N repetitions and for 2 N.  The
difference is the cost of N repetitions, without start and set-up.  The load of the machine does not
change it.  The work of the kernel is not included; strace counts the ``epoll_wait`` calls.

callgrind makes a program some fifty times slower.  gevent and ours take a turn of the hub's loop
after a time that depends on ``sys.getswitchinterval()``: ours at one call of twenty or more, for
some 16,000 instructions.  The programs measured here make that interval so long that it never ends.

A *hop* is a greenlet that wakes another one over a socket; most of the time, the other one has not
gone to sleep yet.  For an *answer of a process*, the greenlet always sleeps in the hub.  *As
communicate* does what ``subprocess.Popen.communicate`` does: it registers two files, selects twice,
unregisters both and closes the selector.  The rows of programs compare a process after
``install(select=True)`` with one without."""

_TIMES = """\
Times
-----

Processor time in microseconds, in processes that take turns.  The table shows the median over all
rounds, and the median of the ratios of each round.  *By the clock* is the same ratio in elapsed
time, which includes whatever else the machine did."""

_OTHERS = """\
What others notice
------------------

A *ticker* should run every millisecond.  Its delay is processor time of a process that is always
busy: four pairs of greenlets wake each other, or one greenlet's file is always ready.  The garbage
collector is off.

*Memory of greenlets* is what the process uses for each waiting greenlet, including the greenlet
itself.  *Memory of files* is what the interpreter allocates for each registered file."""

#: {curve: title}
_CURVES = {
    "one-ready": "One file is ready, and many are registered",
    "all-ready": "All registered files are ready",
    "hop": "Two hops, beside many idle files",
}

_COLOURS = {"ours": "tab:blue", "hub": "tab:red", "standard": "tab:green"}

#: Why bounds may be out of reach: (the beginnings of their titles, the reason).
_REASONS = (
    (
        ("make, register, select, close", "two files, as communicate"),
        "Ours marks its epoll.  Before it closes the descriptor, it makes sure that the number "
        "still means that epoll, since a program may have closed it and opened a file of its own.  "
        "It also wakes every thread that is blocked there.  A finalizer does the same for a "
        "selector that was dropped.  Without all this, the first native row would be 1.1.",
    ),
    (
        ("1 ready of 1000", "register and unregister", "modify"),
        "Each call finds out whether the process has forked and who has patched the select module "
        "now.",
    ),
    (
        ("hop", "answer of a process"),
        "The hub watches an epoll of ours in which the selector's is nested, so two epolls are "
        "polled.  A signal handler may raise between any two lines, and no wake-up is lost.",
    ),
    (
        ("1000 ready of 1000",),
        "Most of this is the kernel's own work.  Under a hub, the switch to the hub and back comes "
        "on top, and a turn of the hub's loop five times in each millisecond.",
    ),
    (
        ("select.select, hop", "poll.poll, hop"),
        "The hub's own call watches the file itself.  Ours asks the kernel before and after the "
        "sleep, and checks that each number still means the same file.  So it reports a closed "
        "file at once, and never reports data that another greenlet has read.",
    ),
    (
        ("epoll.poll, 1 ready",),
        "The call takes 0.6 microseconds.  Ours also reads the clock, to know when other greenlets "
        "should run.",
    ),
    (
        ("urllib3", "subprocess.run", "multiprocessing.connection.wait", "asyncio"),
        "Most programs make a selector for each wait.  asyncio keeps one, and often asks it when "
        "nothing is ready: that costs 1.4 times as much as in the standard class, and a call that "
        "finds many files a third.",
    ),
    (
        ("import coopselectors", "modules that import"),
        "Ours loads 50 small files of its own, and ``typing`` for its type hints.",
    ),
    (
        ("SelectSelector, 1 ready of 1000",),
        "select(2) itself takes most of this time.",
    ),
    (
        ("delay of a 1 ms ticker",),
        "A greenlet whose files are always ready may keep timers waiting for 0.2 ms, so that most "
        "calls need no turn of the loop.  With GeventSelector, the loop turns at each call.",
    ),
    (
        ("memory for each idle file",),
        "Ours keeps the finished answer of ``select()`` for each file, and makes none at the call.",
    ),
)


def write(figures: Dict[str, Any], folder: Path) -> None:
    """The page ``speed.rst``, and beside it the plots that it shows."""
    lines = [_TOP]
    for name, lines_of in figures["curves"].items():
        title = _CURVES[name]
        file = folder / f"speed-{name}.svg"
        _curves(lines_of, title, file)
        if name != "one-ready":
            lines += [f".. figure:: {file.name}", f"   :alt: {title}", "   :figclass: plot", ""]
    made = f"This page was made with {figures['versions']}, on {figures['processors']} processors."
    lines += [*textwrap.wrap(made, 100), ""]
    counted, timed = figures["instructions"], figures["times"]
    if counted:
        lines += [_INSTRUCTIONS, "", *_table(counted, "Ours", "Peer's"), ""]
    lines += [_TIMES, "", *_table(timed, "Ours", "Peer's"), ""]
    lines += [_OTHERS, "", *_table(figures["others"], "Ours", "Peer's")]
    lines += _reasons([*counted, *timed, *figures["others"]])
    (folder / "speed.rst").write_text("\n".join(lines) + "\n")


def _table(results: Sequence[Dict[str, Any]], ours: str, peer: str) -> List[str]:
    clock = any("clock" in result for result in results)
    lines = [".. list-table::", "   :header-rows: 1", ""]
    heads = ["Runtime", "Work", "Against", ours, peer, "Figure", "At most"]
    lines += table_row(*heads, *["By the clock"] * clock)
    for result in results:
        figure = f"{result['figure']:.3g}"
        if not result["held"]:
            figure += " (missed)"
        at_most = "" if result["at most"] is None else f"{result['at most']:.3g}"
        runtime = result["name"].partition("/")[0]
        costs = (f"{_number(result[who])}{_UNITS[result['unit']]}" for who in ("ours", "peer"))
        by_clock = [f"{result['clock']:.3g}"] if clock else []
        row = [runtime, result["title"], result["against"], *costs, figure, at_most, *by_clock]
        lines += [text.rstrip() for text in table_row(*row)]
    return lines


_UNITS = {
    "instructions": "",
    "calls": " calls",
    "modules": " modules",
    "milliseconds": " ms",
    "microseconds": "",
    "bytes": " bytes",
}


def _number(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _reasons(results: Sequence[Dict[str, Any]]) -> List[str]:
    """Why some bounds were missed."""
    missed = [result["title"] for result in results if not result["held"]]
    lines: List[str] = []
    for beginnings, reason in _REASONS:
        found = [each for each in beginnings if any(title.startswith(each) for title in missed)]
        if found:
            lines += ["", *textwrap.wrap(f"**{'; '.join(found)}.**  {reason}", 100)]
    return ["", "Missed bounds", "-------------", *lines] if lines else []


def _curves(runtimes: Dict[str, Any], title: str, file: Path) -> None:
    with plots(list(runtimes), title, file) as all_axes:
        for runtime, axes in all_axes.items():
            for subject, points in runtimes[runtime].items():
                files, seconds = zip(*points)
                axes.plot(
                    files,
                    [1e6 * each for each in seconds],
                    marker="o",
                    markersize=4,
                    linewidth=2,
                    color=_COLOURS[subject],
                    label="coopselectors" if subject == "ours" else title_of(runtime, subject),
                )
            axes.set(xscale="log", yscale="log", xlabel="files", ylabel="microseconds")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_major_formatter("{x:g}")
