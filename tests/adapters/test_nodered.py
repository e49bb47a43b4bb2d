"""Node-RED against what was captured from 5.0.7: its log with metrics, its console and its flows, in `nodered/`."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters import nodered
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "nodered"
LOG = FOLDER / "node-red.log.jsonl.gz"
CONSOLE = FOLDER / "node-red.console.log.gz"
FLOWS = FOLDER / "flows.json"
WROTE = [json.loads(line) for line in (FOLDER / "truth_runs.jsonl").read_text().splitlines()]
DELIVERIES = json.loads((FOLDER / "truth_driver.json").read_text())
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "nodered", automation = "acme*" }]

[[records]]
entity = "order"
pattern = '[A-Z]+-2\\d{3}'
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Everything that was captured: the console tells no run that the log does not."""
    return ingested(tmp_path_factory.mktemp("night"), [LOG, CONSOLE, FLOWS], CLIENTS)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("outcomes"), [FOLDER / "outcomes.jsonl"])


def messages_of(order: str) -> list[str]:
    """The message ids with which an order was delivered, in turn, each once."""
    return list(dict.fromkeys(row["msgid"] for row in WROTE if row["order_id"] == order))


def became(ledger: Ledger) -> dict[object, object]:
    return dict(rows(ledger, "select native_id, status from runs"))  # type: ignore[arg-type]


def test_every_delivery_and_every_injection_is_one_run(night: Ledger) -> None:
    assert rows(night, "select trigger, count(*) from runs group by 1 order by 1") == [
        ("http in", len(DELIVERIES) + 2),
        ("inject", 32),
    ]
    assert len(DELIVERIES) == 28


def test_deliveries_became_what_was_caused(night: Ledger) -> None:
    assert dict(rows(night, "select status, count(*) from runs where trigger = 'http in' group by 1")) == {  # type: ignore[arg-type]
        "succeeded": 14
        + 1
        + 1
        + 2
        + 1,  # ACME-2013, ACME-2014 again, two duplicates, and the silent one without a trace
        "partial": 4,
        "failed": 3 + 1 + 2,
        "crashed": 1,
    }
    assert rows(night, "select distinct status from runs where trigger = 'inject'") == [("succeeded",)]


@pytest.mark.parametrize(
    ("order", "statuses"),
    [
        ("ACME-2001", ["succeeded"]),
        ("ACME-2006", ["succeeded", "succeeded"]),  # delivered twice
        ("GLOBEX-2104", ["succeeded", "succeeded"]),
        ("ACME-2007", ["failed"]),
        ("ACME-2008", ["failed"]),
        ("ACME-2011", ["failed"]),
        ("ACME-2010", ["failed"]),
        ("ACME-2009", ["partial"]),
        ("INITECH-2205", ["partial"]),
        ("INITECH-2206", ["partial"]),
        ("INITECH-2207", ["partial"]),
        ("ACME-2012", ["succeeded"]),  # {"ok": false}: nothing in the log tells
        ("ACME-2013", ["succeeded"]),
        ("ACME-2014", ["succeeded"]),  # the second time; the first wrote nothing
    ],
)
def test_an_order_became_what_was_caused(night: Ledger, order: str, statuses: list[str]) -> None:
    found = became(night)
    assert [found[message] for message in messages_of(order)] == statuses


def test_a_failure_without_a_catch_node_is_known_by_its_line_alone(night: Ledger) -> None:
    query = """select error_type, error_message, automation from runs where status = 'failed' and status_raw = 'error' order by 2 desc"""
    assert rows(night, query) == [
        ("function", "API answered 500 for order GLOBEX-2105", "globex Invoice export"),
        ("function", "API answered 401 for order GLOBEX-2106", "globex Invoice export"),
    ]
    assert rows(night, "select count(*) from touches where entity_key in ('GLOBEX-2105', 'GLOBEX-2106')") != [(0,)]


def test_a_request_that_was_never_answered_fails_once_though_the_flow_wrote_it_down_twice(night: Ledger) -> None:
    assert Counter(row["order_id"] for row in WROTE)["ACME-2010"] == 2
    [message] = messages_of("ACME-2010")
    assert rows(night, f"select status, round(duration_s) from runs where native_id = '{message}'") == [
        ("failed", 120.0)
    ]


def test_a_message_inside_a_node_when_node_red_starts_anew_crashed(night: Ledger) -> None:
    known = {row["msgid"] for row in WROTE}
    [(message, automation, ended)] = rows(
        night, "select native_id, automation, ended_at from runs where status = 'crashed'"
    )
    assert (message in known, automation, ended) == (False, "acme CRM sync", None)
    query = "select name, steps.status from steps join runs using (run_id) where runs.status = 'crashed' order by steps.started_at, name"
    assert [state for _, state in rows(night, query)] == ["succeeded", "succeeded", "crashed"]


def test_the_nodes_a_message_visits_are_steps_each_visit_one(night: Ledger) -> None:
    [message] = messages_of("ACME-2010")
    query = f"select step_key, count(*), max(map_index) from steps join runs using (run_id) where native_id = '{message}' group by 1 having count(*) > 1 order by 1"
    assert {row[0] for row in rows(night, query)} >= {"acme_log", "acme_resp", "acme_catch"}
    assert all(row[2] == 1 for row in rows(night, query))


def test_a_node_that_hands_on_without_a_word_that_it_is_done_is_done(night: Ledger) -> None:
    assert rows(night, "select distinct status from steps where kind = 'switch'") == [("succeeded",)]


def test_flows_name_the_automations_in_either_order(night: Ledger, tmp_path: Path) -> None:
    names = ["acme CRM sync", "acme Nightly digest", "globex Invoice export", "initech Lead enrichment"]
    assert [name for (name,) in rows(night, "select distinct automation from runs order by 1")] == names
    assert rows(night, "select schedule from automations where name = 'acme Nightly digest'") == [("every 10 s",)]
    ledger = ingested(tmp_path, [FLOWS, LOG], CLIENTS)
    query = "select * exclude (first_seen_at, last_seen_at) from runs order by run_id"
    assert rows(ledger, query) == rows(night, query)


def test_the_log_alone_knows_automations_by_the_node_that_starts_them(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [LOG])
    found = [name for (name,) in rows(ledger, "select distinct automation from runs order by 1")]
    assert found == ["acme_in", "dg_inj", "globex_in", "initech_in"]


def test_lines_of_no_message_are_set_aside_by_kind(tmp_path: Path) -> None:
    result = take_in(tmp_path, [LOG])
    assert (result.mapped, result.set_aside, result.rejects) == (62, 5, 0)
    result = take_in(tmp_path, [CONSOLE])
    assert (result.mapped, result.rejects) == (0, 0)


def test_clients_come_from_the_tabs(night: Ledger) -> None:
    assert rows(night, "select count(*) from runs where client = 'acme'") == [(32 + 13 + 1 + 2,)]


def test_a_log_that_ends_and_goes_on_in_another_file_is_one_run_in_either_order(tmp_path: Path) -> None:
    lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()
    [message] = messages_of("ACME-2013")  # takes six seconds
    places = [number for number, line in enumerate(lines) if message in line]
    middle = places[len(places) // 2]
    for name, part in (("early", lines[:middle]), ("late", lines[middle:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(part))
    for order in (["early", "late"], ["late", "early"]):
        ledger = ingested(tmp_path / order[0], [tmp_path / f"{name}.jsonl" for name in order])
        assert rows(
            ledger, f"select status, automation, round(duration_s) from runs where native_id = '{message}'"
        ) == [("succeeded", "acme_in", 6.0)]
        assert rows(ledger, "select count(*) from runs") == [(62,)]
        assert rows(ledger, "select count(*) from steps where status = 'running'") == [
            (1,)
        ]  # lost, but no file tells both halves


def test_every_outcome_has_its_word(outcomes: Ledger) -> None:
    found = rows(outcomes, "select right(native_id, 1)::INTEGER, status_raw, status, role from runs order by 1")
    assert found == [
        (1, "done", "succeeded", "work"),
        (2, "warned", "partial", "work"),
        (3, "error", "failed", "work"),
        (4, "caught", "failed", "work"),
        (5, "lost", "crashed", "work"),
        (6, "done", "succeeded", "work"),
        (7, "open", "running", "work"),
        (8, "done", "succeeded", "error_handler"),
        (9, "done", "succeeded", "work"),  # a switch without a way for it
    ]


def test_an_error_of_a_node_with_two_messages_inside_is_neithers(outcomes: Ledger) -> None:
    assert rows(outcomes, "select reason from set_aside where reason like 'an error%'") == [
        ("an error, of which message is not told",)
    ]


def test_an_error_that_was_an_object_keeps_its_message(outcomes: Ledger) -> None:
    assert rows(outcomes, "select error_message from runs where status_raw = 'error'") == [("no total",)]


def test_a_console_with_metrics_tells_runs_and_one_without_tells_none(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "console_with_metrics.log"])
    assert rows(ledger, "select status, error_message, started_at::VARCHAR from runs order by started_at") == [
        ("failed", "order ACME-5001 has no total", "2026-11-23 07:46:40+00"),
        ("succeeded", None, "2026-11-23 07:46:50+00"),
    ]
    assert len(rows(ledger, "select reason from set_aside")) == 5


def test_nodes_that_never_say_done_leave_the_outcome_unknown(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "before_1_0.jsonl"])
    assert rows(ledger, "select status, ended_at from runs") == [("unknown", None)]


def test_a_tab_with_several_beginnings_is_several_automations(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "flows_v2.json"])
    assert rows(ledger, "select native_id, name, schedule, enabled from automations order by 1") == [
        ("a", "Stock: every night", "0 2 * * *", False),
        ("b", "Stock: changes", None, False),
    ]


def test_damaged_lines_are_rejects_and_cost_no_run(tmp_path: Path) -> None:
    lines = (FOLDER / "outcomes.jsonl").read_text().splitlines()
    (tmp_path / "log.jsonl").write_text("\n".join([*lines[:8], lines[8][:30], "[1, 2]", *lines[9:]]))
    result = take_in(tmp_path / "project", [tmp_path / "log.jsonl"])
    assert (result.mapped, result.rejects) == (9, 2)


def test_a_golden_run(night: Ledger) -> None:
    [message] = messages_of("ACME-2001")
    assert rows(
        night,
        f"""select run_id, automation_id, automation, role, attempt, status_raw, trigger, started_at::VARCHAR, ended_at::VARCHAR, error_type, tz_assumed,
        (select count(*) from steps where steps.run_id = runs.run_id) from runs where native_id = '{message}'""",
    ) == [
        (
            "nodered:92265ba036f66694",
            "nodered:acme_in",
            "acme CRM sync",
            "work",
            1,
            "done",
            "http in",
            "2026-11-23 02:10:54.514+00",
            "2026-11-23 02:10:54.738+00",
            None,
            False,
            9,
        )
    ]


def metrics() -> list[dict[str, object]]:
    """A message that an inject node started and a function failed, as a handler of the log gets it."""
    steps = (
        ("inject", "n1", "receive"),
        ("inject", "n1", "send"),
        ("function", "n2", "receive"),
        ("function", "n2", "done"),
    )
    told: list[dict[str, object]] = [
        {"level": 99, "nodeid": node, "event": f"node.{kind}.{verb}", "msgid": "a1", "timestamp": 1795410000000 + at}
        for at, (kind, node, verb) in enumerate(steps)
    ]  # fmt: skip
    return [
        *told[:3],
        {"level": 20, "id": "n2", "type": "function", "msg": "boom", "timestamp": 1795410000002},
        told[3],
    ]


@pytest.mark.parametrize("shape", ["array", "indented", "words"])
def test_a_log_may_be_one_array_indented_or_have_words_for_levels(shape: str, tmp_path: Path) -> None:
    told = metrics()
    if shape == "words":
        told = [row | {"level": {99: "metric", 20: "error"}[int(str(row["level"]))]} for row in told]
    texts = {"array": json.dumps(told), "indented": json.dumps(told, indent=1)}
    (tmp_path / "log.json").write_text(texts.get(shape) or "\n".join(map(json.dumps, told)))
    ledger = ingested(tmp_path / "project", [tmp_path / "log.json"])
    assert rows(ledger, "select native_id, status, trigger, error_message from runs") == [
        ("a1", "failed", "inject", "boom")
    ]
    assert rows(ledger, "select count(*) from rejects") == [(0,)]


def test_messages_beyond_what_is_kept_go_oldest_first_also_where_no_node_ever_says_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nodered, "_MOST_MESSAGES", 100)
    told = (
        {"level": 99, "nodeid": "n", "event": "node.function.receive", "msgid": f"m{at}", "timestamp": at}
        for at in range(1000)
    )
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, told)))
    [export] = [export for export in nodered.EXPORTS if export.name == "log"]
    assert export.reader is not None
    assert len(list(export.reader(tmp_path / "log.jsonl"))) == 1000
