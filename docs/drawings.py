"""What does one select call look like, and how is the package layered?  Draws docs/*.svg.

    python docs/drawings.py

A test compares the files with what this draws, and `GROUPS` with the layers of the package.
"""

from __future__ import annotations

import sys
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent)]

from internals.test_layers import LAYERS, PACKAGE  # noqa: E402

# Background and text change together, so a drawing is readable whatever the page around it is.
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
.head, .name { font-weight: 600 } .code, .name { font-family: ui-monospace, monospace }
.soft { fill: #59636e } .ground { fill: #f6f8fa }
.lane { stroke: #afb8c1; stroke-dasharray: 3 4 } .band { fill: #e7edf3; stroke: #c3ccd5 }
.box { fill: #ffffff; stroke: #8c959f }
.bar { fill: #ffe3b3; stroke: #d99a2b } .arrow { stroke: #0b5cad; stroke-width: 1.6; fill: none }
.back { stroke-dasharray: 5 4 } .tip { fill: #0b5cad }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .soft { fill: #9aa5b1 } .ground { fill: #1c2128 } .lane { stroke: #545d68 }
.band { fill: #22303f; stroke: #3d4f61 }
.box { fill: #2d333b; stroke: #768390 } .bar { fill: #5c4313; stroke: #d99a2b }
.arrow { stroke: #6cb6ff } .tip { fill: #6cb6ff }
}"""


#: The layers by what they are about, the lowest first: (question, modules).
GROUPS = [
    (
        "What did the platform offer, and who has patched it?",
        ["_version", "_unpatched", "_runtime"],
    ),
    (
        "What keeps threads, processes and descriptors apart?",
        ["_threads", "_lock", "_fork", "_owned", "_wakeup"],
    ),
    ("What does one primitive of the operating system do?", ["_backends"]),
    (
        "Which files are watched, for which waiters, and in which state?",
        ["_pollers"],
    ),
    ("How does one wait in this runtime?", ["_hubs"]),
    (
        "What do programs import?",
        [
            "_pickling",
            "select",
            "_keys",
            "_extra_events",
            "_ready",
            "_base_selector",
            "_selectors",
            "_followers",
            "_default",
            "_info",
        ],
    ),
    (
        "Who else holds the standard classes, and how are they replaced?",
        ["_references", "_install", "_audit"],
    ),
    (
        "Does it work here, and what blocks?",
        ["_watchdog", "_check", "_commands", "pytest_plugin", "__main__"],
    ),
]


class Arrow(NamedTuple):
    """A call; an arrow to the left is its result."""

    start: int
    end: int
    text: str


class Note(NamedTuple):
    """What happens in a lane, or in `width` lanes from that one on."""

    lane: int
    text: str
    width: int = 1


SELECT = Arrow(0, 1, "select(timeout)")
KEYS = Arrow(1, 0, "[(key, events), …]")

NATIVE = (
    ["your thread", "the selector", "its epoll"],
    [
        SELECT,
        Note(1, "nobody patched select"),
        Arrow(1, 2, "epoll_wait(timeout)"),
        Note(0, "the thread sleeps in the kernel; other threads run", 3),
        Arrow(2, 1, "[(fd, mask), …]"),
        KEYS,
    ],
)

HUB = (
    ["your greenlet", "the selector", "the hub", "the outer epoll", "the selector's epoll"],
    [
        SELECT,
        Note(1, "a hub patched select"),
        Arrow(1, 2, "let others run once"),
        Arrow(2, 1, "switch back"),
        Arrow(1, 4, "epoll_wait(0)"),
        Arrow(4, 1, "nothing is ready"),
        Arrow(1, 3, "first time: add the selector's epoll"),
        Arrow(1, 2, "sleep, with a timer"),
        Note(0, "your greenlet sleeps; the hub runs all the others", 3),
        Arrow(4, 3, "readable"),
        Arrow(3, 2, "readable"),
        Arrow(2, 4, "epoll_wait(0)"),
        Arrow(4, 2, "[(fd, mask), …]"),
        Arrow(2, 1, "switch back"),
        KEYS,
    ],
)

FOREIGN = (
    ["your code", "the selector", "their select.select", "its epoll"],
    [
        SELECT,
        Note(1, "somebody else patched select"),
        Arrow(1, 2, "select([fd], [], [], …)"),
        Note(0, "it waits as its author intended", 3),
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
    """Draw the calls between the lanes, from top to bottom."""
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


def lines_of(layers: list[str]) -> list[list[str]]:
    """What stands side by side: neighbouring modules, or a subpackage and its files."""
    lines: list[list[str]] = []
    for is_package, names in groupby(layers, lambda layer: (PACKAGE / layer).is_dir()):
        if not is_package:
            lines.append([*names])
            continue
        for name in names:
            files = sorted(path.stem for path in (PACKAGE / name).glob("*.py"))
            lines.append([f"{name}/", *(file for file in files if file != "__init__")])
    return lines


def modules() -> str:
    """Draw a band for each group of layers, the lowest at the bottom."""
    named = [name for _, names in GROUPS for name in names]
    assert named == LAYERS, "GROUPS and the layers of tests/internals/test_layers.py differ"
    width, margin, chip, space = 880, 16, 26, 8
    shapes = []
    top = margin
    for asked, names in reversed(GROUPS):
        rows: list[list[tuple[float, float, str]]] = []
        for layers in lines_of(names):
            x = width + 0.0
            for name in layers:
                size = 18 + 8 * len(name)
                if x + size > width - margin - 14:
                    rows.append([])
                    x = margin + 14.0
                rows[-1].append((x, size, name))
                x += size + space
        height = 36 + len(rows) * (chip + space)
        shapes += [
            f'<rect class="band" x="{margin}" y="{top}" width="{width - 2 * margin}" '
            f'height="{height}" rx="6"/>',
            text(margin + 14, top + 22, asked, "head", "start"),
        ]
        for number, row in enumerate(rows):
            y = top + 34 + number * (chip + space)
            for x, size, name in row:
                if not name.endswith("/"):
                    box = f'x="{x:g}" y="{y}" width="{size}" height="{chip}" rx="4"'
                    shapes.append(f'<rect class="box" {box}/>')
                shapes.append(text(x + size / 2, y + 17, name, "name"))
        top += height + 10
    return svg(width, top - 10 + margin, shapes)


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
