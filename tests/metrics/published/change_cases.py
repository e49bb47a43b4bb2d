"""Control charts, change points, robust baselines: C01 to C12, and F07, which reads a folder of the Numenta benchmark."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from published import Calculation, Case

from aftershock.metrics import (
    c_chart,
    change_point,
    change_points,
    cusum_chart,
    ewma_chart,
    individuals_chart,
    laney_p_chart,
    mad,
    p_chart,
    quantile,
    sup_f,
)


def ewma(case: Case) -> Mapping[str, Any]:
    given = case.inputs
    chart = ewma_chart(
        given["x"],
        target=given["target"],
        sigma=given["s"],
        weight=given["lam"],
        width=given["L"],
        limits="asymptotic",
    )
    return {
        "ewma": list(chart.table["value"]),
        "ucl": chart.upper,
        "lcl": chart.lower,
        "out_of_control": len(chart.signals),
    }


def cusum(case: Case) -> Mapping[str, Any]:
    given = case.inputs
    chart = cusum_chart(given["x"], target=given["target"], k=given["k"], h=given["h"])
    return {
        "s_hi": list(chart.table["high"]),
        "s_lo": list(chart.table["low"]),
        "first_alarm": chart.first_signal,
    }


def p_revised(case: Case) -> Mapping[str, Any]:
    first = p_chart(case.inputs["d"], case.inputs["n"])
    revised = p_chart(case.inputs["d"], case.inputs["n"], exclude=first.signals)
    return {
        "first": [first.centre, first.upper, first.lower],
        "revised": [revised.centre, revised.upper, revised.lower],
        "out_of_control": list(first.signals),
    }


def c_boards(case: Case) -> Mapping[str, Any]:
    chart = c_chart(case.inputs["c"])
    return {"cbar": chart.centre, "ucl": chart.upper, "lcl": chart.lower, "out": list(chart.signals)}


def c_wafers(case: Case) -> Mapping[str, Any]:
    return {**c_boards(case), "total": sum(case.inputs["c"])}


def p_varying(case: Case) -> Mapping[str, Any]:
    plain, laney = (chart(case.inputs["d"], case.inputs["n"]) for chart in (p_chart, laney_p_chart))
    return {
        "pbar": plain.centre,
        "out": list(plain.signals),
        "sigma_z": laney.sigma_z,
        "ucl_11": plain.table["upper"][10],
        "laney_ucl_11": laney.table["upper"][10],
    }


def individuals(case: Case) -> Mapping[str, Any]:
    chart = individuals_chart(case.inputs["x"])
    assert chart.sigma is not None
    return {"mean": chart.centre, "mrbar": chart.sigma * 1.128, "ucl": chart.upper, "lcl": chart.lower}


def nile(case: Case) -> Mapping[str, Any]:
    flow = [float(row["flow"]) for row in case.rows()]
    test = sup_f(flow)
    assert (test.low, test.high) == (25, 32)
    assert change_point(flow).position == 28
    return {
        "changepoints": list(change_points(flow).positions),
        "mean_before": test.before.estimate,
        "mean_after": test.after.estimate,
        "supF": test.statistic,
    }


def coal(case: Case) -> Mapping[str, Any]:
    years = [int(float(row["date"])) for row in case.rows()]
    counts = [years.count(year) for year in range(1851, 1963)]
    found = change_point(counts, model="poisson", prior=(1, 1))
    share = found.table.set_index("position")["probability"]
    assert share[41] == pytest.approx(0.2450, abs=6e-5)
    assert share.loc[39:41].sum() == pytest.approx(0.5729, abs=6e-5)
    assert found.position is not None
    return {
        "total": sum(counts),
        "years": len(counts),
        "k": change_points(counts, model="poisson").positions[0],
        "year": 1850 + found.position,
        "rate_before": found.before.estimate,
        "rate_after": found.after.estimate,
        "posterior_mode": found.position,
    }


def robust(case: Case) -> Mapping[str, Any]:
    return {"mad": mad(case.inputs["x"]), "p90_nist": quantile(case.inputs["gauge"], 0.9, definition="nist")}


def numenta(case: Case) -> Mapping[str, Any]:
    folder = os.environ.get("AFTERSHOCK_NAB")
    if not folder:
        pytest.skip("AFTERSHOCK_NAB names no folder with the Numenta Anomaly Benchmark")
    found = [
        json.loads((Path(folder) / "labels" / name).read_text(encoding="utf-8"))
        for name in ("combined_labels.json", "combined_windows.json")
    ]
    labels, windows = found
    return {
        "files": len(labels),
        "labels": sum(map(len, labels.values())),
        "windows": sum(map(len, windows.values())),
        "files_without_anomaly": sum(not marks for marks in labels.values()),
    }


CALCULATIONS: dict[str, Calculation] = {
    "C01": ewma,
    "C02": cusum,
    "C04": p_revised,
    "C05": c_boards,
    "C06": c_wafers,
    "C08": p_varying,
    "C09": individuals,
    "C10": nile,
    "C11": coal,
    "C12": robust,
    "F07": numenta,
}
