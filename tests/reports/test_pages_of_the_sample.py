"""The pages on the whole sample: they name what was planted, each client its own, and nothing that was not."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from aftershock.ingest.pipeline import ingest
from aftershock.metrics import failure_rate
from aftershock.project import load
from aftershock.reports.blocks import Block
from aftershock.reports.leak import find_leaks, foreign_to
from aftershock.reports.page import ReportPage, open_page

WEEK = "2026-W47"
CLIENTS = ("acme", "globex", "initech")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project like the repository's own, with the sample taken in."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "aftershock.toml").write_bytes((ROOT / "aftershock.toml").read_bytes())
    ingest(load(folder), [ROOT / "data" / "sample"])
    return folder


@pytest.fixture(scope="module")
def fleet(sample: Path) -> ReportPage:
    return open_page(sample, period=WEEK)


@pytest.fixture(scope="module")
def clients(sample: Path) -> dict[str, ReportPage]:
    return {client: open_page(sample, client=client, period=WEEK) for client in CLIENTS}


@pytest.fixture(scope="module")
def since(fleet: ReportPage) -> Block:
    return fleet.since_when()


@pytest.fixture(scope="module")
def errors(fleet: ReportPage) -> Block:
    return fleet.errors()


@pytest.fixture(scope="module")
def said(clients: dict[str, ReportPage]) -> dict[str, list[Block]]:
    """The patterns on each client's page."""
    return {
        client: [page.failure_rate_by_day(), page.at_what_volume(), page.if_a_step_fails()]
        for client, page in clients.items()
    }


def words(block: Block) -> str:
    return " ".join(block.html.striptags().split())


def truth() -> list[dict[str, Any]]:
    return json.loads((ROOT / "data" / "sample" / "truth.json").read_text(encoding="utf-8"))["faults"]


def test_the_bad_version_stands_first_with_the_version_that_began_on_5_november(since: Block) -> None:
    first, *_ = since.numbers["shifts"]
    assert (first.automation, first.direction, first.stands) == ("initech / Lead enrichment", "rose", True)
    assert first.first <= date(2026, 11, 5) <= first.last
    assert [(one.what, one.on) for one in first.began] == [("version", date(2026, 11, 5))]


def test_the_expired_key_is_dated_wherever_it_struck_and_is_over(since: Block) -> None:
    struck = {(one.client, one.automation): (one.on, one.until) for one in since.numbers["shifts"] if not one.stands}
    wednesday = (date(2026, 11, 18), date(2026, 11, 19))
    assert {key for key, days in struck.items() if days == wednesday} == {
        ("acme", "invoice_export"),
        ("globex", "invoice_export"),
        ("acme", "acme / Payment check"),
        ("globex", "globex / Payment check"),
    }


def test_no_change_is_held_for_sure_that_was_not_planted(since: Block) -> None:
    outages = {"acme / Stock sync": date(2026, 11, 6)}  # the warehouse's API was down that morning
    others = {
        one.automation: one.on
        for one in since.numbers["shifts"]
        if one.on not in (date(2026, 11, 5), date(2026, 11, 18))
    }
    assert others == outages


def test_the_most_frequent_errors_are_those_planted_and_the_expired_key_is_new(errors: Block) -> None:
    families = {one.template: one for one in errors.numbers["families"]}
    limit = next(one for text, one in families.items() if "too many requests" in text)
    key = next(one for text, one in families.items() if "Unauthorized for url" in text)
    version = next(one for text, one in families.items() if "Cannot read properties" in text)
    assert (limit.is_new, version.is_new, key.is_new) == (False, False, True)
    assert (key.clients, key.n) == (
        3,
        len(next(one for one in truth() if one["name"] == "ledgerline key expired")["runs"]),
    )
    assert version.first_seen is not None
    assert version.first_seen.date() == date(2026, 11, 5)


def test_the_shares_of_the_errors_are_of_all_failures(errors: Block) -> None:
    assert sum(one.n for one in errors.numbers["families"]) + errors.numbers["without_message"] == errors.numbers["n"]
    assert sum(one.share for one in errors.numbers["families"]) == pytest.approx(
        1 - errors.numbers["without_message"] / errors.numbers["n"]
    )


def test_a_script_in_an_error_stays_text(errors: Block) -> None:
    assert any("<script>" in one.template for one in errors.numbers["families"])
    assert "<script" not in errors.html
    assert "<script" not in errors.figure.to_json()


def test_price_updates_alone_have_a_volume_at_which_they_break(fleet: ReportPage) -> None:
    block = fleet.at_what_volume()
    (knee,) = block.numbers["knees"]
    assert knee.automation == "globex / Price updates"
    assert knee.low <= 15 <= knee.high  # "the shop takes some fifteen price updates an hour"
    assert "fails more from about" in words(block)


def test_no_common_cause_is_made_up_from_one_morning(fleet: ReportPage) -> None:
    block = fleet.fail_together()
    assert (block.html, block.numbers["groups"]) == ("", [])
    assert block.numbers["pairs_compared"] > 0


def test_the_worst_automation_is_the_one_with_the_bad_version(fleet: ReportPage) -> None:
    by = ("client", "automation", "tool")
    rates = failure_rate(fleet.runs, by=by, unit="root", period=fleet.period, compare=True)
    rows = fleet.worst_automations(rates).numbers["rows"]
    assert rows[0]["automation"] == "initech / Lead enrichment"
    assert [row["posterior_low"] for row in rows] == sorted((row["posterior_low"] for row in rows), reverse=True)


def test_initech_reads_since_when_its_leads_fail_more_often(said: dict[str, list[Block]]) -> None:
    chart, *_ = said["initech"]
    assert "initech / Lead enrichment fails more often since about 5 Nov (1 to 9 Nov):" in words(chart)
    assert "A new version of it began on 5 Nov." in words(chart)
    assert {mark.kind: mark.at for mark in chart.numbers["marks"]}["version"] == date(2026, 11, 5)


def test_the_item_that_needs_attention_says_since_when_it_is_worse(clients: dict[str, ReportPage]) -> None:
    page = clients["initech"]
    assert words(page.needs_attention(page.records())).count("It fails more often since about 5 Nov") == 1


def test_globex_alone_reads_of_a_volume(said: dict[str, list[Block]]) -> None:
    found = {client: [knee.automation for knee in blocks[1].numbers["knees"]] for client, blocks in said.items()}
    assert found == {"acme": [], "globex": ["globex / Price updates"], "initech": []}


def test_each_client_reads_how_long_incidents_last_with_n_and_interval(said: dict[str, list[Block]]) -> None:
    for blocks in said.values():
        found = blocks[2].numbers["incidents"]
        assert f"half of n = {found.n} incidents were over within" in words(blocks[2])
        assert found.half_low_s < found.half_s < found.half_high_s
    assert said["globex"][2].numbers["incidents"].unseen == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_the_patterns_on_a_clients_page_name_nothing_of_others(
    client: str, clients: dict[str, ReportPage], said: dict[str, list[Block]]
) -> None:
    text = " ".join(json.dumps(block._repr_mimebundle_(), default=str) for block in said[client])
    assert find_leaks(text, foreign_to(clients[client].ledger, client)) == []
