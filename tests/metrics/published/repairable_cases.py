"""Published cases of repairable systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from published import Calculation, Case

from aftershock.metrics import (
    laplace_trend,
    mean_cumulative_function,
    military_handbook_trend,
    mtbf,
    power_law,
    reverse_arrangements,
)


def _limits(case: Case) -> Mapping[str, Any]:
    result = mtbf(case.inputs["r"], case.inputs["T"], level=case.inputs["conf"])
    assert result.mtbf is not None
    assert result.low is not None
    assert result.high is not None
    factors = {"factor_lower": result.low / result.mtbf, "factor_upper": result.high / result.mtbf}
    # Printed as whole hours.
    return {"mtbf": result.mtbf, **factors, "lower": round(result.low), "upper": round(result.high)}


def _no_failure(case: Case) -> Mapping[str, Any]:
    return {"lower": [mtbf(case.inputs["r"], case.inputs["T"], level=level).low for level in case.inputs["conf"]]}


def _trends(case: Case) -> Mapping[str, Any]:
    times, total = case.inputs["times"], case.inputs["T"]
    order, handbook = reverse_arrangements(times), military_handbook_trend(times, total)
    return {
        "reversals": order.statistic,
        "max_reversals": order.most,
        "mil_chi2": handbook.statistic,
        "mil_df": handbook.df,
        "mil_p_upper": handbook.p_improving,
        "laplace_z": laplace_trend(times, total).statistic,
    }


def _modified(case: Case) -> Mapping[str, Any]:
    """NIST's b is our unbiased beta, its BetaHat 1 - b, its a our unbiased lambda."""
    from statistics import NormalDist

    fit = power_law(
        case.inputs["times"], case.inputs["T"], truncation=case.inputs["truncation"], level=case.inputs["conf"]
    )
    limits = fit.bounds("mtbf", method="nist")
    assert fit.beta_unbiased is not None
    return {
        "BetaHat": 1 - fit.beta_unbiased,
        "aHat": fit.lam_unbiased,
        "bHat": fit.beta_unbiased,
        "MTBF": fit.mtbf_unbiased,
        "ML": limits.low,
        "MU": limits.high,
        "za": NormalDist().inv_cdf((1 + case.inputs["conf"]) / 2),
    }


def _crow(case: Case) -> Mapping[str, Any]:
    fit = power_law(case.inputs["times"], case.inputs["T"], truncation=case.inputs["truncation"])
    return {
        "beta": fit.beta,
        "lam": fit.lam,
        "cum_mtbf": fit.cumulative_mtbf,
        "inst_mtbf": fit.mtbf,
        "growth_rate": fit.growth_rate,
    }


def _handbook(case: Case) -> Mapping[str, Any]:
    fit = power_law(case.inputs["times"], case.inputs["T"], truncation=case.inputs["truncation"])
    values = {"beta": fit.beta, "lam": fit.lam, "intensity": fit.intensity, "mtbf": fit.mtbf, "cvm": fit.cvm}
    return {**values, "beta_unbiased": fit.beta_unbiased}


def _rocof(case: Case) -> Mapping[str, Any]:
    times = np.cumsum(case.inputs["interarrivals"])
    fit = power_law(times, truncation="failure")
    return {"U": laplace_trend(times, truncation="failure").statistic, "Beta_hat": fit.beta, "Lambda_hat": fit.lam}


def _five_systems(case: Case) -> Mapping[str, Any]:
    """One-sided 95 % bounds: two-sided 90 %."""
    systems = case.inputs["systems"]
    curve = mean_cumulative_function(
        [one[:-1] for one in systems], [one[-1] for one in systems], variance="independent", level=0.9
    ).table
    named = {"time": "time", "mcf": "mcf", "variance": "variance", "low": "lower", "high": "upper"}
    return {theirs: curve[ours].tolist() for ours, theirs in named.items()}


def _valve_seats(case: Case) -> Mapping[str, Any]:
    times: dict[str, list[float]] = {}
    ends: dict[str, float] = {}
    for row in case.rows():
        own = times.setdefault(row["ID"], [])
        if row["No."] == "1":
            own.append(float(row["Days"]))
        else:
            ends[row["ID"]] = float(row["Days"])
    curve = mean_cumulative_function(list(times.values()), [ends[engine] for engine in times])
    by_day = curve.table.set_index("time")
    found: dict[str, Any] = {"engines": curve.systems, "replacements": curve.n, "points": len(by_day)}
    for day in (61, 92, 646, 653):
        found |= {f"mcf_{day}": by_day.loc[day, "mcf"], f"se_{day}": by_day.loc[day, "variance"] ** 0.5}
    return found


CALCULATIONS: dict[str, Calculation] = {
    "R01": _limits,
    "R02": _no_failure,
    "R03": _trends,
    "R04": _modified,
    "R05": _crow,
    "R07": _handbook,
    "R10": _rocof,
    "R11": _five_systems,
    "R13": _valve_seats,
}
