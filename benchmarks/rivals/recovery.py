"""Incidents, recovery times and times between failures, beside the same by hand in DuckDB's SQL and with pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rival import Rival

from aftershock.metrics import incidents, recovery_times, time_between_failures

FAILED = ("failed", "timed_out", "crashed")
COUNTED = ("succeeded", "partial", *FAILED)
Z = 1.959963984540054
NEAR = 1.4901161193847656e-08
ESTIMATES = tuple(
    f"{name}{suffix}_s" for name in ("median", "p90", "rmst", "geometric_mean") for suffix in ("", "_low", "_high")
)

_COUNTED = f"""
with counted as (
    select automation_id, automation, run_id, version, coalesce(ended_at, started_at, queued_at) as moment, status in {FAILED} as failed
    from runs where status in {COUNTED} and coalesce(role, 'work') = 'work'
), marked as (
    select *, lag(failed) over w as before, lead(failed) over w as after, row_number() over w as place, first_value(moment) over w as first_at
    from counted window w as (partition by automation_id order by moment, run_id)
)"""

_INCIDENTS = (
    _COUNTED
    + """, edges as (
    select * from marked
    where failed and (not coalesce(before, false) or after is null) or not failed and before
), pairs as (
    select *, lead(failed) over w as next_failed, lead(moment) over w as next_at, lead(place) over w as next_place, lead(version) over w as next_version
    from edges window w as (partition by automation_id order by place)
), incidents as (
    select automation_id, automation, run_id, version, moment as began_at, not coalesce(next_failed, true) as observed,
           coalesce(next_place - place + case when next_failed then 1 else 0 end, 1) as failures, before is not null as start_seen,
           coalesce(next_at, moment) as last_at, coalesce(next_place, place) as last_place, first_at, next_at, next_version,
           (select max(moment) from counted) as until
    from pairs where failed and not coalesce(before, false)
), told as (
    select automation_id, automation, run_id, observed, failures, start_seen,
           (epoch_us(case when observed then next_at else until end) - epoch_us(began_at)) / 1e6 as duration_s,
           case when observed and version <> next_version then 'superseded' when observed then 'recovered'
                when last_place > 2 and epoch_us(until) - epoch_us(last_at) > 10 * (epoch_us(last_at) - epoch_us(first_at)) / (last_place - 1) then 'abandoned'
           end as outcome
    from incidents
)"""
)

_SPELLS = (
    _COUNTED
    + """, edges as (
    select *, max(moment) over (partition by automation_id) as last_at, max(place) over (partition by automation_id) as last_place
    from marked where before is null or after is null or failed and not before or not failed and before
), starts as (
    select *, lead(moment) over (partition by automation_id order by place) as next_at, (select max(moment) from counted) as until
    from edges where before is null or failed and not before
), told as (
    select automation, next_at is not null as observed,
           (epoch_us(coalesce(next_at, case when last_place > 2 and epoch_us(until) - epoch_us(last_at)
               > 10 * (epoch_us(last_at) - epoch_us(first_at)) / (last_place - 1) then last_at else until end)) - epoch_us(moment)) / 1e6 as duration_s
    from starts
)"""
)


def _kaplan_meier(told: str, tallies: str = "") -> str:
    """The curve per automation from `told` (automation, duration_s, observed), and what is read off it, beside other `tallies`."""
    counts = f", counts as (select automation, {tallies} from told group by automation)" if tallies else ""
    joined = "join counts using (automation)" if tallies else ""
    picks = ",\n           ".join(
        f"(min(duration_s) filter ({curve} <= {height} + {NEAR}) + coalesce(min(duration_s) filter ({curve} < {height} - {NEAR}), "
        f"max(duration_s))) / 2 as {name}{suffix}_s"
        for name, height in (("median", 0.5), ("p90", 0.1))
        for curve, suffix in (("survival", ""), ("low", "_low"), ("high", "_high"))
    )
    students = " ".join(f"when {df} then {t!r}" for df, t in _students())
    return f"""{told}, steps as (
    select automation, duration_s, count(*) filter (observed) as d, count(*) as leaving from told group by all
), risk as (
    select *, sum(leaving) over (w rows between current row and unbounded following) as n, lead(duration_s) over w as next_s
    from steps window w as (partition by automation order by duration_s)
), curve as (
    select *, case when n = d then 0 else exp(sum(case when n > d then ln((n - d) / n::double) else 0 end) over w) end as survival,
           case when n > d then d / (n * (n - d))::double else 0 end as spread,
           sqrt(sum(case when n > d then d / (n * (n - d))::double else 0 end) over w) as rse
    from risk window w as (partition by automation order by duration_s)
), banded as (
    select *, case when survival >= 1 then 1 when survival > 0 then exp(ln(survival) * exp({Z} * rse / -ln(survival))) end as low,
           case when survival >= 1 then 1 when survival > 0 then exp(ln(survival) / exp({Z} * rse / -ln(survival))) end as high,
           sum(survival * (coalesce(next_s, duration_s) - duration_s)) over w as area_after,
           sum(survival * (ln(greatest(coalesce(next_s, duration_s), 1)) - ln(greatest(duration_s, 1)))) over w as log_after
    from curve window w as (partition by automation order by duration_s rows between current row and unbounded following)
), read as (
    select automation, sum(leaving) as n, sum(d) as ended, sum(leaving) - sum(d) as open, {picks}, max(duration_s) as tau,
           min(duration_s) + max(area_after) as mean, nullif({Z} * sqrt(sum(area_after * area_after * spread)), 0) as reach,
           ln(greatest(min(duration_s), 1)) + max(log_after) as log_mean, sum(log_after * log_after * spread) as log_variance
    from banded group by automation
), wide as (
    select *, nullif(sqrt(log_variance * ended / nullif(ended - 1, 0)) * case ended - 1 {students} end, 0) as log_reach from read
){counts}
select * exclude (mean, tau, reach, log_mean, log_variance, log_reach),
       mean as rmst_s, case when reach is not null then greatest(mean - reach, 0) end as rmst_low_s,
       case when reach is not null then least(mean + reach, tau) end as rmst_high_s,
       case when ended > 0 then exp(log_mean) end as geometric_mean_s,
       case when log_reach < 600 then exp(log_mean - log_reach) end as geometric_mean_low_s,
       case when log_reach < 600 then exp(log_mean + log_reach) end as geometric_mean_high_s
from wide {joined}"""


def _students() -> list[tuple[int, float]]:
    from scipy.stats import t

    return [(df, float(t.ppf(0.975, df))) for df in range(1, 2000)]


def _marked(runs: pd.DataFrame) -> pd.DataFrame:
    rows = runs[runs.status.isin(COUNTED) & (runs.role.fillna("work") == "work")].copy()
    rows["at"] = rows.ended_at.fillna(rows.started_at).fillna(rows.queued_at)
    rows["failed"] = rows.status.isin(FAILED)
    rows = rows.sort_values(["automation_id", "at", "run_id"])
    groups = rows.groupby("automation_id", sort=False)
    rows["before"] = groups["failed"].shift(1)
    rows["after"] = groups["failed"].shift(-1)
    rows["place"] = groups.cumcount()
    rows["first_at"] = groups["at"].transform("first")
    rows["last_at"] = groups["at"].transform("last")
    rows["last_place"] = groups["place"].transform("last")
    return rows


def _seconds(span: pd.Series) -> pd.Series:
    return span / pd.Timedelta(seconds=1)


def _stopped(rows: pd.DataFrame, until: pd.Timestamp) -> pd.Series:
    cadence = _seconds(rows.last_at - rows.first_at) / rows.last_place.where(rows.last_place > 0)
    return (rows.last_place >= 2) & (_seconds(until - rows.last_at) > 10 * cadence)


def pandas_incidents(runs: pd.DataFrame) -> pd.DataFrame:
    rows = _marked(runs)
    until = rows["at"].max()
    before = rows.before.fillna(False).astype(bool)
    starts, ends = rows.failed & ~before, ~rows.failed & before
    rows["began"] = starts
    rows["number"] = starts.groupby(rows.automation_id, sort=False).cumsum()
    inside = rows[rows.failed].groupby(["automation_id", "number"], sort=False).size().rename("failures")
    recovery = rows[ends].set_index(["automation_id", "number"])[["at", "version"]].add_prefix("next_")
    found = rows[starts].join(inside, on=["automation_id", "number"]).join(recovery, on=["automation_id", "number"])
    found["observed"] = found.next_at.notna()
    found["start_seen"] = found.before.notna()
    found["duration_s"] = _seconds(found.next_at.fillna(until) - found["at"])
    superseded = found.observed & (found.version != found.next_version)
    gone = ~found.observed & _stopped(found, until)
    found["outcome"] = np.select([superseded, found.observed, gone], ["superseded", "recovered", "abandoned"], None)
    return found


def _read_off(group: pd.DataFrame) -> pd.Series:
    from scipy.stats import t

    time, place = np.unique(group.duration_s, return_inverse=True)
    d = np.bincount(place, weights=group.observed).astype(float)
    n = len(group) - np.concatenate([[0], np.bincount(place).cumsum()[:-1]])
    survival = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(n > d, d / (n * (n - d)), 0.0)
        wide = np.exp(Z * np.sqrt(spread.cumsum()) / -np.log(survival))
        low, high = np.exp(np.log(survival) * wide), np.exp(np.log(survival) / wide)
    low, high = np.where(survival >= 1, 1.0, low), np.where(survival >= 1, 1.0, high)
    low[survival <= 0] = high[survival <= 0] = np.nan
    told = {"n": len(group), "ended": d.sum(), "open": len(group) - d.sum()}
    for name, height in (("median", 0.5), ("p90", 0.1)):
        for curve, suffix in ((survival, ""), (low, "_low"), (high, "_high")):
            at, below = time[curve <= height + NEAR], time[curve < height - NEAR]
            told[f"{name}{suffix}_s"] = (at[0] + (below[0] if len(below) else time[-1])) / 2 if len(at) else np.nan
    logs = np.log(np.maximum(time, 1))
    after = (survival[:-1] * np.diff(time))[::-1].cumsum()[::-1]
    log_after = (survival[:-1] * np.diff(logs))[::-1].cumsum()[::-1]
    mean, reach = time[0] + after[:1].sum(), Z * np.sqrt((after**2 * spread[:-1]).sum())
    told |= {"rmst_s": mean, "rmst_low_s": max(mean - reach, 0), "rmst_high_s": min(mean + reach, time[-1])}
    if reach == 0:
        told |= {"rmst_low_s": np.nan, "rmst_high_s": np.nan}
    centre, events = logs[0] + log_after[:1].sum(), d.sum()
    told["geometric_mean_s"] = np.exp(centre) if events else np.nan
    reach = np.nan
    if events > 1:
        reach = t.ppf(0.975, events - 1) * np.sqrt((log_after**2 * spread[:-1]).sum() * events / (events - 1))
    if not 0 < reach < 600:
        reach = np.nan
    return pd.Series(
        told | {"geometric_mean_low_s": np.exp(centre - reach), "geometric_mean_high_s": np.exp(centre + reach)}
    )


def pandas_recovery_times(runs: pd.DataFrame) -> pd.DataFrame:
    found = pandas_incidents(runs)
    table = found.groupby("automation")[["duration_s", "observed"]].apply(_read_off)
    for outcome in ("superseded", "abandoned"):
        table[outcome] = (found.outcome == outcome).groupby(found.automation).sum()
    return table.reset_index()


def pandas_time_between_failures(runs: pd.DataFrame) -> pd.DataFrame:
    rows = _marked(runs)
    until = rows["at"].max()
    starts = rows[rows.before.isna() | (rows.failed & ~rows.before.fillna(False).astype(bool))].copy()
    following = starts.groupby("automation_id", sort=False)["at"].shift(-1)
    end = starts.last_at.where(_stopped(starts, until), until)
    starts["observed"] = following.notna()
    starts["duration_s"] = _seconds(following.fillna(end) - starts["at"])
    return starts.groupby("automation")[["duration_s", "observed"]].apply(_read_off).reset_index()


RIVALS: tuple[Rival, ...] = (
    Rival(
        "incidents",
        lambda runs: incidents(runs).to_pandas(),
        _INCIDENTS + "select * from told",
        pandas_incidents,
        ("automation", "run_id", "outcome"),
        ("duration_s", "observed", "failures", "start_seen"),
        1e-8,
    ),
    Rival(
        "recovery_times",
        lambda runs: recovery_times(runs).to_pandas(),
        _kaplan_meier(
            _INCIDENTS,
            "count(*) filter (outcome = 'superseded') as superseded, count(*) filter (outcome = 'abandoned') as abandoned",
        ),
        pandas_recovery_times,
        ("automation",),
        ("n", "ended", "open", *ESTIMATES, "superseded", "abandoned"),
        1e-8,
    ),
    Rival(
        "time_between_failures",
        lambda runs: time_between_failures(runs).to_pandas(),
        _kaplan_meier(_SPELLS),
        pandas_time_between_failures,
        ("automation",),
        ("n", "ended", "open", *ESTIMATES),
        1e-8,
    ),
)
