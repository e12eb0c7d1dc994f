"""``python -m coopselectors``: see with one command that it works here.

For the ordinary process, for each installed loop of gevent and for eventlet, a fresh interpreter
makes its selector *before* it patches, and then serves a few hundred TCP clients.  Meanwhile a
ticker measures the longest delay.  The exit status is 0 if every installed runtime served all
clients, byte for byte, and blocked nothing; otherwise it is 1.

``python -m coopselectors info`` prints the result of `coopselectors.info`.  ``python -m
coopselectors audit -m PACKAGE``, or ``audit SCRIPT``, imports that program and prints what
`coopselectors.audit` finds.  ``python -m coopselectors run SCRIPT``, or ``run -m MODULE``, runs a
program as ``python`` would, after `coopselectors.install`.  Each command has its own ``--help``.
"""

from __future__ import annotations

import sys
from typing import Optional, Sequence


def main(arguments: Optional[Sequence[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    # Each command imports only what it needs: `audit` would find what another one has imported, and
    # `run` must leave no trace.
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
