"""Chance for two series with the same daily and weekly rhythm: whole weeks of one of them are shifted, each weekday on its own.

A shift by whole weeks leaves every run at its hour of the week, and neighbouring hours of a day together. Each weekday takes its own
circular shift, so that weeks ** 7 arrangements are there and small p-values can be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

DAYS_A_WEEK = 7
# With fewer whole weeks there are too few arrangements of each weekday to speak of chance.
FEWEST_WEEKS = 4


@dataclass(frozen=True)
class Calendar:
    """Bins of time laid out as weeks, weekdays and slots of a day, in local time; `cell` says where each bin lies."""

    weeks: int
    slots: int
    first: int
    bin_s: int
    time_zone: str

    @classmethod
    def spanning(cls, bins: np.ndarray, bin_s: int, time_zone: str) -> Calendar:
        """The calendar from the first to the last of some bins (numbers since 1970)."""
        if not len(bins):
            return cls(0, 86_400 // bin_s, 0, bin_s, time_zone)
        days = _local(np.array([bins.min(), bins.max()]), bin_s, time_zone) // 86_400
        return cls(int(days[1] - days[0]) // DAYS_A_WEEK + 1, 86_400 // bin_s, int(days[0]), bin_s, time_zone)

    def grid(self, bins: np.ndarray) -> np.ndarray:
        """True at the given bins: [week, weekday, slot]."""
        seconds = _local(bins, self.bin_s, self.time_zone)
        day = seconds // 86_400 - self.first
        laid = np.zeros((self.weeks, DAYS_A_WEEK, self.slots), dtype=bool)
        laid[day // DAYS_A_WEEK, day % DAYS_A_WEEK, seconds % 86_400 // self.bin_s] = True
        return laid


@dataclass(frozen=True)
class Shifted:
    """Of two series, for each weekday and shift: bins in which both ran, each failed (where both ran), both failed."""

    n: np.ndarray
    a: np.ndarray
    b: np.ndarray
    both: np.ndarray

    @property
    def excess(self) -> float:
        """Bins in which both failed, above what their rates make likely, as things are."""
        return float(_excess(*(part[:, 0].sum() for part in (self.n, self.a, self.b, self.both))))

    def draws(self, seed: Sequence[int], count: int) -> np.ndarray:
        """The excess in `count` arrangements."""
        weeks = self.n.shape[1]
        shifts = np.random.default_rng(list(seed)).integers(0, weeks, size=(count, DAYS_A_WEEK))
        parts = (part[np.arange(DAYS_A_WEEK), shifts].sum(axis=1) for part in (self.n, self.a, self.b, self.both))
        return np.asarray(_excess(*parts))

    def p_value(self, seed: Sequence[int], count: int) -> float | None:
        """How often an arrangement shows as much excess as there is; null for fewer than four weeks."""
        if self.n.shape[1] < FEWEST_WEEKS:
            return None
        as_much = int((self.draws(seed, count) >= self.excess - 1e-9).sum())
        return (as_much + 1) / (count + 1)


def shifted(ran_a: np.ndarray, failed_a: np.ndarray, ran_b: np.ndarray, failed_b: np.ndarray) -> Shifted:
    """The counts of two series ([week, weekday, slot]) with b's weeks shifted by 0, 1, 2, ... weeks."""
    weeks = ran_a.shape[0]
    place = (np.arange(weeks)[:, None] - np.arange(weeks)[None, :]) % max(weeks, 1)

    def met(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        # [weekday, week of a, week of b] in one product, then summed along its diagonals: one per shift.
        products = np.einsum("wds,vds->dwv", one.astype(np.float32), other.astype(np.float32), optimize=True)
        sums = np.zeros((DAYS_A_WEEK, weeks))
        for day in range(DAYS_A_WEEK):
            sums[day] = np.bincount(place.ravel(), weights=products[day].ravel().astype(float), minlength=weeks)
        return sums

    return Shifted(met(ran_a, ran_b), met(failed_a, ran_b), met(ran_a, failed_b), met(failed_a, failed_b))


def _excess(n: np.ndarray, a: np.ndarray, b: np.ndarray, both: np.ndarray) -> np.ndarray:
    return np.asarray(both - a * b / np.maximum(n, 1))


def _local(bins: np.ndarray, bin_s: int, time_zone: str) -> np.ndarray:
    """Seconds since 1970 as a clock on the wall of the zone shows them, at the start of bins."""
    seconds = np.asarray(bins, dtype=np.int64) * bin_s
    if time_zone == "UTC" or not len(seconds):
        return seconds
    # The offset changes at full quarters of an hour: looked up once for each of them.
    from datetime import UTC, datetime

    quarters, where = np.unique(seconds // 900, return_inverse=True)
    zone = ZoneInfo(time_zone)
    offsets = [datetime.fromtimestamp(int(q) * 900, UTC).astimezone(zone).utcoffset() for q in quarters]
    return np.asarray(seconds + np.array([int(offset.total_seconds()) if offset else 0 for offset in offsets])[where])
