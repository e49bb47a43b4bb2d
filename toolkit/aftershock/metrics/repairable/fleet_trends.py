"""`failure_trends` and `mtbf_by_automation`: which automations get worse, and the time between failures of those that do not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np

from aftershock.metrics.proportions.multiplicity import benjamini_hochberg
from aftershock.metrics.repairable.arrays import level_checked
from aftershock.metrics.repairable.run_events import Clock, Event, checked, marked, units_of
from aftershock.metrics.results import Interval
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import pandas as pd

_HOUR: Final = 3600.0


@dataclass(frozen=True)
class FailureTrends:
    """What `failure_trends` gives: `table` with a row per automation, worst first, and all of them together."""

    table: pd.DataFrame = field(repr=False, compare=False)
    n: int
    automations: int
    pooled_z: float | None
    pooled_p_value: float | None
    event: Event
    clock: Clock
    level: float
    left_out: int = 0

    @property
    def interval(self) -> Interval | None:
        """A test has none."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def failure_trends(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    event: Event = "incident",
    clock: Clock = "hours",
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
    fewest: int = 4,
) -> FailureTrends:
    """Do an automation's failures come more and more often? Laplace and military handbook test for each, from sums made in the database.

    A row per group of `by`: the group, units, n (failure events), observed_h, laplace_z (positive is worsening), mil_chi2, mil_df,
    p_value (Laplace, two-sided), mil_p_value, q_value (Benjamini-Hochberg over the p_value of all rows that have one) and direction:
    improving, worsening, no trend (q at or above 1 - level), too few to tell (under `fewest` events, or no length of time).

    `event` says what one failure is (incident, root, run). `clock="hours"` asks for the rate per hour; `clock="runs"` counts in units, so that an
    automation that merely runs more often than before is not called worse. Each is observed from half a gap before its first unit to half a gap
    after its last. The pooled z is over all groups. `left_out` counts units in groups where nothing could be tested.

    Raises: UnknownColumnError, UnknownNameError for a role, ValueError for another event, clock, level.
    Source: Cox and Lewis (1966) 3.3; MIL-HDBK-189 (1981); Benjamini and Hochberg (1995) JRSS B 57:289.
    """
    by, roles = named(by), named(roles)
    level_checked(level)
    groups = checked(runs, by, event, roles, clock)
    frame = _sums(runs, groups, event, clock, roles)
    table = _tested(frame, groups, level, fewest, _HOUR if clock == "hours" else None)
    told = frame["n"].to_numpy() > 0
    z = p = None
    if told.any():
        spread = float((frame["n"] * frame["length"] ** 2)[told].sum()) / 12
        z = float(frame["off_middle"][told].sum()) / spread**0.5 if spread > 0 else None
        p = None if z is None else float(2 * _tail(abs(z)))
    tested = table["p_value"].notna()
    silent = int(table.loc[~tested, "units"].sum())
    return FailureTrends(table, int(table["n"].sum()), len(table), z, p, event, clock, level, silent)


def _sums(runs: ir.Table, by: list[str], event: Event, clock: Clock, roles: Sequence[str]) -> pd.DataFrame:
    """Per group: units, n, length, sum of (age - length / 2) and of ln(length / age) over its failure events.

    One pass: the database hands over each group's events as a list, few beside the units, and the ages are worked out here. A unit stands
    for the time around it: observation begins half a mean gap before the first and ends half a gap after the last, so that n units a day apart
    are n days, and an automation that failed at its very first run has lived for half a day. One unit alone has no length.
    """
    units = marked(units_of(runs, by, event, roles), by, event)
    if clock == "runs":
        place = ibis.window(group_by=by, order_by=[units["at"], units.unit])
        units = units.mutate(at=ibis.row_number().over(place).cast("float64"))
    at = units["at"]
    rows = units.group_by(by).aggregate(
        units=units.count(), first=at.min(), last=at.max(), events=at.collect(where=units.event)
    )
    frame: pd.DataFrame = rows.execute().sort_values(by, kind="stable").reset_index(drop=True)
    lists = [np.sort(np.asarray(one, dtype=float)) if np.ndim(one) else np.empty(0) for one in frame.pop("events")]
    many = frame["units"].to_numpy(dtype=float)
    gap = (frame["last"] - frame["first"]).to_numpy(dtype=float) / np.where(many > 1, many - 1, np.nan)
    length = np.where(gap > 0, gap * many, np.nan)
    n = np.array([one.size for one in lists], dtype=int)
    who = np.repeat(np.arange(len(lists)), n)
    age = (np.concatenate(lists) if lists else np.empty(0)) - frame["first"].to_numpy(dtype=float)[who] + gap[who] / 2
    known = length[who] > 0
    off = np.bincount(who[known], weights=(age - length[who] / 2)[known], minlength=len(lists))
    logs = np.bincount(who[known], weights=np.log(length[who] / np.where(known, age, 1.0))[known], minlength=len(lists))
    return frame[[*by, "units"]].assign(n=n, length=length, off_middle=off, log_sum=logs)


def _tested(frame: pd.DataFrame, by: list[str], level: float, fewest: int, hour: float | None) -> pd.DataFrame:
    from scipy.stats import chi2  # slow to import

    n, length = frame["n"].to_numpy(dtype=float), frame["length"].to_numpy(dtype=float)
    able = (n >= max(fewest, 1)) & (length > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(able, frame["off_middle"].to_numpy(dtype=float) / (length * np.sqrt(n / 12)), np.nan)
    value = np.where(able, 2 * frame["log_sum"].to_numpy(dtype=float), np.nan)
    p = np.where(able, 2 * _tail(np.abs(z)), np.nan)
    df = np.where(able, 2 * n, 2)
    mil_p = np.where(able, np.minimum(1, 2 * np.minimum(chi2.sf(value, df), chi2.cdf(value, df))), np.nan)
    q = np.array(benjamini_hochberg(p).q_values, dtype=float)
    seen = np.where(z > 0, "worsening", "improving")
    direction = np.where(~able, "too few to tell", np.where(q < 1 - level, seen, "no trend"))
    table = frame[[*by, "units"]].assign(
        units=frame["units"].astype(int),
        n=frame["n"].astype(int),
        observed_h=length / hour if hour else np.nan,
        laplace_z=z,
        mil_chi2=value,
        mil_df=np.where(able, 2 * n, 0).astype(int),
        p_value=p,
        mil_p_value=mil_p,
        q_value=q,
        direction=direction,
    )
    table["_worst"] = np.where(able, -z, np.inf)
    return table.sort_values(["_worst", *by], kind="stable").drop(columns="_worst").reset_index(drop=True)


def _tail(z: Any) -> Any:
    from scipy.special import ndtr

    return ndtr(-z)
