"""Repairable systems: does an automation fail more and more often, how often, and did the fixes help?"""

from __future__ import annotations

__all__: list[str] = []
