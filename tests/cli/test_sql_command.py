"""`sql`: three formats, read-only, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from aftershock.cli.common import CommandError
from aftershock.cli.query import cell_for_csv

Run = Callable[..., Result]


def test_a_table_has_headings_rows_and_their_number(loaded: Path, run: Run) -> None:
    result = run("sql", "select status, count(*) as runs from runs group by all order by runs desc")
    assert result.output.splitlines() == [
        "status     runs",
        "---------  ----",
        "succeeded     2",
        "failed        1",
        "(2 rows)",
    ]


def test_json_is_an_array_of_objects_with_times_in_utc(loaded: Path, run: Run) -> None:
    result = run("sql", "--format", "json", "select run_id, started_at from runs order by run_id limit 1")
    assert json.loads(result.output) == [{"run_id": "n8n:1", "started_at": "2026-11-16T08:00:01Z"}]


def test_json_of_no_rows_is_an_empty_array(loaded: Path, run: Run) -> None:
    assert json.loads(run("sql", "--format", "json", "select 1 from runs where false").output) == []


def test_what_json_cannot_say_becomes_null(loaded: Path, run: Run) -> None:
    result = run("sql", "--format", "json", "select 'nan'::double as a, ['inf'::double, 1] as b, null as c")
    assert json.loads(result.output) == [{"a": None, "b": [None, 1.0], "c": None}]


def test_decimals_are_numbers_in_json(loaded: Path, run: Run) -> None:
    query = "select 1.5 as a, 2.00 as b, [0.25] as c, 123456789012345678901234567890::decimal(38, 0) as d"
    assert run("sql", "--format", "json", query).output == (
        '[\n{"a": 1.5, "b": 2, "c": [0.25], "d": 123456789012345678901234567890}\n]\n'
    )


def test_csv_keeps_numbers_and_disarms_formulas(loaded: Path, run: Run) -> None:
    query = (
        """select '=HYPERLINK("x")' as a, '+1' as b, '-1' as c, '@cmd' as d, -5 as e, 'plain, text' as f, null as g"""
    )
    (heading, row) = list(csv.reader(io.StringIO(run("sql", "--format", "csv", query).output)))
    assert heading == list("abcdefg")
    assert row == ['\'=HYPERLINK("x")', "'+1", "'-1", "'@cmd", "-5", "plain, text", ""]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1"])
def test_every_start_of_a_formula_is_disarmed(text: str) -> None:
    assert cell_for_csv(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", " a", "", -1, 2.5, None, True])
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert cell_for_csv(value) == value


@pytest.mark.parametrize("query", ["delete from steps", "create table x (a int)", "drop table runs"])
def test_the_snapshot_cannot_be_changed(loaded: Path, run: Run, query: str) -> None:
    with pytest.raises(CommandError, match="read-only"):
        run("sql", query)


def test_a_wrong_query_is_told_in_duckdbs_words(loaded: Path, run: Run) -> None:
    with pytest.raises(CommandError, match='Referenced column "nope" not found'):
        run("sql", "select nope from runs")


def test_control_characters_do_not_reach_the_terminal(loaded: Path, run: Run) -> None:
    assert "\x1b" not in run("sql", "select chr(27) || '[31mred' as evil").output
