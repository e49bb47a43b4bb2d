"""`learned_schedule`: on which timetable an automation runs, by when it started, and where runs are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

_DAY, _WEEK = 86_400, 604_800
# Periods that people write into schedules, longest first.
_USUAL = tuple(
    seconds
    for seconds in range(_WEEK, 59, -60)
    if _WEEK % seconds == 0 and (seconds % 3600 == 0 or 3600 % seconds == 0)
)
_FEWEST_RUNS = 6
_NEAR = 0.1
_FEWEST_WEEKS = 3
_RARE = 0.01


@dataclass(frozen=True)
class LearnedSchedule:
    """What `learned_schedule` gives: the period, how late runs usually are, and a row per gap in `table`.

    `clock` is the clock on which the timetable is even: UTC, or the wall clock of the time zone. `period` is null where there is no timetable.
    """

    verdict: str
    period: Interval
    clock: str | None
    jitter_s: float | None
    tolerance_s: float | None
    expected: int
    missed: int
    untold: int
    n: int
    left_out: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The period in seconds; bounds are quantiles 0.025 and 0.975 of the gaps over the periods they hold."""
        return self.period

    def to_pandas(self) -> pd.DataFrame:
        """A row per gap: from_slot, to_slot, slots, missed, verdict."""
        return self.table


def learned_schedule(
    starts: Sequence[datetime],
    *,
    covered: Sequence[tuple[datetime, datetime]] | None = None,
    until: datetime | None = None,
    time_zone: str = "UTC",
    level: float = 0.95,
) -> LearnedSchedule:
    """The timetable of one automation from its start times (with zone), and the runs that are missing.

    The period is the largest usual one (a minute to a week), or else the median gap, of which nine in ten gaps are whole multiples. It is
    read in UTC and on
    the wall clock of `time_zone` (a daily 06:00 keeps its hour when clocks change); the one with fewer missing slots, else the evener one, counts. With three
    weeks or more, slots of the week in which runs came less than half the weeks are not expected (nights, weekends); weeks without any
    run do not count, and a slot between taken ones that chance alone can have emptied so often stays expected.

    A slot is missed if no run is nearest to it and it lies more than max(3 MAD, p99 of lateness) before `until` (default: the last run). Missed
    slots in a row are one gap, a row: from_slot, to_slot (UTC), slots, missed (those inside `covered`: stretches of time whose log is
    there), verdict `missed`, or `cannot tell` where the log does not cover it or `covered` is not given. No timetable is told for fewer
    than 6 runs, or irregular ones. Start times that are null, or the same twice, are left out and counted.

    Raises: ValueError for a time without a zone, a level outside (0, 1).
    Source: Vlachos, Yu and Castelli (2005) for candidates; Leys et al. (2013) J Exp Soc Psychol 49:764 (three MAD).
    """
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")
    seconds = np.unique([_seconds(start) for start in starts if start is not None and start == start])
    n, left_out = len(seconds), len(starts) - len(seconds)
    if n < _FEWEST_RUNS:
        return _none(f"cannot tell: {n} runs are too few, {_FEWEST_RUNS} are needed", n, left_out, level)
    fits = [_Fit.of(seconds, clock) for clock in dict.fromkeys(("UTC", time_zone))]
    found = [fit for fit in fits if fit is not None]
    if not found:
        return _none("no schedule: the gaps between runs are not multiples of one period", n, left_out, level)
    end = _seconds(until) if until is not None else float(seconds[-1])
    # Missing slots in steps of 2 in 100: the hour that a wall clock shows twice hides a few of a dense timetable.
    fit = min(found, key=lambda one: (len(one.missing(end)) * 50 // len(one.occupied), round(one.mad, 3)))
    if fit.tolerance >= 0.5 * fit.period:
        return _none(f"cannot tell: runs come up to {fit.tolerance:.0f} s off their time", n, left_out, level)
    slots = fit.missing(end)
    table, missed, untold = _gaps(fit, slots, covered)
    expected = len(fit.occupied) + len(slots)
    words = f"every {_words(fit.period)} by {fit.clock}, {expected} expected, {missed} missed"
    words += f", {untold} cannot tell (no log)" if untold else ""
    gaps = np.diff(fit.local)
    per = gaps / np.maximum(np.round(gaps / fit.period), 1)
    low, high = (float(np.quantile(per, share)) for share in ((1 - level) / 2, (1 + level) / 2))
    period = Interval(fit.period, min(low, fit.period), max(high, fit.period), n, level, "quantiles of gaps")
    return LearnedSchedule(
        words, period, fit.clock, fit.mad, fit.tolerance, expected, missed, untold, n, left_out, table
    )


@dataclass(frozen=True)
class _Fit:
    """A timetable on one clock: runs at `phase` + slot * `period`, give or take `mad`."""

    clock: str
    period: float
    phase: float
    mad: float
    tolerance: float
    local: np.ndarray
    occupied: np.ndarray

    @classmethod
    def of(cls, seconds: np.ndarray, clock: str) -> _Fit | None:
        """The largest period that fits, or None."""
        local = np.sort(np.array([_wall(value, clock) for value in seconds]))
        gaps = np.diff(local)
        middle = float(np.median(gaps))
        # A period of its own (17 min) is the last resort; usual ones above the median gap would swallow runs.
        for period in [*(p for p in _USUAL if p <= 1.1 * middle), middle]:
            counts = np.round(gaps / period)
            near = np.abs(gaps - counts * period) <= _NEAR * period
            if near.mean() >= 0.9 and (counts > 0).mean() >= 0.9 and period > 0:
                fit = cls._placed(local, float(period), clock)
                if fit is not None:
                    return fit
        return None

    @classmethod
    def _placed(cls, local: np.ndarray, period: float, clock: str) -> _Fit | None:
        usual = period in _USUAL
        if not usual:
            counts = np.cumsum(np.concatenate([[0], np.round(np.diff(local) / period)]))
            period = float(np.polyfit(counts, local, 1)[0]) if counts[-1] > 0 else period
        angle = np.angle(np.exp(2j * np.pi * local / period).mean())
        centre = float(angle / (2 * np.pi) * period) % period
        slot = np.round((local - centre) / period)
        off = local - centre - slot * period
        phase = centre + float(np.median(off))
        late = off - float(np.median(off))
        mad = float(np.median(np.abs(late))) * 1.4826
        tolerance = max(3 * mad, float(np.quantile(late, 0.99)), 1.0)
        if np.mean(np.abs(late) <= 0.25 * period) < 0.9:
            return None
        return cls(clock, period, phase, mad, tolerance, local, np.unique(slot).astype(np.int64))

    def missing(self, end: float) -> np.ndarray:
        """Expected slots without a run, up to `end`."""
        horizon = _wall(end, self.clock) - self.tolerance
        last = int(np.floor((horizon - self.phase) / self.period))
        slots = np.arange(self.occupied[0], max(last, int(self.occupied[-1])) + 1)
        return np.setdiff1d(slots[self._expected(slots)], self.occupied)

    def _expected(self, slots: np.ndarray) -> np.ndarray:
        """Which slots belong to the timetable: those of the week that are mostly taken."""
        weekly = round(_WEEK / self.period)
        even = self.period in _USUAL and weekly > 1
        weeks = (self.occupied[-1] - self.occupied[0]) / weekly
        if not even or weeks < _FEWEST_WEEKS:
            return np.ones(len(slots), dtype=bool)
        seen = np.bincount(self.occupied % weekly, minlength=weekly)
        span = np.arange(self.occupied[0], self.occupied[-1] + 1)
        # A week without any run (switched off, or no log) says nothing about nights and weekends.
        span = span[np.isin(span // weekly, self.occupied // weekly)]
        chances = np.maximum(np.bincount(span % weekly, minlength=weekly), 1)
        taken = seen >= 0.5 * chances
        return np.asarray((taken | _unlucky(seen, chances, taken))[slots % weekly])

    def moment(self, slot: int) -> datetime:
        """When a slot is, in UTC."""
        local = datetime.fromtimestamp(self.phase + slot * self.period, UTC).replace(tzinfo=None)
        return local.replace(tzinfo=ZoneInfo(self.clock)).astimezone(UTC)


def _unlucky(seen: np.ndarray, chances: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Slots of the week amid taken ones that were missed in most weeks, yet no more than chance brings about in so many slots."""
    from scipy.stats import binom

    rate = (1 + (chances - seen)[taken].sum()) / (1 + chances[taken].sum())
    amid = np.roll(taken, 1) & np.roll(taken, -1)
    return np.asarray(amid & (seen > 0) & (binom.sf(chances - seen - 1, chances, rate) * len(seen) > _RARE))


def _gaps(
    fit: _Fit, slots: np.ndarray, covered: Sequence[tuple[datetime, datetime]] | None
) -> tuple[pd.DataFrame, int, int]:
    """A row per run of missing slots with nothing that ran between them; (rows, slots missed, slots that nobody can tell of)."""
    import pandas as pd

    breaks = np.searchsorted(fit.occupied, slots)
    rows = []
    for group in np.unique(breaks):
        own = [fit.moment(int(slot)) for slot in slots[breaks == group]]
        inside = [slot for slot in own if covered is not None and any(a <= slot <= b for a, b in covered)]
        verdict = "missed" if inside else "cannot tell"
        rows.append((own[0], own[-1], len(own), len(inside), verdict))
    frame = pd.DataFrame(rows, columns=["from_slot", "to_slot", "slots", "missed", "verdict"])
    missed = sum(row[3] for row in rows)
    return frame, missed, len(slots) - missed


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()}: give it a time zone")
    return moment.timestamp()


def _wall(seconds: float, clock: str) -> float:
    if clock == "UTC":
        return float(seconds)
    return datetime.fromtimestamp(float(seconds), ZoneInfo(clock)).replace(tzinfo=UTC).timestamp()


def _words(period: float) -> str:
    for size, word in ((_WEEK, "week"), (_DAY, "day"), (3600, "h"), (60, "min")):
        if period >= size and abs(period / size - round(period / size)) < 1e-6:
            count = round(period / size)
            return word if count == 1 and size >= _DAY else f"{count} {word}{'s' if size >= _DAY else ''}"
    return f"{period:.1f} s"


def _none(verdict: str, n: int, left_out: int, level: float) -> LearnedSchedule:
    import pandas as pd

    period = Interval(None, None, None, n, level, "quantiles of gaps")
    table = pd.DataFrame({name: [] for name in ("from_slot", "to_slot", "slots", "missed", "verdict")})
    return LearnedSchedule(verdict, period, None, None, None, 0, 0, 0, n, left_out, table)
