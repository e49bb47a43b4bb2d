"""Proportions: the published cases P01 to P16."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from published import Calculation, Case, cases

from aftershock import metrics

Pair = list[float | None]


def _bounds(interval: metrics.Interval) -> Pair:
    return [interval.low, interval.high]


def _low_high(interval: metrics.Interval) -> dict[str, float | None]:
    return {"lower": interval.low, "upper": interval.high, "estimate": interval.estimate}


def _by_method(case: Case) -> dict[str, Pair]:
    x, n, level = (case.inputs[name] for name in ("x", "n", "conf"))
    return {name: _bounds(getattr(metrics, name)(x, n, level)) for name in case.expected}


def _by_method_of_many(case: Case) -> dict[str, list[Pair]]:
    return {name: [_bounds(getattr(metrics, name)(x, n)) for x, n in case.inputs["cases"]] for name in case.expected}


def _newcombe(case: Case) -> dict[str, list[Pair]]:
    return {"ci": [_bounds(metrics.newcombe(**pair, level=case.inputs["conf"])) for pair in case.inputs["cases"]]}


def _zero_failures(case: Case) -> dict[str, list[float | None]]:
    sizes = [n for _, n in case.inputs["cases"]]
    return {
        "rule_of_three": [metrics.rule_of_three(n) for n in sizes],
        "exact_95_one_sided": [metrics.zero_failure_bound(n) for n in sizes],
    }


def _baseball(case: Case) -> dict[str, Any]:
    found = metrics.james_stein(case.inputs["hits"], case.inputs["at_bats"])
    return {"grand_mean": found.mean, "shrink_factor": found.shrink_factor, "estimates": list(found.estimates)}


def _rats_by_moments(case: Case) -> dict[str, float | None]:
    fit = metrics.beta_binomial(case.inputs["y"], case.inputs["n"], method="moments")
    new = fit.posterior(*case.inputs["new"])
    # alpha and beta are printed with one digit behind the point, and held to the digits printed.
    assert fit.alpha is not None
    assert fit.beta is not None
    return {
        "mean": fit.mean,
        "sd": fit.sd,
        "alpha": round(fit.alpha, 1),
        "beta": round(fit.beta, 1),
        "post_mean": new.mean,
        "post_sd": new.sd,
    }


def _rats_by_likelihood(_: Case) -> dict[str, float | None]:
    rats = cases()["P11"].inputs  # the case itself says "as P12": these 70 groups and the new one
    fit = metrics.beta_binomial([*rats["y"], rats["new"][0]], [*rats["n"], rats["new"][1]])
    return {"alpha": fit.alpha, "beta": fit.beta}


def _fdr(case: Case) -> dict[str, Any]:
    found = metrics.benjamini_hochberg(case.inputs["p"], alpha=case.inputs["alpha"])
    return {
        "bh_rejected": found.rejected,
        "bonferroni_rejected": found.bonferroni_rejected,
        "adjusted": list(found.q_values),
    }


def _hospitals(case: Case) -> dict[str, Any]:
    units: Mapping[str, tuple[int, int]] = case.inputs["units"]
    deaths, operations = zip(*units.values(), strict=True)
    found = metrics.funnel(deaths, operations, names=list(units))
    rows = found.to_pandas().set_index("name")
    return {
        "pooled": found.target,
        "outside_3sd": list(rows.index[rows["verdict"] == "outside 99.8 %"]),
        "z_bristol": rows.loc["Bristol", "z"],
        "phi": found.phi,
    }


def _rates(case: Case) -> dict[str, Any]:
    rate = metrics.poisson_rate(case.inputs["count"], case.inputs["exposure"])
    (count1, exposure1), (count2, exposure2) = case.inputs["two"]
    two = metrics.poisson_ratio(count1, exposure1, count2, exposure2)
    return {
        "rate": rate.estimate,
        "lower": rate.low,
        "upper": rate.high,
        "ratio": two.ratio,
        "ratio_ci": [two.low, two.high],
        "p": two.p_value,
    }


CALCULATIONS: dict[str, Calculation] = {
    "P01": lambda case: _low_high(metrics.clopper_pearson(case.inputs["x"], case.inputs["n"], case.inputs["conf"])),
    "P02": _by_method,
    "P04": lambda case: _low_high(metrics.plus_four(case.inputs["x"], case.inputs["n"], case.inputs["conf"])),
    "P05": _by_method_of_many,
    "P06": _newcombe,
    "P09": _zero_failures,
    "P10": _baseball,
    "P11": _rats_by_moments,
    "P13": _rats_by_likelihood,
    "P14": _fdr,
    "P15": _hospitals,
    "P16": _rates,
}
