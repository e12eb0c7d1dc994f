"""Does the diagnosis say how selectors wait here, and why?"""

from __future__ import annotations

import errno
import json
import os
import platform
import select
import sys
from importlib import metadata
from unittest import mock

import pytest

import coopselectors
from coopselectors.__main__ import main
from support import native, seams
from support.runtimes import missing


def failing(code):
    def primitive(*_):
        raise OSError(code, os.strerror(code))

    return primitive


def all_broken(primitives):
    return mock.patch.multiple(seams.platform, **{"select": native.select, **primitives})


def test_info(runtime):
    runtime.sleep(0.001)  # the hub is started
    found = coopselectors.info()
    assert found["runtime"] == runtime.owner
    assert found["versions"]["coopselectors"] == coopselectors.__version__
    assert found["default"] in coopselectors.__all__
    assert found["default"] not in str(found["passed_over"])
    assert found["evidence"]["select"].startswith(f"{runtime.owner}: ")
    waits_in = {"native": "the kernel", "gevent": runtime.name[7:12], "eventlet": "eventlet.hubs."}
    assert waits_in[runtime.owner] in found["hub"]
    json.dumps(found)


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_asking_starts_no_hub(runtime):
    found = runtime.join_thread(runtime.start_thread(coopselectors.info))
    assert "not started yet" in found["hub"]


@pytest.mark.skipif(bool(missing("gevent-libev")), reason="gevent is not installed")
def test_asking_starts_no_hub_of_the_main_thread_either(run_python):
    output = run_python(
        """
        import gevent.monkey
        gevent.monkey.patch_all()
        import coopselectors
        print(coopselectors.info()["hub"])
        """
    )
    assert output == "a gevent hub that is not started yet\n"


def test_asking_imports_nothing(run_python):
    run_python(
        """
        import sys, coopselectors
        before = {*sys.modules}  # what measures coverage may be there already
        coopselectors.info()
        assert not {"gevent", "eventlet", "greenlet"} & ({*sys.modules} - before)
        """
    )


def test_versions_are_those_of_what_is_installed():
    expected = {}
    for name in ("gevent", "eventlet", "greenlet"):
        try:
            expected[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            expected[name] = None
    assert expected.items() <= coopselectors.info()["versions"].items()


@pytest.mark.parametrize(
    "left",
    [
        "gevent-9.8.7.dist-info",
        "gevent-9.8.7.egg-info",
        "gevent-9.8.7-py3.13.egg-info",
        "gevent.py",
    ],
)
def test_versions_are_found_however_it_was_installed(tmp_path, monkeypatch, left):
    (tmp_path / "gevent_more-1.0.dist-info").mkdir()
    (tmp_path / left).mkdir()
    monkeypatch.setattr(sys, "path", [None, 3, str(tmp_path / "not-there"), str(tmp_path)])
    expected = "9.8.7" if "9.8.7" in left else None
    assert coopselectors.info()["versions"]["gevent"] == expected


def test_an_egg_is_on_the_path_itself(tmp_path, monkeypatch):
    egg = tmp_path / "gevent-9.8.7-py3.9-linux-x86_64.egg"
    egg.mkdir()
    monkeypatch.setattr(sys, "path", [str(egg)])
    assert coopselectors.info()["versions"]["gevent"] == "9.8.7"


def test_what_else_is_on_the_path_names_no_version(tmp_path, monkeypatch):
    class Odd(str):
        def __or__(self, other):
            raise RuntimeError

        __bool__ = __len__ = __fspath__ = rfind = __or__

    (tmp_path / "gevent-9.8.7.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [os.fsencode(tmp_path), Odd(tmp_path), tmp_path])
    assert coopselectors.info()["versions"]["gevent"] is None


@pytest.mark.parametrize("path", [None, 3])
def test_without_a_path_no_version_is_known(monkeypatch, path):
    monkeypatch.setattr(sys, "path", path)
    assert coopselectors.info()["versions"]["gevent"] == "unknown: TypeError when asked"


def test_the_version_of_python_is_as_platform_tells_it():
    expected = f"{platform.python_implementation()} {platform.python_version()}"
    assert coopselectors.info()["versions"]["python"] == expected


@pytest.mark.parametrize("library", ["", "gevent", "eventlet"])
def test_no_descriptor_is_left(run_python, library):
    if library and missing({"gevent": "gevent-libev"}.get(library, library)):
        pytest.skip(f"not installed: {library}")
    patch = {
        "": "",
        "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
        "eventlet": "import eventlet; eventlet.monkey_patch()",
    }[library]
    output = run_python(
        f"""
        {patch}
        import coopselectors, json, os, resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        taken = []
        try:
            while True:
                taken.append(os.dup(1))
        except OSError:
            pass
        print(json.dumps(coopselectors.info()))
        for each in taken:
            os.close(each)
        """,
        PYTHONWARNINGS="ignore",
    )
    found = json.loads(output)
    assert found["runtime"] == (library or "native")
    assert found["versions"]["gevent"] == "unknown: OSError when asked"
    assert os.strerror(errno.EMFILE) in str(found["passed_over"])


def test_what_two_isolated_interpreters_cannot_import_is_not_imported(run_python):
    """CPython 3.12 and 3.13 abort if they do (python/cpython#117953, python/cpython#136423)."""
    run_python(
        """
        import sys
        before = {*sys.modules}  # what measures coverage may be there already
        import coopselectors
        coopselectors.info()
        coopselectors.install()
        coopselectors.audit()
        coopselectors.uninstall()
        assert not {"datetime", "_datetime", "_ctypes", "_decimal"} & ({*sys.modules} - before)
        """
    )


# ENOSYS: defined, and not implemented.  EPERM: seccomp's usual answer.  EMFILE: no descriptor left.
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EMFILE])
def test_the_order_of_falling_back(code):
    names = [name for name in ("epoll", "poll", "select") if native.find(name)]
    broken = {}
    for name in names:
        with all_broken(broken):
            found = coopselectors.info()
            assert found["default"] == f"{name.capitalize()}Selector"
            for passed_over in broken:
                [why] = [s for s in found["passed_over"] if s.startswith(passed_over.capitalize())]
                assert os.strerror(code) in why
        broken[name] = failing(code)
    with all_broken(broken):
        found = coopselectors.info()
    assert found["default"] is None
    assert os.strerror(code) in str(found["passed_over"])


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_one_that_begins_to_fail_does_not_change_a_living_selector(connect, code):
    reader, writer = connect()
    selector = coopselectors.DefaultSelector()
    kind = type(selector)
    selector.register(reader, coopselectors.EVENT_READ)
    with mock.patch.object(
        seams.platform, kind.__name__[: -len("Selector")].lower(), failing(code)
    ):
        assert type(coopselectors.DefaultSelector()) is not kind
        writer.send(b"x")
        assert len(selector.select(1)) == 1
        assert type(selector) is kind
    selector.close()


def test_a_stranger_is_named():
    def traced(*arguments, real=select.select):
        return real(*arguments)

    with mock.patch.object(select, "select", traced):
        found = coopselectors.info()
        assert found["runtime"] == "foreign"
        assert "traced" in found["hub"]
        assert "traced" in found["evidence"]["select"]


def test_a_stranger_that_cannot_be_asked():
    """It claims to be a wrapper around ours, and raises when it is asked for what it wraps."""

    class Odd:
        __module__ = "coopselectors.select"
        __wrapped__ = property(lambda self: 1 / 0)

        def __call__(self, *how):
            raise AssertionError("called")

    with mock.patch.multiple(select, select=Odd(), epoll=Odd()):
        found = coopselectors.info()
    assert found["runtime"] == "unknown: ZeroDivisionError when asked"
    assert found["evidence"]["select"] == found["runtime"] == found["hub"]
    assert found["default"] is None
    assert found["passed_over"] == [found["runtime"]]


def test_the_command(capsys, monkeypatch):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "runtime:\n    native\n" in text
    assert "    select: native: select.select\n" in text
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["default"] == coopselectors.info()["default"]
    monkeypatch.setattr(sys, "path", [])
    main(["info"])
    assert "gevent: not installed" in capsys.readouterr().out
