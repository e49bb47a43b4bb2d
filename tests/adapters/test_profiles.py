"""The mapping profiles that ship: each reads a sample in the shape that it says it was made from."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from support import ingested, rows, take_in
from typer.testing import CliRunner

from aftershock.adapters.mapping import adapter_of_mapping
from aftershock.adapters.registry import adapters
from aftershock.assets import about_profile, make_project, profiles
from aftershock.cli import app
from aftershock.errors import ProjectError, UnknownNameError
from aftershock.ingest.containers import Opened, opened
from aftershock.ingest.recognise import recognise
from aftershock.project import Mapping, load

FOLDER = Path(__file__).parent / "_profiles"
SAMPLES = {file.stem: file for file in FOLDER.iterdir() if file.suffix in (".csv", ".json")}
RECORDS = """
[[records]]
entity = "order"
keys = ["order_id"]
pattern = 'O-3\\d'
"""
EXPECTED = {
    "zapier_portal": {"…4000": "succeeded", "…4001": "failed", "…4002": "waiting", "…4003": "skipped"},
    "power_automate_portal": {"…4CU62": "succeeded", "…5CU62": "failed", "…6CU62": "running"},
    "uipath_jobs": {"k-1": "succeeded", "k-2": "partial", "k-3": "failed", "k-4": "cancelled", "k-5": "waiting"},
    "uipath_queue": {"1": "failed", "2": "succeeded", "3": "queued", "4": "crashed", "5": "cancelled"},
    "activepieces": {
        "QUEUED": "queued",
        "RUNNING": "running",
        "PAUSED": "waiting",
        "SUCCEEDED": "succeeded",
        "FAILED": "failed",
        "QUOTA_EXCEEDED": "failed",
        "LOG_SIZE_EXCEEDED": "failed",
        "INTERNAL_ERROR": "crashed",
        "MEMORY_LIMIT_EXCEEDED": "crashed",
        "TIMEOUT": "timed_out",
        "CANCELED": "cancelled",
        "test": "succeeded",
    },
    "rundeck": {
        "1": "succeeded",
        "2": "failed",
        "3": "failed",
        "4": "cancelled",
        "5": "timed_out",
        "6": "running",
        "7": "unknown",
    },
    "tekton": {
        "uid-a": "succeeded",
        "uid-b": "succeeded",
        "uid-c": "failed",
        "uid-d": "timed_out",
        "uid-e": "cancelled",
        "uid-f": "running",
        "uid-g": "failed",
        "uid-h": "queued",
    },
    "langfuse": {"t1": "succeeded", "t2": "failed", "t3": "running", "t4": "partial", "t5": "failed"},
    "healthchecks": {"6": "succeeded", "r1": "succeeded", "r2": "failed", "r9": "running"},
}
SET_ASIDE = {"tekton": 1, "langfuse": 1, "healthchecks": 1, "slack": 1}
# What else the sample's shape can tell, a question each.
DETAILS = {
    "zapier_portal": (
        "select automation, duration_s from runs where status = 'succeeded'",
        [("Leads to the CRM", 4.0)],
    ),
    "power_automate_portal": (
        "select error_message, duration_s, tz_assumed from runs where status = 'failed'",
        [("An action failed.", 90.0, True)],
    ),
    "uipath_jobs": (
        "select error_type, error_message, version, parent_run_id, \"trigger\" from runs where native_id = 'k-3'",
        [("Robot", "Selector not found", "1.0.7", "uipath:k-1", "Schedule")],
    ),
    "uipath_queue": (
        "select automation, root_run_id, correlation_id from runs where native_id = '2'",
        [("Invoices in", "uipath:queue/1", "INV-2")],
    ),
    "activepieces": (
        "select role, error_type, error_message, parent_run_id from runs where native_id in ('FAILED', 'test') order by 1",
        [("test", None, None, "activepieces:SUCCEEDED"), ("work", "Send mail", "550 refused", None)],
    ),
    "rundeck": (
        "select automation, status_raw, duration_s from runs where native_id in ('1', '7') order by native_id",
        [("backup", "succeeded", 5.0), ("run backup", "degraded", None)],
    ),
    "tekton": (
        "select automation, error_type, duration_s from runs where native_id = 'uid-g'",
        [("build", "CouldntGetTask", 300.0)],
    ),
    "langfuse": (
        "select error_message, ended_at from runs where native_id in ('t3', 't5') order by native_id",
        [(None, None), ("killed", None)],
    ),
    "healthchecks": (
        "select automation, started_at::varchar, duration_s from runs where native_id = 'r2'",
        [("my-check", "2026-11-02 09:00:00+00", 60.5)],
    ),
    "slack": (
        "select title, text, sent_at::varchar, channel, recipient from notices order by sent_at",
        [
            ("Backup failed", "run 4711 of backup: O-36", "2026-11-02 08:00:00.000216+00", "slack", "Alerts"),
            ("order O-37 is stuck", "order O-37 is stuck", "2026-11-02 08:01:00.0001+00", "slack", None),
        ],
    ),
    "email": (
        "select title, text, sent_at::varchar, channel from notices order by title",
        [
            ("Digest", None, "2026-11-02 08:00:01+00", "email"),
            ("Job nightly failed", "Order O-38 was not shipped", "2026-11-02 08:00:01+00", "email"),
        ],
    ),
}
TOUCHES = {"uipath_jobs": "O-31", "activepieces": "O-32", "rundeck": "O-33", "tekton": "O-34", "langfuse": "O-35"}


def test_every_profile_has_a_sample_and_says_what_it_was_made_from() -> None:
    assert set(profiles()) == set(SAMPLES) == set(DETAILS)
    for name, file in profiles().items():
        assert "Made from:" in about_profile(file)
        assert "Adapt:" in about_profile(file)
        assert list(tomllib.loads(file.read_text())["mappings"]) == [name]


@pytest.mark.parametrize("name", sorted(profiles()))
def test_a_profile_reads_its_sample(name: str, tmp_path: Path) -> None:
    toml = profiles()[name].read_text() + RECORDS
    result = take_in(tmp_path, [SAMPLES[name]], toml)
    assert (result.set_aside, result.rejects) == (SET_ASIDE.get(name, 0), 0)
    with ingested(tmp_path, [], toml) as ledger:
        found = {str(native): status for native, status in rows(ledger, "select native_id, status from runs")}
        shown = {_short(native, EXPECTED.get(name, {})): status for native, status in found.items()}
        assert shown == EXPECTED.get(name, {})
        query, expected = DETAILS[name]
        assert rows(ledger, query) == expected
        if name in TOUCHES:
            assert {key for (key,) in rows(ledger, "select entity_key from touches")} == {TOUCHES[name]}


def _short(native: str, expected: dict[str, str]) -> str:
    return next((key for key in expected if key.startswith("…") and native.endswith(key[1:])), native)


def test_all_profiles_together_and_all_adapters_leave_no_doubt_whose_a_sample_is() -> None:
    shipped = [
        adapter_of_mapping(name, Mapping.model_validate(tomllib.loads(file.read_text())["mappings"][name]))
        for name, file in profiles().items()
    ]
    claimed = {}
    for name, sample in SAMPLES.items():
        with opened(sample) as inside:
            for found in inside:
                assert isinstance(found, Opened)
                verdict = recognise(found.samples, [*adapters().values(), *shipped])
                claimed[name] = verdict.claim.adapter.name if verdict.claim else verdict.message
    assert claimed == {name: f"mapping:{name}" for name in SAMPLES}


def test_a_file_with_other_headers_is_told_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text("Zap name,Zustand,Start time,End time\nLeads,OK,2026-11-02,\n")
    [result] = take_in(tmp_path / "p", [file], profiles()["zapier_portal"].read_text()).files
    assert result.outcome == "unknown"
    assert result.message == "nearest is mapping:zapier_portal (csv), but there is no ID, Status"


def _run(*words: str) -> str:
    return CliRunner().invoke(app, list(words), catch_exceptions=False).output


def test_init_makes_a_project_with_profiles_and_adds_others_later_once(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    _run("init", str(folder), "--mapping", "tekton", "--mapping", "slack")
    assert set(load(folder).mappings) == {"tekton", "slack"}
    toml = folder / "aftershock.toml"
    toml.write_text(toml.read_text().replace('tool = "tekton"', 'tool = "ours"'))
    output = _run("init", str(folder), "--mapping", "rundeck", "--mapping", "tekton")
    assert "added [mappings.rundeck]" in output
    assert "[mappings.tekton] is in" in output
    assert set(load(folder).mappings) == {"tekton", "slack", "rundeck"}
    assert load(folder).mappings["tekton"].tool == "ours"
    assert [report.name for report in load(folder).reports] == ["fleet", "client"]


def test_init_lists_the_profiles_with_what_they_were_made_from() -> None:
    output = _run("init", "--list-mappings")
    assert all(name in output for name in profiles())
    assert "not from captured data" in output


def test_a_name_that_no_profile_has_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tekton'"):
        _run("init", str(tmp_path / "shop"), "--mapping", "tekon")
    assert not (tmp_path / "shop").exists()


def test_a_configuration_that_is_no_toml_is_left_as_it_is(tmp_path: Path) -> None:
    make_project(tmp_path, demo=False)
    toml = tmp_path / "aftershock.toml"
    toml.write_text("[broken")
    with pytest.raises(ProjectError, match="no valid TOML"):
        _run("init", str(tmp_path), "--mapping", "tekton")
    assert toml.read_text() == "[broken"


def test_init_without_a_folder_asks_for_one() -> None:
    result = CliRunner().invoke(app, ["init"])
    assert result.exit_code != 0
    assert "name the folder to make" in result.output
