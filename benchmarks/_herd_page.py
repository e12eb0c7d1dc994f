"""How do the figures of the herd look, as text and as a part of a page?"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

from _report import plots, table_row

Result = Dict[str, Any]

_TOP = """\
.. Written by ``python benchmarks/herd.py --page docs``; edit the scripts, not this.

Several workers wait for one listening socket, each with its own selector.  A client connects again
and again, each time when all workers are idle.  *Exclusive* means ``register(listener, EVENT_READ,
extra_events=select.EPOLLEXCLUSIVE)``.  The standard module and gevent's selector do not offer it.
One command measures it on your machine::

    python -m pip install ".[gevent,bench]" && python benchmarks/herd.py
"""

_COUNTED = """\
A thread that is woken makes one context switch when it goes back to sleep.  The table counts these
switches, over all threads of all workers.  The number in brackets counts only the workers that did
not get the connection.  Not every worker that was woken for nothing calls ``accept()``.  The kernel
looks again before the wait returns, and so does coopselectors under a hub.  If the connection is
gone by then, the worker goes back to sleep."""

_NAMES = {
    ("stdlib", "plain"): "stdlib, plain",
    ("gevent", "plain"): "gevent's selector, plain",
    ("ours", "plain"): "coopselectors, plain",
    ("ours", "exclusive"): "coopselectors, exclusive",
}

#: (title, what is said of a result)
_TABLES: Tuple[Tuple[str, Callable[[Result], str]], ...] = (
    (
        "Context switches for each connection, in all workers (in the idle ones)",
        lambda result: f"{result['switches']:.2f} ({result['idle switches']:.2f})",
    ),
    (
        "Calls of ``accept()`` that found no connection, for each connection",
        lambda result: f"{result['in vain']:.2f}",
    ),
    (
        "Microseconds from ``connect()`` to the first byte, median (ratio to coopselectors, plain)",
        lambda result: f"{result['seconds'] * 1e6:.0f} ({result['ratio']:.2f})",
    ),
    (
        "Share of the connections that the busiest worker got",
        lambda result: f"{result['busiest']:.0%}",
    ),
)


def text(results: List[Result]) -> str:
    """All figures, a line for each kind and number of workers."""
    form = "{:>7}  {:12}  {:24} {:>8} {:>8} {:>6} {:>7} {:>6} {:>6} {:>7}"
    heads = ("workers", "runtime", "selector", "accepted", "switches", "idle", "in vain")
    lines = [form.format(*heads, "usec", "ratio", "busiest")]
    for result in results:
        runtime, *how = result["case"]
        lines.append(
            form.format(
                result["workers"],
                runtime,
                _NAMES[tuple(how)],
                sum(result["accepted"]),
                f"{result['switches']:.2f}",
                f"{result['idle switches']:.2f}",
                f"{result['in vain']:.2f}",
                f"{result['seconds'] * 1e6:.0f}",
                f"{result['ratio']:.2f}",
                f"{result['busiest']:.0%}",
            )
        )
    return "\n".join(lines)


def write(figures: Dict[str, Any], folder: Path) -> None:
    """``herd.rst``, to be included by a page beside it, and the plot that it shows."""
    results: List[Result] = figures["results"]
    title = "Context switches for each connection, against the number of workers"
    _plot(results, title, folder / "herd.svg")
    made = f"This was made with {figures['versions']}, on {figures['processors']} processors, "
    made += f"with {results[0]['connections']} connections to each kind of worker."
    lines = [_TOP, *_wrapped(made), "", ".. figure:: herd.svg", f"   :alt: {title}"]
    lines += ["   :figclass: plot", ""]
    lines += [_COUNTED, "", *_price(results), *_shares(results)]
    numbers = list(dict.fromkeys(result["workers"] for result in results))
    for title, figure in _TABLES:
        lines += [f".. list-table:: {title}", "   :header-rows: 1", ""]
        lines += table_row("Runtime", "Selector", *(_workers(number) for number in numbers))
        for (runtime, *how), found in _by_case(results).items():
            lines += table_row(runtime, _NAMES[tuple(how)], *map(figure, found))
        lines.append("")
    (folder / "herd.rst").write_text("\n".join(lines[:-1]) + "\n")


def _workers(number: int) -> str:
    return f"{number} worker{'s' * (number > 1)}"


def _wrapped(paragraph: str) -> List[str]:
    return textwrap.wrap(paragraph, 100, break_on_hyphens=False)


def _by_case(results: List[Result]) -> Dict[Tuple[str, ...], List[Result]]:
    found: Dict[Tuple[str, ...], List[Result]] = {}
    for result in results:
        found.setdefault(tuple(result["case"]), []).append(result)
    return found


def _price(results: List[Result]) -> List[str]:
    """What an exclusive wake-up costs, and from when on it is worth it under gevent."""
    found = _by_case(results)
    native = found["native", "ours", "exclusive"]
    few, many = native[0], native[-1]
    said = (
        "In an ordinary process an exclusive wake-up wakes one worker, whatever their number.  "
        "``select()`` takes a little longer, because its result carries the kernel's own mask.  "
        f"With {_workers(few['workers'])}, the client waits {few['ratio']:.2f} times as long for "
        f"its first byte as without the flag; with {_workers(many['workers'])}, "
        f"{many['ratio']:.2f} times."
    )
    lines = [*_wrapped(said), ""]
    plain = found.get(("gevent-libev", "ours", "plain"), [])
    exclusive = found.get(("gevent-libev", "ours", "exclusive"), [])
    if not exclusive:
        return lines
    ratios = [result["ratio"] for result in exclusive]
    own = [result["switches"] - result["idle switches"] for result in exclusive]
    said = (
        "Under gevent an exclusive wake-up is more expensive, because a thread waits for the file "
        "in the greenlet's place, and then wakes the greenlet.  The worker that gets the "
        f"connection makes {min(own):.1f} to {max(own):.1f} context switches, instead of 1.  The "
        f"client waits {min(ratios):.2f} to {max(ratios):.2f} times as long for its first byte.  "
    )
    gains = [
        result["workers"]
        for result, other in zip(exclusive, plain)
        if result["switches"] < 0.75 * other["switches"]
    ]
    if gains:
        said += (
            f"So the flag saves context switches from about {_workers(gains[0])} on.  With fewer, "
            "it gains little or nothing."
        )
    else:
        said += "The flag saved no context switches worth mentioning."
    return [*lines, *_wrapped(said), ""]


def _shares(results: List[Result]) -> List[str]:
    """Who gets the connections."""
    shares = [r["busiest"] for r in results if r["case"][2] == "exclusive" and r["workers"] > 1]
    if not shares:
        return []
    most = "all of them" if min(shares) == 1 else f"at least {min(shares):.0%} of them"
    said = (
        "An exclusive wake-up goes to the first waiting worker, in the order in which the workers "
        "registered the socket.  On a machine that is idle between the connections, one worker "
        f"gets {most}.  The others get connections that arrive while that worker is busy.  To "
        "spread connections evenly, use other means, such as SO_REUSEPORT."
    )
    return [*_wrapped(said), ""]


def _plot(results: List[Result], title: str, file: Path) -> None:
    found = _by_case(results)
    with plots(list(dict.fromkeys(case[0] for case in found)), title, file) as all_axes:
        for (runtime, *how), series in found.items():
            points = [(result["workers"], result["switches"]) for result in series]
            axes = all_axes[runtime]
            # Broad and pale is what another line lies on.
            style = {} if how[0] == "ours" else {"linewidth": 6, "alpha": 0.4}
            label = _NAMES[tuple(how)]
            axes.plot(*zip(*points), marker="o", markersize=3, label=label, **style)
        for axes in all_axes.values():
            numbers = sorted({result["workers"] for result in results})
            axes.set(xscale="log", yscale="log", xlabel="workers")
            axes.set_xticks(numbers, numbers)
            axes.set_yticks(numbers, numbers)
            axes.minorticks_off()
