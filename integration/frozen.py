"""Does a program work that was bundled: by PyInstaller, Nuitka, or as a zip application?

``python integration/frozen.py`` builds one program in each way, and runs it in the ordinary
process, under gevent and under eventlet: it selects with every class and primitive, installs,
audits and asks for `info`.  A way whose tool is not installed is named, and not run; it ends with 1
if anything fails.  ``python integration/frozen.py zipapp`` takes this way only.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import zipapp
from pathlib import Path
from shutil import copytree, ignore_patterns, which
from typing import Callable, Dict, List

PROGRAM = """
import os
import socket
import sys
import time
import warnings

warnings.simplefilter("ignore")
runtime = sys.argv[1]
import coopselectors

before = coopselectors.DefaultSelector()
if runtime == "gevent":
    import gevent.monkey

    gevent.monkey.patch_all()
    from gevent import sleep, spawn
elif runtime == "eventlet":
    import eventlet

    eventlet.monkey_patch()
    from eventlet import sleep, spawn
else:
    import threading
    from time import sleep

    def spawn(act):
        threading.Thread(target=act, daemon=True).start()


def is_woken(wait, count=1):
    reader, writer = socket.socketpair()
    turns = []

    def answer():
        sleep(0.02)
        turns.append(1)
        writer.send(b"x")

    spawn(answer)
    assert len(wait(reader)) == count, wait
    assert turns


def wait_in(selector, reader):
    selector.register(reader, coopselectors.EVENT_READ)
    assert selector.select(0) == []
    return selector.select(5)


def poll_in(poll, reader):
    poll.register(reader, coopselectors.select.POLLIN)
    return poll.poll(5000)


assert coopselectors.current_runtime() == runtime
is_woken(lambda reader: wait_in(before, reader))
for name in coopselectors.__all__:
    if name.endswith("Selector") and name != "BaseSelector":
        is_woken(lambda reader: wait_in(getattr(coopselectors, name)(), reader))
is_woken(lambda reader: coopselectors.select.select([reader], [], [], 5)[0])
is_woken(lambda reader: poll_in(coopselectors.select.poll(), reader))
if hasattr(coopselectors.select, "epoll"):
    is_woken(lambda reader: poll_in(coopselectors.select.epoll(), reader))
assert coopselectors.info()["runtime"] == runtime
coopselectors.audit()
coopselectors.install(select=True)
import selectors

is_woken(lambda reader: wait_in(selectors.DefaultSelector(), reader))
coopselectors.uninstall()
if runtime != "native":
    with coopselectors.warn_blocking(5):
        before.select(0)
print("bundled" if getattr(sys, "frozen", False) or "__compiled__" in globals() else __file__)
"""

#: What PyInstaller makes of it: one analysis, and both kinds of bundle.
SPEC = """
from PyInstaller.utils.hooks import collect_submodules

# What a program that patches imports by name, PyInstaller has its own hooks for.
by_name = collect_submodules("eventlet") + collect_submodules("dns")
analysis = Analysis(["program.py"], hiddenimports=by_name, excludes={excludes})
modules = PYZ(analysis.pure)
EXE(modules, analysis.scripts, analysis.binaries, analysis.datas, name="one-file")
program = EXE(modules, analysis.scripts, exclude_binaries=True, name="program")
COLLECT(program, analysis.binaries, analysis.datas, name="one-folder")
"""

#: gevent, eventlet and dnspython import these if they are installed, and work without them.  Each
#: brings its own: in an environment with all that `integration` needs, there are hundreds.
LEFT_OUT = """
    MySQLdb OpenSSL aioquic anyio cryptography django gevent.testing gevent.tests h2 httpcore httpx
    hypothesis numpy psutil psycopg2 pytest _pytest setuptools test tkinter trio twisted zmq
"""

RUNTIMES = {"native": "", "gevent": "gevent", "eventlet": "eventlet"}

#: Seconds for a build, and for a run.
BUILD, RUN = 900, 60


@functools.cache
def pyinstaller(folder: Path) -> Path:
    """The folder with both bundles: to analyse what a program imports takes longest, so once."""
    bundles = folder / "pyinstaller"
    bundles.mkdir(exist_ok=True)
    (bundles / "program.py").write_text(PROGRAM)
    (bundles / "both.spec").write_text(SPEC.format(excludes=LEFT_OUT.split()))
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    _build([*command, "both.spec"], bundles)
    return bundles / "dist"


def one_folder(folder: Path) -> List[str]:
    return [str(pyinstaller(folder) / "one-folder" / "program")]


def one_file(folder: Path) -> List[str]:
    return [str(pyinstaller(folder) / "one-file")]


def nuitka(folder: Path) -> List[str]:
    """The program and our package are compiled, the rest is imported as it is installed."""
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "nuitka", "--quiet", "--assume-yes-for-downloads"]
    command += ["--follow-import-to=coopselectors", "--output-filename=compiled.bin"]
    _build([*command, f"--output-dir={folder}", "program.py"], folder)
    return [str(folder / "compiled.bin")]


def zip_application(folder: Path) -> List[str]:
    source = folder / "source"
    found = importlib.util.find_spec("coopselectors")
    copytree(
        Path(found.origin).parent, source / "coopselectors", ignore=ignore_patterns("__pycache__")
    )
    (source / "__main__.py").write_text(PROGRAM)
    zipapp.create_archive(source, folder / "program.pyz")
    # Run without PYTHONPATH: coopselectors is to come out of the archive.
    return [sys.executable, str(folder / "program.pyz")]


WAYS: Dict[str, Callable[[Path], List[str]]] = {
    "zipapp": zip_application,
    "one-folder": one_folder,
    "one-file": one_file,
    "nuitka": nuitka,
}
NEEDS = {"one-folder": "PyInstaller", "one-file": "PyInstaller", "nuitka": "nuitka"}


def _build(command: List[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, timeout=BUILD, stdout=sys.stderr)


def lack(way: str) -> str:
    """Why this way cannot be gone here, or nothing."""
    needed = NEEDS.get(way)
    if needed and importlib.util.find_spec(needed) is None:
        return f"{needed} is not installed"
    if way == "nuitka" and not (which("gcc") or which("clang")):
        return "there is no C compiler"
    return ""


def tried(way: str, folder: Path) -> int:
    """How many runs of the program went wrong, built in one way."""
    started = time.monotonic()
    try:
        command = WAYS[way](folder)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{way:11} cannot be built: {error}", flush=True)
        return 1
    print(f"{way:11} built in {time.monotonic() - started:.0f} s", flush=True)
    wrong = 0
    environment = {**os.environ}
    if way != "nuitka":
        environment.pop("PYTHONPATH", None)
    for runtime, needed in RUNTIMES.items():
        if needed and importlib.util.find_spec(needed) is None:
            print(f"{way:11} {runtime:9} not run: {needed} is not installed", flush=True)
            continue
        try:
            done = subprocess.run(
                [*command, runtime],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=RUN,
                check=False,
            )
        except subprocess.TimeoutExpired:
            wrong += 1
            print(f"{way:11} {runtime:9} WRONG: not done in {RUN} s", flush=True)
            continue
        if done.returncode:
            wrong += 1
            print(f"{way:11} {runtime:9} WRONG: status {done.returncode}\n{done.stderr[-2000:]}")
        else:
            print(f"{way:11} {runtime:9} right", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(WAYS))
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for way in options.ways or WAYS:
            reason = lack(way)
            if reason:
                print(f"{way:11} not run: {reason}", flush=True)
            else:
                wrong += tried(way, Path(folder))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
