"""What do all pages that figures are written to have in common?"""

from __future__ import annotations

import platform
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

#: It can be read on white and on black alike.
_GREY = "#7d7d7d"


def versions(*libraries: str) -> str:
    """What the figures were made with: the interpreter, these libraries, the kernel."""
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    for name in libraries:
        found.append(f"{name} {metadata.version(name)}")
    return ", ".join([*found, f"{platform.system()} {platform.release().partition('-')[0]}"])


def table_row(*texts: str) -> List[str]:
    """The lines of one row of a ``list-table``."""
    return [("   * - " if not index else "     - ") + text for index, text in enumerate(texts)]


@contextmanager
def plots(runtimes: Sequence[str], title: str, file: Path) -> Iterator[Dict[str, Any]]:
    """One plot for each runtime, beside each other, saved at the end with a legend for all.

    There is no background, and all that is not a line is grey: the page may be light or dark.
    """
    import matplotlib

    matplotlib.use("svg")
    style: Dict[str, Any] = {
        "svg.hashsalt": "coopselectors",  # the same figures, the same file
        "svg.fonttype": "none",
        "savefig.transparent": True,
        "legend.framealpha": 0,
        "grid.color": _GREY,
        "font.size": 11,
    }
    for part in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
        style[part] = _GREY
    with matplotlib.rc_context(style):
        from matplotlib import pyplot

        figure, all_axes = pyplot.subplots(
            1, len(runtimes), figsize=(3.2 * len(runtimes), 3.8), sharey=True, squeeze=False
        )
        for axes, runtime in zip(all_axes[0], runtimes):
            axes.set_title(runtime)
            axes.grid(alpha=0.4)
        yield dict(zip(runtimes, all_axes[0]))
        figure.suptitle(title)
        found = {}
        for axes in all_axes[0]:
            for line, label in zip(*axes.get_legend_handles_labels()):
                found.setdefault(label, line)
        figure.tight_layout(rect=(0, 0.1, 1, 1))
        figure.legend(found.values(), found, loc="lower center", ncol=len(found))
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)
