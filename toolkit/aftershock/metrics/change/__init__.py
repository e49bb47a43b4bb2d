"""Change over time: control charts, change points with their uncertainty, and baselines by hour of the week."""

from __future__ import annotations

__all__: list[str] = []
