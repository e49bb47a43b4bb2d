"""The committed sample, taken in: the ledger says what `truth.json` says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

import aftershock
from aftershock.expectations import reconcile
from aftershock.ingest.pipeline import IngestResult, ingest
from aftershock.ledger.reader import Ledger
from aftershock.metrics import Period, coverage, failure_rate, newest_whole, silent_failures
from aftershock.metrics.units import Unit
from aftershock.model import COUNTED, FAILURES
from aftershock.project import load

SAMPLE = ROOT / "data" / "sample"
WEEK = "strftime(timezone('Europe/Berlin', coalesce(started_at, queued_at)), '%G-W%V')"


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestResult]:
    """A project like the repository's own, and what became of the sample's files."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "aftershock.toml").write_bytes((ROOT / "aftershock.toml").read_bytes())
    return folder, ingest(load(folder), [SAMPLE])


@pytest.fixture(scope="module")
def ledger(taken: tuple[Path, IngestResult]) -> Iterator[Ledger]:
    with aftershock.open(taken[0]) as opened:
        yield opened


def test_every_file_is_recognised_but_the_answer_sheet(taken: tuple[Path, IngestResult]) -> None:
    outcomes = Counter((file.outcome, Path(file.path).name == "truth.json") for file in taken[1].files)
    files = sum(path.is_file() for path in SAMPLE.rglob("*"))
    assert outcomes == {("taken", False): files - 1, ("unknown", True): 1}


def test_nothing_is_rejected(taken: tuple[Path, IngestResult]) -> None:
    assert taken[1].rejects == 0
    assert taken[1].records_read == taken[1].mapped + taken[1].set_aside


def test_runs_by_status_are_those_of_the_truth(ledger: Ledger, truth: dict[str, Any]) -> None:
    query = f"select tool, client, automation, role, {WEEK}, status, count(*) from runs group by all"
    actual = {row[:6]: row[6] for row in ledger.sql(query).fetchall()}
    assert actual == {
        (row["tool"], row["client"], row["automation"], row["role"], row["week"], word): count
        for row in truth["runs"]
        for word, count in row["statuses"].items()
    }


def test_roots_by_status_are_those_of_the_truth(ledger: Ledger, truth: dict[str, Any]) -> None:
    query = f"""
        with chains as (
            select first(tool order by coalesce(started_at, queued_at), attempt) as tool,
                   first(client order by coalesce(started_at, queued_at), attempt) as client,
                   first(automation order by coalesce(started_at, queued_at), attempt) as automation,
                   first(role order by coalesce(started_at, queued_at), attempt) as role,
                   first({WEEK} order by coalesce(started_at, queued_at), attempt) as week,
                   last(status order by coalesce(started_at, queued_at), attempt) as status
            from runs group by root_run_id
        ) select tool, client, automation, role, week, status, count(*) from chains group by all
    """
    actual = {row[:6]: row[6] for row in ledger.sql(query).fetchall()}
    assert actual == {
        (row["tool"], row["client"], row["automation"], row["role"], row["week"], word): count
        for row in truth["runs"]
        for word, count in row["roots"].items()
    }


def test_every_alert_is_a_notice_of_the_run_it_is_about(ledger: Ledger, truth: dict[str, Any]) -> None:
    actual = sorted(row[0] for row in ledger.sql("select run_id from notices").fetchall())
    assert actual == sorted(row["about"] for row in truth["notices"])


def test_the_run_ids_that_the_truth_names_are_in_the_ledger(ledger: Ledger, truth: dict[str, Any]) -> None:
    named = {run_id for fault in truth["faults"] for run_id in fault["runs"]}
    named |= {row["cause"] for row in truth["orders"] if row["cause"]}
    known = {row[0] for row in ledger.sql("select run_id from runs").fetchall()}
    assert named - known == set()


def test_no_planted_secret_and_no_buyer_reaches_any_text_of_the_ledger(ledger: Ledger, truth: dict[str, Any]) -> None:
    tables = [row[0] for row in ledger.sql("select table_name from information_schema.tables").fetchall()]
    found = [
        (table, text)
        for table in tables
        for text in (*truth["secrets"], "@mail.acme.example")
        if ledger.sql(f"select count(*) from {table} as t where t::varchar like '%{text}%'").fetchall() != [(0,)]
    ]
    assert len(tables) > 10
    assert found == []


def test_markup_stays_the_text_that_it_was(ledger: Ledger) -> None:
    query = "select error_message from runs where error_message like '%alert(1)%' and role = 'work'"
    assert ledger.sql(query).fetchall() == [("<script>alert(1)</script> is no valid company name",)]


def test_verdicts_on_orders_are_those_of_the_truth(ledger: Ledger, truth: dict[str, Any]) -> None:
    told = reconcile(
        ledger.runs, ledger.touches, ledger.coverage, ledger.project.expectations,
        as_of=datetime.fromisoformat(truth["covers_to"]),
    ).to_pandas()  # fmt: skip
    columns = ("expectation", "client", "entity_key", "verdict")
    actual = {row[:3]: row[3] for row in zip(*(told[column] for column in columns), strict=True) if row[3] != "in_step"}
    assert actual == {(row["expectation"], row["client"], row["order"]): row["verdict"] for row in truth["orders"]}
    in_step = Counter((row["expectation"], row["client"], row["in_step"]) for row in truth["promises"])
    counts = told[told.verdict == "in_step"].groupby(["expectation", "client"]).size()
    assert Counter((*key, count) for key, count in counts.items()) == in_step


def test_what_the_ledger_blames_is_what_was_planted(ledger: Ledger, truth: dict[str, Any]) -> None:
    told = reconcile(
        ledger.runs, ledger.touches, ledger.coverage, ledger.project.expectations,
        as_of=datetime.fromisoformat(truth["covers_to"]),
    ).to_pandas()  # fmt: skip
    told = told[told.verdict == "missing"]
    columns = ("expectation", "entity_key", "cause_run_id")
    actual = {row[:2]: row[2] or None for row in zip(*(told[column] for column in columns), strict=True)}
    expected = {
        (row["expectation"], row["order"]): row["cause"] for row in truth["orders"] if row["verdict"] == "missing"
    }
    assert {key: None if cause != cause else cause for key, cause in actual.items()} == expected


def test_the_missing_day_is_not_covered(ledger: Ledger, truth: dict[str, Any]) -> None:
    query = """
        select distinct strftime(timezone('Europe/Berlin', covers_from), '%Y-%m-%d')
        from coverage where source = 'ledgerline'
    """
    days = {row[0] for row in ledger.sql(query).fetchall()}
    assert truth["gaps"][0]["day"] not in days
    assert len(days) == 41


@pytest.mark.parametrize(("unit", "column"), [("run", "statuses"), ("root", "roots")])
def test_failure_rates_and_silent_failures_per_week_are_those_of_the_truth(
    ledger: Ledger, truth: dict[str, Any], unit: Unit, column: str
) -> None:
    by = ("automation", "client")
    expected, actual = {}, {}
    for row in truth["runs"]:
        counted = {word: count for word, count in row[column].items() if word in COUNTED}
        if row["role"] == "work" and counted:
            failures = sum(count for word, count in counted.items() if word in FAILURES)
            key = (row["week"], row["automation"], row["client"])
            expected[key] = (sum(counted.values()), failures, counted.get("partial", 0))
    for week in sorted({row["week"] for row in truth["runs"]}):
        period = Period.parse(week, truth["time_zone"])
        rates = failure_rate(ledger.runs, by=by, unit=unit, period=period).table.to_pyarrow().to_pylist()
        silent = silent_failures(ledger.runs, by=by, unit=unit, period=period).table.to_pyarrow().to_pylist()
        for open_, quiet in zip(rates, silent, strict=True):
            if open_["n"]:
                key = (week, open_["automation"], open_["client"])
                actual[key] = (open_["n"], open_["failures"], quiet["silent"])
    assert actual == expected


def test_totals_per_tool_are_those_of_the_truth(ledger: Ledger, truth: dict[str, Any]) -> None:
    for tool, told in truth["totals"].items():
        runs = ledger.runs.filter(ledger.runs.tool == tool)
        rates, silent = failure_rate(runs, by=()), silent_failures(runs, by=())
        assert (rates.n, rates.failures, silent.silent) == (told["counted"], told["failures"], told["silent_failures"])
        assert rates.left_out + rates.unfinished + rates.unknown == told["left_out"]
        assert rates.other_roles == told["error_handlers"]


def test_the_missing_day_is_a_gap_in_the_coverage_of_its_week(ledger: Ledger, truth: dict[str, Any]) -> None:
    (gap,) = truth["gaps"]
    day = Period.parse(gap["day"], truth["time_zone"])
    week = newest_whole(day.end + timedelta(days=7), "week", truth["time_zone"])
    found = coverage(ledger.coverage, week).gaps.to_pyarrow().to_pylist()
    assert found == [{"source": gap["source"], "gap_from": day.start, "gap_to": day.end}]
