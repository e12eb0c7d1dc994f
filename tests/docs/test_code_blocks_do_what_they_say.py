"""Does the documentation tell the truth?  Each of its code blocks is run, or is named.

A block of Python is a program of its own, run in a fresh interpreter.  A comment before a block
says what else is done with it:

``.. test: continues``
    it belongs to the program of the blocks before it
``.. test: prints``
    it is what that program prints, on either stream; ``...`` stands for anything
``.. test: file NAME``
    it is a file that lies there when the programs of its page are run
``.. test: on kqueue``
    it is run on the stand-in of that platform, see standins.py
``.. test: run by PATH``
    that file does what it says, for one reason or another it cannot be done here

A block of commands is looked up in `COMMANDS`, which says who runs each.  Whatever else there is
fails: no block is passed over.
"""

from __future__ import annotations

import ast
import configparser
import doctest
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docutils import frontend, nodes, utils
from docutils.parsers import rst

import coopselectors
from support import ROOT, TESTS

PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]

pytestmark = pytest.mark.once

DIAGNOSIS = "tests/diagnosis"

#: {the beginning of a command: (who runs it, the text there that shows it)}
COMMANDS = {
    "python -m coopselectors": (
        "tests/diagnosis/test_the_self_check_tells_the_truth.py",
        '"-m", "coopselectors"',
    ),
    "python -m coopselectors info": (
        "tests/diagnosis/test_info_says_how_selectors_wait.py",
        '"info"',
    ),
    "python -m coopselectors audit": ("tests/install/test_audit.py", '"audit"'),
    "python -m coopselectors run": ("tests/install/test_run.py", '"run"'),
    "pytest -p coopselectors.pytest_plugin": (
        "tests/install/test_pytest_plugin.py",
        '"coopselectors.pytest_plugin"',
    ),
    "python integration/": ("tox.ini", "python {tox_root}/integration/"),
    "python .ci/platforms.py": (".ci/run", "python .ci/platforms.py .tox"),
    "python benchmarks": ("benchmarks/__main__.py", "python benchmarks"),
    "python benchmarks/herd.py": ("benchmarks/herd.py", "python benchmarks/herd.py"),
    "python -m pytest": ("tox.ini", "pytest = pytest -c"),
    "pre-commit install": (".pre-commit-config.yaml", "hooks:"),
    ".ci/run": (".ci/run", "tox"),
    "tox": (".ci/run", "tox"),
    "tox -e docs": ("tox.ini", "[testenv:docs]"),
}

#: Seconds for a program, of which the longest takes two on an idle machine.
LIMIT = 60

_ADVICE = "make it a code-block:: python, or say in a comment who does, see the top of this file"

#: What a block may need and the tests can do without: {module: what brings it}.
OPTIONAL = {
    "gevent": "gevent",
    "eventlet": "eventlet",
    "kafka": "kafka-python",
    "requests": "requests",
    "urllib3": "urllib3",
    "websocket": "websocket-client",
}

# Sphinx's, whose content docutils is to read on.
DIRECTIVES = [
    *("toctree", "automodule", "autoclass", "autofunction", "autoattribute", "automethod"),
    *("py:module", "py:class", "py:method", "py:data"),
]


class _ReadOn(rst.Directive):
    """A directive of Sphinx's: what is in it is looked at."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = dict.fromkeys(
        [
            *("no-index", "members", "inherited-members", "exclude-members"),
            *("maxdepth", "caption", "hidden"),
        ],
        str,
    )

    def run(self):
        node = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


for _name in DIRECTIVES:
    rst.directives.register_directive(_name, _ReadOn)


@dataclass
class Block:
    """A code block."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""

    def __str__(self):
        return f"{self.page}:{self.line}"


@dataclass
class Program:
    """Blocks of Python that belong together, and what they print."""

    blocks: list[Block]
    printed: list[Block] = field(default_factory=list)

    def __str__(self):
        return str(self.blocks[0])

    @property
    def script(self):
        return "\n".join(block.text for block in self.blocks)


def read(path):
    """The blocks of a page."""
    parser = rst.Parser()
    settings = frontend.get_default_settings(parser)
    settings.report_level = settings.halt_level = 5  # Sphinx reports
    document = utils.new_document(str(path), settings)
    parser.parse(path.read_text(encoding="utf-8"), document)
    for message in document.findall(nodes.system_message):
        assert "directive" not in message.astext(), message.astext()
    found, mark = [], ""
    for node in document.findall():
        if isinstance(node, nodes.comment):
            mark = re.sub(r"^test:\s*", "", node.astext()) if _is_mark(node) else ""
        elif isinstance(node, (nodes.literal_block, nodes.doctest_block)):
            if isinstance(node.parent, nodes.system_message):
                continue
            language = next((each for each in node["classes"] if each != "code"), "")
            if isinstance(node, nodes.doctest_block):
                language = "pycon"
            found.append(Block(path.name, _line(node), language, node.astext(), mark))
            mark = ""
        elif isinstance(node, nodes.TextElement) and not isinstance(node, nodes.inline):
            assert not mark, f"{path.name}: nothing follows what is marked as {mark!r}"
    return found


def _is_mark(node):
    return node.astext().startswith("test:")


def _line(node):
    while node.line is None:
        node = node.parent
    return node.line


def _programs(blocks):
    found = []
    for block in blocks:
        if block.language in ("python", "pycon") and not block.mark.startswith(("run by", "file")):
            if block.mark == "continues":
                found[-1].blocks.append(block)
            else:
                found.append(Program([block]))
        elif block.mark == "prints":
            found[-1].printed.append(block)
    return found


BLOCKS = {path.name: read(path) for path in PAGES}
PROGRAMS = [each for blocks in BLOCKS.values() for each in _programs(blocks)]


def ids(found):
    """The same, each known by where it is."""
    return [pytest.param(each, id=str(each)) for each in found]


def lacks(script):
    """What it takes to run a script that this machine does not have."""
    wanted = set()
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Import):
            wanted.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            wanted.add(str(node.module).partition(".")[0])
    wanted.update(re.findall(r"runtime=\"(gevent|eventlet)\"", script))
    missing = [OPTIONAL[name] for name in sorted(wanted & OPTIONAL.keys()) if not _has(name)]
    if re.search(r"\bepoll\b|Epoll|EPOLL", script) and sys.platform != "linux":
        missing.append("epoll")
    if "fork()" in script and not hasattr(os, "fork"):
        missing.append("fork")
    return missing


def _has(name):
    return importlib.util.find_spec(name) is not None


def source_of(program):
    """A script, of statements or of a session."""
    if program.blocks[0].language == "python":
        return program.script
    return doctest.script_from_examples(program.script)


@pytest.mark.parametrize("program", ids(PROGRAMS))
def test_a_program_does_what_its_page_says(program, tmp_path):
    first = program.blocks[0]
    script = program.script
    if first.language == "pycon":
        (tmp_path / "session.txt").write_text(script)
        options = "doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE"
        script = f"import doctest\ndoctest.testfile('session.txt', False, optionflags={options}, "
        script += "raise_on_error=True)"
    missing = lacks(source_of(program))
    if missing:
        pytest.skip(f"not there: {', '.join(missing)}")
    if first.mark == "on kqueue" and sys.platform == "linux":
        script = f"from support import standins\nstandins.install('kqueue')\n{script}"
    for block in BLOCKS[first.page]:
        if block.mark.startswith("file "):
            (tmp_path / block.mark.partition(" ")[2]).write_text(block.text)
    (tmp_path / "program.py").write_text(script)
    here = [str(Path(coopselectors.__file__).parent.parent), str(TESTS)]
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(here)},
        stdin=subprocess.PIPE,  # of which epoll can be asked
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that what it starts goes with it
    )
    try:
        rest, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # it says where it was
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"{program} hangs:\n{process.communicate()[0]}")
    if not any("Error: " in block.text for block in program.printed):
        assert process.returncode == 0, rest
    for block in program.printed:
        before, found, rest = _cut(block.text, rest)
        assert found, f"{block} is not what came of {program}:\n{before}"


def _cut(wanted, said):
    """What is before, in and after a text that is looked for; spaces do not count."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in wanted.split("...")]
    found = re.search(r"(?s:\s*.*?\s*)".join(parts), said)
    if found is None:
        return said, "", ""
    return said[: found.start()], found.group(), said[found.end() :]


def complaints(blocks):
    """What of a page is neither run nor named."""
    ran = {id(block) for each in _programs(blocks) for block in (*each.blocks, *each.printed)}
    for block in blocks:
        if block.mark.startswith("run by "):
            path = block.mark[len("run by ") :]
            if not (ROOT / path).is_file():
                yield f"{block}: there is no {path}"
        elif block.mark and not re.fullmatch(r"continues|prints|on kqueue|file \S+", block.mark):
            yield f"{block}: what is {block.mark!r}?"
        elif block.mark.startswith("file ") or id(block) in ran:
            pass
        elif block.language in ("", "sh"):
            for command in _commands(block.text):
                if not _is_known(command):
                    yield f"{block}: nobody runs {command!r}; {_ADVICE}"
        else:
            yield f"{block}: nobody runs it; {_ADVICE}"


@pytest.mark.parametrize("page", BLOCKS)
def test_every_block_is_run_or_named(page):
    assert list(complaints(BLOCKS[page])) == []


@pytest.mark.parametrize(
    "block",
    [
        "::\n\n    rm -rf /",
        "::\n\n    selector.select()",
        "::\n\n    python -m pip install coopselectors[nothing]",
        ".. code-block:: text\n\n    said",
        ".. code-block:: cfg\n\n    [options]",
        "* In a list::\n\n      selector.select()",
        ".. class:: loud\n\n   .. code-block:: toml\n\n      x = 1",
        ".. test: run by nobody.py\n.. code-block:: python\n\n    pass",
        ".. test: skip\n.. code-block:: python\n\n    pass",
        ".. parsed-literal::\n\n    selector.select()",
    ],
)
def test_a_block_that_nobody_runs_is_found(tmp_path, block):
    page = tmp_path / "page.rst"
    page.write_text(f"Title\n=====\n\nText.\n\n{block}\n\nText.\n")
    assert len(list(complaints(read(page)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        ".. literalinclude:: page.rst",
        ".. tab:: One\n\n   .. code-block:: python\n\n      pass",
        ".. test: continues\n\nText.\n\n.. code-block:: python\n\n    pass",
    ],
)
def test_what_may_hide_a_block_is_refused(tmp_path, text):
    page = tmp_path / "page.rst"
    page.write_text(f"Title\n=====\n\nText.\n\n{text}\n\nText.\n")
    with pytest.raises(AssertionError):
        read(page)


def test_a_session_that_goes_on_otherwise_is_found(tmp_path):
    program = Program([Block("README.rst", 1, "pycon", ">>> 1 + 1\n3")])
    with pytest.raises(AssertionError):
        test_a_program_does_what_its_page_says(program, tmp_path)


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print(1)", "2"),
        ("print(1)", "1 ... 2"),
        ("raise ValueError(1)", ""),
        ("raise ValueError(1)", "TypeError: 1"),
    ],
)
def test_a_program_that_does_not_what_its_page_says_is_found(tmp_path, code, printed):
    program = Program([Block("README.rst", 1, "python", code)])
    if printed:
        program.printed.append(Block("README.rst", 2, "text", printed, "prints"))
    with pytest.raises(AssertionError):
        test_a_program_does_what_its_page_says(program, tmp_path)


def _commands(text):
    return [each.strip() for line in text.splitlines() for each in line.split("&&") if each.strip()]


def _is_known(command):
    """Whether a command is run somewhere, or installs what there is."""
    if command.startswith("python -m pip install "):
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        named = [each for some in re.findall(r"\[(.*?)\]", command) for each in some.split(",")]
        return set(named) <= setup["options.extras_require"].keys()
    beginnings = [each for each in COMMANDS if command.startswith(each)]
    if not beginnings:
        return False
    path, text = COMMANDS[max(beginnings, key=len)]
    return text in (ROOT / path).read_text(encoding="utf-8")


def script_of_docs(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_of_messages_is_that_of_the_code():
    written = (ROOT / "docs" / "messages.rst").read_text(encoding="utf-8")
    assert written.count("* - ``") > 20
    assert written == script_of_docs("messages").page(), "run python docs/messages.py"


def test_the_page_of_commands_is_what_they_print():
    written = (ROOT / "docs" / "commands.rst").read_text(encoding="utf-8")
    assert written.count("usage: python -m coopselectors") == 4
    assert written == script_of_docs("commands").page(), "run python docs/commands.py"


def test_the_drawings_show_what_is_there(monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name, content in script_of_docs("drawings").drawings().items():
        drawn = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert drawn == content, f"{name}: run python docs/drawings.py"


def test_what_the_pages_name_exists():
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"coopselectors\.(\w+)\(", text):
            assert hasattr(coopselectors, name), f"{path.name}: {name}"
        for name in re.findall(r"``((?:docs|examples|integration|tests)/[\w./-]+)``", text):
            assert (ROOT / name).exists(), f"{path.name}: {name}"
