"""Daily counts, p′ charts of all automations, and hour-of-week baselines, beside SQL and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rival import Rival

from aftershock.metrics import Period, daily_counts, failure_control, hour_of_week_baseline

COUNTED = ("succeeded", "partial", "failed", "timed_out", "crashed")
FAILURES = ("failed", "timed_out", "crashed")
ZONE = "Europe/Berlin"
# The days of the benchmark's runs. Its summer has no change of clocks: the tests of the topic have one.
PERIOD = Period.parse("2026-06-01..2026-08-29", ZONE)

_WORK = f"""
work as (
    select automation, status, duration_s, coalesce(started_at, queued_at, ended_at) as moment
    from runs
    where coalesce(role, 'work') = 'work' and coalesce(started_at, queued_at, ended_at) >= timestamptz '{PERIOD.start.isoformat()}'
      and coalesce(started_at, queued_at, ended_at) < timestamptz '{PERIOD.end.isoformat()}'
)"""
_DAILY = f"""{_WORK}, found as (
    select automation, (moment at time zone '{ZONE}')::date as day,
           count(*) filter (status in {COUNTED}) as n, count(*) filter (status in {FAILURES}) as failures
    from work group by all
)"""


def _work(runs: pd.DataFrame) -> pd.DataFrame:
    moment = runs.started_at.fillna(runs.queued_at).fillna(runs.ended_at)
    inside = runs.role.fillna("work").eq("work") & (moment >= PERIOD.start) & (moment < PERIOD.end)
    work = runs.loc[inside, ["automation", "status", "duration_s"]].assign(moment=moment[inside])
    local = work.moment.dt.tz_convert(ZONE)
    return work.assign(local=local, counted=work.status.isin(COUNTED), failed=work.status.isin(FAILURES))


def _daily(runs: pd.DataFrame) -> pd.DataFrame:
    work = _work(runs)
    work = work.assign(day=work.local.dt.tz_localize(None).dt.normalize())
    return work.groupby(["automation", "day"]).agg(n=("counted", "sum"), failures=("failed", "sum"))


def _daily_filled(runs: pd.DataFrame) -> pd.DataFrame:
    found = _daily(runs)
    days = pd.date_range(PERIOD.first, PERIOD.last, name="day")
    cells = pd.MultiIndex.from_product([found.index.unique("automation"), days])
    return _as_dates(found.reindex(cells, fill_value=0).reset_index())


def _control(runs: pd.DataFrame) -> pd.DataFrame:
    rows = _daily(runs).query("n > 0").reset_index().sort_values(["automation", "day"])
    groups = rows.groupby("automation")
    rows["rate"] = rows.failures / rows.n
    rows["centre"] = groups.failures.transform("sum") / groups.n.transform("sum")
    spread = np.sqrt(rows.centre * (1 - rows.centre) / rows.n)
    rows["step"] = ((rows.rate - rows.centre) / spread.where(spread > 0)).groupby(rows.automation).diff().abs()
    sigma_z = rows.groupby("automation").step.transform("mean") / 1.128
    reach = 3 * spread * sigma_z.clip(lower=1)
    rows["lower"], rows["upper"] = (rows.centre - reach).clip(lower=0), (rows.centre + reach).clip(upper=1)
    return _as_dates(rows)


def _as_dates(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(day=rows.day.dt.date)


def _hours(runs: pd.DataFrame) -> pd.DataFrame:
    work = _work(runs)
    work = work.assign(hour_of_week=work.local.dt.day_of_week * 24 + work.local.dt.hour)
    keys = ["automation", "hour_of_week"]
    work["duration_s"] = work.duration_s.where(work.counted)
    rows = work.groupby(keys).agg(
        n=("counted", "sum"), failures=("failed", "sum"), duration_s_median=("duration_s", "median")
    )
    off = (work.duration_s - work.groupby(keys).duration_s.transform("median")).abs()
    rows["duration_s_mad"] = off.groupby([work.automation, work.hour_of_week]).median() * 1.4826
    n, p, z = rows.n.where(rows.n > 0), rows.failures / rows.n.where(rows.n > 0), 1.959963984540054
    reach = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    rows["low"] = (middle - reach).where(rows.failures > 0, 0.0).where(rows.n > 0)
    rows["high"] = (middle + reach).where(rows.failures < rows.n, 1.0).where(rows.n > 0)
    return rows.reset_index()


RIVALS = (
    Rival(
        name="daily_counts",
        ours=lambda runs: daily_counts(runs, PERIOD).to_pandas(),
        sql=f"""
with {_DAILY}, days as (
    select unnest(generate_series(date '{PERIOD.first}', date '{PERIOD.last}', interval 1 day))::date as day
)
select automation, day, coalesce(n, 0) as n, coalesce(failures, 0) as failures
from (select distinct automation from found) cross join days left join found using (automation, day)
order by automation, day""",
        pandas=_daily_filled,
        keys=("automation", "day"),
        numbers=("n", "failures"),
    ),
    Rival(
        name="failure_control",
        ours=lambda runs: failure_control(runs, PERIOD).to_pandas(),
        sql=f"""
with {_DAILY}, rated as (
    select *, failures / n as rate, sum(failures) over every / sum(n) over every as centre
    from found where n > 0 window every as (partition by automation)
), scored as (
    select *, sqrt(centre * (1 - centre) / n) as spread, (rate - centre) / nullif(sqrt(centre * (1 - centre) / n), 0) as z from rated
), stepped as (
    select *, abs(z - lag(z) over (partition by automation order by day)) as step from scored
), limited as (
    select *, 3 * spread * greatest(1, avg(step) over (partition by automation) / 1.128) as reach,
           avg(step) over (partition by automation) as known from stepped
)
select automation, day, n, failures, rate, centre,
       case when known is not null then greatest(centre - reach, 0) end as lower, case when known is not null then least(centre + reach, 1) end as upper
from limited order by automation, day""",
        pandas=_control,
        keys=("automation", "day"),
        numbers=("n", "failures", "rate", "centre", "lower", "upper"),
    ),
    Rival(
        name="hour_of_week_baseline",
        ours=lambda runs: hour_of_week_baseline(runs, PERIOD).to_pandas(),
        sql=f"""
with {_WORK}, placed as (
    select *, status in {COUNTED} as counted,
           (isodow(moment at time zone '{ZONE}') - 1) * 24 + hour(moment at time zone '{ZONE}') as hour_of_week
    from work
), rows as (
    select automation, hour_of_week, count(*) filter (counted) as n, count(*) filter (status in {FAILURES}) as failures,
           median(duration_s) filter (counted) as duration_s_median, mad(duration_s) filter (counted) * 1.4826 as duration_s_mad
    from placed group by all
)
select *, case when n = 0 then null when failures = 0 then 0.0
               else (failures / n + z * z / (2 * n) - z * sqrt(failures / n * (1 - failures / n) / n + z * z / (4.0 * n * n))) / (1 + z * z / n) end as low,
       case when n = 0 then null when failures = n then 1.0
            else (failures / n + z * z / (2 * n) + z * sqrt(failures / n * (1 - failures / n) / n + z * z / (4.0 * n * n))) / (1 + z * z / n) end as high
from rows, (select 1.959963984540054::double as z)
order by automation, hour_of_week""",
        pandas=_hours,
        keys=("automation", "hour_of_week"),
        numbers=("n", "failures", "low", "high", "duration_s_median", "duration_s_mad"),
    ),
)
