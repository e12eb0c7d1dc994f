"""Are gunicorn, Celery and Locust cooperative, with ``run`` and with a hook of their own?

    python integration/run [NAME ...]

Each starts as its users start it: by ``python -m coopselectors run`` with ``--gevent`` or
``--eventlet``, by the same command without it, so that the program patches later by itself, and
with the hook of a few lines that the documentation has.  In it, a selector whose class was captured
at the import waits while a ticker counts.  Ends with 1 if one of them held the ticker up, or if it
was not ours that the program got.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from common import put_down  # noqa: E402

# Seconds for a program to start, do it, and tell.
LIMIT = 60

CELERY = ("-m", "celery", "-A", "tasks", "worker", "--loglevel", "error", "--without-heartbeat")
CELERY += ("--without-gossip", "--without-mingle", "--concurrency", "2", "--pool")
LOCUST = ("-m", "locust", "-f", str(HERE / "locustfile.py"), "--headless", "-u", "1")

#: {way: what stands before the program}
WAYS: dict[str, tuple[str, ...]] = {
    "run": ("-m", "coopselectors", "run"),  # and it patches first
    "later": ("-m", "coopselectors", "run"),  # and the program patches by itself
    "hook": (),
}

#: {name: (module that it needs, runtime, command, arguments of the way without ``run``)}
PROGRAMS = {
    "gunicorn, gevent": ("gunicorn.workers.ggevent", "gevent", ("-m", "gunicorn", "-k", "gevent")),
    "gunicorn, eventlet": (
        "gunicorn.workers.geventlet",
        "eventlet",
        ("-m", "gunicorn", "-k", "eventlet"),
    ),
    "celery, gevent": ("celery", "gevent", (*CELERY, "gevent")),
    "celery, eventlet": ("celery", "eventlet", (*CELERY, "eventlet")),
    "locust": ("locust", "gevent", LOCUST),
}


def main(wanted: list[str]) -> int:
    wrong = 0
    for name, (module, runtime, command) in PROGRAMS.items():
        if wanted and not any(name.startswith(each) for each in wanted):
            continue
        if not (_is_there(runtime) and _is_there(module)):
            print(f"{name:20} not installed: {module}")
            continue
        for way in WAYS:
            said = _look(name, runtime, command, way)
            good = said.get("runtime") == runtime and said.get("ticks", 0) > 10
            good = good and said.get("installed", False)
            good = good and said.get("is ours", False)
            good = good and said.get("select") == "coopselectors.select"
            wrong += not good
            print(
                f"{name:20} {way:8} {'works' if good else 'WRONG'}: {json.dumps(said)}", flush=True
            )
    return 1 if wrong else 0


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _look(name: str, runtime: str, command: tuple[str, ...], way: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "said")
        environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join([str(HERE), str(HERE.parents[1])]),
            PYTHONWARNINGS="ignore",
            PROBE_FILE=str(file),
            **({"PROBE_HOOK": "1"} if way == "hook" else {}),
        )
        prefix = WAYS[way] and (*WAYS[way], *[f"--{runtime}"] * (way == "run"))
        rest: tuple[str, ...] = ()
        if name.startswith("gunicorn"):
            rest = ("--bind", f"unix:{folder}/socket", "application:application")
            if way == "hook":
                rest = ("--config", str(HERE / "gunicorn_settings.py"), *rest)
        with open(Path(folder, "log"), "w") as log:
            program = subprocess.Popen(
                [sys.executable, *prefix, *command, *rest],
                cwd=HERE,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            if name.startswith("celery"):
                send = "import tasks; tasks.tell.delay()"
                subprocess.run([sys.executable, "-c", send], cwd=HERE, env=environment, check=True)
            until = time.monotonic() + LIMIT
            while time.monotonic() < until:
                if name.startswith("gunicorn"):
                    _ask(f"{folder}/socket", file)
                if file.exists() and file.read_text():
                    return dict(json.loads(file.read_text()))
                if program.poll() is not None and not file.exists():
                    break
                time.sleep(0.2)
            log_text = Path(folder, "log").read_text().strip()
            return {"status": program.poll(), "log": log_text[-600:]}
        finally:
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                pass
            put_down(program)
            program.wait()


def _ask(path: str, file: Path) -> None:
    """Note what gunicorn answers, once it listens."""
    import socket

    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        try:
            sock.connect(path)
        except OSError:
            return
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    file.write_text(said.partition(b"\r\n\r\n")[2].decode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
