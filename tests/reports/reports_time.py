"""The moment at which the tests render."""

from datetime import UTC, datetime

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
