"""What does one select call look like, and who imports whom?  Draws docs/*.svg.

    python docs/drawings.py

The modules are drawn from their imports, and a test sees that what is there is what this draws.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent)]

from internals.test_layers import LAYERS, PACKAGE, imports_of  # noqa: E402

# Ground and ink change together, so that both can be read whatever the page around them is.
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
.head, .name { font-weight: 600 } .code, .name { font-family: ui-monospace, monospace }
.soft { fill: #59636e } .ground { fill: #f6f8fa }
.lane { stroke: #afb8c1; stroke-dasharray: 3 4 } .box { fill: #ffffff; stroke: #8c959f }
.bar { fill: #ffe3b3; stroke: #d99a2b } .arrow { stroke: #0b5cad; stroke-width: 1.6; fill: none }
.back { stroke-dasharray: 5 4 } .tip { fill: #0b5cad }
.arc { stroke: #0b5cad; stroke-opacity: .55; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .soft { fill: #9aa5b1 } .ground { fill: #1c2128 } .lane { stroke: #545d68 }
.box { fill: #2d333b; stroke: #768390 } .bar { fill: #5c4313; stroke: #d99a2b }
.arrow, .arc { stroke: #6cb6ff } .tip { fill: #6cb6ff }
}"""


class Arrow(NamedTuple):
    """A call, or its answer if it goes to the left."""

    start: int
    end: int
    text: str


class Note(NamedTuple):
    """What happens in a lane, or, if `width` is given, in the lanes from there on."""

    lane: int
    text: str
    width: int = 1


SELECT = Arrow(0, 1, "select(timeout)")
KEYS = Arrow(1, 0, "[(key, events), …]")

NATIVE = (
    ["your thread", "the selector", "its epoll"],
    [
        SELECT,
        Note(1, "select.select is built in"),
        Arrow(1, 2, "epoll_wait(timeout)"),
        Note(0, "the thread sleeps in the kernel, others run on", 3),
        Arrow(2, 1, "[(fd, mask), …]"),
        KEYS,
    ],
)

HUB = (
    ["your greenlet", "the selector", "the hub", "the nest", "its epoll"],
    [
        SELECT,
        Note(1, "select.select is the hub's"),
        Arrow(1, 2, "let others run"),
        Arrow(2, 1, "switch"),
        Arrow(1, 4, "epoll_wait(0)"),
        Arrow(4, 1, "nothing"),
        Arrow(1, 3, "take a seat: nest the epoll, or unmute it"),
        Arrow(1, 2, "sleep, timer"),
        Note(0, "your greenlet sleeps, the hub and all others run", 3),
        Arrow(4, 3, "is readable"),
        Arrow(3, 2, "is readable"),
        Arrow(2, 1, "switch"),
        Arrow(1, 4, "epoll_wait(0)"),
        Arrow(4, 1, "[(fd, mask), …]"),
        KEYS,
    ],
)

FOREIGN = (
    ["your code", "the selector", "their select.select", "its epoll"],
    [
        SELECT,
        Note(1, "select.select is theirs"),
        Arrow(1, 2, "select([fd], [], [], …)"),
        Note(0, "waits as its author meant it to", 3),
        Arrow(2, 1, "[fd], [], []"),
        Arrow(1, 3, "epoll_wait(0)"),
        Arrow(3, 1, "[(fd, mask), …]"),
        KEYS,
    ],
)

LANE, STEP, TOP = 176, 36, 66


def svg(width: int, height: int, shapes: list[str]) -> str:
    """A whole file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{escape(said)}</text>'


def call(lanes: list[str], steps: list[Arrow | Note]) -> str:
    """What is said between the lanes, from top to bottom."""
    width, height = LANE * len(lanes), TOP + STEP * len(steps)
    middle = [LANE * (number + 0.5) for number in range(len(lanes))]
    shapes = []
    for x, name in zip(middle, lanes):
        shapes += [
            f'<line class="lane" x1="{x:g}" y1="40" x2="{x:g}" y2="{height - 12}"/>',
            f'<rect class="box" x="{x - 76:g}" y="12" width="152" height="28" rx="5"/>',
            text(x, 31, name, "head"),
        ]
    for number, step in enumerate(steps):
        y = TOP + STEP * number + 12
        if isinstance(step, Note):
            start, end = middle[step.lane] - 84, middle[step.lane + step.width - 1] + 84
            kind = "bar" if step.width > 1 else "box"
            shapes += [
                f'<rect class="{kind}" x="{start:g}" y="{y - 17}" width="{end - start:g}" '
                'height="24" rx="4"/>',
                text((start + end) / 2, y, step.text, "" if step.width > 1 else "soft"),
            ]
        else:
            start, end = middle[step.start], middle[step.end]
            back = " back" if end < start else ""
            tip = -7 if end > start else 7
            near = (start + middle[step.start + (1 if end > start else -1)]) / 2
            shapes += [
                f'<path class="arrow{back}" d="M{start:g} {y}H{end + tip:g}"/>',
                f'<path class="tip" d="M{end:g} {y}l{tip * 1.3:g} -5v10z"/>',
                text(near if len(step.text) < 24 else (start + end) / 2, y - 6, step.text),
            ]
    return svg(width, height, shapes)


def edges() -> dict[str, set[str]]:
    """{layer: those that it imports, but for what another of them imports already}"""
    direct, below = {}, {}
    for layer in LAYERS:
        path = PACKAGE / layer
        files = list(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        direct[layer] = {name for file in files for name in imports_of(file)} & {
            *LAYERS[: len(direct)]
        }
        below[layer] = direct[layer].union(*(below[name] for name in direct[layer]))
    return {
        layer: {name for name in names if not any(name in below[other] for other in names)}
        for layer, names in direct.items()
    }


def question(layer: str) -> str:
    """The first sentence of a layer."""
    path = PACKAGE / layer
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    first = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))).splitlines()[0]
    for mark in "?:":
        before, found, _ = first.partition(mark)
        if found:
            return (before + mark.strip(":")).replace("`", "")
    return first


def modules() -> str:
    """One line for each, with arcs for the imports."""
    step, left = 30, 190
    width, height = 920, step * len(LAYERS) + 24
    at = {layer: 12 + step * (number + 0.5) for number, layer in enumerate(LAYERS)}
    shapes = []
    for layer, names in edges().items():
        for name in sorted(names):
            start, end = at[name], at[layer]
            reach = left - 8 - min(170, 12 + 0.42 * (end - start))
            shapes.append(
                f'<path class="arc" d="M{left - 8} {end:g}C{reach:g} {end:g} {reach:g} {start:g} '
                f'{left - 8} {start:g}"/>'
            )
    for layer, y in at.items():
        shapes += [
            f'<circle class="tip" cx="{left - 4}" cy="{y:g}" r="3.5"/>',
            text(left + 8, y + 4, layer, "name", "start"),
            text(left + 116, y + 4, question(layer), "soft", "start"),
        ]
    return svg(width, height, shapes)


def drawings() -> dict[str, str]:
    """{file: what it contains}"""
    return {
        "select-native.svg": call(*NATIVE),
        "select-hub.svg": call(*HUB),
        "select-foreign.svg": call(*FOREIGN),
        "modules.svg": modules(),
    }


if __name__ == "__main__":
    for name, content in drawings().items():
        (HERE / name).write_text(content, encoding="utf-8")
