"""Which tests block a hub?  A pytest plug-in, loaded with ``-p coopselectors.pytest_plugin``.

If gevent or eventlet has patched the test run, the plug-in watches the main thread's hub, as
`coopselectors.warn_blocking` does.  At the end it lists the tests during which a select call
blocked the hub, each with the stack of the call.  With ``--hub-blocked=fail`` these tests fail.
"""

from __future__ import annotations

from typing import Any, Dict, Generator, List, Optional

import pytest

from ._runtime import EVENTLET, GEVENT, current_runtime
from ._watchdog import LONGEST, Watch, warn_blocking

# Under this name a test's report carries the stacks, also from a worker of pytest-xdist.
_PROPERTY = "hub_blocked"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("coopselectors", "calls that block a gevent or eventlet hub")
    group.addoption(
        "--hub-blocked",
        choices=("report", "fail"),
        default="report",
        help="what to do with a test that blocks the hub (default: report)",
    )
    group.addoption(
        "--hub-blocked-after",
        type=float,
        default=0.1,
        metavar="SECONDS",
        help="how long the hub may be blocked (default: 0.1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    seconds = config.option.hub_blocked_after
    if not 0 < seconds <= LONGEST:
        raise pytest.UsageError(
            f"--hub-blocked-after must be above 0 and at most {LONGEST} seconds, not {seconds:g}"
        )
    config.pluginmanager.register(_Plugin(config), "coopselectors-hub-blocked")


class _Plugin:
    def __init__(self, config: pytest.Config) -> None:
        self._fails = config.option.hub_blocked == "fail"
        self._seconds: float = config.option.hub_blocked_after
        self._watch: Optional[Watch] = None
        self._blocked: List[str] = []  # filled by the thread that watches

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        return (yield from self._watched(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        return (yield from self._watched(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        return (yield from self._watched(item))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        blocked: Dict[Any, None] = {}  # in the order of the tests, each once
        for reports in terminalreporter.stats.values():
            for report in reports:
                for name, text in getattr(report, "user_properties", ()):
                    if name == _PROPERTY:
                        blocked[report.nodeid, text] = None
        if blocked:
            terminalreporter.section("calls that blocked the hub")
            for nodeid, text in blocked:
                terminalreporter.write_line(f"{nodeid}: {text}")

    def pytest_unconfigure(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def _watched(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._ensure_watch()
        self._blocked.clear()
        try:
            result = yield
        finally:
            blocked = [_from(str(item.path), text) for text in self._blocked]
            item.user_properties.extend((_PROPERTY, text) for text in blocked)
        if blocked and self._fails:
            pytest.fail("\n".join(blocked), pytrace=False)
        return result

    def _ensure_watch(self) -> None:
        """Watch the hub from the first test on for which there is one."""
        if self._watch is not None and not self._watch.has_ended():
            return
        if current_runtime() in (GEVENT, EVENTLET):
            self._watch = warn_blocking(self._seconds, self._blocked.append)


def _from(path: str, text: str) -> str:
    """The text without the part of the stack that leads to the test in that file."""
    head, *frames = text.split('\n  File "')
    inside = [index for index, frame in enumerate(frames) if frame.startswith(f'{path}"')]
    return '\n  File "'.join([head, *frames[inside[0] if inside else 0 :]]).rstrip()
