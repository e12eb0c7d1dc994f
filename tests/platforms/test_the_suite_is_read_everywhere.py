"""Can the tests be run where the kernel has no epoll, as on macOS?

Without a stand-in: only what Linux alone has is taken away, and the tests are read, not run.
"""

from __future__ import annotations

import pytest

from support import TESTS


@pytest.mark.uncounted
@pytest.mark.any_platform("the stand-ins themselves need an epoll")
def test_without_an_epoll(run_python):
    said = run_python(
        """
        import select, sys
        for name in list(vars(select)):
            if name.lower().startswith("epoll"):
                delattr(select, name)
        import pytest
        arguments = ["--collect-only", "-q", "-p", "no:cacheprovider", sys.argv[1]]
        assert pytest.main(arguments) == 0
        """,
        str(TESTS),
        COOPSELECTORS_TEST_RUNTIMES="native",
    )
    assert "[native-SelectSelector]" in said
    assert "test_a_handler_may_do_anything" not in said  # it is about epoll
