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

.. image:: speed-one-ready.svg
   :alt: Microseconds for a select() that finds one file ready, against the number of registered
         files: coopselectors stays level in every runtime.

One file is ready, of so many that are registered: a call of ``select()`` costs the same whatever
their number.  Every figure below is our cost divided by the peer's, so that less than 1 is better.
One command measures it all on your machine; it takes valgrind and strace to count::

    python -m pip install ".[gevent,eventlet,bench]" && python benchmarks
"""

_INSTRUCTIONS = """\
Instructions
------------

The instructions in user space, counted by valgrind's callgrind for N repetitions and for 2 N; the
difference is N repetitions without start and set-up.  The machine's load does not change them,
except where a hub's clock decides how often others get their turn.  What the kernel does is not in
them: ``epoll_wait`` calls are counted by strace.  A *hop* is a greenlet woken by another over a
socket.  *As communicate* is what ``subprocess.Popen.communicate`` does: two files, two selects,
unregister, close.  The rows of programs compare a process after ``install(select=True)`` with one
without."""

_TIMES = """\
Times
-----

Processor time in microseconds, of processes that take turns: the median over the rounds, and the
median of the ratios of each round.  The ratio by the clock includes what else the machine did."""

_OTHERS = """\
What others notice
------------------

A *ticker* wants to run each millisecond.  Its delay is given in processor time of a process that is
busy all the time, with four pairs of greenlets that hop or one greenlet whose file is always ready.
Memory of greenlets is what the process takes for each, the greenlet included; memory of files is
what the interpreter allocates for each."""

#: {curve: title}
_CURVES = {
    "one-ready": "One file ready, of so many that are registered",
    "all-ready": "So many files ready, all that are registered",
    "hop": "Two hops, with so many idle files beside",
}

_COLOURS = {"ours": "tab:blue", "hub": "tab:red", "standard": "tab:green"}

_PRIMITIVES = (
    "The hub's own call watches the file itself.  Ours asks the kernel before and after the sleep, "
    "and checks that each number still means the same file: it reports a closed file at once, and "
    "nothing that another greenlet has drained."
)

#: Why a bound may be out of reach, by the beginning of its title.
_REASONS = {
    "1000 ready of 1000": (
        "The kernel's own work is most of it.  Under a hub the switch there and back is added, and "
        "twice a millisecond a turn of the hub's loop."
    ),
    "select.select, blocked hop": _PRIMITIVES,
    "poll.poll, blocked hop": _PRIMITIVES,
    "epoll.poll, 1 ready": (
        "The call takes 0.6 microseconds.  Ours looks at the clock besides, by which other "
        "greenlets get their turn."
    ),
    "delay of a 1 ms ticker": (
        "A greenlet that finds its files ready keeps the processor for up to half a millisecond "
        "before it gives way; GeventSelector gives way each time."
    ),
}


def write(figures: Dict[str, Any], folder: Path) -> None:
    """The page ``speed.rst``, and beside it the plots that it shows."""
    lines = [_TOP]
    made = f"This page was made with {figures['versions']}, on {figures['processors']} processors."
    lines += [*textwrap.wrap(made, 100), ""]
    counted, timed = figures["instructions"], figures["times"]
    if counted:
        lines += [_INSTRUCTIONS, "", *_table(counted, "Ours", "Peer's"), ""]
    lines += [_TIMES, "", *_table(timed, "Ours", "Peer's"), ""]
    lines += [_OTHERS, "", *_table(figures["others"], "Ours", "Peer's")]
    lines += _reasons([*counted, *timed, *figures["others"]])
    for name, lines_of in figures["curves"].items():
        title = _CURVES[name]
        file = folder / f"speed-{name}.svg"
        _curves(lines_of, title, file)
        if name != "one-ready":
            lines += ["", f".. image:: {file.name}", f"   :alt: {title}"]
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
    """What is to be said of the bounds that were not held."""
    missed = [result["title"] for result in results if not result["held"]]
    lines: List[str] = []
    for beginning, reason in _REASONS.items():
        if any(title.startswith(beginning) for title in missed):
            lines += ["", *textwrap.wrap(f"**{beginning}.**  {reason}", 100)]
    return ["", "What was missed, and why", "------------------------", *lines] if lines else []


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
            axes.set(xscale="log", yscale="log", xlabel="files")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_major_formatter("{x:g}")
        next(iter(all_axes.values())).set_ylabel("microseconds")
