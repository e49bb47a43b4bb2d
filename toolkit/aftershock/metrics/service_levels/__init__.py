"""Service levels: error budgets in runs, burn rates, alerts, and what a chain of steps can promise."""

from __future__ import annotations

__all__: list[str] = []
