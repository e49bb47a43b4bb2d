"""`scalability_law`: how throughput grows with load, where it peaks and what holds it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

_METHOD = "least squares, t interval"
_SHAKY = 1.0
# (alpha, beta, gamma), and at which bound alpha (0) or beta (1) is held.
_Fitted = tuple[np.ndarray, dict[int, float]]


@dataclass(frozen=True)
class ScalabilityLaw:
    """What `scalability_law` gives: throughput X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)).

    `se` holds the standard errors of (alpha, beta, gamma), those of the law with all its parameters free even where one is held at 0:
    what keeps the others honest; null for a gamma that is given. `warnings` says what the measurements cannot tell; `is_identified`
    is false where they do not reach the peak, or a parameter lies at its bound.
    """

    alpha: Interval
    beta: Interval
    gamma: Interval
    se: tuple[float | None, float | None, float | None]
    peak_load: Interval
    peak_throughput: float | None
    limit: float | None
    r_squared: float | None
    is_identified: bool
    warnings: tuple[str, ...]
    n: int
    left_out: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The load at which throughput peaks."""
        return self.peak_load

    @property
    def verdict(self) -> str:
        """In words: where the peak is, or why none can be named."""
        if self.peak_throughput is None or self.peak_load.estimate is None:
            return "cannot tell: " + ("; ".join(self.warnings) or "no peak")
        bounds = ""
        if self.peak_load.low is not None and self.peak_load.high is not None:
            bounds = f" ({self.peak_load.low:.4g} to {self.peak_load.high:.4g})"
        words = f"throughput peaks at load {self.peak_load.estimate:.4g}{bounds} with {self.peak_throughput:.4g}"
        return words if self.is_identified else f"not settled: {words}; " + "; ".join(self.warnings)

    def throughput(self, load: float) -> float | None:
        """What the law says for a load; null where there is no fit."""
        if self.gamma.estimate is None or self.alpha.estimate is None or self.beta.estimate is None:
            return None
        return float(_law(float(load), self.alpha.estimate, self.beta.estimate, self.gamma.estimate))

    def to_pandas(self) -> pd.DataFrame:
        """A row per measurement: load, throughput, fitted, efficiency (throughput over gamma times load)."""
        return self.table


def scalability_law(
    load: Sequence[float],
    throughput: Sequence[float],
    *,
    gamma: float | None = None,
    method: Literal["nonlinear", "transformed"] = "nonlinear",
    level: float = 0.95,
) -> ScalabilityLaw:
    """Fit of the Universal Scalability Law: what queueing (alpha) and keeping one another up to date (beta) cost.

    `load` is how many work at once (users, workers, concurrent runs), `throughput` what they get done in a unit of time.
    A measurement that is not finite, or not above 0, is left out and counted. `gamma`, the throughput of one alone, is estimated
    unless it is given. peak_load is sqrt((1 - alpha) / beta), limit gamma / alpha (the throughput without beta).
    alpha lies from 0 to 1 and beta not below 0; one that would not is held at the bound and said so. Null throughout for fewer than four different loads
    (three with a gamma). `method="transformed"` is Gunther's own: a straight regression of what is missing to linear growth,
    with gamma given, or measured at load 1; it weighs the high loads more.

    Raises: ValueError for two lengths, a gamma not above 0, another method, "transformed" without gamma, a level outside (0, 1).
    Source: Gunther (2007) Guerrilla Capacity Planning, chapter 6; equals usl() of the R package usl, version 2 and later, whose
    default is this fit of three parameters ("transformed": its default before version 2).
    """
    x, y = np.asarray(load, dtype=float), np.asarray(throughput, dtype=float)
    _check(x, y, gamma, method, level)
    good = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    left_out = int((~good).sum())
    x, y = x[good], y[good]
    if method == "transformed":
        gamma = gamma or _alone(x, y)
    needed = 4 if gamma is None else 3
    if len(np.unique(x)) < needed:
        return _nothing(x, y, left_out, level, f"{len(np.unique(x))} different loads are too few, {needed} are needed")
    if method == "transformed":
        return _result(x, y, _transformed(x, y, gamma or 1.0), [0, 1], left_out, level)
    return _result(x, y, _nonlinear(x, y, gamma), [0, 1, 2] if gamma is None else [0, 1], left_out, level)


def _law(n: Any, alpha: float, beta: float, gamma: float) -> Any:
    return gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1))


def _alone(x: np.ndarray, y: np.ndarray) -> float:
    if not (x == 1).any():
        raise ValueError("method 'transformed' needs gamma, or a throughput at load 1")
    return float(y[x == 1].mean())


# What may have to be held at a bound (0 is alpha, 1 is beta), nothing first.
_HOLDS: tuple[dict[int, float], ...] = ({}, {1: 0.0}, {0: 0.0}, {0: 1.0}, {0: 0.0, 1: 0.0}, {0: 1.0, 1: 0.0})


def _transformed(x: np.ndarray, y: np.ndarray, gamma: float) -> _Fitted:
    """Straight in (N - 1, N (N - 1)): gamma N / X - 1 = alpha (N - 1) + beta N (N - 1)."""
    basis, missing = np.stack([x - 1, x * (x - 1)], axis=1), gamma * x / y - 1

    def fit(held: dict[int, float]) -> tuple[np.ndarray, float]:
        values = np.array([held.get(0, 0.0), held.get(1, 0.0), gamma])
        free = [place for place in (0, 1) if place not in held]
        rest = missing - basis @ values[:2]
        if free:
            values[free] = np.linalg.lstsq(basis[:, free], rest, rcond=None)[0]
        rest = missing - basis @ values[:2]
        return values, float(rest @ rest)

    return _within_bounds(fit)


def _nonlinear(x: np.ndarray, y: np.ndarray, gamma: float | None) -> _Fitted:
    from scipy.optimize import least_squares

    begin = _transformed(x, y, gamma or float(np.max(y / x)))[0]
    scale = np.array([0.01, 1e-4, begin[2]])

    def fit(held: dict[int, float]) -> tuple[np.ndarray, float]:
        values = begin.copy()
        values[list(held)] = list(held.values())
        free = [place for place in (0, 1, 2) if place not in held and (place < 2 or gamma is None)]

        def rest(theta: np.ndarray) -> Any:
            full = values.copy()
            full[free] = theta * scale[free]
            with np.errstate(all="ignore"):
                return np.nan_to_num((_law(x, *full) - y) / y.mean(), nan=1e6, posinf=1e6, neginf=-1e6)

        if free:
            start = np.maximum(values[free] / scale[free], 1e-5)
            found = least_squares(rest, start, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14)
            values[free] = found.x * scale[free]
        missed = rest(values[free] / scale[free])
        return values, float(missed @ missed)

    return _within_bounds(fit)


def _within_bounds(fit: Callable[[dict[int, float]], tuple[np.ndarray, float]]) -> _Fitted:
    """((alpha, beta, gamma), what is held): the best fit with alpha from 0 to 1 and beta not below 0."""
    tried = [(*fit(held), held) for held in _HOLDS]
    allowed = [one for one in tried if 0 <= one[0][0] <= 1 and one[0][1] >= 0]
    values, _, held = min(allowed, key=lambda one: one[1])
    return values, held


def _result(
    x: np.ndarray,
    y: np.ndarray,
    fitted: _Fitted,
    estimated: list[int],
    left_out: int,
    level: float,
) -> ScalabilityLaw:
    from scipy.stats import t

    values, held = fitted
    alpha, beta, gamma = (float(value) for value in values)
    residual = y - _law(x, alpha, beta, gamma)
    freedom = len(x) - len(estimated)
    covariance = np.zeros((3, 3))
    if freedom > 0:
        # Of all that is estimated, at a bound or not: as if beta were known to be 0, alpha would look twice as sure as it is.
        jacobian = _jacobian(x, alpha, beta, gamma)[:, estimated]
        within = float(residual @ residual) / freedom * np.linalg.inv(jacobian.T @ jacobian)
        covariance[np.ix_(estimated, estimated)] = within
    quantile = float(t.ppf((1 + level) / 2, freedom)) if freedom > 0 else None
    errors = [sqrt(covariance[k, k]) if k in estimated and freedom > 0 else None for k in range(3)]
    alpha_i, beta_i, gamma_i = (
        _interval(value, error, quantile, len(x), level)
        for value, error in zip((alpha, beta, gamma), errors, strict=True)
    )
    peak = _peak(alpha, beta, covariance, quantile, len(x), level)
    highest = peak.estimate
    notes = _notes(x, values, held, errors, highest)
    spread = float(((y - y.mean()) ** 2).sum())
    return ScalabilityLaw(
        alpha_i,
        beta_i,
        gamma_i,
        (errors[0], errors[1], errors[2]),
        peak,
        None if highest is None else float(_law(highest, alpha, beta, gamma)),
        gamma / alpha if alpha > 1e-12 else None,
        1 - float(residual @ residual) / spread if spread > 0 else None,
        not notes,
        notes,
        len(x),
        left_out,
        _table(x, y, values),
    )


def _jacobian(x: np.ndarray, alpha: float, beta: float, gamma: float) -> np.ndarray:
    below = 1 + alpha * (x - 1) + beta * x * (x - 1)
    by_alpha = -gamma * x * (x - 1) / below**2
    return np.stack([by_alpha, by_alpha * x, x / below], axis=1)


def _peak(alpha: float, beta: float, covariance: np.ndarray, quantile: float | None, n: int, level: float) -> Interval:
    method = "delta on the logarithm"
    if beta <= 0 or alpha >= 1:
        return Interval(None, None, None, n, level, method)
    peak = sqrt((1 - alpha) / beta)
    gradient = np.array([-0.5 / (1 - alpha), -0.5 / beta, 0.0])
    error = sqrt(float(gradient @ covariance @ gradient))
    if quantile is None or quantile * error > 20:
        return Interval(peak, None, None, n, level, method)
    return Interval(peak, peak * exp(-quantile * error), peak * exp(quantile * error), n, level, method)


def _notes(
    x: np.ndarray, values: np.ndarray, held: dict[int, float], errors: list[float | None], peak: float | None
) -> tuple[str, ...]:
    notes = [f"{('alpha', 'beta')[place]} is held at {bound:g}" for place, bound in held.items()]
    if peak is not None and peak > x.max():
        notes.append(f"the highest load measured, {x.max():.4g}, lies below the peak: it is extrapolated")
    if 1 not in held and (errors[1] is None or errors[1] > _SHAKY * values[1]):
        notes.append("the standard error of beta is larger than beta")
    return tuple(notes)


def _interval(value: float, error: float | None, quantile: float | None, n: int, level: float) -> Interval:
    if error is None or quantile is None:
        return Interval(value, None, None, n, level, _METHOD)
    return Interval(value, value - quantile * error, value + quantile * error, n, level, _METHOD)


def _table(x: np.ndarray, y: np.ndarray, values: np.ndarray | None) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame({"load": x, "throughput": y, "fitted": np.nan, "efficiency": np.nan})
    if values is not None:
        frame["fitted"] = _law(x, *values)
        frame["efficiency"] = y / (values[2] * x)
    return frame.sort_values(["load", "throughput"], ignore_index=True)


def _nothing(x: np.ndarray, y: np.ndarray, left_out: int, level: float, why: str) -> ScalabilityLaw:
    none = Interval(None, None, None, len(x), level, _METHOD)
    return ScalabilityLaw(
        none,
        none,
        none,
        (None, None, None),
        none,
        None,
        None,
        None,
        False,
        (why,),
        len(x),
        left_out,
        _table(x, y, None),
    )


def _check(x: np.ndarray, y: np.ndarray, gamma: float | None, method: str, level: float) -> None:
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"{x.size} loads and {y.size} throughputs: each load needs its throughput")
    if gamma is not None and not gamma > 0:
        raise ValueError(f"gamma: {gamma!r}: the throughput of one alone is above 0")
    if method not in ("nonlinear", "transformed"):
        raise ValueError(f"method: {method!r}: write 'nonlinear' or 'transformed'")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")
