"""Failure against volume and concurrency: the volume at which an automation begins to break."""

from __future__ import annotations

__all__: list[str] = []
