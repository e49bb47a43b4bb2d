"""Failure rates by run and by root, silent failures, a funnel and the design effect of days."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from rival import Rival

from aftershock.metrics import Period, cluster_bootstrap, failure_rate, funnel, silent_failures

PERIOD = Period.parse("2026-06-01..2026-08-31")
Z = 1.959963984540054
COUNTED = ["succeeded", "partial", "failed", "timed_out", "crashed"]
FAILURES = ["failed", "timed_out", "crashed"]
LEFT_OUT = ["cancelled", "skipped"]
UNFINISHED = ["running", "queued", "waiting"]
ASIDE = ("left_out", "unfinished", "unknown", "other_roles")

_RATES = """
select automation, n, failures, left_out, unfinished, unknown, other_roles, failures / n::double as rate,
       case when n is null then null when failures = 0 then 0 else middle - reach end as low, case when failures = n then 1 else middle + reach end as high
from (
    select *, (failures / n::double + $zz / (2 * n)) / (1 + $zz / n) as middle,
           sqrt(failures / n::double * (1 - failures / n::double) / n + $zz / (4.0 * n * n)) * $z / (1 + $zz / n) as reach
    from (
        select automation, nullif(count(*) filter (role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')), 0) as n,
               count(*) filter (role = 'work' and status in ('failed', 'timed_out', 'crashed')) as failures,
               count(*) filter (role = 'work' and status in ('cancelled', 'skipped')) as left_out,
               count(*) filter (role = 'work' and status in ('running', 'queued', 'waiting')) as unfinished,
               count(*) filter (role = 'work' and status = 'unknown') as unknown, count(*) filter (role <> 'work') as other_roles
        from $units group by automation
    )
)
"""
# A root is its first run with the outcome of its last attempt that counts.
_ROOTS = """(
    select arg_min(automation, (started_at, attempt, run_id)) as automation, arg_min(role, (started_at, attempt, run_id)) as role,
           arg_max(status, (status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed'), status in ('cancelled', 'skipped'),
                            started_at, attempt, run_id)) as status
    from runs group by root_run_id
)"""
_SILENT = """
select *, silent / n::double as rate
from (
    select automation, nullif(count(*) filter (role = 'work' and status in ('succeeded', 'partial')), 0) as n,
           count(*) filter (role = 'work' and status = 'partial') as silent,
           count(*) filter (role = 'work' and status in ('failed', 'timed_out', 'crashed')) as failed,
           count(*) filter (role = 'work' and status in ('cancelled', 'skipped')) as left_out,
           count(*) filter (role = 'work' and status in ('running', 'queued', 'waiting')) as unfinished,
           count(*) filter (role = 'work' and status = 'unknown') as unknown, count(*) filter (role <> 'work') as other_roles
    from runs group by automation
)
"""
_FUNNEL = """
with units as (
    select automation, count(*) filter (status in ('failed', 'timed_out', 'crashed')) as failures, count(*)::double as n
    from runs where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed') group by automation
), scores as (
    select *, (failures / n - p0) * sqrt(n / (p0 * (1 - p0))) as z from units, (select sum(failures) / sum(n) as p0 from units)
), walls as (select quantile_cont(z, 0.1) as below, quantile_cont(z, 0.9) as above from scores)
select automation, n, failures, z, avg(least(greatest(z, below), above) ** 2) over () as phi_winsorised from scores, walls
"""
_DAYS = """
with days as (
    select date_trunc('day', started_at at time zone 'UTC') as day, count(*) filter (status in ('failed', 'timed_out', 'crashed')) as x,
           count(*)::double as n
    from runs
    where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')
      and started_at >= timestamptz '2026-06-01 00:00:00+00' and started_at < timestamptz '2026-09-01 00:00:00+00'
    group by day
), whole as (select count(*) as clusters, sum(n) as n, sum(x) / sum(n) as rate from days)
select clusters, whole.n as n, rate,
       clusters / (clusters - 1.0) * (select sum((x - rate * days.n) ** 2) from days) / whole.n / (rate * (1 - rate)) as design_effect
from whole
"""


def _with_z(query: str, units: str) -> str:
    return query.replace("$units", units).replace("$zz", str(Z * Z)).replace("$z", str(Z))


def _wilson(table: pd.DataFrame) -> pd.DataFrame:
    n, failures = table["n"], table["failures"]
    p = failures / n
    middle, scale = (p + Z * Z / (2 * n)) / (1 + Z * Z / n), Z / (1 + Z * Z / n)
    reach = scale * np.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    low, high = (middle - reach).mask(failures == 0, 0.0), (middle + reach).mask(failures == n, 1.0)
    return table.assign(rate=p, low=low, high=high)


def _tally(runs: pd.DataFrame, **words: list[str]) -> pd.DataFrame:
    is_work = runs["role"] == "work"
    flags = {name: is_work & runs["status"].isin(some) for name, some in words.items()}
    set_aside = {"left_out": LEFT_OUT, "unfinished": UNFINISHED, "unknown": ["unknown"]}
    flags |= {name: is_work & runs["status"].isin(some) for name, some in set_aside.items()}
    table = pd.DataFrame({"automation": runs["automation"], **flags, "other_roles": ~is_work})
    sums = table.groupby("automation", observed=True).sum().reset_index()
    return sums.assign(n=sums["n"].where(sums["n"] > 0).astype(float))


def _rates(runs: pd.DataFrame) -> pd.DataFrame:
    return _wilson(_tally(runs, n=COUNTED, failures=FAILURES))


def _root_rates(runs: pd.DataFrame) -> pd.DataFrame:
    weight = np.select([runs["status"].isin(COUNTED), runs["status"].isin(LEFT_OUT)], [2, 1], 0)
    columns = runs[["root_run_id", "automation", "role", "status", "started_at", "attempt", "run_id"]].assign(
        weight=weight
    )
    order = ["started_at", "attempt", "run_id"]
    first = columns.sort_values(order).drop_duplicates("root_run_id")
    last = columns.sort_values(["weight", *order]).drop_duplicates("root_run_id", keep="last")
    joined = first.drop(columns="status").merge(last[["root_run_id", "status"]], on="root_run_id")
    return _rates(joined)


def _silent(runs: pd.DataFrame) -> pd.DataFrame:
    sums = _tally(runs, n=["succeeded", "partial"], silent=["partial"], failed=FAILURES)
    return sums.assign(rate=sums["silent"] / sums["n"])


def _counted(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[(runs["role"] == "work") & runs["status"].isin(COUNTED)]


def _funnel(runs: pd.DataFrame) -> pd.DataFrame:
    work = _counted(runs)
    units = work["status"].isin(FAILURES).groupby(work["automation"], observed=True).agg(["sum", "count"]).reset_index()
    units.columns = pd.Index(["automation", "failures", "n"])
    p0 = units["failures"].sum() / units["n"].sum()
    z = (units["failures"] / units["n"] - p0) * np.sqrt(units["n"] / (p0 * (1 - p0)))
    return units.assign(z=z, phi_winsorised=(z.clip(*z.quantile([0.1, 0.9])) ** 2).mean())


def _our_funnel(runs: Any) -> pd.DataFrame:
    found = funnel(runs)
    table = found.to_pandas()
    return table[table["n"] > 0].assign(phi_winsorised=found.phi_winsorised)


def _days(runs: pd.DataFrame) -> pd.DataFrame:
    work = _counted(runs)
    work = work[(work["started_at"] >= PERIOD.start) & (work["started_at"] < PERIOD.end)]
    days = work["status"].isin(FAILURES).groupby(work["started_at"].dt.floor("D")).agg(["sum", "count"])
    x, n, k = days["sum"], days["count"], len(days)
    rate = x.sum() / n.sum()
    effect = k / (k - 1) * ((x - rate * n) ** 2).sum() / n.sum() / (rate * (1 - rate))
    return pd.DataFrame({"clusters": [k], "n": [n.sum()], "rate": [rate], "design_effect": [effect]})


def _ours_with_null(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(n=table["n"].where(table["n"] > 0))


RIVALS: tuple[Rival, ...] = (
    Rival(
        "failure_rate by run",
        lambda runs: _ours_with_null(failure_rate(runs).to_pandas()),
        _with_z(_RATES, "runs"),
        _rates,
        ("automation",),
        ("n", "failures", "rate", "low", "high", *ASIDE),
    ),
    Rival(
        "failure_rate by root",
        lambda runs: _ours_with_null(failure_rate(runs, unit="root").to_pandas()),
        _with_z(_RATES, _ROOTS),
        _root_rates,
        ("automation",),
        ("n", "failures", "rate", "low", "high", *ASIDE),
    ),
    Rival(
        "silent_failures",
        lambda runs: _ours_with_null(silent_failures(runs).to_pandas()),
        _SILENT,
        _silent,
        ("automation",),
        ("n", "silent", "failed", "rate", *ASIDE),
    ),
    Rival("funnel", _our_funnel, _FUNNEL, _funnel, ("automation",), ("n", "failures", "z", "phi_winsorised")),
    Rival(
        "cluster_bootstrap by day",
        lambda runs: cluster_bootstrap(runs, cluster="day", period=PERIOD).to_pandas(),
        _DAYS,
        _days,
        (),
        ("clusters", "n", "rate", "design_effect"),
    ),
)
