"""`failure_changes`: since when the failure rate of which automation changed, for a whole fleet; `changes_inside`: what fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from aftershock.metrics.change.control_chart import Floats
from aftershock.metrics.change.daily import daily_counts
from aftershock.metrics.change.positions import check_shares, default_prior, log_bayes_factors
from aftershock.metrics.change.segmentation import (
    Penalty,
    changes_of,
    check_penalty,
    costs_of,
    segment,
)
from aftershock.metrics.results import Interval
from aftershock.metrics.units import Unit, named

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.periods import Period

_CHANGE: Final = (
    *(
        "day",
        "low_day",
        "high_day",
        "direction",
        "before",
        "before_low",
        "before_high",
        "after",
        "after_low",
        "after_high",
    ),
    *("n_before", "n_after", "probability"),
)
_BATCH: Final = 1000  # automations at a time: 90 days of them take some 10 MB


@dataclass(frozen=True)
class FailureChanges:
    """What `failure_changes` gives. `table`: a row per change. `groups`: a row per group: n, failures, days, changes, probability.

    `n` counts the groups that were looked at, `left_out` those with too few days to have a change.
    """

    period: Period
    level: float
    n: int
    left_out: int
    interval: Interval | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)
    groups: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """A row per change."""
        return self.table


def failure_changes(
    runs: ir.Table,
    period: Period,
    *,
    by: Sequence[str] = ("automation",),
    roles: Sequence[str] = ("work",),
    unit: Unit = "root",
    penalty: Penalty | float = "mbic",
    min_segment: int = 2,
    prior_change: float = 0.5,
    level: float = 0.95,
) -> FailureChanges:
    """Since when whose daily failure rate changed: `change_points` (binomial) for every group, from counts made in SQL.

    `table`, one row per change: `by`, day (the first of the new rate), low_day and high_day (the days that could be the first of it,
    with `level`), direction (rose, fell), before and after (rates of the segments beside it, with Wilson bounds), n_before, n_after,
    probability (that the group changed once at all, as in `change_point`: sort by it). Days without runs say nothing: a change may
    lie anywhere in them. A segment has at least `min_segment` days with runs.

    `unit="root"` (unlike elsewhere the default) takes a run and its retries as one: retries fail together, and would look like changes.

    Of groups without any change 1 to 4 % get one from chance (`mbic`), more where failures come in bursts: roots and days are taken
    as independent. Of many groups keep those of high probability; their mean 1 - probability is the share of false ones to expect,
    if `prior_change` is about the share of groups that change.

    Raises: what `daily_counts` and `change_points` raise.
    Source: as `change_points` and `change_point`.
    """
    by, roles = named(by), named(roles)
    check_shares(level, prior_change)
    check_penalty(penalty, min_segment)
    names = list(by)
    daily = daily_counts(runs, period, by=by, roles=roles, unit=unit, fill=False).table
    rows = daily.filter(daily.n > 0).select(*names, "day", "n", "failures").execute()
    groups, x, sizes = _matrix(rows, names, period)
    usable = (sizes > 0).sum(axis=1) >= 2 * min_segment
    groups = groups.assign(changes=0, probability=np.nan)
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(x), _BATCH):
        part = np.arange(start, min(start + _BATCH, len(x)))
        part = part[usable[part]]
        if len(part):
            counts, chances, table = _batch(x[part], sizes[part], penalty, min_segment, prior_change, level)
            groups.loc[part, "changes"] = counts
            groups.loc[part, "probability"] = chances
            found += [(int(part[row]), *rest) for row, *rest in table]
    table = _table(found, groups, names, period)
    return FailureChanges(period, level, int(usable.sum()), int((~usable).sum()), table=table, groups=groups)


def changes_inside(
    found: pd.DataFrame, changes: Any, *, on: str = "automation", time_zone: str = "UTC"
) -> pd.DataFrame:
    """Which recorded changes lie where a change of the failure rate may lie: a row per pair, `found` beside `changes`.

    `found`: the table of `failure_changes`. `changes`: any table with the column `on` and `at` (the ledger's `changes`, or the first
    run of each version): a data frame, or an Ibis table. Kept are those whose day in `time_zone` is from low_day to high_day. `days_off`
    is how far the recorded change is from `day`: negative before it. Nearest first. A change in the interval may be the cause; one
    a day before may be too, where the automation runs seldom.

    Raises: ValueError where `on` or `at` is missing.
    """
    import pandas as pd

    frame = changes if isinstance(changes, pd.DataFrame) else changes.execute()
    for name, table, where in ((on, found, "found"), (on, frame, "changes"), ("at", frame, "changes")):
        if name not in table.columns:
            raise ValueError(f"{where}: no column {name!r}: there are {', '.join(map(str, table.columns))}")
    frame = frame[frame["at"].notna()]
    local = pd.to_datetime(frame["at"], utc=True).dt.tz_convert(ZoneInfo(time_zone)).dt.tz_localize(None)
    # Of columns that both have, the change of the rate keeps its name.
    pairs = found.merge(frame.assign(at_day=local.dt.normalize()), on=on, suffixes=("", "_recorded"))
    first, low, high = (pd.to_datetime(pairs[name]) for name in ("day", "low_day", "high_day"))
    off = (pairs["at_day"] - first).dt.days
    inside = (pairs["at_day"] >= low) & (pairs["at_day"] <= high)
    pairs = pairs.assign(days_off=off, _distance=off.abs())[inside]
    return (
        pairs.sort_values([on, "day", "_distance", "at"], kind="stable")
        .drop(columns=["_distance", "at_day"])
        .reset_index(drop=True)
    )


def _matrix(rows: pd.DataFrame, names: list[str], period: Period) -> tuple[pd.DataFrame, Floats, Floats]:
    """(a row per group, failures and n: groups x days). Groups in order, days without runs 0."""
    import pandas as pd

    days = (period.last - period.first).days + 1
    column = (pd.to_datetime(rows["day"]) - pd.Timestamp(period.first)).dt.days.to_numpy()
    if names:
        code = rows.groupby(names, sort=True, dropna=False).ngroup().to_numpy()
        groups = rows.assign(_code=code).drop_duplicates("_code").sort_values("_code")[names].reset_index(drop=True)
    else:
        code, groups = np.zeros(len(rows), dtype=np.int64), pd.DataFrame(index=range(min(len(rows), 1)))
    x, sizes = np.zeros((len(groups), days)), np.zeros((len(groups), days))
    np.add.at(x, (code, column), rows["failures"].to_numpy(dtype="float64"))
    np.add.at(sizes, (code, column), rows["n"].to_numpy(dtype="float64"))
    counts = {"n": sizes.sum(axis=1), "failures": x.sum(axis=1), "days": (sizes > 0).sum(axis=1)}
    return groups.assign(**{name: values.astype("int64") for name, values in counts.items()}), x, sizes


def _batch(
    x: Floats, sizes: Floats, penalty: Penalty | float, min_segment: int, prior_change: float, level: float
) -> tuple[list[int], Floats, list[tuple[Any, ...]]]:
    cost, by_length = costs_of(penalty, (sizes > 0).sum(axis=1))
    ends = segment("binomial", x, sizes, cost, by_length, min_segment)
    priors = np.array([default_prior("binomial", *sums) for sums in zip(x.sum(axis=1), sizes.sum(axis=1), strict=True)])
    logs = log_bayes_factors("binomial", x, sizes, (priors[:, :1], priors[:, 1:]))
    odds = np.logaddexp.reduce(logs, axis=1) - np.log(logs.shape[1]) + np.log(prior_change / (1 - prior_change))
    chances = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
    table = [
        (row, change, float(chances[row]))
        for row, places in enumerate(ends)
        if places
        for change in changes_of("binomial", x[row], sizes[row], places, level)
    ]
    return [len(places) for places in ends], chances, table


def _table(found: list[tuple[Any, ...]], groups: pd.DataFrame, names: list[str], period: Period) -> pd.DataFrame:
    import pandas as pd

    first = pd.Timestamp(period.first)
    rows = []
    for row, (at, low, high, before, after), chance in found:
        days = [(first + pd.Timedelta(days=place)).date() for place in (at, low, high)]
        sides = [value for side in (before, after) for value in (side.estimate, side.low, side.high)]
        direction = "rose" if (after.estimate or 0) > (before.estimate or 0) else "fell"
        rows.append((*groups.loc[row, names], *days, direction, *sides, before.n, after.n, chance))
    return pd.DataFrame(rows, columns=[*names, *_CHANGE])
