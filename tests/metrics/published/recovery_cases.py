"""Time to recovery: Freireich's remission times, recidivism (Rossi), Waltons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from published import Calculation, Case, cases

from aftershock.metrics import cox_regression, kaplan_meier, log_rank, nelson_aalen


def _lifelines_data(case: Case) -> Any:
    """A data set that lifelines carries; only the data are taken from there."""
    lifelines = pytest.importorskip("lifelines.datasets", reason="the data come with lifelines, which is not installed")
    return getattr(lifelines, str(case.inputs["dataset"]).rpartition(".")[2])()


def _times(case: Case) -> tuple[Any, Any]:
    inputs = case.inputs
    if isinstance(inputs["time"], str):  # "as S01"
        inputs = cases()[inputs["time"].split()[-1]].inputs
    return inputs["time"], inputs["event"]


def _curve(case: Case) -> Mapping[str, Any]:
    curve = kaplan_meier(*_times(case))
    steps = curve.table[curve.table["events"] > 0]
    return {"S": list(steps["survival"]), "se": list(steps["se"]), "median": curve.median}


def _hazard(case: Case) -> Mapping[str, Any]:
    table = nelson_aalen(*_times(case)).table
    return {"H": list(table[table["events"] > 0]["hazard"])}


def _two_groups(case: Case) -> Mapping[str, Any]:
    first, second = case.inputs["a"], case.inputs["b"]
    groups = ["a"] * len(first["time"]) + ["b"] * len(second["time"])
    test = log_rank(first["time"] + second["time"], first["event"] + second["event"], groups)
    return {"chi2": test.chi2, "p": test.p_value}


def _rossi(case: Case) -> Mapping[str, Any]:
    data = _lifelines_data(case)
    return cox_regression(data["week"], data["arrest"], data[list(case.expected)]).coefficients


def _waltons(case: Case) -> Mapping[str, Any]:
    data = _lifelines_data(case)
    control = data[data["group"] == "control"]
    other = data[data["group"] != "control"]
    return {
        "chi2": log_rank(data["T"], data["E"], data["group"]).chi2,
        "median_all": kaplan_meier(data["T"], data["E"]).median,
        "median_control": kaplan_meier(control["T"], control["E"]).median,
        "median_mir": kaplan_meier(other["T"], other["E"]).median,
    }


CALCULATIONS: dict[str, Calculation] = {
    "S01": _curve,
    "S02": _hazard,
    "S03": _two_groups,
    "S06": _rossi,
    "S07": _waltons,
}
