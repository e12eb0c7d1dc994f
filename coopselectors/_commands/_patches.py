"""How does a command patch the process before the program begins?"""

from __future__ import annotations

import argparse
import importlib

#: {library: where its patch is, and what it is called}
PATCHES = {"gevent": ("gevent.monkey", "patch_all"), "eventlet": ("eventlet", "monkey_patch")}


def patch(parser: argparse.ArgumentParser, library: str) -> None:
    """Patch with `library`; ends with an error if it is not there."""
    module, function = PATCHES[library]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        parser.error(f"cannot patch with {library}: {error}")
    getattr(found, function)()
