"""Shares of counted things: intervals, differences, many at once, and which of many stand out."""

from __future__ import annotations

from aftershock.metrics.proportions.adjusted import agresti_coull, plus_four
from aftershock.metrics.proportions.clustered import ClusterBootstrap, cluster_bootstrap
from aftershock.metrics.proportions.exposures import RateRatio, poisson_rate, poisson_ratio
from aftershock.metrics.proportions.failure_rates import FailureRates, failure_rate
from aftershock.metrics.proportions.funnels import Funnel, funnel
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
from aftershock.metrics.proportions.many_intervals import ProportionIntervals, proportion_intervals
from aftershock.metrics.proportions.multiplicity import Discoveries, benjamini_hochberg
from aftershock.metrics.proportions.ranked import Ranking, ranking
from aftershock.metrics.proportions.score_comparisons import koopman, mee, miettinen_nurminen
from aftershock.metrics.proportions.shrinkage import BetaBinomial, Posterior, beta_binomial
from aftershock.metrics.proportions.silent import SilentFailures, silent_failures
from aftershock.metrics.proportions.stein import Shrunken, james_stein

__all__ = [
    "BetaBinomial",
    "ClusterBootstrap",
    "Discoveries",
    "FailureRates",
    "Funnel",
    "Posterior",
    "ProportionIntervals",
    "Ranking",
    "RateRatio",
    "Shrunken",
    "SilentFailures",
    "agresti_coull",
    "benjamini_hochberg",
    "beta_binomial",
    "clopper_pearson",
    "cluster_bootstrap",
    "failure_rate",
    "funnel",
    "james_stein",
    "jeffreys",
    "koopman",
    "likelihood_ratio",
    "mee",
    "mid_p",
    "miettinen_nurminen",
    "newcombe",
    "plus_four",
    "poisson_rate",
    "poisson_ratio",
    "proportion_intervals",
    "ranking",
    "rule_of_three",
    "silent_failures",
    "wilson",
    "wilson_cc",
    "zero_failure_bound",
]
