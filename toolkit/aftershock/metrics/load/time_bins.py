"""Bins of time as whole numbers since 1970, in UTC: one expression for every backend.

The session must count time in UTC, as Ibis and the ledger set it on every connection.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import ibis

DAY_S: Final = 86_400
_MICROSECONDS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  cast like the moments it is taken from


def time_bin(moment: Any, bin_s: int) -> Any:
    """How many whole bins of `bin_s` seconds lie between 1970 and a moment."""
    # With a zone in its type DuckDB asks a calendar about each row, which costs more than all the rest. The session counts in UTC.
    since = moment.cast("timestamp").delta(ibis.literal(_EPOCH, type="timestamp"), unit="microsecond")
    return since // (bin_s * _MICROSECONDS)


def bin_start(number: Any, bin_s: int) -> Any:
    """The moment at which a bin begins."""
    return (number * bin_s).as_timestamp("s").cast("timestamp('UTC')")
