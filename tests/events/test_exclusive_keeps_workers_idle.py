"""Does EPOLLEXCLUSIVE wake only one of several worker processes on a listening socket?"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from support import ROOT, runtimes

HERD = ROOT / "benchmarks" / "herd.py"

pytestmark = [
    pytest.mark.once,
    pytest.mark.epoll,
    pytest.mark.skipif(sys.platform != "linux", reason="EPOLLEXCLUSIVE is Linux's"),
    pytest.mark.skipif(not HERD.is_file(), reason=f"there is no {HERD}"),
]

#: How many times better the exclusive way has to be, on a machine that does other things besides.
FACTOR = 1.5


@pytest.fixture(scope="module")
def herds(tmp_path_factory):
    """What the quick run has found: {runtime: {(whose selector, way): figures}}."""
    file = tmp_path_factory.mktemp("herd") / "figures.json"
    command = [sys.executable, str(HERD), "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    found = {}
    for result in json.loads(file.read_text())["results"]:
        runtime, *how = result["case"]
        found.setdefault(runtime, {})[tuple(how)] = result
    return found


@pytest.fixture(params=["native", "gevent-libev"])
def herd(request):
    """The workers of one kind, by whose selector they have and how they wait."""
    lack = runtimes.missing(request.param)
    if lack:
        pytest.skip(lack)
    return request.getfixturevalue("herds")[request.param]


def test_every_connection_is_accepted(herd):
    assert {way for _, way in herd} == {"plain", "exclusive"}
    for result in herd.values():
        assert len(result["accepted"]) == result["workers"] == 4
        assert sum(result["accepted"]) == result["connections"] >= 50


def test_an_exclusive_wake_up_leaves_the_others_asleep(herd):
    exclusive = herd["ours", "exclusive"]
    for plain in (herd[how] for how in herd if how != ("ours", "exclusive")):
        assert plain["idle switches"] > 1  # else there was no herd, and nothing is shown
        assert plain["idle switches"] > FACTOR * exclusive["idle switches"]
    assert exclusive["idle switches"] < 1
    assert exclusive["in vain"] < 0.5


def test_an_exclusive_wake_up_costs_less_in_all(herds):
    # Under gevent it does with more workers only: the one that is woken has several switches.
    herd = herds["native"]
    for whose in ("stdlib", "ours"):
        all_plain = herd[whose, "plain"]["switches"]
        assert all_plain > FACTOR * herd["ours", "exclusive"]["switches"]
