"""Time to recovery and between failures, with incidents that are still open counted as such."""

from __future__ import annotations

__all__: list[str] = []
