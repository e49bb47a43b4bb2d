"""Intervals for a share of counted things, and for the difference of two shares.

Wilson is the default everywhere. Clopper-Pearson is for when a guarantee is asked for. Wald is not here on purpose.
Numbers are held against published tables (tests/metrics/proportions/test_intervals.py names each source).
"""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, log, log1p, sqrt
from numbers import Real
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import ibis.expr.types as ir

RULE_OF_THREE: Final = 3.0
_TOLERANCE: Final = 1e-20  # bounds of one failure in 1e9 runs have digits too


def wilson(x: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for x of n.

    Raises: ValueError unless 0 <= x <= n and 0 < level < 1; so do all functions here.
    Source: Wilson (1927) JASA 22:209; equals R's prop.test(correct=FALSE).
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "wilson")
    z, p = normal_quantile(level), x / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # Algebra says exactly 0 and 1 at the ends; floating point does not.
    low, high = (0.0 if x == 0 else middle - reach), (1.0 if x == n else middle + reach)
    return Interval(p, low, high, n, level, "wilson")


def wilson_cc(x: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's interval with continuity correction.

    Source: Newcombe (1998) Stat Med 17:857, method 4; equals R's prop.test(correct=TRUE).
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "wilson_cc")
    z, p = normal_quantile(level), x / n
    zz = z * z
    down = 2 * x + zz - 1 - z * sqrt(max(zz - 2 - 1 / n + 4 * p * (n - x + 1), 0.0))
    up = 2 * x + zz + 1 + z * sqrt(max(zz + 2 - 1 / n + 4 * p * (n - x - 1), 0.0))
    low = 0.0 if x == 0 else max(down / (2 * (n + zz)), 0.0)
    high = 1.0 if x == n else min(up / (2 * (n + zz)), 1.0)
    return Interval(p, low, high, n, level, "wilson_cc")


def clopper_pearson(x: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval: it holds the true share at least as often as `level` says.

    Source: Clopper and Pearson (1934) Biometrika 26:404; equals R's binom.test.
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "clopper_pearson")
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else _beta_quantile(tail, x, n - x + 1)
    high = 1.0 if x == n else _beta_quantile(1 - tail, x + 1, n - x)
    return Interval(x / n, low, high, n, level, "clopper_pearson")


def jeffreys(x: int, n: int, level: float = 0.95) -> Interval:
    """The Bayesian interval under Jeffreys' prior, Beta(1/2, 1/2); its bound is 0 at x = 0 and 1 at x = n.

    Source: Brown, Cai, DasGupta (2001) Statistical Science 16:101.
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "jeffreys")
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else _beta_quantile(tail, x + 0.5, n - x + 0.5)
    high = 1.0 if x == n else _beta_quantile(1 - tail, x + 0.5, n - x + 0.5)
    return Interval(x / n, low, high, n, level, "jeffreys")


def mid_p(x: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval with half of the observed outcome's probability: less cautious than Clopper-Pearson.

    Source: Lancaster (1961) JASA 56:223; Fagerland, Lydersen, Laake (2017), chapter 2.
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "mid_p")
    from scipy.stats import binom

    tail = (1 - level) / 2

    def above(p: float) -> float:
        return float(binom.sf(x, n, p) + binom.pmf(x, n, p) / 2) - tail

    def below(p: float) -> float:
        return float(binom.cdf(x, n, p) - binom.pmf(x, n, p) / 2) - tail

    low = 0.0 if x == 0 else root_of(above, 0.0, 1.0)
    high = 1.0 if x == n else root_of(below, 0.0, 1.0)
    return Interval(x / n, low, high, n, level, "mid_p")


def likelihood_ratio(x: int, n: int, level: float = 0.95) -> Interval:
    """The shares that a likelihood ratio test at 1 - level would not refuse.

    Source: Fagerland, Lydersen, Laake (2017), chapter 2.
    """
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, "likelihood_ratio")
    threshold, p_hat = normal_quantile(level) ** 2, x / n

    def excess(p: float) -> float:
        hit = x * log(p_hat / p) if x else 0.0
        miss = (n - x) * log((1 - p_hat) / (1 - p)) if x < n else 0.0
        return 2 * (hit + miss) - threshold

    low = 0.0 if x == 0 else root_of(excess, 1e-300, p_hat)
    high = 1.0 if x == n else root_of(excess, p_hat, 1 - 1e-16)
    return Interval(p_hat, low, high, n, level, "likelihood_ratio")


def newcombe(x1: int, n1: int, x2: int, n2: int, level: float = 0.95) -> Interval:
    """The difference x1/n1 - x2/n2 with Newcombe's hybrid score interval; null where either n is 0. `n` is n1 + n2.

    Source: Newcombe (1998) Stat Med 17:873, method 10.
    """
    (x1, n1), (x2, n2) = check_count(x1, n1, level), check_count(x2, n2, level)
    first, second = wilson(x1, n1, level), wilson(x2, n2, level)
    if n1 == 0 or n2 == 0:
        return Interval(None, None, None, n1 + n2, level, "newcombe")
    p1, p2 = x1 / n1, x2 / n2
    down = sqrt((p1 - (first.low or 0.0)) ** 2 + ((second.high or 0.0) - p2) ** 2)
    up = sqrt(((first.high or 0.0) - p1) ** 2 + (p2 - (second.low or 0.0)) ** 2)
    return Interval(p1 - p2, p1 - p2 - down, p1 - p2 + up, n1 + n2, level, "newcombe")


def zero_failure_bound(n: int, level: float = 0.95) -> float | None:
    """The largest rate that still fits no failure in n: 1 - (1 - level)^(1/n), one-sided, exact. Null for n = 0.

    Source: Hanley and Lippman-Hand (1983) JAMA 249:1743.
    """
    _, n = check_count(0, n, level)
    return -expm1(log1p(-level) / n) if n else None


def rule_of_three(n: int) -> float | None:
    """The same bound at 95 % to say aloud: 3/n, never above 1. Null for n = 0."""
    _, n = check_count(0, n, 0.95)
    return min(RULE_OF_THREE / n, 1.0) if n else None


def wilson_expr(
    x: ir.IntegerValue, n: ir.IntegerValue, level: float = 0.95
) -> tuple[ir.FloatingValue, ir.FloatingValue, ir.FloatingValue]:
    """`wilson` over columns: (share, low, high), null where n is 0. Doubles throughout: every backend agrees."""
    import ibis

    check_count(0, 0, level)
    z = normal_quantile(level)
    zz = z * z
    total = n.cast("float64").nullif(0.0)
    p = x.cast("float64") / total
    middle = (p + zz / (total * 2)) / (zz / total + 1)
    reach = (p * (1 - p) / total + zz / (total * total * 4)).sqrt() * z / (zz / total + 1)
    none = ibis.null("float64")
    low = ibis.cases((n == 0, none), (x == 0, ibis.literal(0.0)), else_=middle - reach)
    high = ibis.cases((n == 0, none), (x == n, ibis.literal(1.0)), else_=middle + reach)
    return p, low, high


Bounds = tuple["ir.FloatingValue", "ir.FloatingValue", "ir.FloatingValue"]


def newcombe_expr(first: Bounds, second: Bounds) -> Bounds:
    """`newcombe` over columns, from two (share, low, high) of `wilson_expr`; null where either n is 0."""
    (p1, low1, high1), (p2, low2, high2) = first, second
    difference = p1 - p2
    down = ((p1 - low1) * (p1 - low1) + (high2 - p2) * (high2 - p2)).sqrt()
    up = ((high1 - p1) * (high1 - p1) + (p2 - low2) * (p2 - low2)).sqrt()
    return difference, difference - down, difference + up


def check_level(level: float) -> None:
    """Raises ValueError unless `level` is a share inside (0, 1)."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")


def check_count(x: Any, n: Any, level: float) -> tuple[int, int]:
    """x and n as whole numbers of Python, whatever kind they came as.

    Raises: ValueError unless both are whole, 0 <= x <= n and 0 < level < 1.
    """
    check_level(level)
    hits, total = _whole(x), _whole(n)
    if hits is None or total is None:
        raise ValueError(f"{x!r} of {n!r}: write counts, whole numbers with 0 <= x <= n")
    if not 0 <= hits <= total:
        raise ValueError(f"{x} of {n}: the count must lie between 0 and n")
    return hits, total


def _whole(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == value else None


def nothing(level: float, method: str) -> Interval:
    """What comes back for nothing counted."""
    return Interval(None, None, None, 0, level, method)


def normal_quantile(level: float) -> float:
    """The two-sided normal quantile: 1.96 at 95 %."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _beta_quantile(share: float, a: float, b: float) -> float:
    from scipy.stats import beta  # slow to import, and Wilson does without

    return float(beta.ppf(share, a, b))


def root_of(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function crosses zero between two places at which it has different signs."""
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=_TOLERANCE, maxiter=500))
