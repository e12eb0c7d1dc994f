"""Does what is set on the installed DefaultSelector reach its instances, as in the standard module?

There, it is another name for one of the classes, so each test runs with that one, too.
"""

from __future__ import annotations

import selectors
from unittest import mock

import pytest

import coopselectors
from support.workers import PLATFORM


@pytest.fixture(params=["standard", "installed"])
def kind(request):
    if request.param == "installed":
        coopselectors.install()
    yield selectors.DefaultSelector
    if coopselectors.is_installed():
        coopselectors.uninstall()


#: Ways to replace a method for a while.
WAYS = {
    "patch.object": mock.patch.object,
    "patch": lambda kind, name, new: mock.patch(f"selectors.DefaultSelector.{name}", new),
    "patch.multiple": lambda kind, name, new: mock.patch.multiple(kind, **{name: new}),
}


OTHERS = ["register", "close", "fileno", "get_map", "new_one"]


@pytest.mark.parametrize(
    ("name", "way"),
    [*(("select", way) for way in WAYS), *((name, "patch.object") for name in OTHERS)],
)
def test_a_method_is_replaced_and_put_back(kind, name, way):
    if name == "new_one":
        kind.new_one = lambda self: "ours"
    before = getattr(kind, name)
    with kind() as early:
        with WAYS[way](kind, name, mock.Mock(return_value="replaced")):
            late = kind()
            arguments = (0,) if name == "select" else ()
            for selector in (early, late):
                assert getattr(selector, name)(*arguments) == "replaced"
            assert getattr(kind, name)() == "replaced"
        assert getattr(kind, name) is before
        late.close()
        assert "replaced" not in (early.select(0), early.fileno(), early.get_map())
        with kind() as later:
            assert later.select(0) == []
    if name == "new_one":
        assert later.new_one() == "ours"
        del kind.new_one
        assert not hasattr(later, "new_one")
        assert not hasattr(kind, "new_one")


def test_a_spy_calls_what_was_there(kind):
    with mock.patch.object(kind, "select", autospec=True, side_effect=kind.select) as spy:
        with kind() as selector:
            assert selector.select(0) == []
        spy.assert_called_once_with(selector, 0)


def test_monkeypatch_puts_back_what_was_inherited(kind, monkeypatch):
    with kind() as selector:
        monkeypatch.setattr(kind, "select", lambda self, timeout=None: ["replaced"])
        assert selector.select(0) == ["replaced"]
        monkeypatch.undo()
        assert selector.select(0) == []


def test_the_constructor_is_replaced(kind):
    made = []
    real = kind.__init__

    def noted(self):
        made.append(self)
        real(self)

    with mock.patch.object(kind, "__init__", noted), kind() as selector:
        assert made == [selector]
    kind().close()
    assert len(made) == 1


def test_one_within_another(kind):
    with kind() as selector:
        with mock.patch.object(kind, "select", return_value=1):
            with mock.patch.object(kind, "select", return_value=2):
                assert selector.select(0) == 2
            assert selector.select(0) == 1
        assert selector.select(0) == []


def test_a_subclass_keeps_its_own(kind):
    class Mine(kind):
        def select(self, timeout=None):
            return ["mine"]

    with Mine() as selector, mock.patch.object(kind, "select", return_value=1):
        assert selector.select(0) == ["mine"]


@pytest.mark.skipif(bool(PLATFORM), reason="the stand-in is the only class there")
def test_a_class_that_is_chosen_meanwhile_follows(run_python):
    run_python(
        """
        import coopselectors, select, selectors
        from unittest import mock
        selectors.PollSelector, selectors.EpollSelector  # both are there
        coopselectors.install()
        with mock.patch.object(selectors.DefaultSelector, "select", lambda self, timeout=None: 1):
            first = selectors.DefaultSelector()
            with mock.patch.object(select, "epoll", None):
                second = selectors.DefaultSelector()
            assert type(first) is not type(second)
            assert first.select(0) == second.select(0) == 1
        assert first.select(0) == second.select(0) == []
        """
    )


def test_uninstall_ends_it():
    coopselectors.install()
    kind = selectors.DefaultSelector
    with kind() as selector:
        with mock.patch.object(kind, "select", return_value=1):
            assert selector.select(0) == 1
            coopselectors.uninstall()
            assert selector.select(0) == []
        assert selector.select(0) == []
        assert "select" not in vars(kind)


def test_what_others_delete_stays_deleted():
    coopselectors.install()
    try:
        with selectors.DefaultSelector() as selector:
            kind = type(selector)
            selectors.DefaultSelector.note = "of the instances, too"
            assert selector.note == "of the instances, too"
            del kind.note
            assert not hasattr(selector, "note")
    finally:
        coopselectors.uninstall()
        del coopselectors.DefaultSelector.note
    assert "note" not in vars(kind)
