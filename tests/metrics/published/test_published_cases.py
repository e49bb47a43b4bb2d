"""Every published case against our public functions, within its tolerance."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from published import Calculation, Case, cases, differences

TOPICS = sorted(file.stem for file in Path(__file__).parent.glob("*_cases.py") if not file.stem.startswith("test_"))
CALCULATIONS: dict[str, Calculation] = {
    case: calculation for topic in TOPICS for case, calculation in import_module(topic).CALCULATIONS.items()
}
CASES = cases()


@pytest.mark.skipif(not CASES, reason="the published cases lie in ../shared/truth, which is not here")
@pytest.mark.parametrize("case", CASES.values(), ids=[f"{case.id} {case.name}" for case in CASES.values()])
def test_a_published_case(case: Case) -> None:
    assert case.id in CALCULATIONS, f"{case.id} has no calculation"
    assert differences(CALCULATIONS[case.id](case), case.expected, case.tolerance) == []


@pytest.mark.parametrize(
    ("actual", "expected", "told"),
    [
        ({"low": 0.1}, {"low": 0.1004}, []),
        ({"low": 0.1}, {"low": 0.102}, [".low: 0.1 for 0.102 (within 0.001)"]),
        ({}, {"low": 0.1}, [".low: not calculated"]),
        ({"at": [1, 2]}, {"at": [1]}, [".at: 2 values for 1"]),
        ({"who": ["a"]}, {"who": ["b"]}, [".who[0]: 'a' for 'b'"]),
        ({"low": float("nan")}, {"low": 1}, [".low: nan for 1 (within 0.001)"]),
    ],
)
def test_a_difference_is_told_with_its_place(actual: object, expected: object, told: list[str]) -> None:
    assert differences(actual, expected, 0.001) == told
