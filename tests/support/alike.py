"""Which tests does another interpreter make no difference to?  ``pytest -m "not alike"``.

They are about the kernel, the hubs, or what others put into `select`.  The interpreter at hand runs
them, and the other environments of tox.ini that are for an interpreter leave them out.
"""

from __future__ import annotations

#: The beginnings of the ids of tests, without ``tests/``.
ALIKE = (
    "diagnosis/",
    "events/",
    "install/test_inert.py",
    "install/test_install_beside_eventlets_hubs.py",
    "install/test_pytest_plugin.py",
    "internals/test_layers.py",
    "internals/test_the_hubs_kernel_object.py",
    "primitives/test_epoll_keeps_its_own_features.py",
    "runtimes/test_a_wrapped_hub_gets_no_users_file.py",
    "runtimes/test_fake_file_systems_are_passed_by.py",
    "runtimes/test_odd_replacements_follow_the_rules.py",
    "runtimes/test_wrapped_primitives_change_nothing.py",
    "selectors/test_refused_nesting_goes_unnoticed.py",
    "selectors/test_reused_descriptors_are_told_apart.py",
)

#: Of those, what an interpreter may change after all.
BUT_FOR = (
    "diagnosis/test_info_says_how_selectors_wait.py",
    "diagnosis/test_the_self_check_tells_the_truth.py::test_the_command_that_users_call",
)

_ALIKE = tuple(f"tests/{each}" for each in ALIKE)
_BUT_FOR = tuple(f"tests/{each}" for each in BUT_FOR)


def is_alike(nodeid: str) -> bool:
    return nodeid.startswith(_ALIKE) and not nodeid.startswith(_BUT_FOR)
