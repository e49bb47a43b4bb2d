"""How failures behave: do they come and go, do retries help, do they come together, do they come on a beat?"""

from __future__ import annotations

__all__: list[str] = []
