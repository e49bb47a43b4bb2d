"""Published cases of service levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from published import Calculation, Case

from aftershock.metrics import allowed_downtime, apdex, burn_outlook, burn_rate_thresholds, parallel, series


def _thresholds(case: Case) -> Mapping[str, Any]:
    policy = [(share, hours, "page") for share, hours in case.inputs["rows"]]
    rules = burn_rate_thresholds(policy, period_days=case.inputs["period_days"]).table
    return {"burn": rules["burn"].tolist(), "short_over_long": (rules["short_h"] / rules["long_h"]).tolist()}


def _exhaustion(case: Case) -> Mapping[str, Any]:
    outlooks = [burn_outlook(burn, case.inputs["slo"]) for burn in case.inputs["burn"]]
    return {
        "error_rate": [one.error_rate for one in outlooks],
        "days": [one.exhausted_after_days for one in outlooks[:-1]],
        "last_minutes": outlooks[-1].exhausted_after_minutes,
    }


def _minutes(case: Case) -> Mapping[str, Any]:
    return {"minutes": [allowed_downtime(objective).estimate for objective in case.inputs["slo"]]}


def _apdex(case: Case) -> Mapping[str, Any]:
    return {"apdex": apdex(case.inputs["satisfied"], case.inputs["tolerating"], case.inputs["frustrated"]).estimate}


def _eight_services(case: Case) -> Mapping[str, Any]:
    whole = series([percent / 100 for percent in case.inputs["percent"]]).estimate
    return {"combined_percent": None if whole is None else whole * 100}


def _series_and_parallel(case: Case) -> Mapping[str, Any]:
    return {"series": series(case.inputs["series"]).estimate, "parallel": parallel(case.inputs["parallel"]).estimate}


CALCULATIONS: dict[str, Calculation] = {
    "E01": _thresholds,
    "E02": _exhaustion,
    "E04": _minutes,
    "E05": _apdex,
    "E06": _eight_services,
    "E07": _series_and_parallel,
}
