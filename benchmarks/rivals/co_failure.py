"""Pairs of automations that failed in the same hour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rival import Rival

from aftershock.metrics import failure_pairs

_BOTH = 8
_SQL = f"""
with cells as materialized (
    select automation as who, date_trunc('hour', coalesce(started_at, queued_at, ended_at)) as bin,
           max((status in ('failed', 'timed_out', 'crashed'))::int) as bad
    from runs
    where role = 'work' and status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed')
    group by 1, 2
), pairs as (
    select x.who as a, y.who as b, count(*) as "both" from cells x join cells y on x.bin = y.bin and x.who < y.who
    where x.bad = 1 and y.bad = 1 group by 1, 2 having count(*) >= {_BOTH}
), counts as (
    select a, b, any_value("both") as "both", count(*) as n, sum(x.bad) as a_failed, sum(y.bad) as b_failed
    from pairs join cells x on x.who = a join cells y on y.who = b and y.bin = x.bin group by a, b
)
select *, "both" * n::double / nullif(a_failed * b_failed, 0) as lift, "both"::double / (a_failed + b_failed - "both") as jaccard,
       ("both" * n::double - a_failed * b_failed) / nullif(sqrt(a_failed::double * (n - a_failed) * b_failed * (n - b_failed)), 0) as phi
from counts
"""


def _pandas(runs: pd.DataFrame) -> pd.DataFrame:
    failed = runs["status"].isin(["failed", "timed_out", "crashed"])
    kept = (runs["role"] == "work") & (failed | runs["status"].isin(["succeeded", "partial"]))
    hour = runs["started_at"].fillna(runs["queued_at"]).fillna(runs["ended_at"]).dt.floor("h")
    frame = pd.DataFrame({"who": runs["automation"], "bin": hour, "bad": failed.astype(int)})[kept]
    cells = frame.groupby(["who", "bin"], as_index=False)["bad"].max()
    bad = cells.loc[cells["bad"] == 1, ["who", "bin"]]
    met = bad.merge(bad, on="bin", suffixes=("_a", "_b"))
    met = met[met["who_a"] < met["who_b"]]
    pairs = met.groupby(["who_a", "who_b"]).size()
    pairs = pairs[pairs >= _BOTH].rename("both").reset_index().rename(columns={"who_a": "a", "who_b": "b"})
    wide = pairs.merge(cells.rename(columns={"who": "a", "bad": "a_bad"}), on="a")
    wide = wide.merge(cells.rename(columns={"who": "b", "bad": "b_bad"}), on=["b", "bin"])
    rows = wide.groupby(["a", "b"]).agg(
        both=("both", "max"), n=("bin", "size"), a_failed=("a_bad", "sum"), b_failed=("b_bad", "sum")
    )
    n, a, b, both = (rows[name].astype(float) for name in ("n", "a_failed", "b_failed", "both"))
    rows["lift"], rows["jaccard"] = both * n / (a * b), both / (a + b - both)
    rows["phi"] = (both * n - a * b) / np.sqrt(a * (n - a) * b * (n - b)).replace(0, np.nan)
    return rows.reset_index()


RIVALS: tuple[Rival, ...] = (
    Rival(
        "failure_pairs",
        lambda runs: failure_pairs(runs, min_both=_BOTH).to_pandas(),
        _SQL,
        _pandas,
        ("a", "b"),
        ("n", "a_failed", "b_failed", "both", "phi", "jaccard", "lift"),
    ),
)
