"""The small random fleet on which a metric, a hand-written query and pandas must agree; and the list of them."""

from __future__ import annotations

import sys

import duckdb
from support import ROOT

sys.path.insert(0, str(ROOT / "benchmarks" / "rivals"))

from rival import Rival, all_rivals, disagreements, make_runs

__all__ = ["RIVALS", "Rival", "disagreements", "small_fleet"]

RIVALS = all_rivals()


# Without outages, so few runs hardly ever fail in the same hour.
_OUTAGES = """
insert into runs select runs.* replace (
    run_id || '-outage-' || k as run_id, run_id || '-outage-' || k as root_run_id, 1 as attempt, moment as queued_at,
    moment as started_at, moment + interval 30 seconds as ended_at, 30.0 as duration_s)
from (from runs where status = 'failed' and role = 'work' and automation_id in ('a1', 'a2', 'a3', 'a4')
      qualify row_number() over (partition by automation_id order by run_id) = 1) as runs,
     (select k, timestamptz '2026-07-06 10:30:00+00' + to_hours((31 * k)::int) as moment from range(9) t(k))
"""


def small_fleet() -> duckdb.DuckDBPyConnection:
    """A connection with the table `runs`: some 4,000 runs of 60 automations in 90 days, in no order; four share nine outages."""
    con = duckdb.connect()
    make_runs(con, 4_000, 60)
    con.execute(_OUTAGES).fetchall()
    con.execute("create or replace table runs as from runs order by hash(run_id)").fetchall()
    return con
