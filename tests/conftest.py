"""Shared fixtures; `support` is importable from every test folder."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# A busy machine is no fault of the code: how long one example takes says nothing here.
settings.register_profile("aftershock", deadline=None)
settings.load_profile("aftershock")
