"""`volume_knee`: at which volume runs begin to fail, and when volume will be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from aftershock.metrics.load.knee import LogisticKnee, logistic_knee
from aftershock.metrics.load.load_cells import WORDS, Measure, load_cells
from aftershock.metrics.load.trend import Arrival, VolumeTrend, volume_trend
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval


@dataclass(frozen=True)
class VolumeKnee:
    """What `volume_knee` gives: the `curve` (its knee, slope, shape), the `trend` of the daily peak, and when that is at the knee."""

    verdict: str
    curve: LogisticKnee
    trend: VolumeTrend
    arrival: Arrival | None
    measure: Measure
    n: int
    left_out: int
    cells: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The load at which the rate is twice that at light load; null where there is no knee."""
        return self.curve.knee

    @property
    def knee(self) -> float | None:
        """The load at the knee."""
        return self.curve.knee.estimate

    def to_pandas(self) -> pd.DataFrame:
        """The curve with the shares observed: load, rate, n, failures."""
        return self.curve.to_pandas()


def volume_knee(
    runs: ir.Table,
    *,
    measure: Measure = "volume",
    within: Sequence[str] = (),
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
    seed: int = 0,
) -> VolumeKnee:
    """The volume (or concurrency) at which the failure rate is twice that at light load, and the date at which volume gets there.

    Give it the runs of one automation, tool or connection: a knee of a mixture is nobody's. Load is as in `failure_by_load`;
    the fit, its interval (runs of a day hang together) and the words as in `logistic_knee`. `trend` is that of the busiest hour of each day
    (of the highest concurrency), as in `volume_trend`; `arrival` says when its typical day meets the knee: a date with its interval,
    `already beyond`, `never at this trend`, `cannot tell`; null without a knee. `left_out` counts runs of other roles and statuses.

    Raises: UnknownColumnError if `within` names no column; UnknownNameError for an unknown role; ValueError for another measure
    or a level outside (0, 1).
    Source: as in `logistic_knee` and `volume_trend`.
    """
    within, roles = named(within), named(roles)
    cells = load_cells(runs, measure, within, roles).execute()
    given = int(runs.count().execute())
    curve = logistic_knee(
        cells["load"].to_numpy(),
        cells["failures"].to_numpy(),
        cells["n"].to_numpy(),
        clusters=cells["day"].to_numpy(),
        repeats=cells["cells"].to_numpy(),
        level=level,
        unit=WORDS[measure],
        seed=seed,
    )
    peaks = cells.groupby("day")["load"].max()
    days = [date(1970, 1, 1) + timedelta(days=int(day)) for day in peaks.index]
    trend = volume_trend(days, peaks.to_numpy(dtype=float), level=level)
    at = curve.knee.estimate
    arrival = trend.reaches(at, se_log=curve.se_log) if at else None
    verdict = curve.verdict if arrival is None else f"{curve.verdict}; at this trend {_arrival_words(arrival)}"
    return VolumeKnee(verdict, curve, trend, arrival, measure, curve.n, given - curve.n, cells)


def _arrival_words(arrival: Arrival) -> str:
    words = {"already beyond": "already beyond it", "never at this trend": "never", "cannot tell": "cannot tell when"}
    return words.get(arrival.word, str(arrival))
