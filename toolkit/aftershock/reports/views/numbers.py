"""The four numbers of a client's first screen, from the metrics' results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftershock.metrics import wilson
from aftershock.metrics.shares import FEWEST_TO_COMPARE
from aftershock.reports.blocks.numbers import Number
from aftershock.reports.views.records import Arrived
from aftershock.reports.views.work import became

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.failure_rates import FailureRates
    from aftershock.metrics.shares import Shares
    from aftershock.metrics.silent import SilentFailures


def arrived_number(arrived: Arrived | None, earlier: Arrived | None, before: str) -> Number:
    """Records that went their whole way in time."""
    many = f"{arrived.entity}s".capitalize() if arrived else "Records"
    label, meaning = f"{many} in step across tools", "Reached every tool that was agreed, within the time agreed."
    if arrived is None:
        missing = "no expectation says which records should go where"
        return Number(id="in_step", label=label, meaning=meaning, missing=missing)
    change = arrived.change(earlier) if earlier else None
    share = arrived.overall
    return Number(
        id="in_step",
        label=label,
        meaning=meaning + (f" {arrived.pending:,} still under way." if arrived.pending else ""),
        hits=arrived.in_step,
        n=arrived.n,
        low=share.low,
        high=share.high,
        missing=f"the logs that would say are missing ({arrived.cannot_tell:,} records)" if not arrived.n and arrived.cannot_tell else "",
        previous=earlier.overall.estimate if earlier else None,
        change=change.estimate if change else None,
        verdict=_verdict(arrived.n, earlier.n if earlier else 0, change.low if change else None, change.high if change else None),
        before=before,
    )


def succeeded_number(rates: FailureRates, before: str) -> Number:
    """Runs that succeeded after retries: the failure rate turned round. `rates` has one row and a comparison."""
    share = rates.overall
    row = _row(rates)
    return Number(
        id="succeeded_after_retries",
        label="Runs that succeeded, retries included",
        meaning="Work that ended, by how its last attempt ended.",
        hits=rates.n - rates.failures,
        n=rates.n,
        low=None if share.high is None else 1 - share.high,
        high=None if share.low is None else 1 - share.low,
        missing="" if rates.n else "no finished run in the logs of this time",
        previous=None if row["previous_rate"] is None else 1 - row["previous_rate"],
        change=None if row["change"] is None else -row["change"],
        verdict=str(row["verdict"] or ""),
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
        previous=row["previous_rate"],
        change=row["change"],
        verdict=str(row["verdict"] or ""),
        before=before,
    )


def told_number(work: pd.DataFrame, notifying: frozenset[str], before: str) -> Number:
    """Failures, saved by a retry or not, that the logs show a notice of; only where the logs tell of notices at all."""
    label, meaning = "Failures somebody was told of", "Failed work of which the logs show a notice."
    met = work[[became(row) == "failed" or row.failed_attempts > 0 for row in work.itertuples()]] if len(work) else work
    heard = met[met.source.isin(list(notifying))]
    deaf = sorted(set(met.source) - notifying)
    if len(met) and not len(heard):
        missing = f"no log of notices from {', '.join(deaf)}"
        return Number(id="told", label=label, meaning=meaning, missing=missing)
    share = wilson(int((heard.notices > 0).sum()), len(heard))
    return Number(
        id="told",
        label=label,
        meaning=meaning + (f" Not counted: {', '.join(deaf)}, whose logs hold no notices." if deaf else ""),
        hits=int((heard.notices > 0).sum()),
        n=len(heard),
        low=share.low,
        high=share.high,
        tone="ok",
    )


def _verdict(n: int, before: int, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    if min(n, before) < FEWEST_TO_COMPARE:
        return "too few to compare"
    return "beyond chance" if low > 0 or high < 0 else "no change beyond chance"


def _row(result: Shares) -> dict[str, float | str | None]:
    """The one row of a result without groups; null as None."""
    row = result.to_pandas().iloc[0].to_dict()
    return {name: row.get(name) if row.get(name) == row.get(name) else None for name in ("previous_rate", "change", "verdict")}
