"""The notebooks that the package carries stay thin: they ask and show."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SQL = re.compile(r"\bselect\b.+\bfrom\b|\bfrom\b.+\bselect\b|\binsert into\b", re.IGNORECASE | re.DOTALL)
EXPLORING = "explore"  # shows the analyst how to write SQL: the one place where it is meant


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_four() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["client", "explore", "fleet", "patterns"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_define_nothing(path: Path) -> None:
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 8
        kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem != EXPLORING], ids=lambda path: path.stem)
def test_reports_hold_no_sql(path: Path) -> None:
    assert not any(SQL.search(cell.source) for cell in code_cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_typed_and_commented(path: Path) -> None:
    (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    for line in cell.source.splitlines():
        assert re.fullmatch(r"\w+: (str|int|float|bool) = .+?\s+# \S.*", line), line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_ends_with_what_was_left_out_and_how_to_read_it(path: Path) -> None:
    last = [cell.source for cell in code_cells(path)][-2:]
    assert "left_out" in last[0]
    assert "how_to_read" in last[1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_its_cells_have_ids(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert len({cell["id"] for cell in book.cells}) == len(book.cells)
