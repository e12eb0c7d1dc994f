"""How do selectors wait here?  One answer for people and for bug reports."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Callable, Dict, Optional, TypeVar, Union

from . import _runtime
from ._default import open_best
from ._hubs import hub_for
from ._version import __version__

_Answer = TypeVar("_Answer")

_LIBRARIES = ("gevent", "eventlet", "greenlet")
_PRIMITIVES = ("select", "poll", "epoll", "devpoll", "kqueue")
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}

# What an installer leaves on `sys.path` ends in one of these.
_ENDINGS = ("dist-info", "egg-info", "egg")

# No descriptor is left, in the process or on the machine.
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)


def info() -> Dict[str, Any]:
    """Return how selectors wait in this process now, and why.

    The result is a dictionary of strings, lists and dictionaries, for people and for ``json``:

    * ``versions``: of coopselectors, of Python, and of gevent, eventlet and greenlet (None if not
      installed), and ``sys.platform``.  Nothing is imported to find out.
    * ``runtime``: the result of `current_runtime`.
    * ``evidence``: the owner of each primitive that ``select`` offers now.
    * ``default``: the class that DefaultSelector chooses now; None if no selector works.
    * ``passed_over``: why each better class was not chosen.
    * ``hub``: what waits, namely the kernel, a hub's event loop with its backend, or a replacement.

    It never raises.  If an object in ``select`` raises an exception when it is inspected, or no
    descriptor is left to look for a version, the value says that it is unknown.
    """
    default: Optional[str] = None
    try:
        selector, passed_over = open_best()
    except RuntimeError as error:
        passed_over = [_ask(str, error)]
    except Exception as error:
        passed_over = [_unknown(error)]
    else:
        default = type(selector).__name__
        selector.close()
    return {
        "versions": {
            "coopselectors": __version__,
            "python": _ask(_python),
            "platform": sys.platform,
            **{name: _ask(_version_of, name) for name in _LIBRARIES},
        },
        "runtime": _ask(_runtime.current_runtime),
        "evidence": {name: _ask(_evidence, name) for name in _PRIMITIVES},
        "default": default,
        "passed_over": passed_over,
        "hub": _ask(lambda: hub_for("select").describe()),
    }


def _ask(question: Callable[..., _Answer], *how: Any) -> Union[_Answer, str]:
    """The answer, whatever somebody else's object does when it is asked."""
    try:
        return question(*how)
    except Exception as error:
        return _unknown(error)


def _unknown(error: Exception) -> str:
    return f"unknown: {type(error).__name__} when asked"


def _python() -> str:
    """As `platform` tells it, which has to be imported: no descriptor may be left for its file."""
    name = sys.implementation.name
    return f"{_IMPLEMENTATIONS.get(name, name)} {sys.version.split()[0]}"


def _version_of(distribution: str) -> Optional[str]:
    """The version in the name of what an installer leaves on ``sys.path``.

    importlib.metadata reads the file inside with `email`, which imports `datetime`.  If two
    isolated interpreters of one process do that, CPython aborts: 3.12 at the import
    (python/cpython#117953), 3.13 when they end (python/cpython#136423).
    """
    for folder in sys.path:
        if not issubclass(type(folder), str):
            continue  # Python imports nothing from there, either
        try:
            for name in (os.path.basename(folder), *os.listdir(folder or os.curdir)):
                stem, _, ending = name.rpartition(".")
                found, *parts = stem.split("-")
                if parts and found.lower() == distribution and ending.lower() in _ENDINGS:
                    return str(parts[0])
        except OSError as error:  # a zip, or a folder that is not there
            if error.errno in _NONE_LEFT:
                raise
        except Exception:  # a string with ideas of its own
            continue
    return None


def _evidence(primitive: str) -> str:
    offered, select = _runtime.offered(primitive), _runtime.offered("select")
    if offered is None:
        return "not there"
    replaced = _runtime.replaced_by(offered)
    if replaced is not None:
        return f"{_runtime.owner(offered)}: {_home(offered)}, in the place of {_home(replaced)}"
    # Ours have no owner of their own: they wait as ``select.select`` says.
    ours = _runtime.home(offered) == _runtime.OURS
    return f"{_runtime.owner(select if ours else offered)}: {_home(offered)}"


def _home(thing: Any) -> str:
    """Where it says that it comes from; whatever it is, that raises nothing."""
    try:
        name = f"{getattr(thing, '__qualname__', thing)}"
    except Exception:
        name = f"a {type(thing).__name__} object"
    return f"{_runtime.home(thing) or None}.{name}"
