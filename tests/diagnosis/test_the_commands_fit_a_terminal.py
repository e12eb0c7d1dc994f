"""Does what the commands print fit 80 columns, and is it coloured on a terminal only?"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.once

COMMANDS = ("", "info", "audit", "run")


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if "COLOR" not in name}
    return {**kept, "TERM": "xterm", **changes}


def run(*arguments, **changes):
    """The exit status and what is written to each stream, none of which is a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "coopselectors", *arguments],
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(*arguments, **changes):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "coopselectors", *arguments],
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    process.wait(timeout=60)
    return said.decode()


def too_long(text):
    return [line for line in text.splitlines() if len(line) > 80]


@pytest.mark.parametrize("columns", ["80", "200"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_a_screenful(command, columns):
    status, said, _ = run(*filter(None, [command, "--help"]), COLUMNS=columns)
    assert status == 0
    assert said.startswith(f"usage: python -m coopselectors {command}".rstrip())
    assert too_long(said) == []
    assert len(said.splitlines()) <= 24
    assert "\x1b" not in said


def test_the_main_help_names_the_other_commands():
    _, said, _ = run("--help")
    for command in COMMANDS[1:]:
        assert f"\n  {command} " in said


def test_the_table_of_the_self_check():
    status, said, _ = run("--clients=5", "--messages=400")
    assert status == 0
    assert "2000 of 2000" in said
    assert too_long(said) == []
    assert "\x1b" not in said


@pytest.mark.counted
@pytest.mark.parametrize("command", ["native --clients=5 --messages=2", "info", "audit -m html"])
@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_stream_may_be_missing(command, stream):
    program = f"exec {sys.executable} -m coopselectors {command} {stream}>&-"
    done = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (stream == "2")
    assert done.returncode == 0


@pytest.mark.counted
def test_nobody_may_be_reading(package):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "coopselectors", "audit", "-m", "html"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    assert "Traceback (" not in done.stderr
    assert done.returncode != 1  # which says that something was found


def test_info():
    assert too_long(run("info")[1]) == []


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "a_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("import selectors; made = selectors.DefaultSelector()")
    for number in range(9):
        (folder / f"a_module_with_a_long_name_{number}.py").write_text("")
    return tmp_path


def test_findings_are_folded(package):
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    status, said, complaint = run("audit", "-m", "a_package", PYTHONPATH=path)
    assert status == 1
    assert "a_package.made\n    a selectors." in said
    assert "a_module_with_a_long_name_8" in complaint
    assert too_long(said) == too_long(complaint) == []


def test_a_long_name_stays_in_one_piece(tmp_path):
    name = 90 * "x"
    script = tmp_path / "script.py"
    script.write_text(f"from selectors import DefaultSelector as {name}")
    assert too_long(run("audit", str(script))[1]) == [f"script.{name}"]


@pytest.mark.counted
@pytest.mark.parametrize(
    ("changes", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_colours_are_for_terminals(changes, is_coloured):
    said = on_a_terminal("audit", "-m", "json", **changes)
    assert "json: nothing would block a hub" in said
    assert ("\x1b[32m" in said) is is_coloured
    said = on_a_terminal("audit", "-m", "subprocess", **changes)
    assert ("\x1b[31m" in said) is is_coloured
    assert "\x1b" not in run("audit", "-m", "subprocess", **changes)[1]
