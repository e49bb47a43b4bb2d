"""Metrics: Ibis tables or arrays in; out comes a frozen result with n, what was left out and the interval.

One metric is one function, in a module of the topic's folder. No files, no plotting, no clock. What a topic offers stands in the
`__all__` of its folder; everything is importable from here and from `aftershock`. No module is called like a function in it.
"""

from __future__ import annotations

from aftershock.metrics import (
    behaviour,
    change,
    fingerprints,
    load,
    proportions,
    recovery,
    repairable,
    service_levels,
)
from aftershock.metrics.behaviour import *
from aftershock.metrics.change import *
from aftershock.metrics.fingerprints import *
from aftershock.metrics.load import *
from aftershock.metrics.log_coverage import Coverage, coverage, covered_days
from aftershock.metrics.periods import Period, newest_whole
from aftershock.metrics.proportions import *
from aftershock.metrics.recovery import *
from aftershock.metrics.repairable import *
from aftershock.metrics.results import Interval, Result
from aftershock.metrics.service_levels import *

TOPICS = (proportions, repairable, recovery, service_levels, change, load, behaviour, fingerprints)
__all__ = ["Coverage", "Interval", "Period", "Result", "coverage", "covered_days", "newest_whole"]
__all__ += [name for topic in TOPICS for name in topic.__all__]
