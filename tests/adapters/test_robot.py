"""Robot Framework against outputs of five versions whose numbers of PASS, FAIL and SKIP are known."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import SHARED, TOLD_BY, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.adapters import robot
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "robot"
FILES = [file for file in sorted(FOLDER.iterdir()) if file.is_file() and file.name != "SOURCE.md"]
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ tag = "client:acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample of the folder."""
    return ingested(tmp_path_factory.mktemp("nights"), FILES, CLIENTS)


def of(name: str) -> str:
    """The runs that this file told of, as a relation."""
    told = f"select run_id from {TOLD_BY} where contains(path, '/{name}')"
    return f"(from runs where run_id in ({told}))"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nightly_1_output", (6, 12, 3)),
        ("nightly_1_converted", (6, 12, 3)),
        ("nightly_2", (7, 11, 3)),
        ("nightly_3", (1, 11, 0)),
        ("nightly_4", (7, 11, 3)),
        ("nightly_5", (1, 20, 0)),
        ("nightly_7", (6, 0, 1)),
        ("stopped_INT", (1, 3, 0)),
        ("stopped_TERM", (0, 4, 0)),
        ("legacy", (3, 4, 0)),
        ("rf_3", (3, 18, 0)),
        ("rf_4", (6, 14, 1)),
        ("rf_6", (5, 14, 2)),
    ],
)
def test_tasks_are_counted_as_robot_framework_counts_them(
    nights: Ledger, name: str, expected: tuple[int, int, int]
) -> None:
    words = "split_part(status_raw, '|', 1)"
    assert (
        rows(
            nights,
            f"""select count(*) filter ({words} = 'PASS'), count(*) filter ({words} = 'FAIL'),
                count(*) filter ({words} = 'SKIP') from {of(name)}""",
        )[0]
        == expected
    )


def test_pass_that_ignored_an_error_is_partial_and_what_caught_retried_or_expected_one_is_not(nights: Ledger) -> None:
    assert rows(
        nights,
        f"""select regexp_extract(automation, '[^.]+$'), status, error_message
        from {of("nightly_1_output")} where starts_with(status_raw, 'PASS') order by 1""",
    ) == [
        ("Digest Unicode Ünïcödé – 日本語 ✓", "succeeded", None),
        ("Enrich Acme ORD-1002 Retry Then Success", "succeeded", None),
        ("Enrich With Expected Error", "succeeded", None),
        ("Enrich With Try Except", "succeeded", None),
        ("Sync Acme ORD-1001", "succeeded", None),
        (
            "Sync Globex ORD-2002 CRM Unreachable But Ignored",
            "partial",
            "ConnectionError: crm.globex.example:443 connection refused",
        ),
    ]


def test_failures_have_their_errors(nights: Ledger) -> None:
    assert rows(
        nights,
        f"""select regexp_extract(automation, '[^.]+$'), status, error_type, split_part(error_message, chr(10), 1)
        from {of("nightly_1_output")} where starts_with(status_raw, 'FAIL') order by 1""",
    ) == [
        ("Digest Embedded Template", "failed", "LookupError", "LookupError: Order ORD-2999 not found in CRM of globex (HTTP 404)"),
        ("Digest Rerun Candidate ORD-1004", "failed", None, "ERP lock held on ORD-1004; try later"),
        ("Digest Unknown Keyword", "failed", None, "No keyword with name 'Send Fax To Client' found."),
        ("Enrich Dead Branch Loop Limit", "failed", None, "paging never ended for globex"),
        (
            "Enrich Globex ORD-2003 Retries Exhausted",
            "failed",
            None,
            "Keyword 'Flaky Enrich' failed after retrying 3 times. The last error was: CrmTimeout: enrichment API 503 for ORD-2003 (attempt 3)",
        ),
        ("Enrich Initech Batch With One Bad Row", "failed", "LookupError", "Several failures occurred:"),
        ("Enrich With Failing Teardown", "failed", "ConnectionError", "Teardown failed:"),
        ("Export Initech ORD-3004", "failed", "ConnectionError", "Parent suite setup failed:"),
        ("Export Initech ORD-3005", "failed", "ConnectionError", "Parent suite setup failed:"),
        ("Export Initech Skipped Despite Setup Failure", "failed", "ConnectionError", "Parent suite setup failed:"),
        ("Sync Acme ORD-1009 Missing Order", "failed", "LookupError", "LookupError: Order ORD-1009 not found in CRM of acme (HTTP 404)"),
        ("Sync Globex ORD-2001 Timeout", "timed_out", None, "Task timeout 1 second exceeded."),
    ]  # fmt: skip


def test_steps_are_the_topmost_keywords_with_attempts_and_rounds(nights: Ledger) -> None:
    def steps(task: str) -> list[tuple[object, ...]]:
        return rows(
            nights,
            f"""select steps.name, steps.kind, steps.status, steps.attempt, steps.items_in, steps.items_out, system
            from steps join {of("nightly_1_output")} runs using (run_id) where automation like '%{task}'
            order by steps.started_at, steps.attempt""",
        )

    assert steps("Retry Then Success") == [
        ("Flaky Enrich", "keyword", "failed", 1, None, None, "AgencyLib"),
        ("Flaky Enrich", "keyword", "failed", 2, None, None, "AgencyLib"),
        ("Flaky Enrich", "keyword", "succeeded", 3, None, None, "AgencyLib"),
        ("Should Be Equal As Integers", "keyword", "succeeded", 1, None, None, None),
    ]
    assert steps("One Bad Row") == [
        ("FOR", "for", "failed", 1, 4, 2, None),
        ("Soft Problem", "keyword", "failed", 1, None, None, "AgencyLib"),
    ]
    assert steps("Failing Teardown") == [
        ("Fetch Order", "keyword", "succeeded", 1, None, None, "AgencyLib"),
        ("Open Crm Session", "teardown", "failed", 1, None, None, "AgencyLib"),
    ]
    assert [step[:3] for step in steps("ORD-1009 Missing Order")] == [
        ("Open Crm Session", "keyword", "succeeded"),
        ("Fetch Order", "keyword", "failed"),
        ("Export Invoice", "keyword", "skipped"),
        ("Log", "keyword", "skipped"),
    ]


def test_what_never_ran_is_skipped_and_what_a_signal_struck_is_cancelled(nights: Ledger) -> None:
    found = {
        name: rows(nights, f"select status, count(*) from {of(name)} group by all order by all")
        for name in ("nightly_5", "stopped_INT", "stopped_TERM")
    }
    assert found == {
        "nightly_5": [("failed", 1), ("skipped", 19), ("succeeded", 1)],
        "stopped_INT": [("cancelled", 1), ("skipped", 2), ("succeeded", 1)],
        "stopped_TERM": [("cancelled", 1), ("skipped", 3)],
    }


def test_a_dry_run_is_a_test_and_nothing_else_is(nights: Ledger) -> None:
    dry = of("nightly_7")
    assert rows(nights, f"select role, count(*) from {dry} group by all") == [("test", 7)]
    assert rows(nights, "select count(*) from runs where role = 'test'") == [(7,)]


def test_a_merged_output_tells_of_the_runs_that_were_merged(nights: Ledger) -> None:
    rerun, merged = of("nightly_3"), of("nightly_4")
    assert rows(nights, f"select count(*) from {merged} semi join {rerun} using (run_id)") == [(12,)]
    assert rows(nights, f"select count(*) from {merged} semi join {of('nightly_1_output')} using (run_id)") == [(9,)]
    assert rows(nights, f"select count(*) from {merged} where contains(error_message, 're-executed')") == [(0,)]
    assert rows(
        nights, f"select status, error_message from {merged} where automation like '%Rerun Candidate ORD-1004'"
    ) == [("succeeded", None)]


def test_a_killed_run_leaves_a_reject(nights: Ledger) -> None:
    assert rows(
        nights,
        "select mapped, rejects from imports where contains(path, 'stopped_KILL')",
    ) == [(0, 1), (0, 1)]


def test_tags_give_the_client_and_tasks_their_orders(nights: Ledger) -> None:
    one = of("nightly_1_output")
    assert rows(nights, f"select count(*) from {one} where client = 'acme'") == [(6,)]
    assert rows(
        nights,
        f"""select distinct entity_key from touches join {one} runs using (run_id)
        where automation like '%One Bad Row' order by 1""",
    ) == [("ORD-3002",), ("ORD-3003",), ("ORD-3019",), ("ORD-3029",)]


def test_xml_and_json_of_one_run_say_the_same(tmp_path: Path) -> None:
    xml, json = FOLDER / "nightly_1_output.xml.gz", FOLDER / "nightly_1_converted_output.json.gz"
    ledgers = [
        ingested(tmp_path / str(number), files, CLIENTS) for number, files in enumerate(([xml], [json], [json, xml]))
    ]
    for query in (
        "select * from runs order by run_id",
        "select * from steps order by step_id",
        "select run_id, step_id, entity_key from touches order by all",
    ):
        assert rows(ledgers[0], query) == rows(ledgers[1], query) == rows(ledgers[2], query)


def test_any_order_of_the_files_gives_the_same_ledger(nights: Ledger, tmp_path: Path) -> None:
    names = (
        "nightly_1_output.xml.gz",
        "nightly_3_rerun_output.xml.gz",
        "nightly_4_merged_output.xml.gz",
    )
    ledgers = []
    for seed in (1, 2):
        files = random.Random(seed).sample([FOLDER / name for name in names], len(names))  # noqa: S311  a shuffle, no secret
        ledgers.append(ingested(tmp_path / str(seed), files))
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledgers[0], query) == rows(ledgers[1], query)
    assert rows(ledgers[0], "select count(*) from runs") == [(33,)]


@pytest.mark.parametrize(
    ("names", "reader"),
    [
        (("nightly_1_output.xml.gz", "nightly_3_rerun_output.xml.gz"), robot.read_xml),
        (("nightly_2_output.json.gz", "nightly_5_exitonfailure.json.gz"), robot.read_json),
    ],
)
def test_outputs_behind_one_another_in_one_file_tell_of_all_their_runs(
    tmp_path: Path, names: tuple[str, str], reader: Callable[[Path], Iterator[Any]]
) -> None:
    found = []
    for files in ((names[0],), (names[1],), names, (names[0], names[0])):
        file = tmp_path / "x"
        file.write_bytes(b"\n".join(gzip.decompress((FOLDER / name).read_bytes()) for name in files))
        found.append([record["native_id"] for record in reader(file)])
    first, second, both, twice = found
    assert both == [*first, *second]
    assert set(twice) == set(first)


def test_an_output_behind_one_that_broke_off_keeps_its_names(tmp_path: Path) -> None:
    file = tmp_path / "x"
    whole = gzip.decompress((FOLDER / "nightly_3_rerun_output.xml.gz").read_bytes())
    file.write_bytes(whole)
    names = [record["automation"] for record in robot.read_xml(file) if isinstance(record, dict)]
    file.write_bytes(whole[: len(whole) // 2] + b"\n" + whole)
    found = [record["automation"] for record in robot.read_xml(file) if isinstance(record, dict)]
    assert found[-len(names) :] == names
    assert set(found) == set(names)


def test_xml_that_breaks_off_keeps_its_whole_tasks(tmp_path: Path) -> None:
    text = gzip.decompress((FOLDER / "nightly_1_output.xml.gz").read_bytes()).decode()
    cut = tmp_path / "cut.xml"
    cut.write_text(text[: text.index('name="Sync Initech Nothing To Do"')])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (4, 1)
    assert rows(aftershock.open(tmp_path / "project"), "select run_id from runs order by 1 limit 1") == [
        ("robot:Agency Nightly.01 Crm Sync.Sync Acme ORD-1001@2026-11-23T02:25:47.635",)
    ]


def test_a_golden_run(nights: Ledger) -> None:
    assert rows(
        nights,
        """select run_id, automation, status, role, started_at::VARCHAR, ended_at::VARCHAR, duration_s, client, tz_assumed
        from runs where starts_with(native_id, 'Agency Nightly.01 Crm Sync.Sync Acme ORD-1001@2026-11-23T02:25:47')""",
    ) == [
        (
            "robot:Agency Nightly.01 Crm Sync.Sync Acme ORD-1001@2026-11-23T02:25:47.635",
            "Agency Nightly.01 Crm Sync.Sync Acme ORD-1001",
            "succeeded",
            "work",
            "2026-11-23 02:25:47.635837+00",
            "2026-11-23 02:25:47.793472+00",
            0.157635,
            "acme",
            True,
        )
    ]


@needs_shared
def test_tasks_run_without_rpa_on_the_command_line_are_no_other(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [SHARED / "captures/robot/raw/nightly_8_testmode_output.xml"])
    assert rows(
        ledger, "select split_part(status_raw, '|', 1) as word, count(*) from runs group by all order by word"
    ) == [("FAIL", 12), ("PASS", 6), ("SKIP", 3)]
