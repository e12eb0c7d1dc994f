"""Where was it run?  Prints docs/platforms.rst, out of what the runs of the tests have noted.

python docs/platforms.py .tox > docs/platforms.rst
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.matrix import table

if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("matrix-*.json"))
    print(table([json.loads(file.read_text()) for file in files]), end="")
