"""Shares of counted things: intervals, differences, many at once, and which of many stand out."""

from __future__ import annotations

from aftershock.metrics.proportions.failure_rates import FailureRates, failure_rate
from aftershock.metrics.proportions.intervals import (
    clopper_pearson,
    jeffreys,
    likelihood_ratio,
    mid_p,
    newcombe,
    rule_of_three,
    wilson,
    wilson_cc,
    zero_failure_bound,
)
from aftershock.metrics.proportions.silent import SilentFailures, silent_failures

__all__ = [
    "FailureRates",
    "SilentFailures",
    "clopper_pearson",
    "failure_rate",
    "jeffreys",
    "likelihood_ratio",
    "mid_p",
    "newcombe",
    "rule_of_three",
    "silent_failures",
    "wilson",
    "wilson_cc",
    "zero_failure_bound",
]
