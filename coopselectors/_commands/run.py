"""``python -m coopselectors run``: any program, with `install` done before it begins.

The program is run as ``python SCRIPT`` or ``python -m MODULE`` would: it is ``__main__``, has its
own ``sys.argv`` and ``sys.path``, ends with its own exit status, and its tracebacks begin with it.
"""

from __future__ import annotations

import builtins
import os
import sys
from types import ModuleType, TracebackType
from typing import Any, List, Optional, Sequence, Tuple

from .._install import install
from .._watchdog import LONGEST, warn_blocking
from ._patches import PATCHES, patch
from ._terminal import parser_of

_USAGE = "[OPTION ...] SCRIPT [ARGUMENT ...]\n[OPTION ...] -m MODULE [ARGUMENT ...]"

_DESCRIPTION = """
Run a program with coopselectors in place of the standard selectors.  Nothing
in the program has to be changed.  Its arguments, output and exit status are
the same as with "python SCRIPT" or "python -m MODULE".
"""

_EPILOG = """
example:
  python -m coopselectors run --gevent -m yourprogram --its-own-option
"""

_MAIN_FILE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "__main__.py")

# What is to be kept as long as the program runs.
_kept: List[Any] = []


def main(arguments: Sequence[str]) -> int:
    own, target, rest = _split(list(arguments))
    parser = parser_of("run", _USAGE, _DESCRIPTION, _EPILOG)
    either = parser.add_mutually_exclusive_group()
    for library, (module, function) in PATCHES.items():
        call = f"call {module}.{function}() first"
        either.add_argument(f"--{library}", action="store_true", help=call)
    parser.add_argument(
        "--no-select", action="store_true", help="do not replace select.select, poll and epoll"
    )
    parser.add_argument(
        "--warn",
        type=float,
        metavar="SECONDS",
        help="print the stack of each select call that blocks the hub for that long",
    )
    options = parser.parse_args(own)
    if not rest:
        parser.error("what to run? give -m MODULE, or a script")
    if options.warn is not None and not (options.gevent or options.eventlet):
        parser.error("--warn needs --gevent or --eventlet: there is no hub to watch")
    if options.warn is not None and not 0 < options.warn <= LONGEST:
        parser.error(f"--warn must be above 0 and at most {LONGEST} seconds, not {options.warn:g}")
    for library in PATCHES:
        if getattr(options, library):
            patch(parser, library)
    install(select=not options.no_select)
    if options.warn is not None:
        _kept.append(warn_blocking(options.warn))
    _run(target, rest)
    return 0


def _split(arguments: List[str]) -> Tuple[List[str], str, List[str]]:
    """Our own options, "-m" or "", and the program with its arguments."""
    index = 0
    while index < len(arguments):
        each = arguments[index]
        if each == "-m":
            return arguments[:index], "-m", arguments[index + 1 :]
        if each.startswith("-m"):
            return arguments[:index], "-m", [each[2:], *arguments[index + 1 :]]
        if each == "--":
            return arguments[:index], "", arguments[index + 1 :]
        if not each.startswith("-"):
            return arguments[:index], "", arguments[index:]
        index += 2 if each == "--warn" else 1
    return arguments, "", []


def _run(target: str, rest: List[str]) -> None:
    _kept.append(sys.modules["__main__"])  # or what it has would be taken apart
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main)["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        vars(main)["__annotations__"] = {}
    sys.argv[:] = rest
    try:
        if target == "-m":
            import runpy

            sys.argv[0] = "-m"
            runpy._run_module_as_main(rest[0])  # type: ignore[attr-defined]
        else:
            _run_script(rest[0], main)
    except SystemExit:
        raise
    except BaseException:
        _begin_traceback_with_program()
        raise


def _run_script(path: str, main: ModuleType) -> None:
    """As ``python PATH``: a file, or a folder or archive with a ``__main__.py``."""
    import io
    import pkgutil
    from importlib.machinery import FileFinder, SourceFileLoader

    folder = os.path.dirname(os.path.realpath(path))
    place = os.path.abspath(path)
    finder = pkgutil.get_importer(path)
    if finder is not None and (not isinstance(finder, FileFinder) or os.path.isdir(path)):
        import runpy

        _put_on_path(place, always=True)
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    _put_on_path(folder)
    try:
        with io.open_code(place) as file:
            content = file.read()
        code = pkgutil.read_code(io.BytesIO(content))
        if code is None:
            code = compile(content, place, "exec", dont_inherit=True)
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {place!r}: {reason}", file=sys.stderr)
        sys.exit(2)
    loader = SourceFileLoader("__main__", place)
    vars(main).update(__file__=place, __loader__=loader)
    if sys.version_info < (3, 15):
        vars(main)["__cached__"] = None
    exec(code, vars(main))


def _put_on_path(folder: str, always: bool = False) -> None:
    """Put `folder` in the place of the working directory, which ``python -m`` has put there.

    With ``python -P`` it has put nothing there, and only a folder or archive that is run goes
    there.
    """
    is_safe = getattr(sys.flags, "safe_path", False)
    if not is_safe and sys.path and sys.path[0] in ("", os.getcwd()):
        sys.path[0] = folder
    elif always or not is_safe:
        sys.path.insert(0, folder)


def _begin_traceback_with_program() -> None:
    """Have the interpreter print the traceback without what is ours."""
    theirs = sys.excepthook

    def print_theirs(kind: Any, error: BaseException, trace: Optional[TracebackType]) -> None:
        sys.excepthook = theirs
        inner = trace
        while inner is not None and not _is_ours(inner):
            inner = inner.tb_next  # what has run this command
        while inner is not None and _is_ours(inner):
            inner = inner.tb_next
        theirs(kind, error.with_traceback(inner), inner)

    sys.excepthook = print_theirs


def _is_ours(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename in (__file__, _MAIN_FILE)
