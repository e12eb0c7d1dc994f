"""Do eventlet's own tests of its patcher pass with ours installed, on each of its hubs?

``python integration/patcher.py [HUB ...]`` runs eventlet's ``tests/patcher_test.py``, which starts
programs that patch.  In each of them, ``coopselectors.install(select=True)`` is called at the
start: before ``import eventlet``, or between that and the patch.  It ends with 1 if any
test fails but those that `others` gives a reason for.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import others
from common import environment

HUBS = ("epolls", "poll", "selects", "asyncio")

#: {order: what each program does first}
ORDERS = {
    "before the import": "",
    "before the patch": "import warnings; warnings.simplefilter('ignore')\nimport eventlet\n",
}
INSTALL = "import coopselectors\ncoopselectors.install(select=True)\n"

#: Seconds for the tests on one hub.
LIMIT = 300


def failures(source: str, hub: str, folder: Path) -> set[str]:
    """Which tests fail with the `sitecustomize` in `folder`; all of them, if none was run."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfE"]
    done = subprocess.run(
        [*command, "tests/patcher_test.py"],
        cwd=source,
        env={**environment([folder]), "EVENTLET_HUB": hub},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if " passed" not in done.stdout:
        return {f"no test has passed: {done.stdout[-800:]}{done.stderr[-800:]}"}
    return set(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))


def main(wanted: list[str]) -> int:
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        suite = others.Suite("tests.patcher_test", "eventlet", "eventlet")
        source = others.source_of(suite, Path(temporary))
        for hub in wanted or HUBS:
            for order, first in ORDERS.items():
                folder = Path(temporary, f"{hub} {order}")
                folder.mkdir()
                (folder / "sitecustomize.py").write_text(first + INSTALL)
                failed = failures(source, hub, folder)
                new = {test for test in failed if not others.expectation(test)}
                if new:  # their limits are short: on a busy machine they have to fail twice
                    new &= failures(source, hub, folder)
                print(f"{hub:8} {order:18} {len(failed)} failed, {len(new)} new", flush=True)
                for test in sorted(new):
                    print(f"    NEW: {test}", flush=True)
                bad += len(new)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
