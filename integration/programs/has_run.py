"""Does this coopselectors have the command ``python -m coopselectors run``?"""

import subprocess
import sys

asked = subprocess.run(
    [sys.executable, "-m", "coopselectors", "run", "--help"],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
    check=False,
)
print("verdict:", "yes" if "coopselectors run" in asked.stdout.partition("\n\n")[0] else "no")
