"""How failures behave: do they come and go, do retries help, do they come together, do they come on a beat?"""

from __future__ import annotations

from aftershock.metrics.behaviour.attributes import FailureAttributes, failure_attributes
from aftershock.metrics.behaviour.co_failures import CoFailures, FailureGroup, co_failure
from aftershock.metrics.behaviour.contingency import Association, association
from aftershock.metrics.behaviour.delays import ResponseDelays, response_delays
from aftershock.metrics.behaviour.failure_cells import FailurePairs, failure_pairs
from aftershock.metrics.behaviour.flaky import Flakiness, flakiness
from aftershock.metrics.behaviour.flips import WithinVersions, flip_rate, outcome_entropy
from aftershock.metrics.behaviour.ladders import (
    MaskedFailures,
    RetryEffectiveness,
    masked_failures,
    retry_effectiveness,
)
from aftershock.metrics.behaviour.lags import CrossCorrelation, LaggedFailures, cross_correlation, lagged_failures
from aftershock.metrics.behaviour.missed_runs import LearnedSchedules, learned_schedules
from aftershock.metrics.behaviour.profiles import TemporalProfile, temporal_profile
from aftershock.metrics.behaviour.rules import AssociationRules, association_rules
from aftershock.metrics.behaviour.schedules import LearnedSchedule, learned_schedule
from aftershock.metrics.behaviour.sequences import DeclareConstraints, declare_constraints
from aftershock.metrics.behaviour.spectra import Periodicity, periodicity

__all__ = [
    "Association",
    "AssociationRules",
    "CoFailures",
    "CrossCorrelation",
    "DeclareConstraints",
    "FailureAttributes",
    "FailureGroup",
    "FailurePairs",
    "Flakiness",
    "LaggedFailures",
    "LearnedSchedule",
    "LearnedSchedules",
    "MaskedFailures",
    "Periodicity",
    "ResponseDelays",
    "RetryEffectiveness",
    "TemporalProfile",
    "WithinVersions",
    "association",
    "association_rules",
    "co_failure",
    "cross_correlation",
    "declare_constraints",
    "failure_attributes",
    "failure_pairs",
    "flakiness",
    "flip_rate",
    "lagged_failures",
    "learned_schedule",
    "learned_schedules",
    "masked_failures",
    "outcome_entropy",
    "periodicity",
    "response_delays",
    "retry_effectiveness",
    "temporal_profile",
]
