"""Which tests give a verdict in a minute, and run every file of the package?  ``pytest -m quick``.

A whole file, or single tests of one.  CONTRIBUTING.rst says what part of the lines they reach.
"""

from __future__ import annotations

#: The beginnings of the ids of tests, without ``tests/``.
QUICK = (
    "diagnosis/test_info_says_how_selectors_wait.py",
    "diagnosis/test_the_self_check_tells_the_truth.py::test_the_command_that_users_call",
    "diagnosis/test_the_watchdog_sees_blocking_calls.py::test_a_call_that_blocks_is_named",
    "docs/test_public_names_are_documented.py",
    "events/test_exclusive_waits_wake_one.py::test_a_wait_for_an_exclusive_file",
    "events/test_extra_events_are_honoured.py",
    "install/test_audit.py::test_everything_in_a_module",
    "install/test_audit.py::test_a_program_that_would_block",
    "install/test_install.py::test_everything_that_holds_a_class_gets_ours",
    "install/test_install_select.py::test_whatever_holds_a_primitive_gets_ours",
    "internals/",
    "platforms/test_kqueue_and_devpoll_stand_ins.py::TestStandIn::test_what_is_special_in_ours[native",
    "platforms/test_primitives_of_other_platforms.py::test_an_object_from_before_the_patch",
    "primitives/test_epoll_keeps_its_own_features.py::test_a_wait_for_an_exclusive_file",
    "primitives/test_epoll_keeps_its_own_features.py::test_an_exclusive_file_registered",
    "primitives/test_epoll_keeps_its_own_features.py::test_greenlets_waiting_at_the_fork",
    "primitives/test_primitives_wait_and_report.py::test_others_run_while_one_waits",
    "primitives/test_primitives_wait_and_report.py::test_the_module_is_whole",
    "runtimes/test_fork_leaves_the_parent_alone.py::test_nothing_that_the_child_does",
    "runtimes/test_the_runtime_is_found_at_each_call.py::test_a_foreign",
    "runtimes/test_the_runtime_is_found_at_each_call.py::test_a_pinned_selector_waits",
    "runtimes/test_threads_may_share_selectors.py::test_what_another_thread_changes",
    "selectors/test_refused_nesting_goes_unnoticed.py::test_file_by_file",
    "selectors/test_registers_as_the_standard_classes.py",
    "selectors/test_reports_what_is_ready.py",
    "selectors/test_waiters_are_woken.py",
)


#: Of those, what is left out: another loop of gevent's, and a class that is one of the others.
LEFT_OUT = ("gevent-libuv", "DefaultSelector")


def is_quick(nodeid: str) -> bool:
    named = nodeid.startswith(tuple(f"tests/{each}" for each in QUICK))
    return named and not any(each in nodeid for each in LEFT_OUT)
