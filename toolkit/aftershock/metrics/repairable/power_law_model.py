"""`power_law`: the power-law process (Crow-AMSAA, Weibull process), the model of a system that gets better or worse with age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aftershock.metrics.repairable import power_law_bounds as limits
from aftershock.metrics.repairable.arrays import Floats, System, Truncation, level_checked, systems_of, used
from aftershock.metrics.repairable.cramer_von_mises import cramer_von_mises
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal["beta", "lam", "mtbf", "intensity", "growth_rate"]
Estimate = Literal["mle", "unbiased"]


@dataclass(frozen=True)
class PowerLaw:
    """A fitted power law: lam * t**beta failures are expected of one system until age t; beta below 1 is improving.

    `beta`, `lam` are maximum likelihood; `beta_unbiased`, `lam_unbiased` correct for few failures (NIST's "modified" estimate for time
    truncation). `total_time` is the age at which `mtbf` (the instantaneous one) and `intensity` are given: the end of observation.
    `cvm` is the Cramér-von Mises distance from the fit, `cvm_p_value` how often a true power law lies as far off. Null where n is too small.
    """

    beta: float | None
    lam: float | None
    beta_unbiased: float | None
    lam_unbiased: float | None
    n: int
    systems: int
    total_time: float
    truncation: Truncation
    level: float
    cvm: float | None = None
    cvm_p_value: float | None = None
    left_out: int = 0
    informative: int = 0
    log_sum: float = field(default=0.0, repr=False)
    ends: tuple[float, ...] = field(default=(), repr=False)

    @property
    def growth_rate(self) -> float | None:
        """1 - beta: above 0 where it improves."""
        return None if self.beta is None else 1 - self.beta

    @property
    def intensity(self) -> float | None:
        """Failures per unit of time of one system at `total_time`."""
        return self.intensity_at(self.total_time)

    @property
    def mtbf(self) -> float | None:
        """The instantaneous MTBF at `total_time`: what to expect if nothing changes from now on."""
        return _inverse(self.intensity)

    @property
    def mtbf_unbiased(self) -> float | None:
        """The same from the bias-corrected estimates."""
        return _inverse(self.intensity_at(self.total_time, "unbiased"))

    @property
    def cumulative_mtbf(self) -> float | None:
        """Time per failure over the whole observation, of one system."""
        expected = self.expected_failures(self.total_time)
        return self.total_time / expected if expected else None

    def intensity_at(self, age: float, estimate: Estimate = "mle") -> float | None:
        """lam * beta * age**(beta - 1)."""
        beta, lam = self._parameters(estimate)
        return None if beta is None or lam is None else lam * beta * age ** (beta - 1)

    def mtbf_at(self, age: float, estimate: Estimate = "mle") -> float | None:
        """The instantaneous MTBF at an age."""
        return _inverse(self.intensity_at(age, estimate))

    def expected_failures(self, age: float, estimate: Estimate = "mle") -> float | None:
        """lam * age**beta."""
        beta, lam = self._parameters(estimate)
        return None if beta is None or lam is None else lam * age**beta

    @property
    def interval(self) -> Interval:
        """beta with its exact bounds (Fisher's where systems were observed for different times)."""
        return self.bounds("beta", method="crow" if len(set(self.ends)) <= 1 else "fisher")

    def bounds(self, of: Quantity = "mtbf", *, method: limits.Method = "crow", level: float | None = None) -> Interval:
        """Two-sided bounds of a quantity, at the end of observation.

        `crow`: exact for beta (chi-square) and for the instantaneous MTBF (Crow 1982); for lam, as ReliaSoft has it, with beta taken
        as known: far too narrow. `fisher`: normal on the logarithm, from the information matrix. `nist`: the approximation of NIST
        8.4.5.2 around the unbiased MTBF, time truncation only.
        The estimate is the maximum likelihood one, for `nist` the unbiased one.

        Raises: ValueError for a quantity, method or level that is none, and for `crow` or `nist` where they are not defined.
        """
        level = level_checked(self.level if level is None else level)
        if of not in ("beta", "lam", "mtbf", "intensity", "growth_rate"):
            raise ValueError(f"of: {of!r}: write beta, lam, mtbf, intensity or growth_rate")
        if method not in limits.METHODS:
            raise ValueError(f"method: {method!r}: write {', '.join(limits.METHODS)}")
        if of == "intensity":
            return _flipped(self.bounds("mtbf", method=method, level=level))
        if of == "growth_rate":
            one = self.bounds("beta", method=method, level=level)
            low, high, middle = (None if x is None else 1 - x for x in (one.high, one.low, one.estimate))
            return Interval(middle, low, high, one.n, level, one.method)
        estimate: float | None = self.mtbf_unbiased if method == "nist" else getattr(self, of)
        name = f"{of}, {method}"
        if estimate is None or self.beta is None:
            return Interval(None, None, None, self.n, level, name)
        fit = limits.Fit(self.n, self.informative, self.log_sum, self.beta, self.ends, self.truncation)
        low, high = limits.bounds(fit, of, method, level, estimate)
        return Interval(estimate, low, high, self.n, level, name)

    def to_pandas(self) -> pd.DataFrame:
        """One row: the parameters, and mtbf, intensity, growth_rate at the end of observation."""
        row = one_row(self)
        extra = ("growth_rate", "intensity", "mtbf", "mtbf_unbiased", "cumulative_mtbf")
        return row.assign(**{name: getattr(self, name) for name in extra})

    def _parameters(self, estimate: Estimate) -> tuple[float | None, float | None]:
        if estimate not in ("mle", "unbiased"):
            raise ValueError(f"estimate: {estimate!r}: write 'mle' or 'unbiased'")
        return (self.beta, self.lam) if estimate == "mle" else (self.beta_unbiased, self.lam_unbiased)


def power_law(
    times: Sequence[Any],
    total_time: float | Sequence[float] | None = None,
    *,
    truncation: Truncation = "time",
    level: float = 0.95,
    seed: int = 0,
) -> PowerLaw:
    """Fit the power-law process to failure times of one system, or of several (a sequence of sequences) with one law in common.

    Times are ages, from 0. `total_time` is when the observation ended, one for all or one each; with `truncation="failure"` it ended with
    the last failure. `seed` is for the simulated distribution of the Cramér-von Mises distance.

    Null where no failure carries information (none at all, or one that ended the observation).

    Raises: ValueError for times outside the observation, a wrong truncation or level.
    Source: Crow (1974), in Reliability and Biometry, SIAM, 379; MIL-HDBK-189 (1981) Appendix C; Rigdon and Basu (2000).
    """
    level_checked(level)
    systems = systems_of(times, total_time, truncation)
    n, counted = sum(one.times.size for one in systems), [used(one, truncation) for one in systems]
    shares = (
        np.concatenate([one / system.end for one, system in zip(counted, systems, strict=True)])
        if systems
        else np.empty(0)
    )
    ends = np.array([system.end for system in systems])
    longest, m, log_sum = float(ends.max(initial=0.0)), int(shares.size), float(-np.log(shares).sum())
    empty = PowerLaw(
        None, None, None, None, n, len(systems), longest, truncation, level, informative=m, ends=tuple(ends.tolist())
    )
    if m == 0 or log_sum <= 0:
        return empty
    common = bool((ends == ends[0]).all())
    beta = n / log_sum if common else _solved(systems, n, longest)
    unbiased = (m - 1) / log_sum if m > 1 else None
    distance, p = cramer_von_mises(shares, unbiased, seed) if unbiased else (None, None)
    return replace(
        empty,
        beta=beta,
        lam=n / float((ends**beta).sum()),
        beta_unbiased=unbiased,
        lam_unbiased=None if unbiased is None else n / float((ends**unbiased).sum()),
        cvm=distance,
        cvm_p_value=p,
        log_sum=log_sum,
    )


def _solved(systems: list[System], n: int, longest: float) -> float:
    """The maximum likelihood beta of systems that were observed for different times; in units of the longest, so that no power overflows."""
    from scipy.optimize import brentq  # slow to import

    ends: Floats = np.array([system.end for system in systems]) / longest
    logs = float(sum(np.log(system.times / longest).sum() for system in systems))

    def score(log_beta: float) -> float:
        beta = exp(log_beta)
        powers = ends**beta
        return n / beta + logs - n * float((powers * np.log(ends)).sum() / powers.sum())

    return exp(float(brentq(score, log(1e-6), log(1e6), xtol=1e-14)))


def _inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def _flipped(one: Interval) -> Interval:
    return Interval(
        _inverse(one.estimate),
        _inverse(one.high),
        _inverse(one.low),
        one.n,
        one.level,
        one.method.replace("mtbf", "intensity"),
    )
