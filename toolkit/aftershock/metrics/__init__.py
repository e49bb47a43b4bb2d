"""Metrics: Ibis tables in, an Ibis table out, inside a frozen result with n, what was left out and the interval.

One metric is one function. No files, no plotting, no clock. Names load when they are first used, so help stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aftershock.metrics.failure_rates import FailureRates as FailureRates
    from aftershock.metrics.failure_rates import failure_rate as failure_rate
    from aftershock.metrics.intervals import Interval as Interval
    from aftershock.metrics.intervals import newcombe as newcombe
    from aftershock.metrics.intervals import rule_of_three as rule_of_three
    from aftershock.metrics.intervals import wilson as wilson
    from aftershock.metrics.intervals import zero_failure_bound as zero_failure_bound
    from aftershock.metrics.log_coverage import Coverage as Coverage
    from aftershock.metrics.log_coverage import coverage as coverage
    from aftershock.metrics.log_coverage import covered_days as covered_days
    from aftershock.metrics.periods import Period as Period
    from aftershock.metrics.periods import newest_whole as newest_whole
    from aftershock.metrics.silent import SilentFailures as SilentFailures
    from aftershock.metrics.silent import silent_failures as silent_failures

# No module is called like the function in it: loading the module would hide the function.
_WHERE: Final = {
    "Coverage": "log_coverage",
    "FailureRates": "failure_rates",
    "Interval": "intervals",
    "Period": "periods",
    "SilentFailures": "silent",
    "coverage": "log_coverage",
    "covered_days": "log_coverage",
    "failure_rate": "failure_rates",
    "newcombe": "intervals",
    "newest_whole": "periods",
    "rule_of_three": "intervals",
    "silent_failures": "silent",
    "wilson": "intervals",
    "zero_failure_bound": "intervals",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
