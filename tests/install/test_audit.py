"""Does audit() find everything that would block a hub, with its holder, and nothing else?"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import re
import select
import selectors
import signal
import subprocess
import sys
import textwrap
import time
import types
import weakref

import pytest

import coopselectors
from support.runtimes import missing, standard
from support.workers import PLATFORM

LIBRARY = """
import select
import selectors
from select import epoll, select as choose
from selectors import EpollSelector, PollSelector, SelectSelector, BaseSelector, EVENT_READ

TABLE = {"primitive": select.poll, "number": 1}

def serve(kind=selectors.EpollSelector, *, wait=select.select):
    pass

class Own(selectors.EpollSelector):
    pass

class Client:
    kind = selectors.EpollSelector
    OPTIONS = {"kind": selectors.EpollSelector}
    shared = select.epoll()

    def __init__(self):
        self._poll = select.poll()

    @staticmethod
    def wait(kind=selectors.EpollSelector):
        pass

client = Client()
living = selectors.EpollSelector()
pool = {"first": [selectors.EpollSelector()]}
pair = (1, select.epoll())
by_number = {1: select.epoll()}
own = Own()

def started():
    local = select.poll()
    yield local

generator = started()
next(generator)
"""

CAPTURED = {
    "library.epoll": "the class select.epoll",
    "library.choose": "the function select.select",
    "library.EpollSelector": "the class selectors.EpollSelector",
    "library.TABLE['primitive']": "the function select.poll",
    "default argument 'kind' of library.serve": "the class selectors.EpollSelector",
    "default argument 'wait' of library.serve": "the function select.select",
    "library.Own": "the class library.Own",
    "library.Client.kind": "the class selectors.EpollSelector",
    "library.Client.OPTIONS['kind']": "the class selectors.EpollSelector",
    "default argument 'kind' of library.Client.wait": "the class selectors.EpollSelector",
}

LIVING = {
    "library.living": "a selectors.EpollSelector object",
    "library.own": "a library.Own object",
    "library.pair[1]": "a select.epoll object",
    "library.by_number[1]": "a select.epoll object",
    "library.Client.shared": "a select.epoll object",
    "library.client._poll": "a select.poll object",
    "library.pool['first'][0]": "a selectors.EpollSelector object",
}

#: Whether these are still in the way depends on the patcher.
KEPT = {
    "library.PollSelector": "the class selectors.PollSelector",
    "library.SelectSelector": "the class selectors.SelectSelector",
}


@pytest.fixture
def library(monkeypatch):
    gc.collect()  # that of the test before
    module = types.ModuleType("library")
    monkeypatch.setitem(sys.modules, "library", module)
    exec(LIBRARY, vars(module))
    yield module
    if coopselectors.is_installed():
        coopselectors.uninstall()
    for selector in (module.living, module.own, module.pool["first"][0]):
        selector.close()


def found(prefix="library"):
    """What was found of this test's own."""
    return {
        finding.where: finding.what for finding in coopselectors.audit() if prefix in finding.where
    }


def test_everything_in_a_module(library):
    said = found()
    [within] = [where for where in said if where.startswith("'local' in library.started() (File ")]
    assert said.pop(within) == "a select.poll object"
    assert said == {**CAPTURED, **LIVING, **KEPT}


def test_a_module_with_two_names_is_looked_at_once(library, monkeypatch):
    before = found()
    monkeypatch.setitem(sys.modules, "library_too", library)
    assert found() == before


def test_what_it_holds(library):
    findings = coopselectors.audit()
    held = {finding.where: finding.held for finding in findings}
    [living] = [finding for finding in findings if finding.where == "library.living"]
    assert str(living) == f"library.living: a selectors.EpollSelector object ({living.advice})"
    assert living.held is library.living
    assert held["library.Own"] is library.Own
    assert held["library.choose"] is select.select


def test_it_says_the_same_however_often_it_is_asked(run_python):
    script = """
        import os, threading, time
        import selectors, select
        import coopselectors

        def suspended():
            kind = selectors.DefaultSelector
            yield kind

        generator = suspended()
        next(generator)

        def work():
            box = [select.poll]
            begun.set()
            time.sleep(60)

        begun = threading.Event()
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
        answers = [sorted(found.where for found in coopselectors.audit()) for _ in range(4)]
        print(all(each == answers[0] for each in answers), len(answers[0]) > 1, flush=True)
        os._exit(0)
        """
    assert run_python(script) == "True True\n"


class Thing:
    pass


@pytest.mark.parametrize("times", [1, 2, 3])
def test_it_keeps_nothing_alive_of_what_runs_meanwhile(times):
    thing = Thing()
    told = weakref.ref(thing)
    for _ in range(times):
        coopselectors.audit()
    del thing
    gc.collect()  # the test runner has looked into this frame
    assert told() is None


def test_it_keeps_no_function_alive_that_has_returned(run_python):
    script = """
        import gc, weakref
        import coopselectors

        class Thing:
            pass

        def ask():
            thing = Thing()
            coopselectors.audit()
            return weakref.ref(thing)

        gc.disable()
        print(ask()())
        """
    assert run_python(script) == "None\n"


def test_one_audit_does_not_see_the_last(library):
    assert found() == found() == found()


def test_after_install_nothing_is_captured_but_the_primitives(library):
    coopselectors.install()
    said = found()
    left = {*CAPTURED, *KEPT} & {*said}
    assert {said[where] for where in left} == {
        "the class library.Own",  # whose base cannot be changed
        "the class select.epoll",
        "the function select.poll",
        "the function select.select",
    }
    assert {*LIVING} <= {*said}


def found_in_variable(waiting):
    """What is found in the variable `waiting`.

    Not of the test: pytest puts a call of locals() into a function with assertions, see limits.rst.
    """
    return found("'waiting' in")


def test_variables_of_what_is_running():
    waiting = select.epoll()
    said = found_in_variable(waiting)
    waiting.close()
    [(where, what)] = said.items()
    assert where.startswith(f"'waiting' in {__name__}.found_in_variable() (File ")
    assert what == "a select.epoll object"


def test_what_is_ours_is_nobodys_business():
    with coopselectors.EpollSelector() as ours, coopselectors.PollSelector() as others:
        ours.select(0)
        others.select(0)
        natives = [ours._selector._native, others._selector._native]
        held = [id(finding.held) for finding in coopselectors.audit()]
    assert not {id(ours), id(others), *map(id, natives)} & {*held}


def test_a_holder_without_a_name():
    class Odd:
        def __init__(self):
            self.poll = select.poll()
            self.me = self

    gc.disable()  # it would collect the cycle
    Odd()
    said = found("<locals>")
    gc.enable()
    assert f"<a {__name__}.{Odd.__qualname__} object>.poll" in said


def test_a_holder_that_cannot_be_asked():
    class Proxy:
        __slots__ = ("held",)

        @property
        def __dict__(self):
            raise RuntimeError("not set up yet")

    kept = [Proxy()]
    kept[0].held = select.epoll()
    said = found_in_variable(kept)
    kept[0].held.close()
    [(where, what)] = said.items()
    assert where.endswith("[0].held")
    assert what == "a select.epoll object"


def test_what_the_type_of_a_poll_object_is_held_by():
    """It cannot be called, and so nobody can wait with it."""
    kept = []

    def outer():
        kind = type(select.poll())
        kept.append(lambda: kind)
        kept.append(functools.partial(kind))
        return {finding.where for finding in coopselectors.audit()}

    inside, after = outer(), {finding.where for finding in coopselectors.audit()}
    said = [where for where in inside | after if "'kind' in" in where or "'kept' in" in where]
    assert said + [where for where in after if "<lambda>" in where] == []


def test_a_process_without_greenlets(library, monkeypatch):
    monkeypatch.delitem(sys.modules, "greenlet", raising=False)
    assert {*CAPTURED, *LIVING, *KEPT} <= {*found()}


class Boundless:
    """A function that claims to wrap one of ours, and fails when it is asked."""

    __module__ = "coopselectors.select"

    @property
    def __wrapped__(self):
        raise ZeroDivisionError

    def __call__(self, *how):
        raise AssertionError("called")


def test_whoever_has_patched_cannot_be_asked(library, monkeypatch):
    monkeypatch.setattr(select, "select", Boundless())
    everywhere = {finding.where for finding in coopselectors.audit()}
    assert {*CAPTURED, *LIVING, *KEPT} <= everywhere
    # Somebody has patched, and the standard modules are what he has not reached.
    assert "selectors.EpollSelector" in everywhere


SCRIPT = """
import sys
{before}
{patch}
{after}
import coopselectors

def wait():
    mine = epoll()
    hub.sleep(60)

import types
import weakref
task = hub.spawn(wait)
hub.sleep(0)
with coopselectors.DefaultSelector() as selector:
    selector.select(0.01)
for finding in coopselectors.audit():
    print(*finding[:2], sep=": ")
task.kill()
"""

PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(); import gevent as hub",
    "eventlet": "import eventlet; eventlet.monkey_patch(); import eventlet as hub",
}

BEFORE = "import subprocess, socketserver; from select import epoll; from selectors import *"


@pytest.mark.parametrize("name", PATCHES)
def test_patched_after_the_import(run_python, name):
    if missing({"gevent": "gevent-libev"}.get(name, name)):
        pytest.skip(f"not installed: {name}")
    script = SCRIPT.format(before=BEFORE, patch=PATCHES[name], after="")
    said = run_python(script, PYTHONWARNINGS="ignore").splitlines()
    by_both = {
        "__main__.EpollSelector: the class selectors.EpollSelector",
        "__main__.epoll: the class select.epoll",
    }
    by_eventlet = {
        "__main__.DefaultSelector: the class selectors.EpollSelector",
        "__main__.PollSelector: the class selectors.PollSelector",
        "__main__.SelectSelector: the class selectors.SelectSelector",
        "subprocess._PopenSelector: the class selectors.PollSelector",
        "socketserver._ServerSelector: the class selectors.PollSelector",
    }
    [local] = [line for line in said if line.startswith("'mine' in __main__.wait() ")]
    said.remove(local)
    assert local.endswith(": a select.epoll object")
    by_gevent = {
        "__main__.DefaultSelector: the class selectors.EpollSelector",
        "gevent.selectors.EpollSelector: the class selectors.EpollSelector",
    }
    assert {*said} == by_both | (by_gevent if name == "gevent" else by_eventlet)


@pytest.mark.parametrize("name", PATCHES)
def test_patched_before_the_import(run_python, name):
    if missing({"gevent": "gevent-libev"}.get(name, name)):
        pytest.skip(f"not installed: {name}")
    after = "import subprocess, socketserver, selectors; from selectors import *; epoll = object"
    script = SCRIPT.format(before="", patch=PATCHES[name], after=after)
    said = run_python(script, PYTHONWARNINGS="ignore").splitlines()
    assert {*said} <= {
        "subprocess._PopenSelector: the class selectors.PollSelector",
        "gevent.selectors.EpollSelector: the class selectors.EpollSelector",
    }


@pytest.mark.skipif(missing("eventlet") != "", reason="not installed: eventlet")
def test_what_eventlets_asyncio_hub_waits_with(run_python):
    script = SCRIPT.format(before="from select import epoll", patch=PATCHES["eventlet"], after="")
    said = run_python(script, PYTHONWARNINGS="ignore", EVENTLET_HUB="asyncio").splitlines()
    assert not [line for line in said if "asyncio" in line]
    assert any(line.startswith("'mine' in __main__.wait()") for line in said)


def test_a_loop_that_belongs_to_no_hub():
    loop = asyncio.SelectorEventLoop(standard.DefaultSelector())
    said = found("._selector")
    loop.close()
    assert [*said.values()] == ["a selectors.EpollSelector object"]


def test_not_all_was_patched(run_python):
    if missing("gevent-libev"):
        pytest.skip("not installed: gevent")
    said = run_python(
        """
        import gevent.monkey; gevent.monkey.patch_all(aggressive=False)
        import coopselectors, select
        for finding in coopselectors.audit():
            print(*finding[:2], sep=": ")
        """
    )
    assert "select.epoll: the class select.epoll\n" in said
    assert "selectors.EpollSelector: the class selectors.EpollSelector\n" in said


#: What to do about it.
CLASS = "install() replaces it"
PRIMITIVE = "install(select=True) replaces it"


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "coopselectors", "audit", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "program.py"

    def write(text):
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


def test_a_program_that_would_block(script):
    path = script(
        """
        from selectors import EpollSelector
        import helper

        if __name__ == "__main__":
            print("not to be run")
        """
    )
    helper = path.replace("program.py", "helper.py")
    with open(helper, "w") as file:
        file.write("from select import poll")
    done = command(path)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    said = " ".join(done.stdout.split())
    assert f"program.EpollSelector the class selectors.EpollSelector ({CLASS}) " in said
    assert f"helper.poll the function select.poll ({PRIMITIVE}) " in said
    assert re.fullmatch(r"program: \d+ places hold something that would block a hub .*", lines[-1])
    assert lines[-1].endswith(" (nothing is patched)")
    assert "not to be run" not in lines
    as_json = json.loads(command("--json", path).stdout)
    poll = {"where": "helper.poll", "what": "the function select.poll", "advice": PRIMITIVE}
    assert poll in as_json


@pytest.mark.parametrize("name", ["__main__", "select", "sys"])
def test_a_program_with_the_name_of_a_module_that_is_in_use(tmp_path, name):
    path = tmp_path / f"{name}.py"
    path.write_text(
        "from selectors import EpollSelector\n"
        "import select, sys\n"
        "assert hasattr(sys, 'path') and hasattr(select, 'epoll')\n"
        "class Made: pass\n"
        "assert vars(sys.modules[Made.__module__]) is globals()\n"
        "if __name__ == '__main__':\n"
        "    print('not to be run')\n"
    )
    done = command(str(path))
    assert done.returncode == 1, done.stderr
    assert f"{name} (script).EpollSelector\n" in done.stdout
    assert "not to be run" not in done.stdout


def test_a_program_of_that_name_has_no_package_either(tmp_path):
    (tmp_path / "__main__.py").write_text("from . import part\n")
    done = command(str(tmp_path / "__main__.py"))
    assert done.returncode == 2
    assert "attempted relative import with no known parent package" in done.stderr


def test_a_module_that_would_not(script):
    done = command("-m", "html")
    assert done.stdout == "html: nothing would block a hub (nothing is patched)\n"
    assert done.returncode == 0


def test_a_module_beside_us(script, tmp_path):
    script("from selectors import EpollSelector")
    assert "program.EpollSelector" in command("-m", "program", cwd=tmp_path).stdout


@pytest.mark.parametrize("name", PATCHES)
def test_a_program_in_a_patched_process(script, name):
    if missing({"gevent": "gevent-libev"}.get(name, name)):
        pytest.skip(f"not installed: {name}")
    path = script("from selectors import DefaultSelector; import socketserver")
    done = command("--patch", name, path)
    assert "program." not in done.stdout.replace("program: ", "")
    assert f"({name} has patched select)" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("1 +", "SyntaxError: invalid syntax ({path}, line 1)"),
        ("raise ValueError('one\\n  two')", "ValueError: one\n  two"),
    ],
)
def test_a_program_that_cannot_be_imported(script, text, reason):
    path = script(text)
    done = command(path)
    assert done.returncode == 2
    assert done.stderr == f"cannot import {path}: {reason.format(path=path)}\n"
    assert done.stdout == ""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="add_note() came with 3.11")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ValueError('why')", "ValueError: why"),
        ("SyntaxError('why', ('a file', 1, 2, 'text'))", "SyntaxError: why (a file, line 1)"),
    ],
)
def test_an_error_with_notes(script, error, reason):
    path = script(f"error = {error}\nerror.add_note('one\\n  two')\nraise error\n")
    assert command(path).stderr == f"cannot import {path}: {reason}\none\n  two\n"


def test_whoever_interrupts_it_ends_it(script, lazy_package):
    (lazy_package / "lazy_package" / "endless.py").write_text("raise KeyboardInterrupt\n")
    for arguments in [script("raise KeyboardInterrupt")], ["-m", "lazy_package", "--deep"]:
        done = command(*arguments, cwd=lazy_package)
        assert done.returncode == -signal.SIGINT
        assert "cannot import lazy_package.endless" not in done.stderr
        assert done.stdout == ""


NOTHING = "program: nothing would block a hub (nothing is patched)\n"
REPLACED = {
    "by nothing": ("{stream} = None", NOTHING),
    "by an object that is no file": (
        """
        class Tee:
            write, flush = {stream}.write, {stream}.flush
        {stream} = Tee()
        """,
        NOTHING,
    ),
    "by a wrapper": ("{stream} = io.TextIOWrapper({stream}.buffer)", NOTHING),
    "by a wrapper that is gone": ("io.TextIOWrapper({stream}.buffer)", ""),
    "by a wrapper that owns the file": ("{stream} = io.TextIOWrapper({stream}.detach())", NOTHING),
    "and closed": ("{stream}.close()", ""),
    "and deleted": ("{stream}.flush(); del {stream}", NOTHING),
}


@pytest.mark.parametrize("how", REPLACED)
def test_a_program_that_replaces_standard_output(script, how):
    text, said = REPLACED[how]
    path = script("import io, sys\n" + textwrap.dedent(text.format(stream="sys.stdout")))
    done = command(path)
    assert (done.stdout, done.stderr) == (said, "")
    assert done.returncode == 0
    with open(path, "a") as file:
        file.write("\nimport selectors; held = selectors.DefaultSelector\n")
    assert command(path).returncode == 1


@pytest.mark.parametrize("how", REPLACED)
def test_a_program_that_replaces_standard_error(script, how):
    text, said = REPLACED[how]
    text = textwrap.dedent(text.format(stream="sys.stderr"))
    done = command(path := script(f"import io, sys\n{text}\nraise ValueError('no')"))
    complaint = f"cannot import {path}: ValueError: no\n" if said else ""
    assert (done.stdout, done.stderr) == ("", complaint)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("encoding", "name", "said"),
    [
        ("ascii", "größe", r"gr\xf6\xdfe"),
        ("latin-1:replace", "größe", "größe"),
        ("utf-8", "größe", "größe"),
        ("utf-8", "a\udcffb", r"a\udcffb"),
    ],
    ids=ascii,
)
def test_names_that_the_stream_cannot_encode(script, encoding, name, said):
    path = script(f"import selectors; globals()[{name!a}] = selectors.DefaultSelector")
    done = subprocess.run(
        [sys.executable, "-m", "coopselectors", "audit", path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"program.{said}\n" in done.stdout.decode(encoding.partition(":")[0])


@pytest.mark.parametrize(
    "arguments", [[], ["-m", "json", "script.py"], ["-m", ""], [""], ["-m", "", "script.py"]]
)
def test_bad_arguments(arguments):
    done = command(*arguments)
    assert done.returncode == 2
    assert "give either -m PACKAGE or a script" in done.stderr


@pytest.fixture
def lazy_package(tmp_path):
    """A package that imports its modules at their first use, as PEP 562 has it."""
    package = tmp_path / "lazy_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import importlib\n"
        "def __getattr__(name):\n"
        "    return importlib.import_module(f'lazy_package.{name}')\n"
    )
    (package / "network.py").write_text("from selectors import DefaultSelector as Kind\n")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text("from select import poll\n")
    (package / "broken.py").write_text("raise RuntimeError('not today')\n")
    (package / "__main__.py").write_text("raise SystemExit('this is the program')\n")
    return tmp_path


def test_what_a_lazy_package_has_not_loaded_is_listed(lazy_package):
    done = command("-m", "lazy_package", cwd=lazy_package)
    assert done.returncode == 3
    assert done.stdout.startswith("lazy_package: nothing would block a hub")
    assert "lazy_package loads its parts lazily" in done.stderr
    for name in ("network", "broken", "inner", "inner.deep"):
        assert f"lazy_package.{name}" in done.stderr
    assert "__main__" not in done.stderr


def test_deep_imports_all_modules(lazy_package):
    done = command("-m", "lazy_package", "--deep", cwd=lazy_package)
    assert done.returncode == 1
    assert "lazy_package.network.Kind\n    the class selectors.EpollSelector" in done.stdout
    assert "lazy_package.inner.deep.poll\n    the function select.poll" in done.stdout
    assert "cannot import lazy_package.broken: RuntimeError: not today" in done.stderr
    assert "this is the program" not in done.stderr
    done = command("-m", "lazy_package", "--deep=*.inner*", cwd=lazy_package)
    assert "lazy_package.inner.deep.poll" in done.stdout
    assert "lazy_package.network.Kind" not in done.stdout
    complaint = " ".join(done.stderr.split())
    assert "not looked at: lazy_package.broken, lazy_package.network" in complaint


def test_a_package_with_another_object_in_its_place(lazy_package):
    for name in ("proxy", "lazy_package.inner"):
        (lazy_package / "proxy").mkdir(exist_ok=True)
        folder = lazy_package / name.replace(".", "/")
        (folder / "__init__.py").write_text(
            "import sys\nclass Proxy:\n    pass\nproxy = sys.modules[__name__] = Proxy()\n"
            "vars(proxy).update(__path__=__path__, __spec__=__spec__)\n"
        )
        (folder / "network.py").write_text("from selectors import DefaultSelector as Kind\n")
        done = command("-m", name, cwd=lazy_package)
        assert (done.returncode, done.stdout.partition(":")[0]) == (3, name), done.stderr
        assert f"{name}.network" in " ".join(done.stderr.split())
        done = command("-m", name, "--deep", cwd=lazy_package)
        assert done.returncode == 1
        assert f"{name}.network.Kind\n" in done.stdout


def test_what_a_lazy_loader_has_not_loaded_is_no_module_yet(lazy_package):
    (lazy_package / "late").mkdir()
    (lazy_package / "late" / "network.py").write_text("from selectors import DefaultSelector\n")
    (lazy_package / "late" / "__init__.py").write_text(
        "import importlib.util, sys\n"
        "spec = importlib.util.find_spec('late.network')\n"
        "loader = spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "module = sys.modules['late.network'] = importlib.util.module_from_spec(spec)\n"
        "loader.exec_module(module)\n"
    )
    done = command("-m", "late", cwd=lazy_package)
    assert done.returncode == 3
    assert "not looked at: late.network" in " ".join(done.stderr.split())
    assert (
        "late.network.DefaultSelector\n" in command("-m", "late", "--deep", cwd=lazy_package).stdout
    )


def test_folders_without_an_init_are_packages_too(lazy_package):
    (lazy_package / "space" / "inner" / "not-a-name").mkdir(parents=True)
    (lazy_package / "space" / "inner" / "part.py").write_text("from select import epoll\n")
    (lazy_package / "space" / "inner" / "not-a-name" / "no.py").write_text("raise SystemExit(9)\n")
    (lazy_package / "space" / "loop").symlink_to(lazy_package / "space")
    done = command("-m", "space", cwd=lazy_package)
    assert "space: not loaded, and not looked at: space.inner.part (" in done.stderr
    assert "space.inner.part.epoll\n" in command("-m", "space", "--deep", cwd=lazy_package).stdout


def test_deep_does_not_advise_itself(lazy_package):
    done = command("-m", "lazy_package", "--deep", cwd=lazy_package)
    said = " ".join(done.stderr.split())
    assert said.endswith("not loaded, and not looked at: lazy_package.broken")


def test_a_package_that_loads_no_more_by_itself_is_clear(tmp_path):
    package = tmp_path / "plain"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("from selectors import DefaultSelector")
    done = command("-m", "plain", cwd=tmp_path)
    assert done.returncode == 0
    assert "plain: not loaded, and not looked at: plain.other" in " ".join(done.stderr.split())


def test_a_module_of_a_class_of_its_own_is_lazy_too(lazy_package):
    (lazy_package / "odd").mkdir()
    (lazy_package / "odd" / "part.py").write_text("")
    (lazy_package / "odd" / "__init__.py").write_text(
        "import sys\nsys.modules['odd.proxy'] = object()\nsys.modules['odd.nothing'] = None\n"
        "__path__.append('no such folder')\n"
    )
    done = command("-m", "odd", cwd=lazy_package)
    assert done.returncode == 3
    assert "odd: odd.proxy loads its parts lazily; not loaded, and not looked at: odd.part" in (
        done.stderr
    )


def test_it_says_so_if_it_takes_long(monkeypatch, trace_audit_thread):
    from coopselectors._commands import audit as the_command

    said = []

    def slowly():
        until = time.monotonic() + 20
        while not said and time.monotonic() < until:
            time.sleep(0.01)
        return []

    stream = types.SimpleNamespace(write=said.append, flush=lambda: None)
    monkeypatch.setattr(the_command.sys, "stderr", stream)
    monkeypatch.setattr(the_command, "audit", slowly)
    monkeypatch.setattr(the_command, "_PATIENCE", 0.05)
    assert the_command.main(["-m", "html"]) == 0
    assert said[0] == "looking at all objects of the process ..."


def test_it_says_nothing_if_it_does_not(monkeypatch, capsys, trace_audit_thread):
    from coopselectors._commands import audit as the_command

    monkeypatch.setattr(the_command, "audit", list)
    monkeypatch.setattr(the_command, "_PATIENCE", 0.05)
    assert the_command.main(["-m", "html"]) == 0
    time.sleep(0.1)  # more than its patience
    assert "looking at all objects" not in capsys.readouterr().err


def test_deep_goes_with_a_package(script):
    assert "--deep needs -m PACKAGE" in command("--deep=x", script("")).stderr


def test_another_platforms_primitives_are_found_by_name():
    if PLATFORM:
        pytest.skip("these are the stand-ins")
    kind = type("KqueueSelector", (selectors.BaseSelector,), {"__module__": "selectors"})
    made = types.ModuleType("made")
    made.Kqueue = kind
    sys.modules["made"] = made
    try:
        assert found("made.") == {"made.Kqueue": "the class selectors.KqueueSelector"}
    finally:
        del sys.modules["made"]


@pytest.mark.parametrize("name", PATCHES)
def test_after_install_nothing_is_left_to_find(run_python, name):
    if missing({"gevent": "gevent-libev"}.get(name, name)):
        pytest.skip(f"not installed: {name}")
    output = run_python(
        f"""
        import kafka, multiprocessing.connection, subprocess
        import kafka.producer.kafka
        {PATCHES[name]}
        import coopselectors
        before = [": ".join(each[:2]) for each in coopselectors.audit()]
        coopselectors.install()
        after = [str(finding) for finding in coopselectors.audit()]
        print(len(before), *after)
        print(*before, sep=chr(10))
        """,
        PYTHONWARNINGS="ignore",
    )
    numbers, *before = output.splitlines()
    assert numbers == str(len(before))
    assert [line for line in before if line.startswith("kafka.")]
    if name == "eventlet":  # gevent reaches the standard PollSelector, wherever it is
        assert "subprocess._PopenSelector: the class selectors.PollSelector" in before
        held = "multiprocessing.connection._WaitSelector: the class selectors.PollSelector"
        assert held in before
