"""Error budgets, burn rates, alerts, Apdex and the retry ladder: ours, by hand in SQL, and with pandas."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from rival import Rival

from aftershock.metrics import apdex_of_runs, burn_alerts, burn_rates, error_budgets, retry_ladder

NOW = datetime(2026, 8, 29, 12, tzinfo=UTC)
OBJECTIVE = 0.98
_Z2 = 1.959963984540054**2
_COUNTED = ["succeeded", "partial", "failed", "timed_out", "crashed"]
_FAILED = ["failed", "timed_out", "crashed"]
_RULES = ((1.0, 14.4), (6.0, 6.0), (24.0, 3.0), (72.0, 1.0))

_UNITS = """
with units as (
    select automation, coalesce(root_run_id, run_id) as root, run_id, attempt, coalesce(started_at, queued_at, ended_at) as moment, duration_s,
           status in ('failed', 'timed_out', 'crashed') as failed
    from runs where status in ('succeeded', 'partial', 'failed', 'timed_out', 'crashed') and coalesce(role, 'work') = 'work'
)
"""
_WILSON = """
case when n = 0 then null when x = 0 then 0 else (x / n::double + {zz} / (2 * n) - sqrt({zz} * (x / n::double * (1 - x / n::double) / n + {zz} / (4.0 * n * n))))
 / (1 + {zz} / n) end""".replace("{zz}", repr(_Z2))

_BUDGETS = (
    _UNITS
    + """
select automation, count(*) as n, count(*) filter (failed) as failures, count(*) * 0.02::double as allowed,
       count(*) filter (failed) / (count(*) * 0.02::double) as used_share
from units group by automation
"""
)

_BURN = (
    _UNITS
    + f"""
, counted as (
    select automation, w.hours as window_h, count(*) filter (moment > timestamptz '{NOW}' - to_hours(w.hours)) as n,
           count(*) filter (failed and moment > timestamptz '{NOW}' - to_hours(w.hours)) as x
    from units, (values (1), (6), (24), (72)) w(hours)
    where moment > timestamptz '{NOW}' - interval 72 hours and moment <= timestamptz '{NOW}' group by all
)
select automation, window_h, n, x as failures, x / nullif(n, 0)::double / (1 - 0.98::double) as burn, {_WILSON} / (1 - 0.98::double) as low from counted
"""
)

_ALERTS = (
    _UNITS
    + f"""
, recent as (
    select automation, moment, failed, row_number() over (partition by automation order by moment desc, run_id desc) as place
    from units where moment > timestamptz '{NOW}' - interval 720 hours and moment <= timestamptz '{NOW}'
), counted as (
    select automation, hours as long_h,
           count(*) filter (moment > timestamptz '{NOW}' - to_hours(hours) or place <= 10) as n,
           count(*) filter (failed and (moment > timestamptz '{NOW}' - to_hours(hours) or place <= 10)) as x,
           count(*) filter (moment > timestamptz '{NOW}' - to_minutes(hours * 5) or place <= 1) as short_n,
           count(*) filter (failed and (moment > timestamptz '{NOW}' - to_minutes(hours * 5) or place <= 1)) as short_x
    from recent, (values (1), (6), (24), (72)) w(hours) group by all
)
select automation, long_h, n, x as failures, short_n, x / n::double / (1 - 0.98::double) as burn, {_WILSON} / (1 - 0.98::double) as low,
       short_x / short_n::double / (1 - 0.98::double) as short_burn
from counted
"""
)

_APDEX = (
    _UNITS
    + """
select automation, count(*) filter (not failed and duration_s <= 20) as satisfied,
       count(*) filter (not failed and duration_s > 20 and duration_s <= 80) as tolerating,
       count(*) filter (failed or duration_s > 80) as frustrated,
       (count(*) filter (not failed and duration_s <= 20) + count(*) filter (not failed and duration_s > 20 and duration_s <= 80) / 2.0::double)
           / count(*) filter (failed or duration_s is not null) as apdex
from units group by automation
"""
)

_LADDER = (
    _UNITS
    + """
, roots as (
    select root, count(*) as attempts, arg_max(failed, (moment, attempt)) as failed from units group by root
), sizes as (
    select attempts, count(*) as roots, count(*) filter (failed) as failures from roots group by attempts
)
select attempt, (select sum(roots) from sizes where attempts >= attempt) as n,
       (select coalesce(sum(roots), 0) from sizes where attempts > attempt) + coalesce((select sum(failures) from sizes where attempts = attempt), 0) as failures
from (select unnest(range(1, (select max(attempts) from sizes) + 1)) as attempt)
"""
)


def _units(runs: pd.DataFrame) -> pd.DataFrame:
    kept = runs[runs["status"].isin(_COUNTED) & runs["role"].fillna("work").eq("work")]
    at = kept["started_at"].fillna(kept["queued_at"]).fillna(kept["ended_at"])
    return kept.assign(at=at, failed=kept["status"].isin(_FAILED), root=kept["root_run_id"].fillna(kept["run_id"]))


def _low(x: pd.Series, n: pd.Series) -> pd.Series:
    p = x / n.where(n > 0)
    low = (p + _Z2 / (2 * n) - np.sqrt(_Z2 * (p * (1 - p) / n + _Z2 / (4 * n * n)))) / (1 + _Z2 / n)
    return low.where((x > 0) | p.isna(), 0.0)


def _budgets_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    rows = _units(runs).groupby("automation").agg(n=("failed", "size"), failures=("failed", "sum")).reset_index()
    allowed = rows["n"] * 0.02
    return rows.assign(allowed=allowed, used_share=rows["failures"] / allowed)


def _burn_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    units = _units(runs)
    units = units[(units["at"] > NOW - pd.Timedelta(hours=72)) & (units["at"] <= NOW)]
    names = pd.Index(sorted(units["automation"].unique()), name="automation")
    rows = []
    for hours in (1.0, 6.0, 24.0, 72.0):
        inside = units[units["at"] > NOW - pd.Timedelta(hours=hours)].groupby("automation")["failed"]
        one = pd.DataFrame({"n": inside.size(), "failures": inside.sum()}).reindex(names, fill_value=0)
        rows.append(one.assign(window_h=hours).reset_index())
    table = pd.concat(rows, ignore_index=True)
    burn = table["failures"] / table["n"].where(table["n"] > 0) / (1 - OBJECTIVE)
    return table.assign(burn=burn, low=_low(table["failures"], table["n"]) / (1 - OBJECTIVE))


def _alerts_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    units = _units(runs)
    units = units[(units["at"] > NOW - pd.Timedelta(days=30)) & (units["at"] <= NOW)]
    units = units.sort_values(["at", "run_id"], ascending=False)
    place = units.groupby("automation").cumcount()
    rows = []
    for hours, _ in _RULES:
        long = units[(units["at"] > NOW - pd.Timedelta(hours=hours)) | (place < 10)].groupby("automation")["failed"]
        short = units[(units["at"] > NOW - pd.Timedelta(hours=hours / 12)) | (place < 1)].groupby("automation")[
            "failed"
        ]
        one = pd.DataFrame(
            {"n": long.size(), "failures": long.sum(), "short_n": short.size(), "short_failures": short.sum()}
        )
        rows.append(one.assign(long_h=hours).reset_index())
    table = pd.concat(rows, ignore_index=True)
    budget = 1 - OBJECTIVE
    return table.assign(
        burn=table["failures"] / table["n"] / budget,
        low=_low(table["failures"], table["n"]) / budget,
        short_burn=table["short_failures"] / table["short_n"] / budget,
    )


def _apdex_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    units = _units(runs)
    took = units["duration_s"]
    marks = pd.DataFrame(
        {
            "automation": units["automation"],
            "satisfied": ~units["failed"] & (took <= 20),
            "tolerating": ~units["failed"] & (took > 20) & (took <= 80),
            "frustrated": units["failed"] | (took > 80),
        }
    )
    rows = marks.groupby("automation").sum().reset_index()
    n = rows["satisfied"] + rows["tolerating"] + rows["frustrated"]
    return rows.assign(apdex=(rows["satisfied"] + rows["tolerating"] / 2) / n)


def _ladder_in_pandas(runs: pd.DataFrame) -> pd.DataFrame:
    ends = _units(runs).sort_values(["at", "attempt"]).groupby("root")["failed"].agg(["size", "last"])
    steps = range(1, int(ends["size"].max()) + 1)
    n = [int((ends["size"] >= k).sum()) for k in steps]
    failures = [int((ends["size"] > k).sum() + (ends["last"] & (ends["size"] == k)).sum()) for k in steps]
    return pd.DataFrame({"attempt": list(steps), "n": n, "failures": failures})


RIVALS: tuple[Rival, ...] = (
    Rival(
        "error_budgets",
        lambda runs: error_budgets(runs, OBJECTIVE).to_pandas().query("n > 0"),
        _BUDGETS,
        _budgets_in_pandas,
        ("automation",),
        ("n", "failures", "allowed", "used_share"),
    ),
    Rival(
        "burn_rates",
        lambda runs: burn_rates(runs, OBJECTIVE, now=NOW).to_pandas().astype({"window_h": int}),
        _BURN,
        lambda runs: _burn_in_pandas(runs).astype({"window_h": int}),
        ("automation", "window_h"),
        ("n", "failures", "burn", "low"),
    ),
    Rival(
        "burn_alerts",
        lambda runs: burn_alerts(runs, OBJECTIVE, now=NOW).to_pandas().astype({"long_h": int}),
        _ALERTS,
        lambda runs: _alerts_in_pandas(runs).astype({"long_h": int}),
        ("automation", "long_h"),
        ("n", "failures", "short_n", "burn", "low", "short_burn"),
    ),
    Rival(
        "apdex_of_runs",
        lambda runs: apdex_of_runs(runs, 20.0).to_pandas(),
        _APDEX,
        _apdex_in_pandas,
        ("automation",),
        ("satisfied", "tolerating", "frustrated", "apdex"),
    ),
    Rival(
        "retry_ladder",
        lambda runs: retry_ladder(runs).to_pandas(),
        _LADDER,
        _ladder_in_pandas,
        ("attempt",),
        ("n", "failures"),
    ),
)
