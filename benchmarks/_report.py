"""What do all pages that figures are written to have in common?"""

from __future__ import annotations

import platform
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence


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
    """One plot for each runtime, beside each other, saved at the end."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "coopselectors"  # the same figures, the same file
    from matplotlib import pyplot

    figure, all_axes = pyplot.subplots(
        1, len(runtimes), figsize=(4 * len(runtimes), 4), sharey=True, squeeze=False
    )
    for axes, runtime in zip(all_axes[0], runtimes):
        axes.set(title=runtime)
        axes.grid(alpha=0.3)
    yield dict(zip(runtimes, all_axes[0]))
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
