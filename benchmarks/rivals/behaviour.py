"""Flakiness within versions, retries, what retries hide, attributes of failed runs, and sequences of errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from rival import Rival

from aftershock.metrics import declare_constraints, failure_attributes, flakiness, masked_failures, retry_effectiveness

COUNTED = ["succeeded", "partial", "failed", "timed_out", "crashed"]
FAILURES = ["failed", "timed_out", "crashed"]
ATTRIBUTES = ("version", "trigger", "tool", "client")

_COUNTED = """
    select *, status in ('failed', 'timed_out', 'crashed') as failed from runs
    where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')
"""
_FLAKINESS = f"""
with counted as ({_COUNTED}), stepped as (
    select *, lag(failed) over (partition by automation, version order by started_at, attempt, run_id) as before from counted
), versions as (
    select automation, version, count(*) as n, count(*) filter (failed) as failures, count(*) filter (before <> failed) as flips,
           max(started_at) as newest
    from stepped group by all
), judged as (
    select *, flips / (n - 1)::double as rate, failures / n::double as share,
           case when failures in (0, n) then 0 else -(share * log2(share) + (1 - share) * log2(1 - share)) end as bits,
           power(0.9, row_number() over (partition by automation order by newest desc, version desc) - 1) as weight
    from versions where n > 1
), good as (
    select automation, count(*) as good_failures
    from counted a
    where failed and exists (select 1 from counted b where b.root_run_id = a.root_run_id and b.version = a.version
                             and b.automation = a.automation and not b.failed)
    group by automation
), totals as (select automation, sum(n) as n, sum(failures) as failures, sum(flips) as flips from versions group by automation)
select automation, n, failures, flips, flip_rate, entropy, decayed_flip_rate, decayed_entropy,
       n - failures + coalesce(good_failures, 0) as good_n, coalesce(good_failures, 0) as good_failures,
       (good_failures + 0.5) / (good_n + 1) as p_fail_good
from totals left join good using (automation) left join (
    select automation, avg(rate) as flip_rate, avg(bits) as entropy, sum(rate * weight) / sum(weight) as decayed_flip_rate,
           sum(bits * weight) / sum(weight) as decayed_entropy
    from judged group by automation
) using (automation)
"""
_RETRIES = f"""
with counted as ({_COUNTED}), climbed as (
    select *, row_number() over climb as place, lead(failed) over climb as next_failed, lead(duration_s) over climb as next_s
    from counted window climb as (partition by root_run_id order by started_at, attempt, run_id)
), base as (select count(*) as base_n, avg((not failed)::int) as base_rate from climbed where place = 1)
select fingerprint, failures, n, rescued, rescued / n::double as rate, roots, retry_s, retry_s / rescued as seconds_per_rescue,
       base_n, base_rate, rate - base_rate as difference
from (
    select fingerprint, count(*) as failures, count(next_failed) as n, count(*) filter (not next_failed) as rescued,
           count(distinct root_run_id) filter (next_failed is not null) as roots, sum(next_s) as retry_s
    from climbed where failed group by fingerprint
), base
"""
_MASKED = f"""
with counted as ({_COUNTED}), roots as (
    select arg_min(automation, (started_at, attempt, run_id)) as automation, count(*) as attempts,
           arg_min(failed, (started_at, attempt, run_id)) as first_failed, arg_max(failed, (started_at, attempt, run_id)) as last_failed
    from counted group by root_run_id
)
select automation, count(*) as n, sum(attempts) as attempts, count(*) filter (attempts > 1) as retried,
       count(*) filter (first_failed) as first_failures, count(*) filter (last_failed) as final_failures,
       count(*) filter (first_failed and not last_failed) as masked, first_failures / n as first_rate, masked / n as masked_rate
from roots group by automation
"""
_ATTRIBUTES = f"""
with counted as ({_COUNTED}), totals as (select count(*) as total, count(*) filter (failed) as total_failures from counted),
found as (
    select case grouping(version, trigger, tool, client) when 7 then 'version' when 11 then 'trigger' when 13 then 'tool' else 'client' end as "column",
           coalesce(version, trigger, tool, client) as value, count(*) as n, count(*) filter (failed) as failures
    from counted group by grouping sets (version, trigger, tool, client)
)
select *, total - n as other_n, total_failures - failures as other_failures,
       failures / n - other_failures / other_n as difference
from found, totals where n < total
"""
_DECLARE = """
with log as (
    select automation || strftime(started_at, '%Y-%m-%d') as c, error_type as a, row_number() over (partition by c
        order by started_at, run_id, error_type) as place
    from runs where status in ('failed', 'timed_out', 'crashed')
), seen as (select c, a, count(*) as times, min(place) as first, max(place) as last from log group by all),
cases as (select a, count(*) as support from seen group by a),
met as (
    select x.a, y.a as b, count(*) filter (y.last > x.last) as response, count(*) filter (x.first < y.first) as precedence
    from seen x join seen y on x.c = y.c and x.a <> y.a group by all
)
select 'response' as template, x.a, y.a as b, x.support, coalesce(response, 0) as satisfied, satisfied / x.support as confidence
from cases x join cases y on x.a <> y.a left join met on met.a = x.a and met.b = y.a
union all
select 'precedence', x.a, y.a, y.support, coalesce(precedence, 0) as satisfied, satisfied / y.support
from cases x join cases y on x.a <> y.a left join met on met.a = x.a and met.b = y.a
"""


def _counted(runs: pd.DataFrame) -> pd.DataFrame:
    counted = runs[(runs.role == "work") & runs.status.isin(COUNTED)]
    return counted.assign(failed=counted.status.isin(FAILURES)).sort_values(["started_at", "attempt", "run_id"])


def _flakiness_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    counted = _counted(runs)
    before = counted.groupby(["automation", "version"]).failed.shift()
    counted["flip"] = before.notna() & (before != counted.failed)
    versions = counted.groupby(["automation", "version"]).agg(
        n=("failed", "size"), failures=("failed", "sum"), flips=("flip", "sum"), newest=("started_at", "max")
    )
    versions = versions.reset_index().sort_values(["newest", "version"], ascending=False)
    totals = versions.groupby("automation")[["n", "failures", "flips"]].sum()
    judged = versions[versions.n > 1].copy()
    share = judged.failures / judged.n
    judged["rate"] = judged.flips / (judged.n - 1)
    parts = [-x * np.log2(x.where(x > 0, 1.0)) for x in (share, 1 - share)]
    judged["bits"] = parts[0] + parts[1]
    judged["weight"] = 0.9 ** judged.groupby("automation").cumcount()
    judged["weighted_rate"], judged["weighted_bits"] = judged.rate * judged.weight, judged.bits * judged.weight
    means = judged.groupby("automation").agg(
        flip_rate=("rate", "mean"),
        entropy=("bits", "mean"),
        weight=("weight", "sum"),
        wr=("weighted_rate", "sum"),
        wb=("weighted_bits", "sum"),
    )
    keys = ["automation", "version", "root_run_id"]
    passed = counted.loc[~counted.failed, keys].drop_duplicates()
    good = counted.loc[counted.failed, keys].merge(passed, on=keys).groupby("automation").size()
    table = totals.join(means)
    table["good_failures"] = good.reindex(table.index).fillna(0)
    table["good_n"] = table.n - table.failures + table.good_failures
    table["p_fail_good"] = (table.good_failures + 0.5) / (table.good_n + 1)
    table["decayed_flip_rate"], table["decayed_entropy"] = table.wr / table.weight, table.wb / table.weight
    return table.reset_index()


def _retries_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    counted = _counted(runs)
    ladder = counted.groupby("root_run_id")
    counted["next_failed"], counted["next_s"] = ladder.failed.shift(-1), ladder.duration_s.shift(-1)
    first = counted[ladder.cumcount() == 0]
    failed = counted[counted.failed].copy()
    failed["retried"] = failed.next_failed.notna()
    failed["rescue"] = failed.retried & (failed.next_failed == False)  # noqa: E712  (three values: null is neither)
    failed["retried_root"] = failed.root_run_id.where(failed.retried)
    table = failed.groupby("fingerprint").agg(
        failures=("failed", "size"),
        n=("retried", "sum"),
        rescued=("rescue", "sum"),
        roots=("retried_root", "nunique"),
        retry_s=("next_s", "sum"),
    )
    table["rate"], table["seconds_per_rescue"] = table.rescued / table.n, table.retry_s / table.rescued
    table["base_n"], table["base_rate"] = len(first), (~first.failed).mean()
    table["difference"] = table.rate - table.base_rate
    return table.reset_index()


def _masked_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    roots = (
        _counted(runs)
        .groupby("root_run_id")
        .agg(
            automation=("automation", "first"),
            attempts=("failed", "size"),
            first=("failed", "first"),
            last=("failed", "last"),
        )
    )
    roots["again"], roots["hidden"] = roots.attempts > 1, roots["first"] & ~roots["last"]
    table = roots.groupby("automation").agg(
        n=("attempts", "size"),
        attempts=("attempts", "sum"),
        retried=("again", "sum"),
        first_failures=("first", "sum"),
        final_failures=("last", "sum"),
        masked=("hidden", "sum"),
    )
    table["first_rate"], table["masked_rate"] = table.first_failures / table.n, table.masked / table.n
    return table.reset_index()


def _attributes_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    counted = _counted(runs)
    parts = [
        counted.groupby(name)
        .failed.agg(n="size", failures="sum")
        .rename_axis("value")
        .reset_index()
        .assign(column=name)
        for name in ATTRIBUTES
    ]
    table = pd.concat(parts)
    table["other_n"], table["other_failures"] = len(counted) - table.n, counted.failed.sum() - table.failures
    table["difference"] = table.failures / table.n - table.other_failures / table.other_n
    return table[table.other_n > 0]


def _log(runs: Any) -> Any:
    """What went wrong with an automation on a day, in turn: as a log of cases and activities."""
    failed = runs.filter(runs.status.isin(FAILURES))
    day = failed.started_at.strftime("%Y-%m-%d")
    return failed.select(
        case=failed.automation + day, activity=failed.error_type, at=failed.started_at, turn=failed.run_id
    )


def _declare_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    log = runs[runs.status.isin(FAILURES)].sort_values(["started_at", "run_id", "error_type"])
    log = log.assign(c=log.automation + log.started_at.dt.strftime("%Y-%m-%d"))
    log["place"] = log.groupby("c").cumcount()
    seen = log.groupby(["c", "error_type"]).place.agg(["min", "max"]).reset_index()
    met = seen.merge(seen, on="c", suffixes=("", "_b"))
    met = met[met.error_type != met.error_type_b]
    met["response"], met["precedence"] = met["max_b"] > met["max"], met["min"] < met["min_b"]
    counts = met.groupby(["error_type", "error_type_b"])[["response", "precedence"]].sum()
    cases = seen.groupby("error_type").size()
    every = pd.MultiIndex.from_product([cases.index, cases.index], names=["a", "b"])
    every = every[every.get_level_values(0) != every.get_level_values(1)]
    counts = counts.rename_axis(["a", "b"]).reindex(every, fill_value=0).reset_index()
    parts = [
        counts[["a", "b"]].assign(template=template, support=counts[side].map(cases), satisfied=counts[template])
        for template, side in (("response", "a"), ("precedence", "b"))
    ]
    table = pd.concat(parts)
    return table.assign(confidence=table.satisfied / table.support)


RIVALS = (
    Rival(
        "flakiness by automation",
        lambda runs: flakiness(runs).to_pandas(),
        _FLAKINESS,
        _flakiness_in_pandas,
        ("automation",),
        (
            "n",
            "failures",
            "flips",
            "flip_rate",
            "entropy",
            "decayed_flip_rate",
            "decayed_entropy",
            "good_n",
            "good_failures",
        ),
    ),
    Rival(
        "retry effectiveness by fingerprint",
        lambda runs: retry_effectiveness(runs).to_pandas(),
        _RETRIES,
        _retries_in_pandas,
        ("fingerprint",),
        (
            "failures",
            "n",
            "rescued",
            "rate",
            "roots",
            "retry_s",
            "seconds_per_rescue",
            "base_n",
            "base_rate",
            "difference",
        ),
    ),
    Rival(
        "masked failures by automation",
        lambda runs: masked_failures(runs).to_pandas(),
        _MASKED,
        _masked_in_pandas,
        ("automation",),
        ("n", "attempts", "retried", "first_failures", "final_failures", "masked", "first_rate", "masked_rate"),
    ),
    Rival(
        "attributes of failed runs",
        lambda runs: failure_attributes(runs, ATTRIBUTES).to_pandas(),
        _ATTRIBUTES,
        _attributes_in_pandas,
        ("column", "value"),
        ("n", "failures", "other_n", "other_failures", "difference"),
    ),
    Rival(
        "response and precedence of errors in a day",
        lambda runs: declare_constraints(_log(runs), templates=("response", "precedence"), order=("turn",)).to_pandas(),
        _DECLARE,
        _declare_in_pandas,
        ("template", "a", "b"),
        ("support", "satisfied", "confidence"),
    ),
)
