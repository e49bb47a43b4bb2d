"""Work: a run with all its retries taken as one, with what failed on the way, who was told and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis

from aftershock.metrics.periods import Period
from aftershock.metrics.proportions.shares import bucket
from aftershock.metrics.units import dated, roots
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.reports.views.scope import Scope

_MOMENT = "timestamp('UTC')"


def work_of(scope: Scope, period: Period) -> pd.DataFrame:
    """A row per root of role `work` in the period.

    Columns: root, run_id (its first run), client, automation, source, day, moment, status (how it ended), status_first,
    fingerprint, error_message, attempts, failed_attempts, first_failed_at, ended_at, saved (a step of it failed and a later
    attempt of that step succeeded), notices, first_sent_at, recipients.
    """
    runs = scope.runs
    units = roots(runs)
    units = units.filter(units.role == "work", period.holds(units.moment))
    units = units.mutate(day=bucket(units.moment, "day", period), root=ibis.coalesce(units.root_run_id, units.run_id))
    rows = _beside(units, _attempts(scope), "attempt_root")
    rows = _beside(rows, _notices(scope), "notice_root")
    rows = _beside(rows, _saved(scope), "saved_root")
    table = rows.select(
        *("root", "run_id", "client", "automation", "source", "day", "moment", "status", "fingerprint"),
        error_message=ibis.coalesce(rows.error_message, rows.error_type),
        attempts=rows.attempts.fill_null(1),
        failed_attempts=rows.failed_attempts.fill_null(0),
        first_failed_at=rows.first_failed_at,
        ended_at=rows.last_end,
        saved=rows.saved_root.notnull(),
        notices=rows.notices.fill_null(0),
        first_sent_at=rows.first_sent_at,
        recipients=rows.recipients,
    )
    return table.order_by("moment", "root").execute()


def became(row: Any) -> str:
    """What became of a row of `work_of`: ok, retried, partial, failed, unknown (not finished, cannot say), left_out."""
    if row.status not in COUNTED:
        return "left_out" if row.status in ("cancelled", "skipped") else "unknown"
    if row.status in FAILURES:
        return "failed"
    if row.status == "partial":
        return "partial"
    return "retried" if row.failed_attempts or row.saved else "ok"


def sources_with_notices(scope: Scope) -> frozenset[str]:
    """Sources whose logs told of a notice at any time: of the others, silence says nothing."""
    ledger = scope.ledger
    joined = ledger.notices.select("run_id").inner_join(ledger.runs.select("run_id", "source"), "run_id")
    return frozenset(joined.select("source").distinct().execute()["source"].dropna())


def _attempts(scope: Scope) -> Any:
    runs = dated(scope.runs)
    runs = runs.mutate(attempt_root=ibis.coalesce(runs.root_run_id, runs.run_id))
    bad = runs.status.isin(FAILURES)
    return runs.group_by("attempt_root").aggregate(
        attempts=runs.count(),
        failed_attempts=runs.count(where=bad),
        first_failed_at=runs.ended_at.min(where=bad),
        last_end=runs.ended_at.max(),
    )


def _notices(scope: Scope) -> Any:
    runs = scope.runs.select("run_id", notice_root=ibis.coalesce(scope.runs.root_run_id, scope.runs.run_id))
    sent = scope.notices.drop("client").inner_join(runs, "run_id")
    whom = ibis.coalesce(sent.recipient, sent.channel, sent.kind)
    return sent.group_by("notice_root").aggregate(
        notices=sent.count(), first_sent_at=sent.sent_at.min(), recipients=whom.max()
    )


def _saved(scope: Scope) -> Any:
    steps = scope.ledger.steps
    runs = scope.runs.filter(scope.runs.status == "succeeded", ~scope.runs.had_failed_step.fill_null(False))
    bad = steps.filter(steps.status.isin(FAILURES)).select("run_id").distinct()
    mine = runs.inner_join(bad, "run_id")
    return mine.select(saved_root=ibis.coalesce(mine.root_run_id, mine.run_id)).distinct()


def _beside(rows: Any, more: Any, key: str) -> Any:
    joined = rows.left_join(more, rows.root == more[key])
    return joined if key == "saved_root" else joined.drop(key)
