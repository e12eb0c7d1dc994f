"""``python -m coopselectors``: see with one command that it works here.

For the ordinary process, for each loop of gevent that is installed and for eventlet, a fresh
interpreter makes its selector *before* it patches, and then serves a few hundred TCP clients while
a ticker measures how long it is kept waiting.  Ends with 0 if every runtime that is there served
all of them, byte for byte, and blocked nobody; else with 1.

``python -m coopselectors info`` prints what `coopselectors.info` says.  ``python -m coopselectors
audit -m PACKAGE``, or ``audit SCRIPT``, prints what `coopselectors.audit` finds after that import.
``python -m coopselectors run SCRIPT``, or ``run -m MODULE``, runs a program as ``python`` would,
after `coopselectors.install`.
"""

from __future__ import annotations

import sys
from typing import Optional, Sequence


def main(arguments: Optional[Sequence[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    # Each imports what it needs and no more: `audit` would find what another one has imported, and
    # `run` is to leave no trace.
    if command == "run":
        from ._commands import run

        return run.main(arguments[1:])
    if command == "audit":
        from ._commands import audit

        return audit.main(arguments[1:])
    if command == "info":
        from ._commands import info

        return info.main(arguments[1:])
    from ._commands import check

    return check.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
