"""Repairable systems: does an automation fail more and more often, how often, and did the fixes help?"""

from __future__ import annotations

from aftershock.metrics.repairable.cumulative_function import MeanCumulativeFunction, mean_cumulative_function
from aftershock.metrics.repairable.fleet_cumulative import cumulative_failures
from aftershock.metrics.repairable.fleet_time_between import MtbfByAutomation, mtbf_by_automation
from aftershock.metrics.repairable.fleet_trends import FailureTrends, failure_trends
from aftershock.metrics.repairable.grouped_failures import PowerLawGrouped, power_law_grouped
from aftershock.metrics.repairable.growth_projection import (
    CrowProjection,
    crow_projection,
    crow_projection_of_modes,
)
from aftershock.metrics.repairable.power_law_bounds import current_mtbf_factors
from aftershock.metrics.repairable.power_law_model import PowerLaw, power_law
from aftershock.metrics.repairable.time_between import Mtbf, mtbf
from aftershock.metrics.repairable.trend_tests import (
    TrendTest,
    laplace_trend,
    military_handbook_trend,
    reverse_arrangements,
)

__all__ = [
    "CrowProjection",
    "FailureTrends",
    "MeanCumulativeFunction",
    "Mtbf",
    "MtbfByAutomation",
    "PowerLaw",
    "PowerLawGrouped",
    "TrendTest",
    "crow_projection",
    "crow_projection_of_modes",
    "cumulative_failures",
    "current_mtbf_factors",
    "failure_trends",
    "laplace_trend",
    "mean_cumulative_function",
    "military_handbook_trend",
    "mtbf",
    "mtbf_by_automation",
    "power_law",
    "power_law_grouped",
    "reverse_arrangements",
]
