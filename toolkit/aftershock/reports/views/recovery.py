"""The three questions per automation: what happens when it fails, who is told, how it recovers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aftershock.metrics import incidents, kaplan_meier
from aftershock.metrics.units import dated
from aftershock.model import COUNTED
from aftershock.reports.blocks.recovery import Lasting, Recovery
from aftershock.reports.views.work import became

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope


def recoveries_of(work: pd.DataFrame, notifying: frozenset[str]) -> list[Recovery]:
    """A row per automation of `work` (from `work_of`). `notifying`: sources whose logs tell of notices."""
    return [
        _one(str(automation), rows.assign(became=[became(row) for row in rows.itertuples()]), str(source) in notifying)
        for (automation, source), rows in work.groupby(["automation", "source"], sort=True)
    ]


def lasting_of(scope: Scope, stretch: Period) -> Lasting:
    """How long the incidents of a stretch of time lasted, by Kaplan-Meier: those that were not seen to end count as lasting on.

    Watched up to the end of the stretch, or of the logs, or to where a log breaks off.
    """
    runs = dated(scope.runs)
    runs = runs.filter(stretch.holds(runs.moment))
    until = min(scope.as_of or stretch.end, stretch.end)
    found = (
        incidents(runs, until=until, coverage=scope.ledger.coverage).table.select("duration_s", "observed").execute()
    )
    curve = kaplan_meier(found.duration_s, found.observed)
    half, most = curve.quantile(0.5), curve.quantile(0.9)
    return Lasting(
        n=curve.n,
        unseen=curve.censored,
        half_s=half.estimate,
        half_low_s=half.low,
        half_high_s=half.high,
        most_s=most.estimate,
        most_low_s=most.low,
        most_high_s=most.high,
    )


def _one(automation: str, rows: pd.DataFrame, notices_known: bool) -> Recovery:
    met = rows[rows.became.isin(["failed", "retried", "partial"])]
    told = met[met.notices > 0]
    saved = met[(met.became == "retried") & met.first_failed_at.notna()]
    halted = met[met.became == "failed"]
    return Recovery(
        automation=automation,
        n=int(rows.status.isin(COUNTED).sum()),
        halted=len(halted),
        retried=int((met.became == "retried").sum()),
        silent=int((met.became == "partial").sum()),
        told=len(told),
        told_s=_median((told.first_sent_at - told.first_failed_at).dt.total_seconds()) if len(told) else None,
        recovered_s=_median((saved.ended_at - saved.first_failed_at).dt.total_seconds()) if len(saved) else None,
        recipients=sorted({str(whom) for whom in told.recipients.dropna()}),
        next_success=_followed(rows),
        notices_known=notices_known,
    )


def _followed(rows: pd.DataFrame) -> int:
    """How many that failed were followed by a run that succeeded, before any other that failed."""
    ordered = rows[rows.became.isin(["ok", "retried", "failed"])].sort_values("moment")
    following = ordered.became.shift(-1)
    return int((following[ordered.became == "failed"].isin(["ok", "retried"])).sum())


def _median(seconds: Any) -> float | None:
    known = seconds.dropna()
    return max(0.0, float(known.median())) if len(known) else None
