"""``python -m coopselectors audit``: what in a program would block a hub?"""

from __future__ import annotations

import _thread
import importlib.util
import json
import sys
import traceback
from fnmatch import fnmatchcase
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Iterator, List, Optional, Sequence

from .._audit import Finding, audit
from .._references import _inert
from .._references._standard import GREEN_SELECTORS
from .._runtime import current_runtime
from ._patches import PATCHES, patch
from ._terminal import Output, folded, parser_of

_USAGE = "[OPTION ...] SCRIPT\n[OPTION ...] -m PACKAGE"

_DESCRIPTION = """
Import a program and find what in it would block a gevent or eventlet hub: the
standard selector classes and select functions that no patch has reached.  Code
under "if __name__ == '__main__'" is not run.
"""

_EPILOG = """
exit status:
  0   nothing was found
  1   something was found
  2   the program cannot be imported, or the arguments are wrong
  3   nothing was found, but the package loads its parts lazily: try --deep
"""

# What `importlib.util.LazyLoader` makes; it is loaded when an attribute is asked for.
_LazyModule = getattr(importlib.util, "_LazyModule", None)

# Taken before anything is patched: threads that run while the main one does not yield.
_start_thread = _thread.start_new_thread
_allocate_lock = _thread.allocate_lock

# Seconds that it may take before it says that it is at work.
_PATIENCE = 1.0

#: How it ends, if it can be said.
NOTHING, SOMETHING, CANNOT_IMPORT, NOT_ALL_SEEN = range(4)


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("audit", _USAGE, _DESCRIPTION, _EPILOG)
    parser.add_argument("script", nargs="?", metavar="SCRIPT", help="the file to import")
    parser.add_argument(
        "-m", dest="module", metavar="PACKAGE", help="the package or module to import"
    )
    parser.add_argument(
        "--patch", choices=PATCHES, metavar="LIBRARY", help="patch with gevent or eventlet first"
    )
    parser.add_argument(
        "--deep",
        nargs="?",
        const="*",
        metavar="PATTERN",
        help="import all modules of the package as well; with --deep=PATTERN, those whose names "
        "match",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(arguments)
    named = [each for each in (options.module, options.script) if each is not None]
    if len(named) != 1 or not named[0]:
        parser.error("give either -m PACKAGE or a script")
    if options.deep and not options.module:
        parser.error("--deep needs -m PACKAGE")
    if options.patch:
        patch(parser, options.patch)
    output, errors = Output("stdout"), Output("stderr")
    name = options.module or _name_for(options.script)
    try:
        _import(name, options.script)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a program may do anything, such as sys.exit()
        _complain(named[0], error, errors)
        return CANNOT_IMPORT
    if options.deep:
        _import_parts(name, options.deep, errors)
    unseen = sorted(each for each in _parts(name) if not _is_loaded(each))
    found = [each for each in _audit_with_patience(errors) if not _is_offered_by_a_patcher(each)]
    if options.json:
        rows = [{"where": each.where, "what": each.what, "advice": each.advice} for each in found]
        output.print(json.dumps(rows, indent=2))
    else:
        for each in found:
            advice = f" ({each.advice})" if each.advice else ""
            output.print(each.where)
            output.print(folded(f"    {each.what}{advice}", 4 * " "))
        runtime = current_runtime()
        patched = "nothing is patched" if runtime == "native" else f"{runtime} has patched select"
        verdict = f"{name}: {_number_of(found)} ({patched})"
        output.print(folded(verdict), "red" if found else "green")
    hint = "" if options.deep == "*" else " (--deep imports all of them)"
    is_lazy = _tell_of(unseen, name, hint, errors)
    if found:
        return SOMETHING
    return NOT_ALL_SEEN if is_lazy else NOTHING


def _number_of(found: List[Finding]) -> str:
    if len(found) > 1:
        return f"{len(found)} places hold something that would block a hub"
    return f"{'one place holds something that' if found else 'nothing'} would block a hub"


def _name_for(script: str) -> str:
    """The name under which a script is imported; not that of another module, such as __main__."""
    stem = Path(script).stem
    return f"{stem} (script)" if stem in sys.modules else stem


def _import(name: str, script: Optional[str]) -> None:
    if script is None:
        sys.path.insert(0, "")  # as `python -m` does
        importlib.import_module(name)
        return
    sys.path.insert(0, str(Path(script).parent))
    sys.argv[:] = [script]
    loader = SourceFileLoader(name, script)
    made = ModuleType(name)
    made.__file__ = script
    sys.modules[name] = made
    loader.exec_module(made)


def _import_parts(package: str, pattern: str, errors: Output) -> None:
    """Import the modules of a package; what fails is told, and is no reason to end."""
    for name in sorted(_parts(package)):
        if not _is_loaded(name) and fnmatchcase(name, pattern):
            try:
                # What `importlib.util.LazyLoader` has made is loaded at the first question.
                getattr(importlib.import_module(name), "__doc__", None)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                _complain(name, error, errors)


def _is_loaded(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and type(module) is not _LazyModule


def _parts(package: str) -> set[str]:
    """The modules that there are in a package, loaded or not, found without importing any."""
    return set(_modules_in(package, _folders_of(package)))


def _folders_of(package: str) -> List[str]:
    module = sys.modules.get(package)
    if _inert.is_module(module):
        return list(_inert.module_vars(module).get("__path__") or ())
    # It has put another object in its place.
    parent = package.rpartition(".")[0]
    spec = PathFinder.find_spec(package, _folders_of(parent) if parent else None)
    return list((spec and spec.submodule_search_locations) or ())


def _modules_in(package: str, folders: List[str]) -> Iterator[str]:
    import pkgutil

    packages = set()
    for _, name, is_package in pkgutil.iter_modules(folders):
        if name != "__main__":  # it may run the program
            yield f"{package}.{name}"
        if is_package:
            packages.add(name)
    # A folder without an __init__.py is a package, too (PEP 420).
    for folder in folders:
        packages.update(each.name for each in _subfolders(folder) if each.name.isidentifier())
    for name in packages - {"__pycache__"}:
        inside = [str(Path(folder, name)) for folder in folders]
        yield from _modules_in(f"{package}.{name}", inside)


def _subfolders(folder: str) -> List[Path]:
    try:
        return [each for each in Path(folder).iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError:  # in an archive, for instance
        return []


def _tell_of(unseen: List[str], package: str, hint: str, errors: Output) -> bool:
    """Say what was not looked at; return whether the package loads such parts by itself."""
    if not unseen:
        return False
    loaded = [package, *(name for name in sys.modules if name.startswith(f"{package}."))]
    lazy = [name for name in loaded if _is_lazy(name)]
    reason = f"{', '.join(sorted(lazy)[:3])} loads its parts lazily; " if lazy else ""
    shown = ", ".join(unseen[:20]) + (", ..." if len(unseen) > 20 else "")
    text = f"{package}: {reason}not loaded, and not looked at: {shown}{hint}"
    errors.print(folded(text, 4 * " "))
    return bool(lazy)


def _is_lazy(name: str) -> bool:
    """Whether a module makes its attributes when they are asked for (PEP 562, or by its class)."""
    module = sys.modules.get(name)
    if not _inert.is_module(module):
        return module is not None
    return type(module) is not ModuleType or "__getattr__" in _inert.module_vars(module)


def _is_offered_by_a_patcher(finding: Finding) -> bool:
    """Whether it is what gevent.selectors offers: nothing of the program's."""
    return finding.where.rpartition(".")[0] in GREEN_SELECTORS


def _audit_with_patience(errors: Output) -> List[Finding]:
    ended = _allocate_lock()
    ended.acquire()

    def tell() -> None:
        if not ended.acquire(True, _PATIENCE):
            errors.print("looking at all objects of the process ...")

    _start_thread(tell, ())
    try:
        return audit()
    finally:
        ended.release()


def _complain(what: str, error: BaseException, errors: Output) -> None:
    lines = traceback.format_exception_only(type(error), error)
    while lines[0].startswith(" "):
        del lines[0]  # the source of a SyntaxError
    reason, *notes = lines
    place = f" ({error.filename}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
    text = "".join([f"cannot import {what}: {reason.strip()}{place}\n", *notes])
    errors.print(text, end="")
