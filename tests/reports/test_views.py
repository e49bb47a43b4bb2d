"""What a page says of a handful of runs: the same rule for every number, and nothing of what others' logs said."""

from __future__ import annotations

from pathlib import Path

import pytest
from reports_shop import SHOP, shop_log
from support import take_in

from aftershock.metrics import failure_rate, silent_failures
from aftershock.reports.blocks import Block
from aftershock.reports.page import ReportPage, open_page
from aftershock.reports.views.attention import attention_of
from aftershock.reports.views.records import out_of_step_of
from aftershock.reports.views.sources import sources_of_page

WEEK = "2026-W47"
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme Outdoor"
runs = [{ path = "client", equals = "acme" }, { path = "client", equals = "both" }]

[[clients]]
id = "globex"
name = "Globex Home"
runs = [{ path = "client", equals = "globex" }, { path = "client", equals = "both" }]

[[records]]
entity = "order"
keys = ["order_id"]
pattern = 'ACME-\\d{4}'
client = "acme"

[[expectations]]
name = "Every order reaches the CRM"
entity = "order"
after = "* intake"
then = "* CRM sync"
within = "1h"
"""
AT = {"began": "2026-11-18 08:10:00", "ended": "2026-11-18 08:11:00"}
LATER = {"began": "2026-11-18 09:10:00", "ended": "2026-11-18 09:11:00"}


def page_of(folder: Path, *rows: dict[str, str], client: str = "acme") -> ReportPage:
    take_in(folder, shop_log(folder / "logs", *rows), SHOP + CLIENTS)
    return open_page(folder, client=client, period=WEEK)


def answer_of(page: ReportPage) -> Block:
    after_retries = failure_rate(page.runs, by=(), unit="root", period=page.period, compare=True)
    return page.answer(after_retries, silent_failures(page.runs, by=(), period=page.period), page.records())


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("good", "good"), "All 2 runs in the logs succeeded, retries included."),
        (("good", "bad"), "1 of 2 runs succeeded, retries included."),
        (
            ("good", "half"),
            "All 2 runs in the logs ended without a failure, retries included, 1 of them only on the surface.",
        ),
        (
            ("good", "half", "bad"),
            "2 of 3 runs ended without a failure, retries included, 1 of them only on the surface.",
        ),
        (("half",), "The one run in the logs ended without a failure, but only on the surface."),
        (("good",), "The one run in the logs succeeded."),
    ],
)
def test_the_headline_calls_no_run_a_success_that_was_none(tmp_path: Path, states: tuple[str, ...], said: str) -> None:
    page = page_of(tmp_path, *({"run": str(i), "state": state} for i, state in enumerate(states)))
    assert answer_of(page).numbers["headline"][0] == said


def test_a_silent_attempt_that_a_retry_saved_is_no_success_every_time(tmp_path: Path) -> None:
    page = page_of(tmp_path, {"state": "half"}, {"run": "2", "again": "1"} | AT, {"run": "3"})
    assert answer_of(page).numbers["headline"][0] == "All 2 runs in the logs ended without a failure, retries included."


def test_work_that_counts_as_failed_needs_attention(tmp_path: Path) -> None:
    page = page_of(tmp_path, {"state": "bad", "error": "refused"}, {"run": "2", "again": "1", "state": "stopped"} | AT)
    rates = failure_rate(page.runs, by=(), unit="root", period=page.period)
    assert (rates.failures, rates.n) == (1, 1)
    assert ["shop:1"] in [list(item.runs) for item in attention_of(page, page.records())]


def test_work_belongs_to_the_period_it_began_in(tmp_path: Path) -> None:
    before = {"began": "2026-11-15 23:50:00", "ended": "2026-11-15 23:51:00", "state": "bad"}
    page = page_of(tmp_path, before, {"run": "2", "again": "1", "state": "bad"} | AT, {"run": "3"} | LATER)
    assert failure_rate(page.runs, by=(), unit="root", period=page.period).failures == 0
    assert not any(item.title.endswith("failed once") for item in attention_of(page, page.records()))


def test_of_a_shared_run_a_client_reads_how_it_ended_and_not_what_it_said(tmp_path: Path) -> None:
    shared = {"run": "2", "job": "all CRM sync", "client": "both", "state": "bad", "error": "no order 77 for Mr Smith"}
    page = page_of(tmp_path, {}, shared | AT, {"run": "3", "job": "acme CRM sync", "order_id": "ACME-2"} | LATER)
    records = page.records()
    found = out_of_step_of(records, "UTC")
    assert [item.cause for item in found] == ["all CRM sync failed"]
    details = [item.detail for item in attention_of(page, records)]
    assert not any("Smith" in detail for detail in details)
    assert any("Several clients share it, so its log is not quoted here." in detail for detail in details)
    fleet = open_page(tmp_path, period=WEEK)
    assert [item.cause for item in out_of_step_of(fleet.records(), "UTC")] == [
        "all CRM sync failed: no order 77 for Mr Smith"
    ]


def test_a_clients_sources_tell_of_that_clients_newest_run(tmp_path: Path) -> None:
    page = page_of(tmp_path, {}, {"run": "2", "client": "globex", "order_id": "5"} | LATER)
    assert [source["last"] for source in sources_of_page(page)] == ["Wed 18 Nov, 08:01"]
    assert [source["last"] for source in sources_of_page(open_page(tmp_path, period=WEEK))] == ["Wed 18 Nov, 09:11"]


def test_a_clients_own_error_stays_readable(tmp_path: Path) -> None:
    own = {"run": "2", "job": "acme CRM sync", "state": "bad", "error": "no order 77"}
    page = page_of(tmp_path, {}, own | AT)
    assert [item.cause for item in out_of_step_of(page.records(), "UTC")] == ["acme CRM sync failed: no order 77"]
