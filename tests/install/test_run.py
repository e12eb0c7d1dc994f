"""Does ``python -m coopselectors run`` run a program as ``python`` does, with ours installed?"""

from __future__ import annotations

import py_compile
import subprocess
import sys
import zipfile

import pytest

from support.runtimes import missing

PROGRAM = """
import sys
print(__name__, sys.argv, sys.path[0], sorted(globals()), __spec__ and __spec__.name, __package__)
print(__file__, sys.modules["__main__"].__dict__ is globals())
def fail():
    raise ValueError("no")
if "fail" in sys.argv:
    fail()
if "exit" in sys.argv:
    sys.exit(7)
if "say" in sys.argv:
    sys.exit("said")
if "interrupt" in sys.argv:
    raise KeyboardInterrupt
if "hook" in sys.argv:
    sys.excepthook = lambda kind, error, trace: print("hook", kind, trace.tb_frame.f_code.co_name)
    fail()
import atexit
atexit.register(print, "the end", fail.__name__)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "caller.py").write_text(
        "import sys\nfrom coopselectors.__main__ import main\nmain(['run', *sys.argv[1:]])\n"
    )
    py_compile.compile(str(tmp_path / "program.py"), str(tmp_path / "compiled.pyc"))
    (tmp_path / "broken.py").write_text("1 +* 2\n")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(PROGRAM)
    (package / "part.py").write_text(PROGRAM)
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    (tmp_path / "library.py").write_text(
        "import select, selectors\nfrom selectors import DefaultSelector\nfrom select import *\n"
        "def tell():\n"
        "    kinds = DefaultSelector, selectors.PollSelector, epoll\n"
        "    return [each.__module__ for each in kinds]\n"
    )
    (tmp_path / "tell.py").write_text(
        "import library, coopselectors\nprint(coopselectors.current_runtime(), *library.tell())\n"
    )
    return tmp_path


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["program.py", "one", "-m", "two", "--gevent", "--", "-h"],
        ["program.py", "exit"],
        ["program.py", "say"],
        ["program.py", "fail"],
        ["program.py", "interrupt"],
        ["program.py", "hook"],
        ["package/part.py"],
        ["-m", "package", "one", "--warn", "1"],
        ["-mpackage", "fail"],
        ["-m", "package.part", "exit"],
        ["package", "one"],
        ["archive.pyz", "one"],
        ["archive.pyz", "fail"],
        ["compiled.pyc", "one"],
        ["broken.py"],
        ["no_such_file.py"],
        ["-m", "no_such_module"],
        ["-m", "package.no_such_module"],
    ],
    ids=" ".join,
)
def test_a_program_is_run_as_python_runs_it(folder, arguments):
    expected = run(folder, *arguments)
    done = run(folder, "-m", "coopselectors", "run", *arguments)
    assert done.stdout == expected.stdout
    assert done.stderr == expected.stderr
    assert done.returncode == expected.returncode


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P came with 3.11")
def test_no_folder_is_put_on_the_path_if_python_was_told_so(folder):
    expected = run(folder, "-P", "program.py")
    assert run(folder, "-P", "-m", "coopselectors", "run", "program.py").stdout == expected.stdout


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P came with 3.11")
@pytest.mark.parametrize("program", ["package", "archive.pyz"])
def test_a_folder_or_archive_finds_its_parts_nevertheless(folder, program):
    expected = run(folder, "-P", program)
    assert run(folder, "-P", "-m", "coopselectors", "run", program).stdout == expected.stdout


def test_a_program_may_come_through_a_pipe(folder):
    done = subprocess.run(
        [sys.executable, "-m", "coopselectors", "run", "/dev/stdin", "one"],
        input="import sys; print(__name__, sys.argv)",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "__main__ ['/dev/stdin', 'one']\n", done.stderr


def test_another_program_may_call_it(folder):
    """What was first on the path was not put there by ``python -m``, and stays."""
    (folder / "package" / "show.py").write_text("import sys; print(*sys.path[:2])")
    done = run(folder / "package", "../caller.py", "show.py")
    assert done.stdout.split() == [str(folder / "package"), str(folder)], done.stderr


OURS = "coopselectors._default coopselectors._selectors coopselectors.select"


@pytest.mark.epoll
@pytest.mark.parametrize("library", ["", "gevent", "eventlet"])
def test_it_is_patched_and_ours_are_installed(folder, library):
    lack = missing({"gevent": "gevent-libev"}.get(library, library)) if library else ""
    if lack:
        pytest.skip(lack)
    options = [f"--{library}"] if library else []
    done = run(folder, "-m", "coopselectors", "run", *options, "tell.py")
    assert done.stderr == ""
    assert done.stdout == f"{library or 'native'} {OURS}\n"


@pytest.mark.epoll
def test_the_select_module_can_be_left_alone(folder):
    done = run(folder, "-m", "coopselectors", "run", "--no-select", "tell.py")
    assert done.stdout == f"native {OURS.rpartition('.')[0].rpartition(' ')[0]} select\n", done


@pytest.mark.epoll
@pytest.mark.skipif(missing("gevent-libev") != "", reason="not installed: gevent")
@pytest.mark.parametrize("what", ["", "sys=True"])  # what was patched already is not patched again
def test_a_program_that_patches_once_more(folder, what):
    (folder / "again.py").write_text(
        f"import gevent.monkey; gevent.monkey.patch_all({what})\nimport tell\n"
    )
    done = run(folder, "-m", "coopselectors", "run", "--gevent", "again.py")
    assert done.stdout == f"gevent {OURS}\n", done.stderr


@pytest.mark.epoll
@pytest.mark.parametrize("options", [[], ["--no-select"]], ids=" ".join)
@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_program_that_patches_by_itself(folder, library, options):
    lack = missing({"gevent": "gevent-libev"}.get(library, library))
    if lack:
        pytest.skip(lack)
    patch = {
        "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
        "eventlet": "import eventlet; eventlet.monkey_patch()",
    }[library]
    (folder / "program.py").write_text(f"{patch}\nimport library\nprint(*library.tell())\n")
    text = (folder / "library.py").read_text()
    (folder / "library.py").write_text(text.replace(", epoll", ", select"))
    done = run(folder, "-m", "coopselectors", "run", *options, "program.py")
    *kinds, primitive = OURS.split()
    if options:
        primitive = {"gevent": "gevent.select", "eventlet": "eventlet.green.select"}[library]
    assert done.stdout.split() == [*kinds, primitive], done.stderr


@pytest.mark.skipif(missing("gevent-libev") != "", reason="not installed: gevent")
def test_it_tells_of_what_blocks(folder):
    (folder / "blocks.py").write_text(
        "from coopselectors import DefaultSelector\n"
        "with DefaultSelector(runtime='native') as selector:\n"
        "    selector.select(1)\n"
    )
    done = run(folder, "-m", "coopselectors", "run", "--gevent", "--warn", "0.2", "blocks.py")
    assert "a select call has blocked the hub" in done.stderr
    assert "blocks.py" in done.stderr


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_the_longest_time_can_be_waited_for(folder, library):
    lack = missing({"gevent": "gevent-libev"}.get(library, library))
    if lack:
        pytest.skip(lack)
    (folder / "sleeps.py").write_text("import time; time.sleep(0.2)")  # the watch has begun
    done = run(
        folder, "-m", "coopselectors", "run", f"--{library}", "--warn", "2000000", "sleeps.py"
    )
    assert done.stderr == ""
    assert done.returncode == 0


WARN = "--warn must be above 0 and at most 2000000 seconds"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "what to run?"),
        (["--gevent"], "what to run?"),
        (["-m"], "what to run?"),
        (["--warn", "1", "program.py"], "--warn needs --gevent or --eventlet"),
        (["--gevent", "--warn", "0", "program.py"], f"{WARN}, not 0"),
        (["--gevent", "--warn", "-1", "program.py"], f"{WARN}, not -1"),
        (["--gevent", "--warn", "nan", "program.py"], f"{WARN}, not nan"),
        (["--gevent", "--warn", "inf", "program.py"], f"{WARN}, not inf"),
        (["--gevent", "--warn", "1e300", "program.py"], f"{WARN}, not 1e+300"),
        (["--gevent", "--eventlet", "program.py"], "not allowed with"),
        (["--nonsense", "program.py"], "unrecognized arguments"),
        (["--eventlet", "program.py"], "cannot patch with eventlet: not for you"),
    ],
    ids=str,
)
def test_bad_arguments(folder, arguments, said):
    (folder / "eventlet.py").write_text("raise ImportError('not for you')")
    done = run(folder, "-m", "coopselectors", "run", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_two_dashes_end_our_own_options(folder):
    done = run(folder, "-m", "coopselectors", "run", "--", "program.py", "--warn")
    assert "['program.py', '--warn']" in done.stdout


def test_help(folder):
    done = run(folder, "-m", "coopselectors", "run", "--help")
    assert done.returncode == 0
    assert "[OPTION ...] -m MODULE [ARGUMENT ...]" in done.stdout
