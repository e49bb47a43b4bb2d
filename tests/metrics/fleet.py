"""The small random fleet on which a metric, a hand-written query and pandas must agree; and the list of them."""

from __future__ import annotations

import sys

import duckdb
from support import ROOT

sys.path.insert(0, str(ROOT / "benchmarks" / "rivals"))

from rival import Rival, all_rivals, disagreements, make_runs

__all__ = ["RIVALS", "Rival", "disagreements", "small_fleet"]

RIVALS = all_rivals()


def small_fleet() -> duckdb.DuckDBPyConnection:
    """A connection with the table `runs`: some 4,000 runs of 60 automations in 90 days, in no order."""
    con = duckdb.connect()
    make_runs(con, 4_000, 60)
    con.execute("create or replace table runs as from runs order by hash(run_id)").fetchall()
    return con
