"""Grouping accuracy that was published for other miners: what our `grouping_accuracy` gives on those miners' own groups.

Wanted is a folder (environment variable AFTERSHOCK_LOGHUB) with LogHub-2k's `<Set>_2k.log_structured.csv`, and in its sub-folders
`drain` and `brain` the files of the same name that logparser's `benchmark.py` writes with those parsers. The score of a parser can only
be checked on what that parser found, so without its files the case is skipped.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from published import Calculation, Case

from aftershock.metrics import grouping_accuracy


def _scored(parser: str) -> Calculation:
    def calculate(case: Case) -> dict[str, dict[str, float | None]]:
        given = os.environ.get("AFTERSHOCK_LOGHUB")
        if not given:
            pytest.skip("AFTERSHOCK_LOGHUB names no folder of LogHub-2k's labelled sets")
        scores: dict[str, float | None] = {}
        for name in case.expected["GA"]:
            truth, found = (_column(Path(given), folder, name) for folder in (".", parser))
            scores[name] = grouping_accuracy(found, truth).ga
        return {"GA": scores}

    return calculate


def _column(folder: Path, under: str, name: str) -> list[str]:
    file = f"{name}_2k.log_structured.csv"
    path = next(
        iter(sorted((folder / under).rglob(file) if under != "." else [folder / file, folder / name / file])), None
    )
    if path is None or not path.is_file():
        pytest.skip(f"{file} is not in {under!r} of the folder that AFTERSHOCK_LOGHUB names")
    with path.open(encoding="utf-8", newline="") as lines:
        return [row["EventId"] for row in csv.DictReader(lines)]


CALCULATIONS: dict[str, Calculation] = {"L01": _scored("drain"), "L02": _scored("brain")}
