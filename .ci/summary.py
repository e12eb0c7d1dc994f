"""What ran where, and what took longest?  Prints what the runs of the tests have left in a folder.

python .ci/summary.py .tox
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.summary import lines

SLOWEST = 20


def main() -> None:
    slowest = []
    for file in sorted(Path(sys.argv[1]).glob("summary-*.json")):
        name = file.stem.removeprefix("summary-")
        found = json.loads(file.read_text())
        slowest += [(seconds, f"{name}: {test}") for test, seconds in found["slowest"]]
        print(f"\n{name}\n{'-' * len(name)}")
        print("\n".join(lines(found)))
    print(f"\nThe {SLOWEST} slowest tests, in seconds\n")
    for seconds, test in sorted(slowest, reverse=True)[:SLOWEST]:
        print(f"{seconds:7.1f}  {test}")


if __name__ == "__main__":
    main()
