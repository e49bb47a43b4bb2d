"""Error fingerprints: messages that differ only in ids, numbers, times and names are one."""

from __future__ import annotations

__all__: list[str] = []
