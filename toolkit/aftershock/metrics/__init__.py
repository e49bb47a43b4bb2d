"""Metrics: Ibis tables in, an Ibis table out, inside a frozen result that carries n, what was left out and the interval.

One metric is one function. No files, no plotting, no clock. Names load when they are first used, so that help stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aftershock.metrics.log_coverage import Coverage, coverage, covered_days
    from aftershock.metrics.failure_rates import FailureRates, failure_rate
    from aftershock.metrics.intervals import Interval, newcombe, rule_of_three, wilson, zero_failure_bound
    from aftershock.metrics.periods import Period, newest_whole
    from aftershock.metrics.silent import SilentFailures, silent_failures

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
__all__ = list(_WHERE)  # noqa: PLE0605  (one list, not two)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
