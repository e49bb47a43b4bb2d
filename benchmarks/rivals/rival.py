"""A table metric beside what an analyst would write by hand for the same numbers: in DuckDB's SQL, and with pandas.

Each topic's file here holds `RIVALS`. Three readers share them: `benchmarks/metrics.py` (how fast, on ten million runs),
`tests/metrics/test_rivals.py` (the three agree) and `tests/metrics/test_spark.py` (ours gives the same on Spark).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rival:
    """`ours` takes the Ibis table of runs, `sql` reads the table `runs`, `pandas` takes a data frame: each gives the same numbers."""

    name: str
    ours: Callable[[Any], pd.DataFrame]
    sql: str
    pandas: Callable[[pd.DataFrame], pd.DataFrame]
    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    tolerance: float = 1e-9


def all_rivals() -> list[Rival]:
    """Every topic's rivals. This folder must be importable."""
    topics = sorted(file.stem for file in HERE.glob("*.py") if file.stem not in ("rival", "__init__"))
    return [rival for topic in topics for rival in import_module(topic).RIVALS]


def disagreements(rival: Rival, ours: pd.DataFrame, theirs: pd.DataFrame) -> list[str]:
    """What of `numbers` differs between two answers, joined by `keys`; null equals null."""
    left, right = (_keyed(rival, frame) for frame in (ours, theirs))
    if not left.index.equals(right.index):
        only = [
            sorted(map(str, a.difference(b)))[:3] for a, b in ((left.index, right.index), (right.index, left.index))
        ]
        return [f"{rival.name}: {len(left)} and {len(right)} rows; only ours: {only[0]}; only theirs: {only[1]}"]
    found = []
    for name in rival.numbers:
        a, b = (frame[name].astype("float64").to_numpy() for frame in (left, right))
        off = ~np.isclose(a, b, rtol=rival.tolerance, atol=rival.tolerance, equal_nan=True)
        if off.any():
            at = int(np.flatnonzero(off)[0])
            found.append(
                f"{rival.name}.{name}: {off.sum()} of {len(off)} differ, first at {left.index[at]}: {a[at]} and {b[at]}"
            )
    return found


def _keyed(rival: Rival, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows by their keys as text (categories, dates and strings of three engines compare as text), in order."""
    if not rival.keys:
        return frame.reset_index(drop=True)
    keys = [_words(frame[key]) for key in rival.keys]
    return frame.set_index(pd.MultiIndex.from_arrays(keys, names=rival.keys)).sort_index()


def _words(column: pd.Series) -> list[str]:
    if str(column.dtype).startswith("datetime"):
        times = pd.to_datetime(column, utc=True)
        return [str(time.date()) if time == time.normalize() else time.isoformat() for time in times]
    return ["" if pd.isna(value) else str(value) for value in column]


def make_runs(con: duckdb.DuckDBPyConnection, runs: int, automations: int, days: int = 90) -> None:
    """The table `runs` of a fleet: automations differ in rate, a few share an outage, failed runs are retried up to twice.

    Deterministic: every number is a hash of the run's own. All columns that the metrics read, as the ledger types them.
    """
    con.execute("set timezone = 'UTC'").fetchall()
    con.execute(_RUNS, {"runs": runs, "automations": automations, "days": days}).fetchall()


_RUNS = """
create or replace table runs as
with works as (                                   -- a work item: one root, with one to three attempts
    select i as work, (hash(i) % $automations)::int as a, hash(i, 1) % 1000003 / 1000003.0 as u, hash(i, 2) % 1000003 / 1000003.0 as v,
           hash(i, 3) % 1000003 / 1000003.0 as w
    from range($runs) t(i)
), timed as (
    select *, 0.002 + 0.08 * power((hash(a, 5) % 1000) / 1000.0, 3) as rate,
           to_timestamp(1780272000 + floor(u * $days * 86400)) as queued
    from works
), ladder as (
    select work, a, u, v, w, queued, k as attempt,
           hash(work, 10 + k) % 1000003 / 1000003.0 < rate * (case when k > 1 then 8 else 1 end)
               + (case when a % 50 = 0 and date_part('hour', queued) = 9 then 0.2 else 0 end) as failed
    from timed, (values (1), (2), (3)) attempts(k)
), kept as (
    select *, coalesce(bool_and(failed) over (partition by work order by attempt rows between unbounded preceding and 1 preceding), true) as goes_on
    from ladder
)
select 'r' || work || '-' || attempt as run_id, 'r' || work || '-1' as root_run_id, 'client ' || (a % 40) as client,
       ['n8n', 'airflow', 'make', 'github_actions'][1 + a % 4] as tool, ['n8n', 'airflow', 'make', 'github_actions'][1 + a % 4] as source,
       'a' || a as automation_id, 'automation ' || a as automation, attempt::int as attempt,
       case when hash(work, 20) % 97 = 0 then 'test' when a % 100 = 99 then 'error_handler' else 'work' end as role,
       case when failed then ['failed', 'failed', 'failed', 'timed_out', 'crashed'][1 + (hash(work, attempt, 21) % 5)::int]
            when hash(work, 22) % 150 = 0 then 'partial' when hash(work, 23) % 200 = 0 then 'cancelled' when hash(work, 24) % 900 = 0 then 'running'
            else 'succeeded' end as status,
       'v' || floor(u * 5)::int as version, ['schedule', 'webhook', 'manual'][1 + (hash(work, 25) % 3)::int] as trigger,
       queued + to_seconds((attempt - 1) * 90) as queued_at, queued + to_seconds((attempt - 1) * 90 + 2) as started_at,
       case when hash(work, 24) % 900 = 0 and not failed then null
            else queued + to_seconds((attempt - 1) * 90 + 2) + to_milliseconds((1000 + 60000 * v * v)::bigint) end as ended_at,
       case when hash(work, 24) % 900 = 0 and not failed then null else (1000 + 60000 * v * v)::bigint / 1000.0 end::double as duration_s,
       (hash(work, 26) % 200)::bigint as items_in, (hash(work, 26) % 200)::bigint as items_out,
       case when failed then ['HTTPError', 'Timeout', 'KeyError'][1 + (hash(a, work % 7) % 3)::int] end as error_type,
       case when failed then ['429 Too Many Requests for https://api.example.com/v1/orders/' || work,
                              'connection to 10.0.0.' || (work % 250) || ' timed out after 30 s',
                              'no field ''customer_' || (work % 9) || ''' in record ' || work][1 + (hash(a, work % 7) % 3)::int] end as error_message,
       case when failed then 'f' || (hash(a, work % 7) % 3) end as fingerprint, 'c' || (work % 100000) as correlation_id
from kept where goes_on
"""
