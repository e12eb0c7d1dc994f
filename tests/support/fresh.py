"""How does a test run a function of its own in a fresh interpreter of its runtime?

What closes every descriptor, or stops at each line of the package, must not happen to the
interpreter that runs the other tests.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from typing import Any, Callable

from . import TESTS, runtimes

_START = "from support.fresh import main; main()"


class Fresh:
    """Fresh interpreters of one runtime."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime

    def start(self, function: Callable[..., Any], *arguments: Any) -> subprocess.Popen[str]:
        """Have an interpreter call ``function(runtime, *arguments)``."""
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        what = json.dumps([inspect.getfile(function), function.__name__, self.runtime, arguments])
        return subprocess.Popen(
            [sys.executable, "-c", _START, what],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def result(self, process: subprocess.Popen[str], limit: float = 110) -> Any:
        """What the function returned; AssertionError if its process did not end well."""
        try:
            said, complaint = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            said, complaint = process.communicate()
            complaint = f"no end after {limit} s\n{complaint}"
        lines = said.splitlines()
        assert process.returncode == 0, f"{process.returncode}\n{said}\n{complaint}"
        return json.loads(lines[-1])

    def __call__(self, function: Callable[..., Any], *arguments: Any, limit: float = 110) -> Any:
        return self.result(self.start(function, *arguments), limit)


def main() -> None:
    """The other end: this is the fresh interpreter."""
    path, name, runtime, arguments = json.loads(sys.argv[1])
    faulthandler.dump_traceback_later(100, exit=True)
    import coopselectors  # noqa: F401 - before the patch, which is what most programs get wrong

    entered = runtimes.enter(runtime)
    spec = importlib.util.spec_from_file_location("fresh_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fresh_test"] = module
    spec.loader.exec_module(module)
    said = json.dumps(getattr(module, name)(entered, *arguments))
    os.write(1, f"\n{said}\n".encode())
    os._exit(0)
