"""Change over time: control charts, change points with their uncertainty, and baselines by hour of the week."""

from __future__ import annotations

from aftershock.metrics.change.attributes import c_chart, laney_p_chart, laney_u_chart, p_chart, u_chart
from aftershock.metrics.change.control_chart import ControlChart
from aftershock.metrics.change.daily import DailyCounts, FailureControl, daily_counts, failure_control
from aftershock.metrics.change.fleet import FailureChanges, changes_inside, failure_changes
from aftershock.metrics.change.hours import HourOfWeekBaseline, hour_of_week_baseline
from aftershock.metrics.change.nelson import RunRules, run_rules
from aftershock.metrics.change.positions import ChangePoint, change_point
from aftershock.metrics.change.rare_events import g_chart, t_chart
from aftershock.metrics.change.robust import RobustZ, mad, quantile, robust_z
from aftershock.metrics.change.segmentation import ChangePoints, change_points
from aftershock.metrics.change.structural import SupF, sup_f
from aftershock.metrics.change.variables import (
    CusumChart,
    cusum_chart,
    cusum_run_length,
    ewma_chart,
    individuals_chart,
)

__all__ = [
    "ChangePoint",
    "ChangePoints",
    "ControlChart",
    "CusumChart",
    "DailyCounts",
    "FailureChanges",
    "FailureControl",
    "HourOfWeekBaseline",
    "RobustZ",
    "RunRules",
    "SupF",
    "c_chart",
    "change_point",
    "change_points",
    "changes_inside",
    "cusum_chart",
    "cusum_run_length",
    "daily_counts",
    "ewma_chart",
    "failure_changes",
    "failure_control",
    "g_chart",
    "hour_of_week_baseline",
    "individuals_chart",
    "laney_p_chart",
    "laney_u_chart",
    "mad",
    "p_chart",
    "quantile",
    "robust_z",
    "run_rules",
    "sup_f",
    "t_chart",
    "u_chart",
]
