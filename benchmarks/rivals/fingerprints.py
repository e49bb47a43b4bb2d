"""Error families beside what an analyst would write: mask with regular expressions, then group."""

from __future__ import annotations

import pandas as pd
from rival import Rival

from aftershock.metrics import error_families

_MASKS = (
    (r"https?://\S+", "<*>"),
    (r"\d{1,3}(\.\d{1,3}){3}", "<*>"),
    (r"'[^']*'", "<*>"),
    (r"\d+(\.\d+)?( s\b)?", "<*>"),
)
_FAILED = ["failed", "timed_out", "crashed"]


def _sql() -> str:
    text = "error_message"
    for pattern, word in _MASKS:
        text = f"regexp_replace({text}, '{pattern.replace(chr(39), chr(39) * 2)}', '{word}', 'g')"
    return f"""
select tool, error_type, template, sum(n)::bigint as n, count(distinct automation_id) as automations, count(distinct client) as clients,
       epoch(min(first_seen)) as first_s, epoch(max(last_seen)) as last_s, sum(n) / sum(sum(n)) over () as share
from (select tool, error_type, {text} as template, automation_id, client, count(*) as n,
             min(coalesce(started_at, queued_at, ended_at)) as first_seen, max(coalesce(started_at, queued_at, ended_at)) as last_seen
      from runs where role = 'work' and status in ('failed', 'timed_out', 'crashed') group by all)
group by tool, error_type, template"""


def _seconds(times: pd.Series) -> pd.Series:
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _ours(runs: object) -> pd.DataFrame:
    table = error_families(runs).to_pandas()  # type: ignore[arg-type]
    return table.assign(first_s=_seconds(table.first_seen), last_s=_seconds(table.last_seen))


def _pandas(runs: pd.DataFrame) -> pd.DataFrame:
    bad = runs[(runs.role == "work") & runs.status.isin(_FAILED)].copy()
    bad["template"] = bad.error_message
    for pattern, word in _MASKS:
        bad["template"] = bad.template.str.replace(pattern, word, regex=True)
    bad["moment"] = bad.started_at.fillna(bad.queued_at).fillna(bad.ended_at)
    found = bad.groupby(["tool", "error_type", "template"]).agg(
        n=("run_id", "size"),
        automations=("automation_id", "nunique"),
        clients=("client", "nunique"),
        first_seen=("moment", "min"),
        last_seen=("moment", "max"),
    )
    found["share"] = found.n / found.n.sum()
    return found.assign(first_s=_seconds(found.first_seen), last_s=_seconds(found.last_seen)).reset_index()


RIVALS = (
    Rival(
        "error_families",
        _ours,
        _sql(),
        _pandas,
        ("tool", "error_type", "template"),
        ("n", "automations", "clients", "first_s", "last_s", "share"),
    ),
)
