"""Service levels: error budgets in runs, burn rates, alerts, and what a chain of steps can promise."""

from __future__ import annotations

from aftershock.metrics.service_levels.budgets import (
    ErrorBudget,
    ErrorBudgets,
    allowed_downtime,
    error_budget,
    error_budgets,
)
from aftershock.metrics.service_levels.burn_policy import (
    BurnOutlook,
    BurnRatePolicy,
    burn_outlook,
    burn_rate_thresholds,
    detection_time,
)
from aftershock.metrics.service_levels.burning import BurnAlerts, BurnRates, burn_alerts, burn_rates
from aftershock.metrics.service_levels.chains import ChainReliability, chain_reliability
from aftershock.metrics.service_levels.composition import parallel, series, with_fallback, with_retry
from aftershock.metrics.service_levels.ladders import RetryLadder, retry_ladder
from aftershock.metrics.service_levels.satisfaction import ApdexScores, apdex, apdex_of_runs

__all__ = [
    "ApdexScores",
    "BurnAlerts",
    "BurnOutlook",
    "BurnRatePolicy",
    "BurnRates",
    "ChainReliability",
    "ErrorBudget",
    "ErrorBudgets",
    "RetryLadder",
    "allowed_downtime",
    "apdex",
    "apdex_of_runs",
    "burn_alerts",
    "burn_outlook",
    "burn_rate_thresholds",
    "burn_rates",
    "chain_reliability",
    "detection_time",
    "error_budget",
    "error_budgets",
    "parallel",
    "retry_ladder",
    "series",
    "with_fallback",
    "with_retry",
]
