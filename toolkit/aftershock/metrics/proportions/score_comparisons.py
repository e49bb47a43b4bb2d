"""Two shares compared by their score test: which differences, and which ratios, would the test not refuse?

The bounds are found by a solver of our own: the test statistic falls as the difference (the ratio) rises, so each bound is one
crossing. Under each difference the likeliest pair of shares is found by a safeguarded Newton search, not by the cubic's
closed form, which loses digits where shares are near 0 or n is large.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1, inf, log, sqrt
from typing import Final

from aftershock.metrics.proportions.intervals import check_count, normal_quantile, root_of
from aftershock.metrics.results import Interval

# At the observed difference of 0/n and 0/n both numerator and spread are 0: the search begins beside it.
_BESIDE: Final = 1e-13
_STEPS: Final = 200
_FAR: Final = 60.0  # ratios from exp(-60) to exp(60)
_Function = Callable[[float], float]


def miettinen_nurminen(x1: int, n1: int, x2: int, n2: int, level: float = 0.95) -> Interval:
    """The difference x1/n1 - x2/n2 with the score interval of Miettinen and Nurminen; null where either n is 0.

    It is Mee's with the variance times N/(N - 1), N = n1 + n2: a little wider in small samples. `n` is n1 + n2.
    Raises: ValueError unless 0 <= x <= n for both, and 0 < level < 1.
    Source: Miettinen and Nurminen (1985) Stat Med 4:213; Newcombe (1998) Stat Med 17:873, method 6.
    """
    return _difference(x1, n1, x2, n2, level, "miettinen_nurminen")


def mee(x1: int, n1: int, x2: int, n2: int, level: float = 0.95) -> Interval:
    """The difference x1/n1 - x2/n2 with Mee's score interval; null where either n is 0. `n` is n1 + n2.

    Raises: ValueError unless 0 <= x <= n for both, and 0 < level < 1.
    Source: Mee (1984) Biometrics 40:1175; Newcombe (1998) Stat Med 17:873, method 5.
    """
    return _difference(x1, n1, x2, n2, level, "mee")


def koopman(x1: int, n1: int, x2: int, n2: int, level: float = 0.95) -> Interval:
    """How many times as often: (x1/n1) / (x2/n2) with Koopman's score interval; `n` is n1 + n2.

    The estimate and `high` are null where x2 is 0 (no ratio is too large), all three where either n is 0 or x1 = x2 = 0.
    Raises: ValueError unless 0 <= x <= n for both, and 0 < level < 1.
    Source: Koopman (1984) Biometrics 40:513.
    """
    (x1, n1), (x2, n2) = check_count(x1, n1, level), check_count(x2, n2, level)
    if n1 == 0 or n2 == 0 or x1 + x2 == 0:
        return Interval(None, None, None, n1 + n2, level, "koopman")
    threshold = normal_quantile(level) ** 2

    def excess(log_ratio: float) -> float:
        return _ratio_chi2(x1, n1, x2, n2, log_ratio) - threshold

    ratio = (x1 / n1) / (x2 / n2) if x2 else inf
    at = log(ratio) if 0 < ratio < inf else (-_FAR if ratio == 0 else _FAR)
    low = 0.0 if x1 == 0 else exp(root_of(excess, -_FAR, at))
    high = None if x2 == 0 else exp(root_of(excess, at, _FAR))
    return Interval(ratio if x2 else None, low, high, n1 + n2, level, "koopman")


def _difference(x1: int, n1: int, x2: int, n2: int, level: float, method: str) -> Interval:
    (x1, n1), (x2, n2) = check_count(x1, n1, level), check_count(x2, n2, level)
    total = n1 + n2
    if n1 == 0 or n2 == 0:
        return Interval(None, None, None, total, level, method)
    z = normal_quantile(level) * (sqrt(total / (total - 1)) if method == "miettinen_nurminen" else 1.0)
    observed = x1 / n1 - x2 / n2

    def beyond(difference: float) -> float:
        """Positive where the score test refuses the difference."""
        p2 = _likeliest(x1, n1, x2, n2, difference)
        p1 = min(max(p2 + difference, 0.0), 1.0)
        return abs(observed - difference) - z * sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)

    low = _crossing(beyond, -1.0, observed - _BESIDE) if observed > -1 else -1.0
    high = _crossing(beyond, 1.0, observed + _BESIDE) if observed < 1 else 1.0
    return Interval(observed, low, high, total, level, method)


def _crossing(beyond: _Function, refused: float, kept: float) -> float:
    """Between a difference that is refused and the observed one, which is kept."""
    if beyond(refused) <= 0:
        return refused
    return kept if beyond(kept) >= 0 else root_of(beyond, refused, kept)


def _likeliest(x1: int, n1: int, x2: int, n2: int, difference: float) -> float:
    """The likeliest second share where the first is larger by `difference`: the log likelihood is concave in it."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    if low >= high:
        return low
    sums = (x1, n1 - x1, x2, n2 - x2)
    if _slope(sums, low, difference)[0] <= 0:
        return low
    if _slope(sums, high, difference)[0] >= 0:
        return high
    p = min(max((x1 + x2 - n1 * difference) / (n1 + n2), low), high)
    p = p if low < p < high else (low + high) / 2
    for _ in range(_STEPS):
        slope, curve = _slope(sums, p, difference)
        low, high = (p, high) if slope > 0 else (low, p)
        step = p - slope / curve if curve else p
        following = step if low < step < high else (low + high) / 2
        if abs(following - p) <= 1e-15 * following:
            return following
        p = following
    return p


def _slope(sums: tuple[int, int, int, int], p2: float, difference: float) -> tuple[float, float]:
    """First and second derivative of the log likelihood; a count of 0 pulls nowhere, another pulls away from 0 and 1."""
    p1 = p2 + difference
    slope, curve = 0.0, 0.0
    for count, share, sign in zip(sums, (p1, 1 - p1, p2, 1 - p2), (1, -1, 1, -1), strict=True):
        if count:
            pull = count / share if share > 0 else inf
            slope += sign * pull
            curve -= pull / share if share > 0 else inf
    return slope, curve


def _ratio_chi2(x1: int, n1: int, x2: int, n2: int, log_ratio: float) -> float:
    """Koopman's chi-square for a ratio: a quadratic gives the likeliest shares under it.

    Written with misses beside hits, so that nothing cancels where both shares are near 1.
    """
    ratio, hits, y1, y2 = exp(log_ratio), x1 + x2, n1 - x1, n2 - x2
    d = expm1(log_ratio) * hits + ratio * y1 - y2
    product = 4 * ratio * y1 * y2
    root = sqrt(d * d + product)
    below = n1 * ratio + x1 + n2 + x2 * ratio + root
    up = d + root if d > 0 else _over(product, root - d)
    down = root - d if d < 0 else _over(product, root + d)
    p2 = 2 * hits / below
    return _chi2(x1, y1, p2 * ratio, (down + 2 * ratio * y1) / below) + _chi2(x2, y2, p2, (up + 2 * y2) / below)


def _over(above: float, below: float) -> float:
    return above / below if below else 0.0


def _chi2(x: int, y: int, p: float, q: float) -> float:
    """(x - n p)² / (n p q), with q = 1 - p known better than by subtraction."""
    off = x * q - y * p
    if off == 0:
        return 0.0
    return off * off / ((x + y) * p * q) if p > 0 and q > 0 else 1e300
