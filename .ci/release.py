"""Is what users would download complete, and does it work?  ``tox -e release`` runs this.

Builds an sdist and a wheel, looks into both, installs each into an empty environment and runs the
quick part of the suite against it there; with ``--whole``, all of the suite.  The sdist is tested
with the tests that are in it.  Nothing is uploaded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent

# What is of no use to whoever has an sdist.
ONLY_IN_GIT = (".github/", ".gitignore")


def run(*command: object, **options: object) -> str:
    """The output of a command, which is shown too where it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=False, **options
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nstatus {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def same(what: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        missing, surplus = sorted(expected - found), sorted(found - expected)
        sys.exit(f"{what}: missing {missing or 'nothing'}, too much {surplus or 'nothing'}")
    print(f"{what}: {len(found)} files, none missing, none too much")


def tracked() -> list[str]:
    return run("git", "ls-files", cwd=ROOT).splitlines()


def copy_to(folder: Path) -> Path:
    """What git tracks, as it is now: setuptools takes what earlier builds have left behind, too."""
    for each in tracked():
        target = folder / each
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / each, target)
    return folder


def look_into_wheel(wheel: Path) -> None:
    name, version, *tags = wheel.name.removesuffix(".whl").split("-")
    if tags != ["py3", "none", "any"]:
        sys.exit(f"{wheel.name}: it is not for every platform")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        about = f"{name}-{version}.dist-info/"
        metadata = Parser().parsestr(archive.read(f"{about}METADATA").decode())
    if metadata["Version"] != version:
        sys.exit(f"{wheel.name}: its metadata says {metadata['Version']}")
    package = ROOT / "coopselectors"
    expected = {f"coopselectors/{path.relative_to(package)}" for path in package.rglob("*.py")}
    found = {each for each in names if not each.startswith(about)}
    same(wheel.name, found, expected | {"coopselectors/py.typed"})


def unpack(sdist: Path, folder: Path) -> Path:
    """Look into the sdist, and return where it is unpacked."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [unpacked] = folder.iterdir()
    found = {str(each.relative_to(unpacked)) for each in unpacked.rglob("*") if each.is_file()}
    made = {each for each in found if each == "PKG-INFO" or ".egg-info/" in each}
    expected = {each for each in tracked() if not each.startswith(ONLY_IN_GIT)}
    same(sdist.name, found - made, expected)
    return unpacked


def try_out(package: Path, home: Path, tests: Path, whole: bool) -> None:
    """Install it into a new environment, and run tests against it from elsewhere."""
    venv.create(home, with_pip=True)
    bin = home / ("Scripts" if os.name == "nt" else "bin")
    environment = {**os.environ, "COOPSELECTORS_INSTALLED_IN": str(home)}
    environment.pop("PYTHONPATH", None)  # pip takes for installed what is there
    pip = [bin / "python", "-m", "pip"]
    run(*pip, "install", "-q", f"{package}[gevent,eventlet,test]", cwd=home, env=environment)
    run(*pip, "check", cwd=home, env=environment)
    command = [bin / "pytest", "-q", "-p", "no:cacheprovider", "-n", "3", "--rootdir", tests]
    command += ["-c", tests / "setup.cfg"]
    command += [tests / "tests"] if whole else [tests / "tests", "-m", "quick"]
    summary = run(*command, cwd=home, env=environment).splitlines()[-1]
    print(f"{package.name}: installed alone; {summary}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true", help="run all of the suite against both")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", copy_to(folder / "source"))
        [sdist] = (folder / "dist").glob("*.tar.gz")
        [wheel] = (folder / "dist").glob("*.whl")
        run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
        print(f"{sdist.name}, {wheel.name}: built, and rendered without a warning", flush=True)
        look_into_wheel(wheel)
        unpacked = unpack(sdist, folder / "unpacked")
        try_out(wheel, folder / "of-wheel", ROOT, options.whole)
        try_out(sdist, folder / "of-sdist", unpacked, options.whole)


if __name__ == "__main__":
    main()
