"""Load: how many ran at once, and how much ran and failed in each hour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rival import Rival

from aftershock.metrics import concurrency, failure_by_load, volumes


def _overlaps(runs: Any) -> pd.DataFrame:
    table = concurrency(runs).table
    return (
        table.group_by("automation")
        .aggregate(n=table.count(), mean=table.running.mean(), most=table.running.max())
        .execute()
    )


_OVERLAPS_SQL = """
with started as (
    select automation, role, started_at,
           case when ended_at is null and status in ('running', 'queued', 'waiting', 'unknown') then null
                else greatest(coalesce(ended_at, started_at), started_at) end as until
    from runs where started_at is not null
), events as (
    select automation, role, started_at as t, 1 as change, (until is null or until > started_at)::int as itself from started
    union all select automation, null, until, -1, null from started where until is not null
), swept as (
    select automation, role, change, itself, sum(change) over (partition by automation order by t range unbounded preceding) as under_way from events
)
select automation, count(*) as n, avg(under_way - itself) as mean, max(under_way - itself) as most
from swept where change = 1 and role = 'work' group by automation
"""


def _overlaps_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    runs = runs[runs["started_at"].notna()]
    open_ = runs["ended_at"].isna() & runs["status"].isin(["running", "queued", "waiting", "unknown"])
    until = runs["ended_at"].fillna(runs["started_at"]).mask(open_)
    rows = []
    for automation, own in runs.assign(until=until).groupby("automation"):
        starts, ends = np.sort(own["started_at"].to_numpy()), np.sort(own["until"].dropna().to_numpy())
        work = own[own["role"] == "work"]
        at = work["started_at"].to_numpy()
        lasts = (work["until"].isna() | (work["until"] > work["started_at"])).to_numpy()
        running = np.searchsorted(starts, at, "right") - np.searchsorted(ends, at, "right") - lasts
        if len(at):
            rows.append((automation, len(at), running.mean(), running.max()))
    return pd.DataFrame(rows, columns=["automation", "n", "mean", "most"])


_LIMITS = r"(?i)(?:\b429\b|too many requests|rate.?limit|throttl|quota.?exceeded|exceeded.{0,20}quota|request.?limit|slow ?down)"
_VOLUMES_SQL = rf"""
with hours as (
    select automation, time_bucket(interval 1 hour, coalesce(started_at, queued_at, ended_at)) as start,
           count(*) filter (where role = 'work') as runs, sum(coalesce(items_in, items_out)) filter (where role = 'work') as items,
           count(*) filter (where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')) as n,
           count(*) filter (where role = 'work' and status in ('failed', 'timed_out', 'crashed')) as failures,
           count(*) filter (where role = 'work' and status in ('failed', 'timed_out', 'crashed')
                            and regexp_matches(coalesce(error_type, '') || ' ' || coalesce(error_message, ''), '{_LIMITS}')) as rate_limited
    from runs group by all
)
select *, case when n > 0 then (failures / n + 1.9207294103470494 / n - 1.9599639845400543 * sqrt(failures / n * (1 - failures / n) / n
          + 3.841458820694099 / (4.0::double * n * n)))
          / (1 + 3.841458820694099::double / n) * (failures > 0)::int end as low
from hours order by automation, start
"""


def _volumes_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    moment = runs["started_at"].fillna(runs["queued_at"]).fillna(runs["ended_at"])
    work, failed = runs["role"] == "work", runs["status"].isin(["failed", "timed_out", "crashed"])
    said = runs["error_type"].fillna("") + " " + runs["error_message"].fillna("")
    frame = pd.DataFrame(
        {
            "automation": runs["automation"],
            "start": moment.dt.floor("h"),
            "runs": work.astype(int),
            "items": runs["items_in"].fillna(runs["items_out"]).where(work),
            "n": (work & (failed | runs["status"].isin(["succeeded", "partial"]))).astype(int),
            "failures": (work & failed).astype(int),
            "rate_limited": (work & failed & said.str.contains(_LIMITS, regex=True)).astype(int),
        }
    )
    sums = frame.groupby(["automation", "start"])
    rows = sums[["runs", "n", "failures", "rate_limited"]].sum()
    rows["items"] = sums["items"].sum(min_count=1)
    n, z = rows["n"].where(rows["n"] > 0).astype(float), 1.9599639845400543
    p = rows["failures"] / n
    rows["low"] = ((p + z * z / (2 * n) - z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)).where(
        rows["failures"] > 0, n * 0
    )
    return rows.reset_index()


_BY_LOAD_SQL = """
with hours as (
    select date_trunc('hour', coalesce(started_at, queued_at, ended_at)) as hour, count(*) as load,
           count(*) filter (where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')) as n,
           count(*) filter (where role = 'work' and status in ('failed', 'timed_out', 'crashed')) as failures
    from runs group by 1
)
select 'all' as bin, sum(load * n) / sum(n) as load, sum(n) as n, sum(failures) as failures from hours
"""


def _by_load_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    hour = runs["started_at"].fillna(runs["queued_at"]).fillna(runs["ended_at"]).dt.floor("h")
    failed = runs["status"].isin(["failed", "timed_out", "crashed"])
    work = runs["role"] == "work"
    counted = work & (failed | runs["status"].isin(["succeeded", "partial"]))
    hours = (
        pd.DataFrame({"hour": hour, "load": 1, "n": counted.astype(int), "failures": (work & failed).astype(int)})
        .groupby("hour")
        .sum()
    )
    n = hours["n"].sum()
    return pd.DataFrame(
        {
            "bin": ["all"],
            "load": [(hours["load"] * hours["n"]).sum() / n],
            "n": [n],
            "failures": [hours["failures"].sum()],
        }
    )


RIVALS: tuple[Rival, ...] = (
    Rival("concurrency", _overlaps, _OVERLAPS_SQL, _overlaps_pandas, ("automation",), ("n", "mean", "most")),
    Rival(
        "volumes",
        lambda runs: volumes(runs).to_pandas(),
        _VOLUMES_SQL,
        _volumes_pandas,
        ("automation", "start"),
        ("runs", "items", "n", "failures", "rate_limited", "low"),
    ),
    Rival(
        "failure_by_load",
        lambda runs: failure_by_load(runs, bins=1).to_pandas().assign(bin="all"),
        _BY_LOAD_SQL,
        _by_load_pandas,
        ("bin",),
        ("load", "n", "failures"),
    ),
)
