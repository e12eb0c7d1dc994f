"""Does ``python -m coopselectors`` tell the truth, good and bad?"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import coopselectors.__main__ as command
from coopselectors._check import RUNTIMES
from support import runtimes, seams


@pytest.fixture
def run(capsys):
    def run(*arguments):
        status = command.main(["--clients", "5", "--messages", "3", *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(seams.self_check, "_PAUSE", 0.7)


def test_the_command_that_users_call():
    done = subprocess.run(
        [sys.executable, "-m", "coopselectors", "--clients=40", "--messages=5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "200 of 200" in line]
    there = [name for name in runtimes.RUNTIMES if not runtimes.missing(name)]
    assert len(lines) == len(there)
    assert list(runtimes.RUNTIMES) == list(RUNTIMES)
    assert "Every client was served, and nothing was blocked." in done.stdout
    for name, line in zip(there, lines):
        assert name.partition("-")[0] in line or name == "native"
        assert "EpollSelector" in line
        assert line.endswith("native" if name == "native" else "cooperative")


def test_json(run):
    status, output, progress = run("--json", "native")
    [row] = json.loads(output)
    assert status == 0
    assert (row["verdict"], row["echoed"], row["corrupted"]) == ("native", 15, 0)
    assert "native ..." in progress
    assert row["ticks"] > 0


def test_a_terminal_sees_it_count(run, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, progress = run("native")
    assert "15 %" in progress or "\r" in progress


@pytest.mark.parametrize("arguments", [["--clients", "0"], ["twisted"], ["--clients", "x"]])
def test_bad_options(run, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


def sabotage(monkeypatch, module, script):
    """Have `script` run in the place of one of the two processes."""
    start = subprocess.Popen

    def popen(args, **options):
        if args[2].endswith(module):
            args = [sys.executable, "-c", script, *args[3:]]
        return start(args, **options)

    monkeypatch.setattr(seams.self_check.subprocess, "Popen", popen)


RUN_SERVER = "import runpy; runpy.run_module('coopselectors._check.server', run_name='__main__')"


@pytest.mark.parametrize("name", ["gevent-libev", "eventlet"])
def test_a_selector_that_blocks_is_found_out(run, monkeypatch, name):
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))
    blocking = (
        "import coopselectors, selectors; coopselectors.DefaultSelector = selectors.EpollSelector"
    )
    sabotage(monkeypatch, "server", f"{blocking}; {RUN_SERVER}")
    status, output, _ = run(name)
    assert status == 1
    assert "blocked" in output


def test_a_corrupted_byte_is_found_out(run, monkeypatch):
    lying = (
        "import socket; real = socket.socket.sendall;"
        "socket.socket.sendall = lambda s, d: real(s, b'?' * len(d))"
    )
    sabotage(monkeypatch, "server", f"{lying}; {RUN_SERVER}")
    status, output, _ = run("native")
    assert status == 1
    assert "corrupted" in output
    assert "0 of 15" in output
    assert "Something is wrong with: native." in output


def test_a_server_that_hangs_is_found_out(run, monkeypatch):
    sabotage(monkeypatch, "server", "import time; time.sleep(60)")
    status, output, _ = run("--limit", "0.5", "native")
    assert status == 1
    assert "hung" in output
    assert "not done after 0.5 s" in output


@pytest.mark.parametrize("limit", ["soon", "nan", "0", "-1", "inf", "1e300", "2000001"])
def test_a_limit_that_is_none(run, capsys, limit):
    with pytest.raises(SystemExit):
        run("--limit", limit)
    said = "argument --limit: must be above 0 and at most 2000000 seconds\n"
    assert said in capsys.readouterr().err


@pytest.mark.filterwarnings("error")  # of the thread that keeps the time
def test_the_longest_limit_can_be_kept(run):
    assert run("--limit", "2000000", "native")[0] == 0


def test_clients_that_hang_are_found_out(run, monkeypatch):
    sabotage(monkeypatch, "clients", "import time; time.sleep(60)")
    status, output, _ = run("--limit", "5", "--json", "native")
    assert status == 1
    assert json.loads(output)[0]["verdict"] == "hung"


def test_what_the_clients_complain_of_is_shown(run, monkeypatch):
    sabotage(monkeypatch, "clients", "raise SystemExit('no luck: line 1.5 ...')")
    status, output, _ = run("native")
    assert status == 1
    assert "native: failed: no luck: line 1.5 ...\n" in output


def test_clients_that_say_nothing_are_found_out(run, monkeypatch):
    sabotage(monkeypatch, "clients", "")
    status, output, _ = run("native")
    assert status == 1
    assert "native: failed: the clients ended before their time\n" in output


def test_an_answer_that_is_missing_is_found_out(run, monkeypatch):
    counting = (
        "import coopselectors._check.clients as c, sys;"
        "c.json.dumps = lambda counts, real=c.json.dumps: real({**counts, 'echoed': 14});"
        "c.main(*sys.argv[1:])"
    )
    sabotage(monkeypatch, "clients", counting)
    status, output, _ = run("native")
    assert status == 1
    assert "14 of 15" in output
    assert "corrupted" in output


def test_a_server_that_dies_is_found_out(run, monkeypatch):
    sabotage(monkeypatch, "server", "raise SystemExit")
    status, output, _ = run("native")
    assert status == 1
    assert "failed" in output


def test_a_server_that_dies_at_the_end_is_found_out(run, monkeypatch):
    dying = (
        "import coopselectors._check.server as s, os, sys;"
        "s.serve = lambda l, real=s.serve: (real(l), os._exit(3));"
        "s.main(*sys.argv[1:])"
    )
    sabotage(monkeypatch, "server", dying)
    status, output, _ = run("native")
    assert status == 1
    assert "the server ended before its time" in output


def test_what_is_not_installed_is_named(run, monkeypatch):
    absent = "import sys; sys.modules['eventlet'] = None"
    sabotage(monkeypatch, "server", f"{absent}; {RUN_SERVER}")
    status, output, _ = run("eventlet")
    assert status == 0
    assert "python -m pip install 'coopselectors[eventlet]'" in output
