"""``python -m coopselectors info``: how do selectors wait here, and why?"""

from __future__ import annotations

import argparse
import json
from typing import Sequence

from .._info import info


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coopselectors info", description="How do selectors wait here, and why?"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.parse_args(arguments)
    found = info()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            lines = [f"{key}: {each or 'not installed'}" for key, each in value.items()]
        else:
            lines = value if isinstance(value, list) else [str(value)]
        print(f"{name.replace('_', ' ')}:", *lines, sep="\n    ")
    return 0
