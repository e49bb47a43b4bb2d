"""Trends, time between failures and cumulative failures of automations: ours, by hand in SQL, and with pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rival import Rival
from scipy.stats import chi2

from aftershock.metrics import cumulative_failures, failure_trends, mtbf_by_automation

_ROOTS = """
with attempts as (
    select automation, coalesce(root_run_id, run_id) as root, coalesce(attempt, 1) as attempt,
           epoch_ms(coalesce(started_at, queued_at, ended_at)) as moment, status in ('failed', 'timed_out', 'crashed') as failed
    from runs
    where status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed') and coalesce(role, 'work') = 'work'
      and coalesce(started_at, queued_at, ended_at) is not null
), roots as (
    select automation, root, min(moment) / 1e3 as moment, arg_max(failed, (moment, attempt)) as failed from attempts group by all
), events as (
    select *, failed and not coalesce(lag(failed) over (partition by automation order by moment, root), false) as event from roots
)
"""

_TRENDS = (
    _ROOTS
    + """
, spans as (
    select automation, count(*) as units, min(moment) as first, max(moment) as last, (max(moment) - min(moment)) / nullif(count(*) - 1, 0) as gap
    from roots group by automation
), sums as (
    select e.automation, count(*) as n, sum(e.moment - s.first + s.gap / 2 - s.gap * s.units / 2) as off_middle,
           2 * sum(ln(s.gap * s.units / (e.moment - s.first + s.gap / 2))) as chi2
    from events e join spans s using (automation) where e.event group by e.automation
)
select automation, units, coalesce(n, 0) as n, gap * units / 3600 as observed_h,
       case when n >= 4 then off_middle / (gap * units * sqrt(n / 12.0)) end as laplace_z, case when n >= 4 then chi2 end as mil_chi2
from spans left join sums using (automation)
"""
)

_MTBF = (
    _ROOTS
    + """
, spans as (
    select automation, count(*) as units, max(moment) - min(moment) as length, count(*) filter (event) as n from events group by automation
)
select automation, units, n, length / nullif(units - 1, 0) * units / 3600 as observed,
       length / nullif(units - 1, 0) * units / 3600 / nullif(n, 0) as mtbf
from spans
"""
)

_CURVE = (
    _ROOTS
    + """
, days as (
    select automation, floor(moment / 86400) as day, count(*) filter (event) as events from events group by all
), lives as (
    select automation, min(day) as first, max(day) as last from days group by automation
), ages as (
    select day - first + 1 as time, sum(events) as events from days join lives using (automation) group by 1 having sum(events) > 0
), risk as (
    select time, events, (select count(*) from lives where last - first + 1 >= time) as at_risk from ages
)
select time, at_risk, events, sum(events / at_risk) over (order by time) as mcf from risk
"""
)


def _roots(runs: pd.DataFrame) -> pd.DataFrame:
    kept = runs[
        runs["status"].isin(["succeeded", "partial", "failed", "timed_out", "crashed"])
        & runs["role"].fillna("work").eq("work")
    ]
    moment = kept["started_at"].fillna(kept["queued_at"]).fillna(kept["ended_at"])
    kept = kept.assign(
        at=(moment - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1),
        root=kept["root_run_id"].fillna(kept["run_id"]),
        failed=kept["status"].isin(["failed", "timed_out", "crashed"]),
    )
    ends = kept.sort_values(["at", "attempt"]).groupby(["automation", "root"])
    roots = (
        ends.agg(at=("at", "first"), failed=("failed", "last")).reset_index().sort_values(["automation", "at", "root"])
    )
    before = roots.groupby("automation")["failed"].shift(fill_value=False)
    return roots.assign(event=roots["failed"] & ~before)


def _spans(roots: pd.DataFrame) -> pd.DataFrame:
    spans = roots.groupby("automation").agg(
        units=("at", "size"), first=("at", "min"), last=("at", "max"), n=("event", "sum")
    )
    spans["gap"] = (spans["last"] - spans["first"]) / (spans["units"] - 1).replace(0, np.nan)
    spans["length"] = spans["gap"] * spans["units"]
    return spans


def _trends_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    roots = _roots(runs)
    spans = _spans(roots)
    events = roots[roots["event"]].join(spans[["first", "gap", "length"]], on="automation")
    age = events["at"] - events["first"] + events["gap"] / 2
    sums = pd.DataFrame(
        {"automation": events["automation"], "off": age - events["length"] / 2, "log": np.log(events["length"] / age)}
    )
    spans = spans.join(sums.groupby("automation").sum())
    enough = spans["n"] >= 4
    spans["laplace_z"] = (spans["off"] / (spans["length"] * np.sqrt(spans["n"] / 12))).where(enough)
    spans["mil_chi2"] = (2 * spans["log"]).where(enough)
    return spans.assign(observed_h=spans["length"] / 3600).reset_index()


def _mtbf_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    spans = _spans(_roots(runs)).reset_index()
    observed = spans["length"] / 3600
    some = spans["n"].where(spans["n"] > 0)
    return spans.assign(observed=observed, mtbf=observed / some, high=2 * observed / chi2.ppf(0.025, 2 * some))


def _curve_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    roots = _roots(runs)
    roots["day"] = np.floor(roots["at"] / 86400)
    lives = roots.groupby("automation")["day"].agg(["min", "max"])
    age = roots["day"] - roots["automation"].map(lives["min"]) + 1
    events = roots["event"].groupby(age).sum()
    events = events[events > 0]
    ages = np.sort((lives["max"] - lives["min"] + 1).to_numpy())
    at_risk = ages.size - np.searchsorted(ages, events.index, "left")
    return pd.DataFrame(
        {
            "time": events.index,
            "at_risk": at_risk,
            "events": events.to_numpy(),
            "mcf": (events / at_risk).cumsum().to_numpy(),
        }
    )


RIVALS: tuple[Rival, ...] = (
    Rival(
        "failure_trends",
        lambda runs: failure_trends(runs).to_pandas(),
        _TRENDS,
        _trends_in_pandas,
        ("automation",),
        ("units", "n", "observed_h", "laplace_z", "mil_chi2"),
    ),
    Rival(
        "mtbf_by_automation",
        lambda runs: mtbf_by_automation(runs, despite_trend=True).to_pandas(),
        _MTBF,
        _mtbf_in_pandas,
        ("automation",),
        ("units", "n", "observed", "mtbf"),
    ),
    Rival(
        "cumulative_failures",
        lambda runs: cumulative_failures(runs).to_pandas(),
        _CURVE,
        _curve_in_pandas,
        ("time",),
        ("at_risk", "events", "mcf"),
    ),
)
