"""Published cases: what a book, a paper or another program printed, recomputed by our public functions.

`visible_cases.json` lies beside the repository (`../shared/truth`) with the data files that some cases read. Each topic's file here
holds `CALCULATIONS`: case id -> a function that takes the case and gives what the case expects, in the same shape.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from support import SHARED

TRUTH = SHARED / "truth"
FILE = TRUTH / "visible_cases.json"


@dataclass(frozen=True)
class Case:
    """A case: its inputs, what is expected, and how far from it one may be."""

    id: str
    topic: str
    name: str
    source: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: float

    def rows(self, name: str | None = None) -> list[dict[str, str]]:
        """The rows of the data file that the case names."""
        with (TRUTH / (name or self.inputs["csv"])).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


Calculation = Callable[[Case], Mapping[str, Any]]


def cases() -> dict[str, Case]:
    """All cases by id; none where the shared folder is absent."""
    if not FILE.is_file():
        return {}
    keys = ("id", "topic", "name", "source", "inputs", "expected", "tolerance")
    return {one["id"]: Case(*(one[key] for key in keys)) for one in json.loads(FILE.read_text(encoding="utf-8"))}


def differences(actual: Any, expected: Any, tolerance: float, at: str = "") -> list[str]:
    """Where two nested values differ by more than `tolerance`: a line each."""
    if isinstance(expected, Mapping):
        missing = [f"{at}.{key}: not calculated" for key in expected if key not in actual]
        return missing + [
            line
            for key in expected
            if key in actual
            for line in differences(actual[key], expected[key], tolerance, f"{at}.{key}")
        ]
    if isinstance(expected, list):
        if len(actual) != len(expected):
            return [f"{at}: {len(actual)} values for {len(expected)}"]
        return [
            line
            for place, (ours, theirs) in enumerate(zip(actual, expected, strict=True))
            for line in differences(ours, theirs, tolerance, f"{at}[{place}]")
        ]
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        same = math.isclose(float(actual), float(expected), rel_tol=0, abs_tol=tolerance)
        return [] if same else [f"{at}: {actual!r} for {expected!r} (within {tolerance})"]
    return [] if actual == expected else [f"{at}: {actual!r} for {expected!r}"]
