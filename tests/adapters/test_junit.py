"""JUnit XML against reports captured from pytest, Robot Framework and Ansible, and against other people's odd ones."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from support import SHARED, TOLD_BY, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.adapters import junit
from aftershock.adapters.base import Sample
from aftershock.adapters.junit import tool_of
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "junit"
FILES = [file for file in sorted(FOLDER.iterdir()) if file.name != "SOURCE.md"]
VENDOR = SHARED / "samples/junit_xml"
VENDORS = {  # mapped, set aside, rejected
    "TEST-uk.co.gresearch.spark.diff.DiffOptionsSuite.xml": (5, 0, 0),
    "corrupt-xml.xml": (1, 0, 1),
    "disabled.xml": (31, 0, 0),
    "junit.multiresult.xml": (4, 0, 0),
    "latex-utensils.xml": (109, 0, 0),
    "no-attributes.xml": (4, 0, 0),
    "no-cases-but-tests.xml": (0, 0, 1),
    "suite-logs.xml": (1, 0, 0),
    "testsuite-in-testsuite.xml": (5, 0, 0),  # not 5 + 2 + 2 + 1
    "unsupported-unicode.xml": (7, 0, 0),
    "xunit.xml": (2, 0, 0),
}
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ tag = "client:acme" }]

[[clients]]
id = "globex"
name = "Globex"
runs = [{ path = "client", equals = "globex" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample of the folder."""
    return ingested(tmp_path_factory.mktemp("night"), FILES, CLIENTS)


def counts(ledger: Ledger, query: str) -> dict[object, object]:
    """A query of two columns as a dict."""
    return dict(rows(ledger, query))  # type: ignore[arg-type]


def of(name: str) -> str:
    """The runs that this file told of, as a relation."""
    told = f"select run_id from {TOLD_BY} where contains(path, '{name}')"
    return f"(from runs where run_id in ({told}))"


ALL_JOBS = of("pytest_1_all")


def test_a_run_is_a_case_and_its_counts_are_those_of_the_console(night: Ledger) -> None:
    assert rows(night, f"select count(distinct native_id), count(*) from {ALL_JOBS}") == [(21, 24)]
    last = f"(from {ALL_JOBS} qualify row_number() over (partition by native_id order by attempt desc) = 1)"
    assert counts(night, f"select status, count(*) from {last} group by all") == {
        "failed": 9,  # 8 by failure, one of them after a subtest's; 2 by an error alone; less the timeout
        "timed_out": 1,
        "succeeded": 8,  # 8 passed, of which one had an error in its teardown; 1 xpassed
        "skipped": 2,
        "partial": 1,  # 1 xfailed
    }
    assert counts(
        night,
        f"select kind, count(*) from steps semi join {ALL_JOBS} using (run_id) where kind <> 'skipped' group by all",
    ) == {
        "failure": 9,
        "error": 3,
    }


def test_reruns_are_failed_attempts_though_they_are_written_like_passed_cases(night: Ledger) -> None:
    assert rows(
        night,
        f"""select split_part(native_id, '@', 1), list(status order by attempt), count(distinct root_run_id) from {ALL_JOBS}
        where native_id in (select native_id from runs where attempt > 1) group by all order by 1""",
    ) == [
        ("test_jobs.test_retries_exhausted", ["failed", "failed", "failed"], 1),
        ("test_jobs.test_retry_then_success", ["failed", "succeeded"], 1),
    ]


def test_a_failure_and_the_error_of_its_teardown_are_one_run_with_two_steps(night: Ledger) -> None:
    assert rows(
        night,
        f"""select steps.name, steps.kind, steps.status from steps join {ALL_JOBS} runs using (run_id)
        where native_id like '%test_fail_and_teardown_error%' order by 1""",
    ) == [("call", "failure", "failed"), ("teardown", "error", "failed")]
    assert rows(
        night,
        f"""select steps.map_index, steps.error_message from steps join {ALL_JOBS} runs using (run_id)
        where native_id like '%test_subtests%' order by 1""",
    ) == [
        (0, "agency.CrmError: 409 Conflict: ORD-2002 locked by user 'jdoe' at globex"),
        (1, "contains 1 failed subtest"),
    ]


def test_skipped_and_expected_failures_are_told_apart(night: Ledger) -> None:
    assert rows(
        night,
        f"select status_raw, status, error_message from {ALL_JOBS} where status_raw like 'skipped%' order by error_message",
    ) == [
        ("skipped", "skipped", "globex paused the contract"),
        ("skipped|pytest.xfail", "partial", "known: vendor API returns 500 on Sundays"),
        ("skipped", "skipped", "no new leads for initech"),
    ]


def test_properties_give_client_and_order(night: Ledger) -> None:
    assert counts(night, f"select client, count(*) from {ALL_JOBS} where client is not null group by all") == {
        "acme": 3,  # sync, and twice the one that was tried again
        "globex": 2,
    }
    assert rows(
        night,
        f"""select distinct entity_key from touches join {ALL_JOBS} using (run_id)
        where native_id like '%test_retry_then_success%'""",
    ) == [("ORD-1002",)]


def test_parameters_are_runs_of_one_automation(night: Ledger) -> None:
    assert rows(
        night,
        f"select status, count(*) from {ALL_JOBS} where automation = 'test_jobs.test_export' group by all order by 1",
    ) == [("failed", 1), ("succeeded", 3)]


def test_xdist_mixes_the_order_and_nothing_else(night: Ledger) -> None:
    found = [
        counts(
            night,
            f"""select status, count(*) from {of(name)} where automation not like '%test_retry_then_success'
            group by all""",
        )
        for name in ("pytest_1_all", "pytest_9_xdist")
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pytest_2_collection_error.xml", {"failed": 1}),
        ("pytest_6_xdist_worker_crash.xml", {"crashed": 1, "succeeded": 2}),
        ("pytest_10_sigint.xml", {"cancelled": 1, "succeeded": 1}),
        ("robot_nightly_1_xunit.xml", {"succeeded": 6, "failed": 11, "timed_out": 1, "skipped": 3}),
        ("nightly-1795400474.2201083.xml.gz", {"failed": 1}),
    ],
)
def test_what_was_caused_is_what_is_told(night: Ledger, name: str, expected: dict[str, int]) -> None:
    assert counts(night, f"select status, count(*) from {of(name)} group by all") == expected


def test_a_report_of_nothing_is_set_aside(night: Ledger) -> None:
    query = "select records_read, set_aside from imports where contains(path, 'no_tests')"
    assert rows(night, query) == [(1, 1)]


def test_the_tool_is_read_from_the_content(night: Ledger) -> None:
    assert counts(night, "select tool, count(distinct native_id) from runs group by all") == {
        "pytest": 21 + 1 + 3 + 21 + 2,
        "robot": 21,
        "ansible": 1,
        "surefire": 4,
        "gtest": 12,
        "junit": 4,
    }


def test_a_playbook_is_one_run_and_only_errors_after_which_a_host_did_nothing_more_are_fatal(night: Ledger) -> None:
    assert rows(
        night, "select automation, status, ended_at::VARCHAR, error_message from runs where tool = 'ansible'"
    ) == [
        ("nightly.yml", "failed", "2026-11-23 02:21:14.220108+00", "Task failed: Module failed: non-zero return code")
    ]
    assert rows(
        night,
        """select system, count(*), count(*) filter (steps.status = 'failed'), count(*) filter (steps.status = 'skipped')
        from steps join runs using (run_id) where tool = 'ansible' group by all order by 1""",
    ) == [("acme-app01", 16, 1, 2), ("acme-app02", 14, 2, 1), ("globex-app01", 16, 1, 1)]


def test_surefire_reruns_are_attempts(night: Ledger) -> None:
    assert rows(
        night,
        """select automation, attempt, status, error_message, client from runs
        where tool = 'surefire' and automation not like '%Old' order by 1, 2""",
    ) == [
        ("example.agency.ExportJob.exportInvoices", 1, "failed", "locked ORD-2002", "globex"),
        ("example.agency.ExportJob.exportInvoices", 2, "failed", "gone", "globex"),
        ("example.agency.ExportJob.exportInvoices", 3, "succeeded", None, "globex"),
        ("example.agency.ExportJob.exportLeads", 1, "failed", "503 from the mail API", "globex"),
        ("example.agency.ExportJob.exportLeads", 2, "failed", "503 again", "globex"),
        ("example.agency.ExportJob.exportLeads", 3, "failed", "sum differs", "globex"),
        ("example.agency.ExportJob.exportOrders{String}", 1, "succeeded", None, "globex"),
    ]
    assert rows(
        night, "select duration_s, tz_assumed from runs where tool = 'surefire' and attempt = 3 order by 1"
    ) == [
        (1200.25, True),
        (None, True),
    ]


def test_every_word_of_a_case_without_a_result_has_its_meaning(night: Ledger) -> None:
    assert rows(
        night,
        """select regexp_extract(native_id, 'Words[.]([^@]+)', 1), attempt, status from runs
        where tool = 'gtest' order by native_id, attempt""",
    ) == [
        ("Disabled", 1, "skipped"),
        ("Errored", 1, "failed"),
        ("Failed", 1, "failed"),
        ("Ignored", 1, "skipped"),
        ("Mended", 1, "failed"),
        ("Mended", 2, "succeeded"),
        ("NotRun", 1, "skipped"),
        ("Passed", 1, "succeeded"),
        ("Run", 1, "succeeded"),
        ("Skipped", 1, "skipped"),
        ("Strange", 1, "succeeded"),
        ("Twice", 1, "succeeded"),
        ("Twice", 1, "succeeded"),
    ]
    assert rows(night, "select started_at::VARCHAR from runs where native_id like 'Words.Run@%'") == [
        ("2026-11-20 02:10:00.126+00",)
    ]


def test_nested_suites_count_once_and_suites_of_sums_are_told(night: Ledger) -> None:
    ledger, nested = night, of("nested")
    assert rows(ledger, f"select automation, status, queued_at::VARCHAR, duration_s from {nested} order by 1") == [
        ("Exports.all at once", "failed", "2026-11-20 02:20:00+00", None),
        ("Nightly.Exports.Inner.works", "succeeded", "2026-11-20 02:20:00+00", None),
        ("Nightly.Exports.fails", "failed", "2026-11-20 02:20:00+00", 0.25),
        ("Nightly.outside", "succeeded", None, None),
    ]
    assert rows(
        ledger,
        f"select kind, steps.status from steps join {nested} using (run_id) where automation like '%once' order by 1",
    ) == [("error", "failed"), ("failure", "failed"), ("skipped", "skipped")]
    assert rows(ledger, "select reason from rejects") == [("tells of 6 tests and names none of them",)]
    assert rows(ledger, "select mapped, set_aside, rejects from imports where contains(path, 'nested')") == [(4, 1, 1)]


def test_a_report_that_breaks_off_keeps_its_whole_cases(tmp_path: Path) -> None:
    text = (FOLDER / "pytest_1_all.xml").read_text()
    cut = tmp_path / "cut.xml"
    cut.write_text(text[: text.index('name="test_setup_error"') + 40])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (8, 1)
    assert rows(aftershock.open(tmp_path / "project"), "select reason like 'is no XML from here on%' from rejects") == [
        (True,)
    ]


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xml"
    bomb.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite name="s"><testcase name="&a;"/></testsuite>')
    result = take_in(tmp_path / "project", [bomb])
    assert (result.mapped, result.rejects) == (0, 1)


def test_a_shorter_copy_of_a_report_changes_nothing_in_either_order(tmp_path: Path) -> None:
    text = (FOLDER / "words.xml").read_text()
    cut = tmp_path / "words.xml"
    cut.write_text(text[: text.index('"Twice"')])
    files = [cut, FOLDER / "words.xml", FOLDER / "surefire.xml"]
    ledgers = [
        ingested(tmp_path / str(seed), random.Random(seed).sample(files, len(files)))  # noqa: S311  a shuffle, no secret
        for seed in (0, 3)
    ]
    for query in ("select * exclude (last_seen_at) from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledgers[0], query) == rows(ledgers[1], query)


@pytest.mark.parametrize(
    ("tool", "head"),
    [
        ("jest", '<testsuites name="jest tests" tests="1"><testsuite name="a">'),
        ("vitest", '<testsuites name="vitest tests" tests="1">'),
        ("go", '<testsuites><testsuite name="pkg"><properties><property name="go.version" value="go1.22"/>'),
        ("newman", '<testsuites name="API"><testsuite><testcase name="s" classname="JUnitXmlReporter.constructor"/>'),
        ("rspec", '<testsuite name="rspec" tests="1">'),
        (
            "playwright",
            '<testsuites id="" name="" tests="1" failures="0" skipped="0" errors="0" time="3.1"><testsuite name="a.spec.ts">',
        ),
        ("nextest", '<testsuites name="nextest-run" tests="1" uuid="x"><testsuite name="jobs">'),
        (
            "robot",
            '<testsuite errors="0" failures="0" name="A" skip="0" tests="1">\n<testcase classname="A.B" name="x" time="0.1">\n',
        ),
        (None, "<testsuites><testsuite name='a'><system-out>pytest says type=pytest.skip</system-out>"),
    ],
)
def test_other_runners_are_known_by_their_marks_and_not_by_what_was_printed(tool: str | None, head: str) -> None:
    assert tool_of(Sample("xml", text=head)) == tool


def told(file: Path, text: str) -> list[tuple[object, ...]]:
    """The attempts that the reader finds in this text: run, attempt, status."""
    file.write_text(text, encoding="utf-8", newline="")
    return [
        (record["native_id"], one["attempt"], one["status"])
        for record in junit.read(file)
        if isinstance(record, dict) and "tries" in record
        for one in record["tries"]
    ]


def test_the_same_cases_in_another_browser_are_other_runs_and_no_second_attempts(tmp_path: Path) -> None:
    suites = "".join(
        f'''<testsuite name="sync.spec.ts" timestamp="2026-11-20T02:00:00.000Z" hostname="{browser}" tests="1" failures="0" skipped="0">
        <testcase name="orders" classname="sync.spec.ts" time="1.5">{result}</testcase></testsuite>'''
        for browser, result in (
            ("chromium", '<failure message="sync.spec.ts:3:5 orders" type="FAILURE">x</failure>'),
            ("firefox", ""),
        )
    )
    head = '<testsuites id="" name="" tests="2" failures="1" skipped="0" errors="0" time="3.1">'
    assert told(tmp_path / "x.xml", f"{head}{suites}</testsuites>") == [
        ("sync.spec.ts.orders@2026-11-20T02:00:00.000Z", 1, "failed"),
        ("sync.spec.ts.orders@2026-11-20T02:00:00.000Z (2)", 1, "succeeded"),
    ]


def test_pytest_before_version_6_says_setup_teardown_and_expected_failure_in_other_words(tmp_path: Path) -> None:
    cases = {
        "up": '<error message="test setup failure">fixture</error>',
        "x": '<skipped message="expected test failure">known</skipped>',
        "skip": '<skipped message="no" type="pytest.skip">no</skipped>',
    }
    text = '<testsuite errors="2" failures="0" name="pytest" skipped="2" tests="4" time="0.054">'
    text += "".join(
        f'<testcase classname="t" name="{name}" time="0.1">{result}</testcase>' for name, result in cases.items()
    )
    text += '<testcase classname="t" name="down"/><testcase classname="t" name="down"><error message="test teardown failure"/></testcase>'
    found = told(tmp_path / "x.xml", text + "</testsuite>")
    assert [(str(name).partition("@")[0], *rest) for name, *rest in found] == [
        ("t.up", 1, "failed"),
        ("t.x", 1, "partial"),
        ("t.skip", 1, "skipped"),
        ("t.down", 1, "failed"),
    ]


def test_a_retry_told_by_an_element_of_its_own_and_again_in_the_last_one_is_one_attempt(tmp_path: Path) -> None:
    text = """<testsuites name="pytest tests"><testsuite name="pytest" timestamp="2026-11-20T02:00:00+00:00">
    <testcase classname="t" name="a"/><testcase classname="t" name="a"><flakyFailure message="AssertionError: one">x</flakyFailure></testcase>
    </testsuite></testsuites>"""
    assert [found[1:] for found in told(tmp_path / "x.xml", text)] == [(1, "failed"), (2, "succeeded")]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Timeout of 2000ms exceeded. For async tests, ensure", "timed_out"),
        ("Test timed out in 5000ms.", "timed_out"),
        ('thrown: "Exceeded timeout of 5000 ms for a test.', "timed_out"),
        ("test timed out after 1000 milliseconds", "timed_out"),
        ("java.util.concurrent.TimeoutException: export() timed out after 1 second", "timed_out"),
        ("Timeout", "timed_out"),
        ("Timed out retrying after 4000ms: expected to find element", "failed"),
        ("java.util.concurrent.TimeoutException: no answer from the CRM", "failed"),
    ],
)
def test_a_case_that_its_runner_gave_up_timed_out_and_one_whose_own_waiting_ended_failed(
    tmp_path: Path, message: str, status: str
) -> None:
    text = f'<testsuite name="s"><testcase classname="c" name="n"><failure>{message.replace("<", "&lt;")}</failure></testcase></testsuite>'
    assert [found[2] for found in told(tmp_path / "x.xml", text)] == [status]


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("Fri, 20 Nov 2026 02:00:00 GMT", "2026-11-20T02:00:00+00:00"),
        ("Fri Nov 20 02:00:00 2026", "2026-11-20T02:00:00"),
        ("2026-11-20 02:00:00 +0100", "2026-11-20 02:00:00+0100"),
    ],
)
def test_times_of_other_forms_are_read(tmp_path: Path, timestamp: str, expected: str) -> None:
    found = told(tmp_path / "x.xml", f'<testsuite name="s" timestamp="{timestamp}"><testcase name="n"/></testsuite>')
    assert found == [(f"s.n@{expected}", 1, "succeeded")]


@pytest.mark.parametrize(
    "name", ["pytest_1_all.xml", "robot_nightly_1_xunit.xml", "nested.xml", "nightly-1795400474.2201083.xml.gz"]
)
def test_other_line_ends_and_a_second_copy_behind_it_tell_of_the_same_runs(tmp_path: Path, name: str) -> None:
    raw = (FOLDER / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    whole = told(tmp_path / "x.xml", text)
    assert whole
    assert told(tmp_path / "x.xml", text.replace("\n", "\r\n")) == whole
    assert told(tmp_path / "x.xml", f"{text}\n{text}") == [*whole, *whole]


def test_what_became_of_a_playbook_whose_report_breaks_off_is_not_known(tmp_path: Path) -> None:
    text = gzip.decompress((FOLDER / "nightly-1795400474.2201083.xml.gz").read_bytes()).decode()
    assert [found[2] for found in told(tmp_path / "x.xml", text[: len(text) // 2])] == ["unknown"]


@needs_shared
def test_other_peoples_reports_are_taken_in_whole(tmp_path: Path) -> None:
    result = take_in(tmp_path, [VENDOR / name for name in VENDORS])
    found = {Path(file.path).name: (file.mapped, file.set_aside, file.rejects) for file in result.files}
    assert found == VENDORS
    assert counts(
        aftershock.open(tmp_path),
        f"""select regexp_extract(path, '([^/.]+)[^/]*$', 1) || ' ' || runs.status, count(*)
        from runs join {TOLD_BY} using (run_id)
        where regexp_matches(path, '(disabled|multiresult|no-attributes|logs|unicode).xml$') group by all""",
    ) == {
        "disabled failed": 20,  # the file's own sums: 19 failures, 1 error, 5 disabled of 31
        "disabled skipped": 5,
        "disabled succeeded": 6,
        "junit failed": 2,  # junit.multiresult: skipped, failure and error in one case
        "junit skipped": 1,
        "junit succeeded": 1,
        "no-attributes failed": 2,
        "no-attributes skipped": 1,
        "no-attributes succeeded": 1,
        "suite-logs failed": 1,
        "unsupported-unicode failed": 4,
        "unsupported-unicode skipped": 2,
        "unsupported-unicode succeeded": 1,
    }


@needs_shared
def test_the_other_captures_of_pytest_are_as_their_consoles_say(tmp_path: Path) -> None:
    captures = SHARED / "captures/pytest/raw"
    names = ("junit_3_continue_collect", "junit_4_xunit1", "junit_5_exitfirst")
    ledger = ingested(tmp_path, [captures / f"{name}.xml" for name in names])
    found = [
        rows(
            ledger,
            f"""select count(*) filter (kind = 'failure'), count(*) filter (kind = 'error') from steps
            semi join {of(name)} using (run_id)""",
        )
        + rows(
            ledger,
            f"""select count(*) filter (status = 'succeeded'), count(*) filter (status_raw = 'rerun') from {of(name)}""",
        )
        for name in names
    ]
    assert found == [
        [(9, 4), (8 + 1 - 1, 3)],  # 8 passed, one of which errs in its teardown; 1 xpassed
        [(9, 3), (8 + 1 - 1, 2)],
        [(1, 0), (1, 0)],
    ]
