"""Many groups at once: how much true rates differ, and what that says about each group (empirical Bayes, James-Stein)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Counts, Floats, counts
from aftershock.metrics.proportions.full_bayes import Grid, posterior_grid
from aftershock.metrics.proportions.intervals import check_count, check_level, wilson
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd

Fit = Literal["likelihood", "moments", "bayes"]
_LOG_PRECISION: Final = (-10.0, 22.0)  # beyond, all groups are alike, or each is wholly good or wholly bad
_REACH: Final = 3.0


@dataclass(frozen=True)
class BetaBinomial:
    """What `beta_binomial` gives: true rates are spread over the groups as Beta(alpha, beta), with this mean and sd.

    `alpha` and `beta` are null where no spread beyond chance can be fitted; `mean` is then the pooled rate. With
    `method="moments"` mean and sd are those of the raw rates; with "bayes" alpha and beta are posterior means.
    `z` and `p_value` are Tarone's test (one-sided) of whether
    there is any spread beyond chance. `groups` counts groups with n above 0; `n` is their sum.
    """

    alpha: float | None
    beta: float | None
    mean: float | None
    sd: float | None
    log_likelihood: float | None
    z: float | None
    p_value: float | None
    groups: int
    n: int
    left_out: int
    level: float
    method: str
    pooled: Interval = field(repr=False)
    grid: Grid | None = field(default=None, repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """Between which rates the groups' true rates lie, `level` of them; the pooled rate's interval without a spread."""
        if self.alpha is None or self.beta is None:
            return self.pooled
        low, high = beta_bounds(np.array([self.alpha]), np.array([self.beta]), self.level)
        return Interval(self.mean, float(low[0]), float(high[0]), self.n, self.level, f"beta, {self.method}")

    def posterior(self, x: int, n: int) -> Posterior:
        """What x of n says about a group of this kind: Beta(alpha + x, beta + n - x).

        Without a spread every group has the pooled rate: that one with its Wilson interval, and no sd.
        Raises: ValueError unless 0 <= x <= n.
        """
        x, n = check_count(x, n, self.level)
        if self.alpha is None or self.beta is None:
            return Posterior(self.pooled.estimate, None, self.pooled.low, self.pooled.high, x, n, self.level)
        if self.grid is not None:
            return Posterior(*self.grid.posterior(x, n, self.level), x, n, self.level)
        a, b = self.alpha + x, self.beta + n - x
        low, high = beta_bounds(np.array([a]), np.array([b]), self.level)
        sd = sqrt(a * b / (a + b + 1)) / (a + b)
        return Posterior(a / (a + b), sd, float(low[0]), float(high[0]), x, n, self.level)

    def posteriors(self, x: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
        """(mean, low, high) of `posterior` for arrays."""
        if self.alpha is None or self.beta is None:
            found = (self.pooled.estimate, self.pooled.low, self.pooled.high)
            mean, low, high = (np.full(n.shape, np.nan if value is None else value) for value in found)
            return mean, low, high
        a, b = self.alpha + x, self.beta + n - x
        return (a / (a + b), *beta_bounds(a, b, self.level))

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


@dataclass(frozen=True)
class Posterior:
    """A group's rate as x of n and the other groups tell it together: mean, sd, and an interval of equal tails."""

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    x: int
    n: int
    level: float
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The mean with its bounds."""
        return Interval(self.mean, self.low, self.high, self.n, self.level, "beta-binomial posterior")

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def beta_binomial(x: ArrayLike, n: ArrayLike, *, method: Fit = "likelihood", level: float = 0.95) -> BetaBinomial:
    """How the true rates of many groups are spread, from x of n each; `posterior` then says what that means for one group.

    `likelihood` maximises the beta-binomial likelihood. `moments` takes mean and sample variance of the raw rates, every
    group alike whatever its n, and the chance in them too: it overstates the spread where n is small. alpha and beta are
    null where no spread can be fitted: fewer than two groups, all n below 2, no hit or no miss at all, or rates that
    differ no more than chance makes them. `bayes` takes alpha and beta as unknown too, under the prior (alpha + beta)^(-5/2):
    they are posterior means, and `posterior` of a group is averaged over them, wider than the others' where groups are few; null
    where the data do not bound alpha + beta. Groups with n = 0 say nothing; those whose x or n is missing are left out and
    counted.

    Raises: ValueError for the first group that is not 0 <= x <= n, an unknown method, or a level outside (0, 1).
    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., sections 5.1 (moments) and 5.3 (bayes); Griffiths (1973) Biometrics 29:637
    (likelihood); Tarone (1979) Biometrika 66:585 (test).
    """
    check_level(level)
    if method not in ("likelihood", "moments", "bayes"):
        raise ValueError(f"method: {method!r}: write 'likelihood', 'moments' or 'bayes'")
    given = counts(x, n)
    # In one order whatever order they came in: sums of floats depend on it in the last digits.
    order = np.lexsort((given.n, given.x))
    order = order[given.n[order] > 0]
    told = Counts(given.x[order], given.n[order], given.kept[order], given.left_out)
    pooled = wilson(int(told.x.sum()), int(told.n.sum()), level)
    grid = posterior_grid(*told.pairs) if method == "bayes" and told.pooled not in (None, 0.0, 1.0) else None
    fitted = {"likelihood": _by_likelihood, "moments": _by_moments}[method](told) if method != "bayes" else None
    fitted = grid.means if grid else fitted
    z, p_value = _tarone(told)
    mean, sd = pooled.estimate, None
    if method == "moments" and told.x.size > 1:
        rates = told.x / told.n
        mean, sd = float(rates.mean()), float(rates.std(ddof=1))
    elif fitted:
        mean, sd = fitted[0] / sum(fitted), sqrt(fitted[0] * fitted[1] / (sum(fitted) + 1)) / sum(fitted)
    alpha, beta = fitted or (None, None)
    height = _log_likelihood(told, alpha, beta) if alpha is not None and beta is not None else None
    size = (int(told.n.size), pooled.n, given.left_out)
    return BetaBinomial(alpha, beta, mean, sd, height, z, p_value, *size, level, method, pooled, grid)


def beta_bounds(a: Floats, b: Floats, level: float) -> tuple[Floats, Floats]:
    """The quantiles of Beta(a, b) that leave equal tails."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    return betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)


def _by_moments(given: Counts) -> tuple[float, float] | None:
    rates = given.x / given.n
    if rates.size < 2:
        return None
    mean, variance = float(rates.mean()), float(rates.var(ddof=1))
    precision = mean * (1 - mean) / variance - 1 if variance > 0 else 0.0
    return (mean * precision, (1 - mean) * precision) if precision > 0 and 0 < mean < 1 else None


def _by_likelihood(given: Counts) -> tuple[float, float] | None:
    """The highest point over (logit of the mean, log of alpha + beta); null where it lies at no spread at all."""
    if given.n.size < 2 or given.n.max() < 2 or given.pooled in (0.0, 1.0) or _curvature(given) <= 0:
        return None
    from scipy.optimize import minimize

    pairs = given.pairs
    # A grid first: the ridge is flat far from the top, and a search that is sent there does not come back.
    rates = (given.pooled or 0.0, float((given.x / given.n).mean()))
    means = {min(max(p, 1e-9), 1 - 1e-9) for p in rates}
    grid = [(log(p / (1 - p)), at) for p in sorted(means) for at in np.arange(*_LOG_PRECISION)]
    start = max(grid, key=lambda at: _height(at, pairs))
    box = [(start[0] - _REACH, start[0] + _REACH), (start[1] - _REACH, start[1] + _REACH)]
    found = minimize(_minus, start, args=(pairs,), jac=True, method="L-BFGS-B", bounds=box, options={"ftol": 1e-15})
    # L-BFGS-B stops a little early where the top is flat: a simplex from there ends on it.
    top = {"xatol": 1e-9, "fatol": 1e-10}
    found = minimize(lambda at: -_height(at, pairs), found.x, method="Nelder-Mead", bounds=box, options=top)
    place, precision = float(found.x[0]), exp(float(found.x[1]))
    mean = 1 / (1 + exp(-place))
    return mean * precision, (1 - mean) * precision


_Pairs = tuple[Floats, Floats, Floats]


def _height(at: tuple[float, float], pairs: _Pairs) -> float:
    """The log likelihood at (logit mean, log precision), less what does not depend on them."""
    from scipy.special import betaln

    x, n, times = pairs
    mean, precision = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
    a, b = mean * precision, (1 - mean) * precision
    return float(times @ (betaln(x + a, n - x + b) - betaln(a, b)))


def _minus(at: tuple[float, float], pairs: _Pairs) -> tuple[float, Floats]:
    """Minus the log likelihood and its gradient."""
    from scipy.special import digamma

    x, n, times = pairs
    mean, precision = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
    a, b = mean * precision, (1 - mean) * precision
    whole = digamma(n + precision) - digamma(precision)
    by_a = times @ (digamma(x + a) - digamma(a) - whole)
    by_b = times @ (digamma(n - x + b) - digamma(b) - whole)
    slope = np.array([(by_a - by_b) * precision * mean * (1 - mean), by_a * a + by_b * b])
    return -_height(at, pairs), -slope


def _log_likelihood(given: Counts, alpha: float, beta: float) -> float:
    from scipy.special import betaln, gammaln

    x, n = given.x, given.n
    choose = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    return float((choose + betaln(x + alpha, n - x + beta) - betaln(alpha, beta)).sum())


def _curvature(given: Counts) -> float:
    """The slope of the likelihood where there is no spread yet: not above 0 means that none makes it higher."""
    x, n, p = given.x, given.n, given.pooled or 0.0
    return float((x * (x - 1) / p + (n - x) * (n - x - 1) / (1 - p) - n * (n - 1)).sum())


def _tarone(given: Counts) -> tuple[float | None, float | None]:
    """Tarone's z for spread beyond chance, with its upper tail; null where it cannot show."""
    from scipy.stats import norm

    p, pairs = given.pooled, float((given.n * (given.n - 1)).sum())
    if p is None or p in (0.0, 1.0) or pairs == 0 or given.n.size < 2:
        return None, None
    spread = float(((given.x - given.n * p) ** 2).sum()) / (p * (1 - p))
    z = (spread - float(given.n.sum())) / sqrt(2 * pairs)
    return z, float(norm.sf(z))
