"""Load, lags and periods: the cases F03, F05 and F06."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from published import Calculation, Case

from aftershock.metrics import cross_correlation, periodicity, scalability_law


def _scalability(case: Case) -> Mapping[str, Any]:
    rows = case.rows()
    law = scalability_law([float(row["load"]) for row in rows], [float(row["throughput"]) for row in rows])
    # R prints these two without decimals.
    whole = {"peak_throughput": round(law.peak_throughput or 0), "limit": round(law.limit or 0)}
    parameters = {name: getattr(law, name).estimate for name in ("alpha", "beta", "gamma")}
    return {**parameters, **whole, "se": list(law.se), "peak_load": law.peak_load.estimate}


def _periods(case: Case) -> Mapping[str, Any]:
    sunspots, lynx = ([float(row["n"]) for row in case.rows(name)] for name in case.inputs["csv"])
    return {
        "sunspot": periodicity([math.sqrt(value) for value in sunspots]).period.estimate,
        "lynx": periodicity([math.log10(value) for value in lynx]).period.estimate,
    }


def _cross_correlation(case: Case) -> Mapping[str, Any]:
    rows = case.rows()
    result = cross_correlation([float(row["m"]) for row in rows], [float(row["f"]) for row in rows], max_lag=3)
    return {"ccf": result.table["correlation"].tolist()}


CALCULATIONS: dict[str, Calculation] = {"F03": _scalability, "F05": _periods, "F06": _cross_correlation}
