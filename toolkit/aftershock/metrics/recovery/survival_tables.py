"""Kaplan-Meier per group over columns: median, 90th percentile, restricted mean and geometric mean, in SQL windows.

The product of the curve is exp of a running sum of logarithms; where the last one leaves by the event, the curve is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.recovery.step_curves import TOLERANCE
from aftershock.metrics.recovery.survival_data import one_of, z_of

TABLE_TRANSFORMS: Final = ("log-log", "log", "plain")
QUANTILES: Final = {"median": 0.5, "p90": 0.9}
_EVERYTHING: Final = "all_of_it"
_STUDENT_ROWS: Final = 60
_WIDEST: Final = 600.0  # beyond, exp has no finite value


def curves(spells: ir.Table, by: Sequence[str], level: float, transform: str) -> ir.Table:
    """A row per group and distinct duration: duration_s, at_risk, events, censored, survival, se, low, high.

    `spells` has the columns of `by`, duration_s and observed. As `kaplan_meier` gives it; further columns serve `summaries`.
    """
    z = z_of(level)
    one_of("transform", transform, TABLE_TRANSFORMS)
    groups = list(by) or [_EVERYTHING]
    if not by:
        spells = spells.mutate(**{_EVERYTHING: ibis.literal(1)})
    event = spells.observed.ifelse(1, 0).cast("int64")
    steps = spells.group_by([*groups, "duration_s"]).aggregate(events=event.sum(), leaving=spells.count())
    onward = ibis.window(group_by=groups, order_by=steps.duration_s, preceding=0, following=None)
    order = ibis.window(group_by=groups, order_by=steps.duration_s)
    rows = steps.mutate(
        at_risk=steps.leaving.sum().over(onward),
        next_s=steps.duration_s.lead(1).over(order),
        longest_s=steps.duration_s.max().over(onward),
    )
    n, d = rows.at_risk.cast("float64"), rows.events.cast("float64")
    rest = (n - d).nullif(0.0)
    rows = rows.mutate(log_step=(rest / n).ln().fill_null(0.0), spread=(d / (n * rest)).fill_null(0.0))
    upto = ibis.window(group_by=groups, order_by=rows.duration_s, preceding=None, following=0)
    gone = rows.at_risk == rows.events
    rows = rows.mutate(
        survival=gone.ifelse(0.0, rows.log_step.sum().over(upto).exp()), relative_se=rows.spread.sum().over(upto).sqrt()
    )
    low, high = _bounds(rows.survival, rows.relative_se, z, transform)
    none = ibis.null("float64")
    return rows.mutate(
        censored=rows.leaving - rows.events,
        se=(rows.survival <= 0).ifelse(none, rows.survival * rows.relative_se),
        low=low,
        high=high,
    )


def told_curves(rows: ir.Table, by: Sequence[str]) -> ir.Table:
    """The columns of a curve that are for people, in order."""
    names = ("duration_s", "at_risk", "events", "censored", "survival", "se", "low", "high")
    return rows.select(*by, *names).order_by([*by, "duration_s"])


def summaries(rows: ir.Table, by: Sequence[str], level: float, tau_s: float | None, floor_s: float) -> ir.Table:
    """A row per group of `curves`: n, ended, open, and the four estimates in seconds, each with its interval."""
    if tau_s is not None and not tau_s > 0:
        raise ValueError(f"tau_s: {tau_s!r}: write a number of seconds above 0")
    groups = list(by) or [_EVERYTHING]
    tau = rows.longest_s if tau_s is None else ibis.literal(float(tau_s))
    rows = rows.mutate(tau=tau)
    rows = rows.mutate(
        piece=rows.survival * (_upto(rows.next_s, rows.tau) - _upto(rows.duration_s, rows.tau)),
        log_piece=rows.survival * (_logs(rows.next_s, rows.tau, floor_s) - _logs(rows.duration_s, rows.tau, floor_s)),
    )
    onward = ibis.window(group_by=groups, order_by=rows.duration_s, preceding=0, following=None)
    rows = rows.mutate(after=rows.piece.sum().over(onward), log_after=rows.log_piece.sum().over(onward))
    last = rows.next_s.isnull()
    tallies: dict[str, Any] = {
        "n": rows.leaving.sum().fill_null(0),
        "ended": rows.events.sum().fill_null(0),
        "tau_s": rows.tau.max(),
        "longest": rows.longest_s.max(),
        "last_survival": rows.survival.max(where=last),
        "first_s": _upto(rows.duration_s, rows.tau).min(),
        "first_log": _logs(rows.duration_s, rows.tau, floor_s).min(),
        "area": rows.piece.sum(),
        "area_variance": (rows.after * rows.after * rows.spread).sum(),
        "log_area": rows.log_piece.sum(),
        "log_variance": (rows.log_after * rows.log_after * rows.spread).sum(),
    }
    for name, share in QUANTILES.items():
        for curve, suffix in (("survival", ""), ("low", "_low"), ("high", "_high")):
            tallies[f"{name}{suffix}_at"] = rows.duration_s.min(where=rows[curve] <= 1 - share + TOLERANCE)
            tallies[f"{name}{suffix}_below"] = rows.duration_s.min(where=rows[curve] < 1 - share - TOLERANCE)
    whole = rows.group_by(groups).aggregate(**tallies) if by else rows.aggregate(**tallies)
    return _estimates(whole, by, level, floor_s)


def _estimates(whole: ir.Table, by: Sequence[str], level: float, floor_s: float) -> ir.Table:
    columns: dict[str, Any] = {name: whole[name] for name in by}
    columns |= {"n": whole.n, "ended": whole.ended, "open": whole.n - whole.ended}
    for name in QUANTILES:
        for suffix in ("", "_low", "_high"):
            at, below = whole[f"{name}{suffix}_at"], whole[f"{name}{suffix}_below"]
            columns[f"{name}{suffix}_s"] = (at + ibis.coalesce(below, whole.longest)) / 2.0
    none = ibis.null("float64")
    known = (whole.tau_s <= whole.longest) | (whole.last_survival <= 0)
    # No spread was seen: one incident, or all alike, or none ended before tau. That is no certainty: there are no bounds.
    mean, reach = whole.first_s + whole.area, (whole.area_variance.sqrt() * z_of(level)).nullif(0.0)
    columns["rmst_s"] = known.ifelse(mean, none)
    columns["rmst_low_s"] = known.ifelse((mean < reach).ifelse(0.0, mean - reach), none)
    columns["rmst_high_s"] = known.ifelse((mean + reach > whole.tau_s).ifelse(whole.tau_s, mean + reach), none)
    columns["tau_s"] = whole.tau_s
    events = whole.ended.cast("float64")
    log_mean = whole.first_log + whole.log_area
    wide = (whole.log_variance * events / (events - 1).nullif(0.0)).sqrt() * _student(whole.ended - 1, level)
    wide = ((wide > 0) & (wide < _WIDEST)).ifelse(wide, none)
    some = known & (whole.ended > 0)
    for suffix, value in (("", log_mean), ("_low", log_mean - wide), ("_high", log_mean + wide)):
        columns[f"geometric_mean{suffix}_s"] = some.ifelse(value.exp() * floor_s, none)
    return whole.select(**columns)


def _bounds(s: Any, relative_se: Any, z: float, transform: str) -> tuple[ir.FloatingValue, ir.FloatingValue]:
    none, reach = ibis.null("float64"), relative_se * z
    if transform == "plain":
        low, high = s - s * reach, s + s * reach
    elif transform == "log":
        low, high = s * (-reach).exp(), s * reach.exp()
    else:
        # Where the curve has not fallen yet log S is 0: the bounds are 1. At 0 nobody is left to say.
        inside = (s > 0) & (s < 1)
        log = inside.ifelse(s, none).ln()
        wide = (reach / -log).exp()
        low, high = (log * wide).exp().fill_null(1.0), (log / wide).exp().fill_null(1.0)
    low, high = (low < 0).ifelse(0.0, low), (high > 1).ifelse(1.0, high)
    gone = s <= 0
    return gone.ifelse(none, low), gone.ifelse(none, high)


def _upto(value: Any, tau: Any) -> Any:
    """The smaller of the two; tau where there is no value."""
    return (value < tau).fill_null(False).ifelse(value, tau)


def _logs(value: Any, tau: Any, floor_s: float) -> Any:
    shortest = _upto(value, tau)
    return ((shortest < floor_s).ifelse(floor_s, shortest) / floor_s).ln()


def _student(df: Any, level: float) -> ir.FloatingValue:
    """Student's t quantile: a table up to 60 degrees of freedom, then Fisher and Cornish's series (error below 1e-9)."""
    from scipy.stats import t

    share = (1 + level) / 2
    z = z_of(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    inverse = ibis.literal(1.0) / df.cast("float64").nullif(0.0)
    series: Any = ibis.literal(0.0)
    for term in reversed(terms):
        series = (series + term) * inverse
    rows = [(df == one, ibis.literal(float(t.ppf(share, one)))) for one in range(1, _STUDENT_ROWS + 1)]
    return ibis.cases((df < 1, ibis.null("float64")), *rows, else_=series + z)
