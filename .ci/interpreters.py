"""How are the tests run on interpreters that this machine does not have?  In Debian unstable.

As root on Debian or Ubuntu, ``install`` unpacks Debian unstable into a folder of its own, in about
a minute, and keeps it.  It changes nothing of the machine itself but for one package, mmdebstrap.
``test`` installs the checkout there, and with each interpreter runs the tests and then
integration/threads.py; for WebAssembly, integration/pyodide.  Tests that fail are run once more,
alone, to tell a fault from a busy machine; the output shows it.  If the machine has an interpreter
itself, as on public CI, that one is used.  An interpreter that cannot be had has a row that says
why, and the exit status is 1 if Debian should have had it.

usage:
  python .ci/interpreters.py install
  python .ci/interpreters.py test [--only NAME]... [--outcomes FOLDER] [-- ARGUMENTS OF PYTEST]
  python .ci/interpreters.py run -- COMMAND...
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Iterator, Mapping, Sequence

import outcomes

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("COOPSELECTORS_CACHE", "/var/cache/coopselectors"))

#: How long the tests of one interpreter may take, in seconds.
LIMIT = 3000

TESTS_FAILED = 1  # pytest's exit status


@dataclass(frozen=True)
class Interpreter:
    """What we want, and what it is called."""

    name: str
    command: str
    packages: tuple[str, ...] = ()  # of Debian; none if Debian has none
    extras: str = "gevent,eventlet,test"
    runtimes: str = ""  # if not all of them
    lack: str = ""  # why there is no package

    @property
    def is_free_threaded(self) -> bool:
        return self.command.endswith("t")


NO_PACKAGE = "neither Debian nor PyPI has a package of it"
NATIVE = {"extras": "test", "runtimes": "native", "lack": NO_PACKAGE}

INTERPRETERS = (
    Interpreter("cpython-3.14", "python3.14", ("python3.14-venv",)),
    Interpreter("cpython-3.15", "python3.15", ("python3.15-venv",)),
    # gevent has no wheel for PyPy, and is not built here.
    Interpreter("pypy-3.11", "pypy3", ("pypy3-venv",), extras="test", runtimes="native"),
    # gevent has no wheel for these either, and greenlet turns the GIL on again.
    Interpreter("cpython-3.13t", "python3.13t", **NATIVE),
    Interpreter("cpython-3.14t", "python3.14t", **NATIVE),
    Interpreter("cpython-3.15t", "python3.15t", **NATIVE),
)
PYODIDE = "pyodide"
NAMES = [*(each.name for each in INTERPRETERS), PYODIDE]


class NotToBeHad(Exception):
    """The reason, for whoever reads the log."""


class Machine:
    """Commands run on this machine as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # ours to fill

    def inside(self, path: Path) -> str:
        return str(path)

    def run(self, command: Sequence[str], environment: Mapping[str, str], **options: object) -> int:
        return _wait(command, env={**os.environ, **environment}, **options)


class Chroot:
    """Commands run in Debian unstable, in a folder.

    What they need mounted is mounted for them alone, in a mount namespace, so that nothing of it is
    left when they have ended, however they end.
    """

    MIRROR = "http://deb.debian.org/debian"
    _ENTER = """
    mount -t proc proc "$0/proc"
    mount -t sysfs sysfs "$0/sys"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i "$@"
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._done = root.with_suffix(".packages")  # what is in it, once all of it is
        self.folder = root / "srv"

    def inside(self, path: Path) -> str:
        return f"/{path.relative_to(self._root)}"

    def install(self, packages: Sequence[str]) -> None:
        """Make it unless it is there."""
        if sys.platform != "linux" or os.geteuid() != 0:
            raise NotToBeHad("a chroot needs root on Linux")
        if not shutil.which("apt-get"):
            raise NotToBeHad("a chroot of Debian needs apt-get")
        wanted = " ".join(sorted(packages))
        if not (self._done.exists() and self._done.read_text() == wanted):
            self._unpack(wanted.split())
            self._done.write_text(wanted)
        self._settings()

    def _unpack(self, packages: Sequence[str]) -> None:
        self._done.unlink(missing_ok=True)
        if self._root.exists():
            _command("rm", "-rf", "--one-file-system", str(self._root))
        missing = [each for each in ("mmdebstrap",) if not shutil.which(each)]
        if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
            missing.append("debian-archive-keyring")
        if missing:
            _command("apt-get", "update", "-q")
            _command("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing)
        options = ['Acquire::Languages "none"', 'APT::Install-Recommends "false"']
        options += _apt_settings()
        _command(
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            *(f"--aptopt={option}" for option in options),
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "locale", "man")),
            f"--include={','.join(['ca-certificates', *packages])}",
            "unstable",
            str(self._root),
            self.MIRROR,
        )

    def _settings(self) -> None:
        """How this machine reaches the network; another time it may be another way."""
        etc = self._root / "etc"
        for name in ("resolv.conf", "hosts"):
            (etc / name).unlink(missing_ok=True)
            shutil.copy(f"/etc/{name}", etc / name)
        bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        if bundle:
            shutil.copy(bundle, etc / "ssl/certs/ca-certificates.crt")
        lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
        (etc / "pip.conf").write_text("\n".join([*lines, *_pip_settings()]) + "\n")

    def run(self, command: Sequence[str], environment: Mapping[str, str], **options: object) -> int:
        values = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        for name, value in os.environ.items():
            if name == "CI" or name.lower().endswith("_proxy"):
                values[name] = value
        values.update(environment, SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
        folder = options.pop("cwd", None)
        if folder is not None:
            command = ["sh", "-c", 'cd "$0" && exec "$@"', self.inside(folder), *command]
        settings = [f"{name}={value}" for name, value in values.items()]
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", self._ENTER]
        return _wait([*enter, str(self._root), *settings, *command], **options)


def _command(*command: str) -> None:
    """Run what prepares; what it says is shown only if it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-6000:], flush=True)
        said = [line for line in done.stdout.splitlines() if line.startswith(("E:", "error:"))]
        reason = f": {said[0]}" if said else ""
        raise NotToBeHad(f"{' '.join(command[:2])} ended with status {done.returncode}{reason}")


def _wait(command: Sequence[str], **options: object) -> int:
    """The status of a command, which ends with all that it has started."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        return process.wait(LIMIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _apt_settings() -> list[str]:
    """A proxy, for instance."""
    wanted = ("Acquire::http", "Acquire::Check", "Acquire::Retries", "Acquire::ForceIPv")
    dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True, check=False)
    lines = (line.rstrip(";") for line in dump.stdout.splitlines())
    return [line for line in lines if line.startswith(wanted) and not line.endswith('""')]


_OF_THE_NETWORK = ("index-url", "proxy", "trusted-host", "timeout", "default-timeout")


def _pip_settings() -> list[str]:
    """An index or a proxy; not what lies in folders of this machine."""
    found = []
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        name = name.rpartition(".")[2]
        value = value.strip("'")
        if name in _OF_THE_NETWORK and not value.startswith("file:"):
            found.append(f"{name.removeprefix('default-')} = {value}")
    return found


@contextlib.contextmanager
def cache() -> Iterator[Path]:
    """The folder in which all of this lies, for one run at a time."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotToBeHad(f"no folder to keep it in: {error}") from None
    with open(CACHE / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{CACHE} is in use: waiting", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield CACHE


def installed(folder: Path) -> Chroot:
    chroot = Chroot(folder / "unstable")
    chroot.install([name for each in INTERPRETERS for name in each.packages])
    return chroot


def copy_checkout(folder: Path) -> Path:
    """What git would have, as it is now, without what earlier builds have left behind."""
    target = folder / "checkout"
    if target.exists():
        shutil.rmtree(target)
    if (CHECKOUT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, check=True).stdout
        for name in filter(None, os.fsdecode(listed).split("\0")):
            if (CHECKOUT / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, target / name)
    else:
        shutil.copytree(CHECKOUT, target, ignore=shutil.ignore_patterns(".tox", "__pycache__"))
    return target


def test(which: Interpreter, place: Machine | Chroot, file: Path, arguments: list[str]) -> str:
    """Install the checkout for one interpreter and run its tests; return what went wrong, if so."""
    file.unlink(missing_ok=True)
    checkout = copy_checkout(place.folder)
    environment = place.folder / which.name
    noted = place.folder / file.name
    python = place.inside(environment / "bin/python")
    source = place.inside(checkout)
    # Rather an older wheel than a compiler that has to be there.
    pip = [python, "-m", "pip", "install", "--quiet", "--prefer-binary"]
    for command in (
        [which.command, "-m", "venv", "--clear", place.inside(environment)],
        [*pip, f"{source}[{which.extras}]"],
    ):
        status = place.run(command, {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
        if status:
            return f"not run: status {status} of {shlex.join(command)}"
    settings = {
        "COOPSELECTORS_INSTALLED_IN": place.inside(environment),
        "PYTHONPATH": place.inside(checkout / ".ci"),
    }
    if which.runtimes:
        settings["COOPSELECTORS_TEST_RUNTIMES"] = which.runtimes
    # From outside the checkout, so that it is the wheel which is imported.
    pytest = [python, "-m", "pytest", "-c", f"{source}/setup.cfg", "--rootdir", source, "-q"]
    pytest += ["-p", "outcomes", "-o", f"cache_dir={place.inside(environment / 'cache')}"]
    noted.unlink(missing_ok=True)
    gil_off = {"PYTHON_GIL": "0"} if which.is_free_threaded else {}
    try:
        run = partial(place.run, environment={**settings, **gil_off}, cwd=place.folder)
        pytest += [*arguments, f"{source}/tests"]
        status = run([*pytest, "--outcomes", place.inside(noted)])
        if noted.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(noted), file)
        if status == TESTS_FAILED:
            print(f"ONCE MORE, what has just failed in {which.name}", flush=True)
            status = run([*pytest, "--last-failed", "--outcomes", os.devnull])
        if status:
            return f"status {status} of pytest"
        seconds = str(60 if which.is_free_threaded else 6)
        threads = [python, f"{source}/integration/threads.py", "--seconds", seconds]
        if place.run(threads, settings, cwd=place.folder):
            return "something lost, wrong or left over in integration/threads.py"
    except subprocess.TimeoutExpired:
        return f"not done within {LIMIT} seconds"
    return ""


def test_pyodide(file: Path) -> str:
    file.unlink(missing_ok=True)
    command = [sys.executable, str(CHECKOUT / "integration/pyodide"), "--outcomes", str(file)]
    return "failed, or not run" if _wait(command) else ""


def where(which: Interpreter, folder: Path) -> Machine | Chroot:
    """Where an interpreter is to be had."""
    if shutil.which(which.command):
        (folder / "machine").mkdir(exist_ok=True)
        return Machine(folder / "machine")
    return installed(folder)


def test_all(names: Sequence[str], folder: Path, arguments: list[str]) -> int:
    rows, wrong = [], False
    for name in names or NAMES:
        file = folder / f"outcomes-{name}.json"
        began = time.monotonic()
        print(f"=== {name}", flush=True)
        try:
            trouble = test_one(name, file, arguments)
            wrong |= bool(trouble)
        except NotToBeHad as reason:
            trouble = f"not run: {reason}"
            outcomes.note(file, interpreter=name, not_run=str(reason))
            wrong |= bool(names) or str(reason) != NO_PACKAGE
        if not file.exists():
            outcomes.note(file, interpreter=name, not_run=trouble)
        rows.append((name, f"{trouble or 'passed'} ({time.monotonic() - began:.0f} s)"))
    print()
    for name, outcome in rows:
        print(f"{name:14} {outcome}")
    return int(wrong)


def test_one(name: str, file: Path, arguments: list[str]) -> str:
    if name == PYODIDE:
        return test_pyodide(file)
    [which] = (each for each in INTERPRETERS if each.name == name)
    if not which.packages and not shutil.which(which.command):
        raise NotToBeHad(which.lack)
    with cache() as kept:
        return test(which, where(which, kept), file, arguments)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["install", "test", "run"])
    parser.add_argument("--only", action="append", default=[], choices=NAMES)
    parser.add_argument("--outcomes", type=Path, default=CHECKOUT / ".tox")
    given, rest = sys.argv[1:], []
    if "--" in given:
        given, rest = given[: given.index("--")], given[given.index("--") + 1 :]
    chosen = parser.parse_args(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, too
    if chosen.what == "test":
        return test_all(chosen.only, chosen.outcomes, rest)
    try:
        with cache() as kept:
            chroot = installed(kept)
            if chosen.what == "run":
                return chroot.run(rest, {}, cwd=copy_checkout(chroot.folder))
            for which in INTERPRETERS:
                print(f"{which.name:14} ", end="", flush=True)
                if which.packages:
                    chroot.run([which.command, "--version"], {})
                else:
                    print(f"not to be had: {which.lack}")
    except NotToBeHad as reason:
        print(f"not to be had: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
