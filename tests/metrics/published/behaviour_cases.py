"""Behaviour of failures: flips within a version (F01), sequences (D01), rules (D03), Fisher's test (D05)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import ibis
from published import TRUTH, Calculation, Case

from aftershock import metrics

PAPERS_VERSIONS = 3  # the paper prints U_FR and U_E before its fourth version comes, W_FR and W_E after
PM4PY = {
    "altresponse": "alternate_response",
    "altprecedence": "alternate_precedence",
    "altsuccession": "alternate_succession",
    "chainresponse": "chain_response",
    "chainprecedence": "chain_precedence",
    "chainsuccession": "chain_succession",
    "coexistence": "co_existence",
    "noncoexistence": "not_co_existence",
    "nonsuccession": "not_succession",
    "nonchainsuccession": "not_chain_succession",
}


def _flips(case: Case) -> dict[str, Any]:
    rows, lam = case.rows(), case.inputs["lam"]
    versions = [row["v"] for row in rows]
    early = sum(version in sorted(set(versions))[:PAPERS_VERSIONS] for version in versions)

    def outcomes(test: str) -> list[int]:
        return [int(row[test] == str(case.inputs["fail"])) for row in rows]

    def first(test: str) -> list[float | None]:
        of_first = [outcome for outcome, version in zip(outcomes(test), versions, strict=True) if version == "1"]
        return [metrics.flip_rate(of_first).mean, metrics.outcome_entropy(of_first).mean]

    def over(measure: Any, tests: Mapping[str, Any], decayed: bool) -> dict[str, float | None]:
        last = len(rows) if decayed else early
        found = {test: measure(outcomes(test)[:last], versions[:last], decay=lam) for test in tests}
        return {test: result.decayed if decayed else result.mean for test, result in found.items()}

    return {
        "v1": {test: first(test) for test in case.expected["v1"]},
        "U_FR": over(metrics.flip_rate, case.expected["U_FR"], False),
        "U_E": over(metrics.outcome_entropy, case.expected["U_E"], False),
        "W_FR": over(metrics.flip_rate, case.expected["W_FR"], True),
        "W_E": over(metrics.outcome_entropy, case.expected["W_E"], True),
    }


def _declare(case: Case) -> dict[str, Any]:
    names = {"case:concept:name": "case", "concept:name": "activity"}
    rows = [
        {names[key]: value for key, value in row.items() if key in names}
        | {"at": datetime.fromisoformat(row["time:timestamp"])}
        for row in case.rows()
    ]
    schema = {"case": "string", "activity": "string", "at": "timestamp('UTC')"}
    table = metrics.declare_constraints(ibis.memtable(rows, schema=schema)).table.to_pyarrow().to_pylist()
    ours = {
        (row["template"], row["a"] if row["b"] is None else f"{row['a']}|{row['b']}"): (
            row["support"],
            row["satisfied"],
        )
        for row in table
    }
    truth = json.loads((TRUTH / case.expected["file"]).read_text(encoding="utf-8"))["all_templates"]
    differ = [
        f"{template}({activities})"
        for template, constraints in truth.items()
        for activities, theirs in constraints.items()
        if ours.get((PM4PY.get(template, template), activities)) != (theirs["support"], theirs["confidence"])
    ]
    return {
        "file": "different: " + ", ".join(differ) if differ else case.expected["file"],
        "precedence_decide_checkticket": ours["precedence", "decide|check ticket"][1],
    }


def _rule(case: Case) -> dict[str, Any]:
    counts = case.inputs
    found = metrics.association(counts["both"], counts["tea_only"], counts["coffee_only"], counts["neither"])
    return {name: getattr(found, name) for name in case.expected}


def _fisher(case: Case) -> dict[str, Any]:
    (both, a_only), (b_only, neither) = case.inputs["table"]
    found = metrics.association(both, a_only, b_only, neither)
    return {"p_two": found.p_value, "p_greater": found.p_greater}


CALCULATIONS: dict[str, Calculation] = {"D01": _declare, "D03": _rule, "D05": _fisher, "F01": _flips}
