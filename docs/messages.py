"""Which errors and warnings of ours can a program meet?  Writes docs/messages.rst from the code.

    python docs/messages.py

Every exception and warning of the package that has a text of its own is listed, and so is every
error of the commands.  ``tests/docs/test_each_message_is_shown.py`` provokes each of them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, NamedTuple

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "coopselectors"

INTRODUCTION = """\
Errors and warnings
===================

.. Written by ``python docs/messages.py``; edit that and the code, not this.

These are the messages of coopselectors itself.  ``...`` stands for a value.  All other errors come
from the standard module, the kernel or the hub.  A test provokes each message
(``tests/docs/test_each_message_is_shown.py``).  :doc:`troubleshooting` is sorted by symptom.

.. list-table::
   :header-rows: 1
   :widths: auto

   * - Message
     - Type
     - What to do
"""

STANDARD = "As in the standard module: correct the argument."

#: {the beginning of a message: what to do; None for one that no program meets}
ADVICE = {
    "--deep needs": "Name the package with ``-m``.",
    "--hub-blocked-after must": "Give a number such as 0.1.",
    "--warn must": "Give a number such as 0.1.",
    "--warn needs": "Say which library patches: ``--gevent`` or ``--eventlet``.",
    "EPOLLEXCLUSIVE cannot be combined": "Leave out one of the two flags.",
    "EPOLLEXCLUSIVE cannot be used": "Register the epoll without ``EPOLLEXCLUSIVE``.",
    "I/O operation on closed": "As in the standard module: the object was closed.",
    "Invalid events": STANDARD,
    "KQ_EV_DELETE removes": "Call ``unregister_kevent()``.",
    "KQ_FILTER_READ and": "Call ``register()``.",
    "Python int too large": STANDARD,
    "Selector is closed": "Another thread or greenlet called ``close()``, or this one did "
    "earlier.  Catch it where a wait may be ended from outside.",
    "argument must be an int": STANDARD,
    "arguments 1-3 must be": STANDARD,
    "cannot create '": "As in the standard module: call ``poll()`` or ``devpoll()``.",
    "cannot pickle '": "As in the standard module: such an object belongs to its process.",
    "cannot install into": "Import the module first, or leave it out of ``modules``.",
    "concurrent poll()": "As in the standard module: give each thread a poll object of its own.",
    "install() is not in force": "Call ``uninstall()`` only after ``install()``.",
    "extra_events of a kqueue": "Request READ or WRITE as well.",
    "give either -m": "Name the program once.",
    "do not call blocking functions": "A callback of the hub may not wait: spawn a greenlet, or "
    "pass a time-out of 0.",
    "file descriptor cannot be": STANDARD,
    "fileno() returned": STANDARD,
    "it returns no": None,  # caught, and counts as a broken replacement
    "module ... has no": "As for any module: check the name.",
    "modify() can neither": "Call ``unregister()`` and ``register()``.",
    "modules must be": "Write a list, even for one module.",
    "must be above 0 and": "Give a number such as 60.",
    "must be at least 1": "Give a larger number.",
    "neither gevent nor eventlet": "Patch first, then call ``warn_blocking()``.",
    "no selector works here": "The kernel, or a sandbox, refused every primitive; the message has "
    "each one's reason.",
    "runtime=... needs": "Run the command that the message names, or choose another runtime.",
    "the descriptor of gevent's": "Find out which code closes descriptors that it does not own.",
    "the threshold must be": "Give a number such as 0.1.",
    "this interpreter has no": "Report it: coopselectors does not know this interpreter.",
    "unknown runtime": "Use one of the names in the message.",
    "cannot patch with": "Install gevent or eventlet, or leave the option out.",
    "what to run?": "Name a script, or a module with ``-m``.",
    "... (FD ...) is already": "As in the standard module: call ``modify()``.",
    "... is not registered": "As in the standard module: call ``register()`` first.",
    "... cannot honour": "Use a class that the message names for this flag.",
    "... object has no attribute 'fileno'": "This selector has no kernel object; the standard "
    "class has no ``fileno()`` either.",
    "... has no descriptor": None,
    "... is already registered": "Call ``unregister_kevent()`` first.",
}


class Message(NamedTuple):
    text: str
    kind: str


def text_of(node: ast.expr | None) -> str | None:
    """The text of a string or f-string, with ``...`` for its values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            else:
                assert isinstance(part, ast.FormattedValue)
                parts.append("...")
        return "".join(parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return text_of(node.left)
    return None


def texts_in(nodes: list[ast.expr], constants: dict[str, ast.expr]) -> Iterator[str]:
    """The texts among some arguments; a single word is a name, and no message."""
    for node in nodes:
        text = text_of(constants.get(node.id) if isinstance(node, ast.Name) else node)
        if text and " " in text:
            yield re.sub(r"\.{4,}", "...", " ".join(text.split()))


def messages_of(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("refusal"):
            # What such a function returns, its caller raises.
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            branches = [each.orelse for each in returned if isinstance(each, ast.IfExp)]
            for text in texts_in([each for each in returned + branches if each], {}):
                yield Message(text, "ValueError")
            continue
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        if isinstance(node, ast.Raise):
            kind = name.rpartition(".")[2]
        elif name == "warnings.warn":
            kind = ast.unparse(call.args[1])
        elif name == "parser.error":
            kind = "exit status 2"
        else:
            continue
        for text in texts_in(call.args[:2], constants):
            yield Message(text, kind)


def advice_for(text: str) -> str | None:
    found = [each for each in ADVICE if text.startswith(each)]
    assert len(found) == 1, f"ADVICE in docs/messages.py has {len(found)} entries for {text!r}"
    return ADVICE[found[0]]


def page() -> str:
    # Errors of the self-check's own server and clients reach nobody's program.
    files = [path for path in PACKAGE.rglob("*.py") if "_check" not in path.parts]
    found = {message for path in files for message in messages_of(path)}
    rows = [
        f"   * - ``{text}``\n     - {kind}\n     - {advice_for(text)}\n"
        for text, kind in sorted(found)
        if advice_for(text) is not None
    ]
    return INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    (HERE / "messages.rst").write_text(page(), encoding="utf-8")
