"""The analyst's walk `patterns.ipynb` on the sample: it runs, and finds what was planted, and nothing that was not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reports_time import NOW
from support import ROOT

from aftershock.ingest.pipeline import ingest
from aftershock.project import load
from aftershock.reports.render import Rendered, render


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The notebook, executed on the whole sample."""
    folder = tmp_path_factory.mktemp("walk")
    report = '\n[[reports]]\nname = "patterns"\nnotebook = "patterns.ipynb"\naudience = "fleet"\ncron = "0 6 1 * *"\n'
    (folder / "aftershock.toml").write_text(
        (ROOT / "aftershock.toml").read_text(encoding="utf-8") + report, encoding="utf-8"
    )
    project = load(folder)
    ingest(project, [ROOT / "data" / "sample"])
    return render(project, "patterns", now=NOW)


@pytest.fixture(scope="module")
def said(walk: Rendered) -> dict[str, Any]:
    """Its numbers, by block."""
    return json.loads(walk.json_path.read_text(encoding="utf-8"))["blocks"]


@pytest.fixture(scope="module")
def page(walk: Rendered) -> str:
    return walk.path.read_text(encoding="utf-8")


def rows(said: dict[str, Any], block: str, **wanted: object) -> list[dict[str, Any]]:
    """The rows of a block in which these columns have these values."""
    return [row for row in said[block]["rows"] if all(row[key] == value for key, value in wanted.items())]


def test_the_worse_version_ranks_first_and_lies_outside_the_funnel(said: dict[str, Any]) -> None:
    worst, *_ = said["Ranking"]["rows"]
    assert worst["automation"] == "initech / Lead enrichment"
    (outside,) = rows(said, "Funnel", automation="initech / Lead enrichment")
    assert outside["verdict"] not in ("inside", "outside 95 %")


def test_since_when_it_fails_more_is_found_with_the_version_that_began_there(said: dict[str, Any]) -> None:
    (change,) = rows(said, "changes", automation="initech / Lead enrichment")
    assert change["low_day"][:10] <= "2026-11-05" <= change["high_day"][:10]
    assert (change["direction"], change["before"] < 0.05, change["after"] > 0.1) == ("rose", True, True)
    kinds = {mark["kind"]: mark["at"][:10] for mark in said["failure_rate_of"]["marks"]}
    assert kinds["version"] == "2026-11-05"
    assert {"version", "change"} == set(kinds)
    first, *_ = said["what_separates"]["rows"]
    assert (first["column"], first["q_value"] < 0.001) == ("version", True)


def test_the_expired_key_is_a_rise_and_a_fall_within_two_days(said: dict[str, Any]) -> None:
    found = [(row["direction"], row["day"][:10]) for row in rows(said, "changes", automation="invoice_export")]
    assert [direction for direction, _ in found] == ["rose", "fell"]
    assert all("2026-11-17" <= day <= "2026-11-19" for _, day in found)


def test_an_automation_without_a_planted_change_has_none(said: dict[str, Any]) -> None:
    steady = {
        "acme / CRM sync",
        "acme / Shop intake",
        "globex / Shop intake",
        "initech / Shop intake",
        "Invoice booking",
    }
    assert {row["automation"] for row in said["changes"]["rows"]} & steady == set()


def test_only_the_worse_version_has_a_trend_beyond_chance(said: dict[str, Any]) -> None:
    sure = [row["automation"] for row in said["trends"]["rows"] if row["q_value"] is not None and row["q_value"] < 0.05]
    assert sure == ["initech / Lead enrichment"]


def test_the_volume_at_which_price_updates_break_is_named(page: str) -> None:
    assert "globex / Price updates: knee at" in page
    assert "doubled at" in page


def test_error_families_are_those_of_the_planted_texts(said: dict[str, Any]) -> None:
    templates = [row["template"] for row in said["ErrorFamilies"]["rows"]]
    assert len(templates) == len(set(templates))
    for planted in (
        "The service is receiving too many requests",
        "Cannot read properties of undefined",
        "Unauthorized for url",
    ):
        assert sum(planted in template for template in templates) == 1


def test_open_incidents_are_in_n(said: dict[str, Any]) -> None:
    assert sum(row["open"] for row in said["recovery_times"]["rows"]) >= 1


def test_every_section_has_its_chart_and_each_chart_its_numbers(said: dict[str, Any], page: str) -> None:
    charts = ["Ranking", "Funnel", "calendar", "ErrorFamilies", "failure_rate_of", "MeanCumulativeFunction"]
    charts += ["HourOfWeekBaseline", "FailureByLoad", "KaplanMeier", "CoFailures"]
    assert [name for name in charts if name not in said] == []
    assert page.count('class="chart"') == len(charts)


def test_what_was_left_out_and_how_to_read_it_stand_at_its_end(page: str) -> None:
    assert page.index("What was left out") < page.index("How to read this")
