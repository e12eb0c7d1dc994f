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
    """One plot for each runtime, two in a row, saved at the end with a legend for all.

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

        columns = min(2, len(runtimes))
        rows = -(-len(runtimes) // columns)
        height = 2.6 * rows + 1.1
        figure, grid = pyplot.subplots(
            rows, columns, figsize=(3.8 * columns, height), sharex=True, sharey=True, squeeze=False
        )
        all_axes = dict(zip(runtimes, grid.flat))
        for axes in [*grid.flat][len(runtimes) :]:
            axes.set_visible(False)
        for runtime, axes in all_axes.items():
            axes.set_title(runtime)
            axes.grid(alpha=0.4)
        yield all_axes
        figure.suptitle(title)
        found = {}
        for number, axes in enumerate(all_axes.values()):
            label = axes.get_xlabel()
            axes.label_outer()
            if number + columns >= len(runtimes):  # nothing is below
                axes.set_xlabel(label)
                axes.tick_params(labelbottom=True)
            for line, label in zip(*axes.get_legend_handles_labels()):
                found.setdefault(label, line)
        lines = -(-len(found) // 2)
        figure.tight_layout(rect=(0, 0.3 * lines / height, 1, 1))
        figure.legend(found.values(), found, loc="lower center", ncol=2)
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)
