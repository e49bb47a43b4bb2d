"""Ansible against what its callbacks wrote about runs whose exit codes are known."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import SHARED, TOLD_BY, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.adapters import ansible
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "ansible"
FILES = [file for file in sorted(FOLDER.iterdir()) if file.is_file() and file.name != "SOURCE.md"]
RECORDS = """
[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""
NIGHTLY = [
    "nightly_json.json",
    "nightly_jsonl.jsonl",
    "nightly_pathlog.log",
    "nightly_pathlog.txt",
    "nightly_v2_pathlog",
]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample of the folder."""
    return ingested(tmp_path_factory.mktemp("night"), FILES, RECORDS)


def of(name: str) -> str:
    """The runs that this file told of, as a relation."""
    told = f"select run_id from {TOLD_BY} where contains(path, '/{name}')"
    return f"(from runs where run_id in ({told}))"


@pytest.mark.parametrize("name", NIGHTLY)
def test_five_ways_of_telling_give_the_same_run(night: Ledger, name: str) -> None:
    assert rows(night, f"select status, status_raw, error_message from {of(name)}") == [
        (
            "failed",
            "unreachable",
            "Task failed: Failed to connect to the host via ssh: ssh: connect to host 127.0.0.1 port 59999: Connection refused",
        )
    ]
    steps = f"(select steps.* from steps join {of(name)} using (run_id))"
    assert rows(
        night,
        f"""select system, status_raw, count(*) from {steps} where status_raw <> 'retried' group by all order by all""",
    ) == [
        ("acme-app01", "changed", 8 - 1),  # the recap counts a loop that changed something and was ignored
        ("acme-app01", "failed", 2),
        ("acme-app01", "ok", 13 - 8),
        ("acme-app01", "skipped", 2),
        ("acme-app02", "changed", 7 - 1),
        ("acme-app02", "failed", 3),
        ("acme-app02", "ok", 11 - 7),
        ("acme-app02", "skipped", 1),
        ("globex-app01", "changed", 9 - 2),
        ("globex-app01", "failed", 3),
        ("globex-app01", "ok", 14 - 9),
        ("globex-app01", "skipped", 1),
        ("initech-app01", "unreachable", 1),
    ]
    assert rows(
        night,
        f"""select name[:11], status, list(attempt order by attempt), count(distinct system) from {steps}
        where step_key in (select step_key from {steps} where attempt > 1) group by all order by all""",
    ) == [
        ("Enrich lead", "failed", [1, 1, 1, 2, 2, 2], 3),
        ("Enrich lead", "succeeded", [3, 3, 3], 3),
        ("Fatal on ac", "failed", [1, 2], 1),
    ]
    assert rows(
        night, f"select distinct items_in, items_out, status from {steps} where name like 'Loop%' order by all"
    ) == [(3, 2, "failed")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("okonly_jsonl", [("okonly.yml", "partial")]),
        ("profile_pathlog.txt", [("Digest globex", "partial")]),
        ("yamlformat_pathlog.txt", [("Digest globex", "partial")]),
        ("timeouts_json", [("timeouts.yml", "failed")]),
        ("anyfatal_json", [("assertfail.yml", "failed")]),
        ("retryfiles_on_json.json", [("assertfail.yml", "failed")]),
        ("retryfiles_on_jsonl", [("assertfail.yml", "failed")]),
        ("twoplaybooks_json", [("okonly.yml", "partial"), ("assertfail.yml", "failed")]),
        ("check_json", [("nightly.yml", "partial")]),
        ("nohosts_json", [("nohosts.yml", "skipped")]),
        ("badmodule_json", [("badmodule.yml", "failed")]),
        ("badyaml_json", [("badyaml.yml", "failed")]),
        ("stopped_INT_default.log", [("long", "cancelled")]),
        ("stopped_INT_default.out", [("long", "cancelled")]),
        ("stopped_INT_jsonl", [("long.yml", "cancelled")]),
        ("stopped_KILL_jsonl", [("long.yml", "running")]),
        (
            "ansible_appended",
            [("Digest globex", "partial"), ("Any errors fatal", "failed"), ("Timeouts", "failed"), ("Digest globex", "partial")],
        ),
        ("screen_appended", [("sync", "failed"), ("sync", "failed")]),
    ],
)  # fmt: skip
def test_what_was_caused_is_what_is_told(night: Ledger, name: str, expected: list[tuple[str, str]]) -> None:
    found = rows(night, f"select automation, status from {of(name)} order by started_at, native_id")
    assert found == expected


def test_of_two_playbooks_in_one_command_each_has_its_own_steps_and_sums(night: Ledger) -> None:
    assert rows(
        night,
        f"""select automation, count(*), count(*) filter (steps.status = 'failed'), any_value(runs.status_raw)
        from steps join {of("twoplaybooks")} runs using (run_id) group by all order by 1""",
    ) == [("assertfail.yml", 3, 1, "failures"), ("okonly.yml", 6, 1, "ok")]


def test_errors_that_were_ignored_are_failed_steps_and_the_fatal_one_is_the_error(night: Ledger) -> None:
    assert rows(
        night,
        f"""select steps.name, steps.status, steps.error_message, runs.error_message
        from steps join {of("timeouts_json")} runs using (run_id) order by 1""",
    ) == [
        ("Async timeout", "timed_out", "Timeout exceeded", "Timeout exceeded"),
        ("Task timeout keyword", "timed_out", "Task failed: Timed out after 2 second(s).", "Timeout exceeded"),
    ]


def test_a_check_is_a_test(night: Ledger) -> None:
    assert rows(night, "select distinct automation, role from runs where role <> 'work' order by 1") == [
        ("Nightly sync", "test"),
        ("check", "test"),
        ("nightly.yml", "test"),
    ]


def test_processes_that_write_into_one_log_are_told_apart(night: Ledger) -> None:
    assert rows(
        night,
        f"""select native_id[:4], automation, status, error_message, started_at::VARCHAR, tz_assumed
        from {of("interleaved")} order by started_at""",
    ) == [
        ("p501", "sync", "failed", "no such order", "2026-11-20 01:00:00.1+00", True),
        ("p777", "export", "succeeded", None, "2026-11-20 01:00:00.15+00", True),
        ("p501", "mail", "succeeded", None, "2026-11-20 01:00:02.3+00", True),
        ("p802", "broken.yml", "failed", "Syntax Error while loading YAML.", "2026-11-20 01:10:00+00", True),
        ("p804", "check", "skipped", None, "2026-11-20 01:30:00+00", True),
        ("p805", "killed", "running", None, "2026-11-20 01:40:00+00", True),
    ]
    assert rows(
        night,
        f"""select steps.name, system, steps.status_raw, attempt, items_in, items_out
        from steps join {of("interleaved")} runs using (run_id) where automation = 'sync' order by all""".replace(
            " attempt,", " steps.attempt,"
        ).replace("items_in, items_out", "steps.items_in, steps.items_out"),
    ) == [
        ("crm : push order", "web1", "ok", 1, None, None),
        ("crm : push order", "web1", "ok", 2, None, None),
        ("crm : push order", "web1", "retried", 1, None, None),
        ("crm : push order", "web2", "ok", 1, None, None),
        ("loop", "web1", "ok", 1, 2, 1),
        ("loop", "web2", "failed", 1, 2, 1),
        ("loop", "web3", "skipped", 1, 1, 0),
    ]


def test_lines_of_no_run_are_set_aside(night: Ledger) -> None:
    assert rows(night, "select reason, count(*) from set_aside group by all order by all") == [
        ("an event that is no result of a task", 2),
        ("lines of text between the JSON: 1", 1),
        ("lines that belong to no playbook: 1", 1),
    ]


@pytest.mark.parametrize("name", ["nightly_json.json", "nightly_pathlog.txt"])
def test_orders_are_found_where_only_results_name_them(night: Ledger, name: str) -> None:
    found = rows(
        night,
        f"""select distinct entity_key, touches.system from touches join {of(name)} using (run_id)
        join steps using (step_id) where steps.name = 'Only survivors' or steps.status = 'failed' order by all""",
    )
    assert found == [("ORD-1001", "acme-app01"), ("ORD-1002", "acme-app02"), ("ORD-2001", "globex-app01")]


def test_steps_have_times_of_their_own(night: Ledger) -> None:
    assert rows(
        night,
        f"""select steps.kind, steps.started_at::VARCHAR, steps.ended_at::VARCHAR
        from steps join {of("nightly_jsonl")} using (run_id) where system = 'initech-app01'""",
    ) == [("ansible.builtin.ping", "2026-11-23 02:16:02.560125+00", "2026-11-23 02:16:02.99308+00")]
    assert rows(
        night,
        f"""select steps.started_at::VARCHAR, steps.ended_at::VARCHAR
        from steps join {of("nightly_pathlog.log")} using (run_id) where system = 'initech-app01'""",
    ) == [("2026-11-23 02:16:38.147+00", "2026-11-23 02:16:38.458+00")]


def test_a_log_that_went_on_finishes_the_run_in_either_order(tmp_path: Path) -> None:
    text = (FOLDER / "nightly_pathlog.log").read_text()
    early = tmp_path / "early.log"
    early.write_text(text[: text.index("TASK [Secret token]")])
    files = [early, FOLDER / "nightly_pathlog.log"]
    ledgers = [
        ingested(tmp_path / str(seed), random.Random(seed).sample(files, 2))  # noqa: S311  a shuffle, no secret
        for seed in (0, 1)
    ]
    assert [rows(ledger, "select status, count(*) over () from runs") for ledger in ledgers] == [[("failed", 1)]] * 2
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledgers[0], query) == rows(ledgers[1], query)


def told(file: Path, text: str, reader: Callable[[Path], Iterator[object]]) -> list[tuple[object, ...]]:
    """The runs that a reader finds in this text: id, word, number of steps."""
    file.write_text(text, encoding="utf-8")
    return [
        (one["native_id"], one["word"], len(one["steps"]))
        for one in reader(file)
        if isinstance(one, dict) and "native_id" in one
    ]


def plain(name: str) -> str:
    """A sample as text."""
    raw = (FOLDER / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()


def test_jobs_of_awx_have_their_words_and_the_workflow_that_started_them(night: Ledger) -> None:
    assert rows(
        night,
        """select native_id, automation, status, role, trigger, duration_s, parent_run_id from runs
        where starts_with(native_id, 'awx') order by native_id""",
    ) == [
        ("awx 500", "Night", "queued", "work", "scheduled", None, None),
        ("awx 501", "Nightly sync", "partial", "work", "scheduled", 60.5, "ansible:awx 500"),
        ("awx 502", "Nightly sync", "timed_out", "work", "relaunch", 600.0, None),
        ("awx 503", "Nightly sync", "failed", "test", "manual", 10.0, None),
        ("awx 504", "playbooks", "crashed", "work", "dependency", 10.0, None),
        ("awx 505", "a", "cancelled", "work", "manual", 10.0, None),
        ("awx 506", "a", "running", "work", "webhook", None, None),
        ("awx 507", "a", "queued", "work", "callback", None, None),
        ("awx 508", "a", "queued", "work", "workflow", None, None),
    ]
    assert rows(
        night,
        """select name, system, steps.attempt, steps.status, steps.error_message from steps join runs using (run_id)
        where native_id = 'awx 501' order by 1, 3""",
    ) == [
        ("Digest", "acme-app01", 1, "failed", "no digest"),
        ("Enrich lead", "acme-app01", 1, "failed", None),
        ("Enrich lead", "acme-app01", 2, "succeeded", None),
        ("Mail", "acme-app01", 1, "skipped", None),
    ]


def test_events_of_a_playbook_that_was_killed_or_interrupted_do_not_run_into_the_next_one(tmp_path: Path) -> None:
    names = ("stopped_KILL_jsonl.out", "okonly_jsonl.jsonl", "stopped_INT_jsonl.out", "stopped_KILL_jsonl.out")
    alone = [told(tmp_path / "one.jsonl", plain(name), ansible.read_lines) for name in names]
    assert [one[0][1] for one in alone] == ["no stats", "ok", "interrupted", "no stats"]
    assert told(tmp_path / "all.jsonl", "".join(map(plain, names)), ansible.read_lines) == [
        run for one in alone for run in one
    ]


@pytest.mark.parametrize("name", ["anyfatal_json.json", "twoplaybooks_json.json.gz", "nohosts_json.json"])
def test_a_document_that_stands_there_twice_tells_of_the_same_runs(tmp_path: Path, name: str) -> None:
    once = told(tmp_path / "x.json", plain(name), ansible.read_json)
    assert told(tmp_path / "x.json", plain(name) * 2, ansible.read_json) == once * 2


@pytest.mark.parametrize("name", ["ansible_appended.log", "stopped_INT_default.log"])
def test_a_log_that_was_copied_behind_itself_tells_of_the_same_runs(tmp_path: Path, name: str) -> None:
    once = told(tmp_path / "x.log", plain(name), ansible.read_text)
    assert told(tmp_path / "x.log", plain(name) * 2, ansible.read_text) == once * 2


def test_retries_that_name_no_host_are_those_of_the_only_host(tmp_path: Path) -> None:
    before = "PLAY [Sync] ****\n\nTASK [Enrich] ****\nFAILED - RETRYING: Enrich (3 retries left).\nFAILED - RETRYING: Enrich (2 retries left).\n"
    after = "\nPLAY RECAP ****\napp01 : ok=1 changed=1 unreachable=0 failed=0 skipped=0\n"
    file = tmp_path / "x.txt"
    attempts = []
    for results in ("changed: [app01]\n", "changed: [app01]\nok: [app02]\n"):
        file.write_text(before + results + after)
        [run] = ansible.read_text(file)
        assert isinstance(run, dict)
        attempts.append([(step["system"], step["attempt"], step["word"]) for step in run["steps"]])
    assert attempts == [
        [("app01", 1, "retried"), ("app01", 2, "retried"), ("app01", 3, "changed")],
        [("app01", 1, "changed"), ("app02", 1, "ok")],  # whose they were is not told
    ]


def test_a_message_in_yaml_is_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(
        "PLAY [Sync] ****\n\nTASK [Run] ****\nfatal: [app01]: FAILED! => changed=true \n  cmd: exit 1\n  msg: |-\n    non-zero return code\n"
        "    more of it\n\nPLAY RECAP ****\napp01 : ok=0 changed=0 unreachable=0 failed=1 skipped=0\n"
    )
    [run] = ansible.read_text(file)
    assert isinstance(run, dict)
    assert (run["word"], run["error_message"]) == ("failures", "non-zero return code")


def test_json_that_breaks_off_is_a_reject_and_what_was_whole_is_kept(tmp_path: Path) -> None:
    lines = (FOLDER / "okonly_jsonl.jsonl").read_text().splitlines()
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(lines[:4]) + "\n" + lines[4][:60])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (1, 1)
    assert rows(aftershock.open(tmp_path / "project"), "select status from runs") == [("running",)]


def test_retry_files_and_lone_warnings_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted((FOLDER / "not_ours").iterdir()))
    assert {file.outcome for file in result.files} == {"unknown"}


@needs_shared
def test_the_other_captures_end_as_their_exit_codes_say(tmp_path: Path) -> None:
    captures = SHARED / "captures/ansible/raw"
    names = (
        "timeouts_jsonl.jsonl",
        "anyfatal_jsonl.jsonl",
        "okonly_json.json",
        "junitrun.txt",
        "yamlformat_pathlog.log",
    )
    ledger = ingested(tmp_path, [captures / name for name in names])
    assert [rows(ledger, f"select status, status_raw from {of(name)}") for name in names] == [
        [("failed", "failures")],
        [("failed", "failures")],
        [("partial", "ok")],
        [("failed", "unreachable")],
        [("partial", "ok")],
    ]
