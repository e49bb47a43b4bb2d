"""The four numbers of a client's first screen, from the metrics' results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aftershock.metrics import newcombe, wilson
from aftershock.metrics.proportions.shares import FEWEST_TO_COMPARE
from aftershock.reports.blocks.numbers import Number
from aftershock.reports.views.records import Arrived
from aftershock.reports.views.work import became

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.proportions.failure_rates import FailureRates
    from aftershock.metrics.proportions.shares import Shares
    from aftershock.metrics.proportions.silent import SilentFailures


class _Comparison(NamedTuple):
    previous: float | None
    change: float | None
    verdict: str


def arrived_number(arrived: Arrived | None, earlier: Arrived | None, before: str) -> Number:
    """Records that went their whole way in time."""
    many = f"{arrived.entity}s".capitalize() if arrived else "Records"
    label, meaning = f"{many} in step across tools", "Reached every tool that was agreed, within the time agreed."
    if arrived is None:
        missing = "no expectation says which records should go where"
        return Number(id="in_step", label=label, meaning=meaning, missing=missing)
    if arrived.pending:
        meaning += f" {arrived.pending:,} still under way."
    if arrived.unclear:
        meaning += f" For {arrived.unclear:,} a log is missing that would say it all."
    change = arrived.change(earlier) if earlier else None
    share = arrived.overall
    return Number(
        id="in_step",
        label=label,
        meaning=meaning,
        hits=arrived.in_step,
        n=arrived.n,
        low=share.low,
        high=share.high,
        missing=f"the logs that would say are missing ({arrived.cannot_tell:,} records)"
        if not arrived.n and arrived.cannot_tell
        else "",
        previous=earlier.overall.estimate if earlier else None,
        change=change.estimate if change else None,
        verdict=_verdict(
            arrived.n, earlier.n if earlier else 0, change.low if change else None, change.high if change else None
        ),
        before=before,
    )


def succeeded_number(rates: FailureRates, before: str) -> Number:
    """Runs that did not fail after retries, successes with a failed step among them: the failure rate turned round.

    `rates` has one row and a comparison.
    """
    share = rates.overall
    row = _row(rates)
    return Number(
        id="succeeded_after_retries",
        label="Runs that did not fail, retries included",
        meaning="Work that ended, by how its last attempt ended. Successes with a failed step stand among them.",
        hits=rates.n - rates.failures,
        n=rates.n,
        low=None if share.high is None else 1 - share.high,
        high=None if share.low is None else 1 - share.low,
        missing="" if rates.n else "no finished run in the logs of this time",
        previous=None if row.previous is None else 1 - row.previous,
        change=None if row.change is None else -row.change,
        verdict=row.verdict,
        before=before,
    )


def silent_number(silent: SilentFailures, before: str) -> Number:
    """Successes that were none."""
    share, row = silent.overall, _row(silent)
    return Number(
        id="silent_failures",
        label="Successes with a failed step",
        meaning="The tool said success; a step inside had failed.",
        hits=silent.silent,
        n=silent.n,
        low=share.low,
        high=share.high,
        tone="partial" if silent.silent else "ok",
        missing="" if silent.n else "no successful run in the logs of this time",
        previous=row.previous,
        change=row.change,
        verdict=row.verdict,
        before=before,
    )


def told_number(work: pd.DataFrame, earlier: pd.DataFrame, notifying: frozenset[str], before: str) -> Number:
    """Failures, saved by a retry or not, that the logs show a notice of; only where the logs tell of notices at all."""
    label, meaning = "Failures somebody was told of", "Failed work of which the logs show a notice."
    met, met_before = _met(work), _met(earlier)
    heard = met[met.source.isin(list(notifying))]
    deaf = sorted(set(met.source) - notifying)
    if len(met) and not len(heard):
        missing = f"no log of notices from {', '.join(deaf)}"
        return Number(id="told", label=label, meaning=meaning, missing=missing)
    told, n = int((heard.notices > 0).sum()), len(heard)
    heard_before = met_before[met_before.source.isin(list(notifying))]
    told_before, n_before = int((heard_before.notices > 0).sum()), len(heard_before)
    share, change = wilson(told, n), newcombe(told, n, told_before, n_before)
    return Number(
        id="told",
        label=label,
        meaning=meaning + (f" Not counted: {', '.join(deaf)}, whose logs hold no notices." if deaf else ""),
        hits=told,
        n=n,
        low=share.low,
        high=share.high,
        missing="" if n else "no failure in the logs of this time" if len(work) else "no run in the logs of this time",
        previous=told_before / n_before if n_before else None,
        change=change.estimate,
        verdict=_verdict(n, n_before, change.low, change.high),
        before=before,
    )


def _met(work: pd.DataFrame) -> pd.DataFrame:
    """Work that met a failure."""
    rows = [i for i, row in enumerate(work.itertuples()) if became(row) == "failed" or row.failed_attempts > 0]
    return work.iloc[rows]


def _verdict(n: int, before: int, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    if min(n, before) < FEWEST_TO_COMPARE:
        return "too few to compare"
    return "beyond chance" if low > 0 or high < 0 else "no change beyond chance"


def _row(result: Shares) -> _Comparison:
    """The one row of a result without groups; null as None."""
    row = result.to_pandas().iloc[0].to_dict()
    previous, change = (
        None if row[name] != row[name] or row[name] is None else float(row[name])
        for name in ("previous_rate", "change")
    )
    return _Comparison(previous, change, str(row["verdict"] or ""))
