"""What the tests share: runtimes and the workers that run them, stand-ins, models, tables.

A module of this package is imported as ``support.NAME``, also by scripts that tests start: `TESTS`
is the folder to put on their path.
"""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent

#: The checkout, or the unpacked sdist: README, docs, examples.  Not where the package is imported
#: from, which may be an installed wheel.
ROOT = TESTS.parent
