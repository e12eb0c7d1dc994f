"""What the tests of install() and audit() share."""

from __future__ import annotations

import sys
import types

import pytest

import coopselectors


@pytest.fixture
def library(monkeypatch):
    """An empty module; whatever is installed is undone at the end."""
    module = types.ModuleType("library")
    monkeypatch.setitem(sys.modules, "library", module)
    yield module
    if coopselectors.is_installed():
        coopselectors.uninstall()
