"""Time to recovery and between failures, with incidents that are still open counted as such."""

from __future__ import annotations

from aftershock.metrics.recovery.competing_outcomes import CumulativeIncidence, cumulative_incidence
from aftershock.metrics.recovery.cumulative_hazard import NelsonAalen, nelson_aalen
from aftershock.metrics.recovery.group_comparison import LogRank, log_rank
from aftershock.metrics.recovery.hazard_regression import CoxRegression, cox_regression
from aftershock.metrics.recovery.incident_tables import Incidents, incidents
from aftershock.metrics.recovery.recovery_metrics import (
    FailureTimes,
    RecoveryTimes,
    recovery_times,
    time_between_failures,
)
from aftershock.metrics.recovery.survival_curve import KaplanMeier, kaplan_meier
from aftershock.metrics.recovery.typical_time import geometric_mean

__all__ = [
    "CoxRegression",
    "CumulativeIncidence",
    "FailureTimes",
    "Incidents",
    "KaplanMeier",
    "LogRank",
    "NelsonAalen",
    "RecoveryTimes",
    "cox_regression",
    "cumulative_incidence",
    "geometric_mean",
    "incidents",
    "kaplan_meier",
    "log_rank",
    "nelson_aalen",
    "recovery_times",
    "time_between_failures",
]
