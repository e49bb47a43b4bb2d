"""`change_point`: whether and when one rate or mean gave way to another, as a posterior over the position."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.change.control_chart import Floats, mean_with_t, numbers, sizes_of
from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Model = Literal["binomial", "poisson", "normal"]
MODELS: Final = ("binomial", "poisson", "normal")
_HALF: Final = 0.5


@dataclass(frozen=True)
class ChangePoint:
    """The one change of a series, if there is one. Positions count observations from 1: the change comes after `position`.

    `probability`: that there is a change at all, from `bayes_factor` and `prior_change`. `changed`: whether it reaches `level`.
    `position` (the most probable), `low` and `high` (the shortest stretch of positions that holds it with `level`), all given that
    there is one. `before` and `after`: rate or mean of the two sides of `position`, each with an interval that takes the position as
    known. `n` counts observations, `left_out` those of n or exposure 0. `table`: position, probability (given a change).
    All null where no position is possible.
    """

    model: Model
    position: int | None
    low: int | None
    high: int | None
    probability: float | None
    bayes_factor: float | None
    changed: bool
    before: Interval
    after: Interval
    prior: tuple[float, ...]
    prior_change: float
    n: int
    left_out: int
    level: float
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    @property
    def interval(self) -> Interval:
        """The position with its credible interval."""
        return Interval(self.position, self.low, self.high, self.n, self.level, "posterior", self.left_out)

    def to_pandas(self) -> pd.DataFrame:
        """The posterior: position, probability."""
        return self.table


def change_point(
    values: Any,
    *,
    n: Any = None,
    exposure: Any = None,
    model: Model | None = None,
    prior: tuple[float, float] | None = None,
    prior_change: float = 0.5,
    min_segment: int = 1,
    level: float = 0.95,
) -> ChangePoint:
    """The position of a single change, with its posterior, its 95 % credible interval and the probability of any change.

    With `n`: `values` failures of n per observation (binomial). With `exposure`: counts per exposure (Poisson). With neither, a change
    of the mean of normal values of one spread; say model="poisson" for
    counts of equal exposure, "binomial" for single runs (0 or 1). Closed form: the two rates have Beta
    or Gamma priors, all positions are as likely beforehand, and no change has the probability 1 - `prior_change`.

    `prior`: (a, b) of the Beta, (shape, rate) of the Gamma. Default: centred at the overall rate, and worth one failure (or one
    success, where those are rarer): it knows no unit of exposure and treats failures and successes alike. Normal means have the
    unit-information prior (Zellner's g = n). Observations of n or exposure 0 add positions, and no knowledge.

    Raises: ValueError for both n and exposure, an unknown model, counts out of range, a prior that is not positive.
    Source: Smith (1975) Biometrika 62:407; Raftery and Akman (1986) Biometrika 73:85; Carlin, Gelfand and Smith (1992) Applied
    Statistics 41:389; normal: Liang et al. (2008) JASA 103:410, eq. 6.
    """
    kind, x, sizes = series(values, n, exposure, model)
    check_shares(level, prior_change)
    if min_segment < 1:
        raise ValueError(f"min_segment: {min_segment!r}: write a whole number of at least 1")
    empty = int((sizes == 0).sum())
    given = default_prior(kind, float(x.sum()), float(sizes.sum())) if prior is None else prior
    if any(not value > 0 for value in given):
        raise ValueError(f"prior: {prior!r}: write two numbers above 0")
    logs = log_bayes_factors(kind, x, sizes, given)[min_segment - 1 : len(x) - min_segment]
    usable = len(logs) > 0 and len(x) - empty > (2 if kind == "normal" else 1) and bool(np.isfinite(logs).all())
    if not usable:
        return _nothing(kind, given, prior_change, len(x) - empty, empty, level)
    top = float(logs.max())
    weights = np.exp(logs - top)
    share = weights / weights.sum()
    log_factor = top + log(float(weights.mean()))
    odds = log_factor + log(prior_change) - log(1 - prior_change)
    chance = 1 / (1 + exp(-odds)) if odds > -700 else 0.0
    mode = int(np.argmax(share))
    low, high = shortest(share, level, mode)
    at = mode + min_segment
    return ChangePoint(
        kind,
        at,
        low + min_segment,
        high + min_segment,
        chance,
        exp(min(log_factor, 700.0)),
        chance >= level,
        side(kind, x[:at], sizes[:at], level),
        side(kind, x[at:], sizes[at:], level),
        tuple(given),
        prior_change,
        len(x) - empty,
        empty,
        level,
        table=_table(share, min_segment),
    )


def series(values: Any, n: Any, exposure: Any, model: Model | None) -> tuple[Model, Floats, Floats]:
    """(model, values, sizes): which model is meant by what was given, and its arrays, checked."""
    if n is not None and exposure is not None:
        raise ValueError("n and exposure: give one: n for failures of n, exposure for counts over time")
    meant: Model = "binomial" if n is not None else "poisson" if exposure is not None else model or "normal"
    if meant not in MODELS or (model is not None and model != meant):
        fits = "binomial (with n, or single runs), poisson (with or without exposure) or normal (with neither)"
        raise ValueError(f"model: {model!r}: write {fits}")
    x = numbers(values, "values", low=None if meant == "normal" else 0)
    sizes = sizes_of(
        n if n is not None else 1 if exposure is None else exposure, len(x), "n" if n is not None else "exposure"
    )
    wrong = (
        x > sizes
        if meant == "binomial"
        else (x > 0) & (sizes == 0)
        if meant == "poisson"
        else np.zeros(len(x), dtype=bool)
    )
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"values: {x[place]:g} of {sizes[place]:g} at place {place}: more than there can be")
    return meant, x, sizes


def default_prior(kind: Model, x: float, size: float) -> tuple[float, ...]:
    """Centred at the overall rate, worth one event of the rarer sort."""
    if kind == "normal":
        return ()
    if kind == "poisson":
        return (1.0, size / (x + _HALF) if size else 1.0)
    p = (x + _HALF) / (size + 1)
    weight = 1 / min(p, 1 - p)
    return (p * weight, (1 - p) * weight)


def log_bayes_factors(kind: Model, x: Any, sizes: Any, prior: tuple[Any, ...]) -> Floats:
    """Of a change after each observation but the last, against none: log. Works along the last axis, for many series at once."""
    left, left_size = (np.cumsum(part, axis=-1)[..., :-1] for part in (x, sizes))
    whole, whole_size = (np.sum(part, axis=-1, keepdims=True) for part in (x, sizes))
    if kind == "normal":
        return _log_normal(np.asarray(x))
    marginal = _log_beta_marginal if kind == "binomial" else _log_gamma_marginal
    sides = marginal(left, left_size, prior) + marginal(whole - left, whole_size - left_size, prior)
    return np.asarray(sides - marginal(whole, whole_size, prior))


def _log_beta_marginal(x: Any, n: Any, prior: tuple[Any, ...]) -> Any:
    from scipy.special import betaln

    a, b = prior
    return betaln(a + x, b + n - x) - betaln(a, b)


def _log_gamma_marginal(x: Any, exposure: Any, prior: tuple[Any, ...]) -> Any:
    from scipy.special import gammaln

    shape, rate = prior
    return gammaln(shape + x) - gammaln(shape) + shape * np.log(rate) - (shape + x) * np.log(rate + exposure)


def _log_normal(x: Floats) -> Floats:
    """Zellner's g prior with g = n on the difference of two means, against one mean: depends on R² alone."""
    n = len(x)
    if n < 3:
        return np.full(max(n - 1, 0), np.nan)
    centred = x - x.mean()
    total = float((centred**2).sum())
    if total <= 0:
        return np.zeros(n - 1)
    at = np.arange(1, n)
    explained = np.cumsum(centred)[:-1] ** 2 * n / (at * (n - at)) / total
    return np.asarray((n - 2) / 2 * np.log1p(n) - (n - 1) / 2 * np.log1p(n * np.clip(1 - explained, 0, 1)))


def shortest(share: Floats, level: float, mode: int) -> tuple[int, int]:
    """(first, last) place of the shortest stretch that holds `level` of the probability, and the mode."""
    reach = np.concatenate([[0.0], np.cumsum(share)])
    first = np.arange(len(share))
    last = np.searchsorted(reach, reach[:-1] + level * reach[-1] - 1e-12)
    fits = last <= len(share)
    lengths = np.where(fits, last - first, len(share) + 1)
    start = int(np.argmin(lengths))
    return min(start, mode), max(int(last[start]) - 1, mode)


def side(kind: Model, x: Floats, sizes: Floats, level: float) -> Interval:
    """Rate or mean of a stretch with its interval: Wilson, Garwood or Student."""
    from scipy.special import gammaincinv

    events, size = float(x.sum()), float(sizes.sum())
    if kind == "binomial":
        return wilson(round(events), round(size), level)
    if kind == "normal":
        return mean_with_t(x, level)
    if not size:
        return Interval(None, None, None, 0, level, "garwood")
    low = float(gammaincinv(events, (1 - level) / 2)) / size if events else 0.0
    high = float(gammaincinv(events + 1, (1 + level) / 2)) / size
    return Interval(events / size, low, high, round(events), level, "garwood")


def check_shares(level: float, prior_change: float = _HALF) -> None:
    """Refuses what is no share inside (0, 1)."""
    for name, value in (("level", level), ("prior_change", prior_change)):
        if not 0 < value < 1:
            raise ValueError(f"{name}: {value!r}: write a share inside (0, 1)")


def _nothing(
    kind: Model, prior: tuple[float, ...], prior_change: float, n: int, left_out: int, level: float
) -> ChangePoint:
    none = Interval(None, None, None, 0, level, "none")
    empty = _table(np.zeros(0), 1)
    return ChangePoint(
        kind,
        None,
        None,
        None,
        None,
        None,
        False,
        none,
        none,
        tuple(prior),
        prior_change,
        n,
        left_out,
        level,
        table=empty,
    )


def _table(share: Floats, first: int) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"position": np.arange(first, first + len(share)), "probability": share})
