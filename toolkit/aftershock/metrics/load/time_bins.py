"""Bins of time as whole numbers since 1970, in UTC: one expression that every backend and session time zone reads alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import ibis

DAY_S: Final = 86_400
_MICROSECONDS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_bin(moment: Any, bin_s: int) -> Any:
    """How many whole bins of `bin_s` seconds lie between 1970 and a moment."""
    # Truncation by hour reads the session's time zone on some backends; a difference of two moments never does.
    since = moment.delta(ibis.literal(_EPOCH, type="timestamp('UTC')"), unit="microsecond")
    return since // (bin_s * _MICROSECONDS)


def bin_start(number: Any, bin_s: int) -> Any:
    """The moment at which a bin begins."""
    return (number * bin_s).as_timestamp("s").cast("timestamp('UTC')")
