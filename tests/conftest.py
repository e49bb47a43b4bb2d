"""Shared fixtures; `support` is importable from every test folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# A busy machine is no fault of the code: how long one example takes says nothing here.
settings.register_profile("aftershock", deadline=None)
settings.load_profile("aftershock")

LONG_FILES = (
    "test_readme.py",
    "test_outside_package.py",
    "test_night_of_captures.py",
    "test_fuzz.py",
    "test_any_order.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes begin first (with --no-loadscope-reorder), lest one core waits for them in the end."""
    items.sort(key=lambda item: item.path.name not in LONG_FILES)
