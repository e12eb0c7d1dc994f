"""``python -m coopselectors info``: how do selectors wait here, and why?"""

from __future__ import annotations

import json
from typing import Sequence

from .._info import info
from ._terminal import Output, folded, parser_of

_DESCRIPTION = """
Print how selectors wait in this process, and why: the versions of
coopselectors, Python, gevent and eventlet, the runtime, and the class that
DefaultSelector chooses.  Add this output to a bug report.
"""


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("info", "[--json]", _DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    options = parser.parse_args(arguments)
    found = info()
    output = Output("stdout")
    if options.json:
        output.print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            lines = [f"{key}: {each or 'not installed'}" for key, each in value.items()]
        else:
            lines = value if isinstance(value, list) else [str(value)]
        folded_lines = [folded(line, 6 * " ") for line in lines]
        output.print("\n    ".join([f"{name.replace('_', ' ')}:", *folded_lines]))
    return 0
