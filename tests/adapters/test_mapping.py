"""A file of no known tool, read through a profile in `aftershock.toml`."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from support import ingested, rows, take_in

from aftershock.adapters.mapping import adapter_of_mapping
from aftershock.errors import AdapterError
from aftershock.project import Mapping

GERMAN = """
[mappings.erp]
tool = "erp"
delimiter = ";"
time_format = "%d.%m.%Y %H:%M"
time_zone = "Europe/Berlin"
fields = { native_id = "Auftrag Nr.", started_at = "Beginn", ended_at = "Ende", status = "Zustand", items_in = "Stück", error_message = 'Meldung "lang"' }
status = { "erledigt" = "succeeded", "abgebrochen" = "failed" }
payload = ["Kunde"]
constants = { automation = "Rechnungslauf" }

[[records]]
entity = "customer"
keys = ["Kunde"]

[[records]]
entity = "order"
keys = ["order_id"]
"""
HEADER = 'Auftrag Nr.;Beginn;Ende;Zustand;Stück;"Meldung ""lang""";Kunde'
PLAIN = """
[mappings.jobs]
tool = "cron"
fields = { native_id = "id", automation = "job", started_at = "start", ended_at = "end", status = "state" }
status = { ok = "succeeded", "gave up" = "failed" }
"""
RUN = {"id": "1", "job": "backup", "start": "2026-11-02T01:00:00Z", "end": "2026-11-02T01:05:00Z", "state": "ok"}


def _german(folder: Path, *lines: str, header: str = HEADER) -> Path:
    file = folder / "auftraege.csv"
    file.write_text("\r\n".join((header, *lines)) + "\r\n", encoding="utf-8-sig", newline="")
    return file


def _lines(folder: Path, *records: dict[str, object]) -> Path:
    file = folder / "runs.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def test_german_headers_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = _german(tmp_path, "1;24.11.2026 10:00;24.11.2026 10:05;erledigt;12;;K1")
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        found = rows(
            ledger, "select run_id, automation, status, started_at::varchar, duration_s, items_in, tz_assumed from runs"
        )
        assert found == [("erp:1", "Rechnungslauf", "succeeded", "2026-11-24 09:00:00+00", 300.0, 12, False)]


def test_a_quoted_cell_may_hold_line_breaks_and_delimiters(tmp_path: Path) -> None:
    file = _german(
        tmp_path,
        '1;24.11.2026 10:00;;abgebrochen;7;"Zeile 1\nZeile 2; ""mehr""";K1',
        "2;24.11.2026 11:00;;erledigt;7;;K1",
    )
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        found = rows(ledger, "select status, error_message from runs order by run_id")
        assert found == [("failed", 'Zeile 1\nZeile 2; "mehr"'), ("succeeded", None)]


def test_summer_and_winter_time_are_those_of_the_profiles_zone(tmp_path: Path) -> None:
    file = _german(tmp_path, "1;24.07.2026 10:00;;erledigt;;;", "2;24.11.2026 10:00;;erledigt;;;")
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        assert rows(ledger, "select started_at::varchar from runs order by run_id") == [
            ("2026-07-24 08:00:00+00",),
            ("2026-11-24 09:00:00+00",),
        ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("erledigt", "succeeded"),
        ("Erledigt", "succeeded"),
        ("ABGEBROCHEN", "failed"),
        ("cancelled", "cancelled"),
        ("seltsam", "unknown"),
        ("", "unknown"),
    ],
)
def test_words_are_the_profiles_then_ours_then_unknown(word: str, expected: str, tmp_path: Path) -> None:
    with ingested(tmp_path / "p", [_german(tmp_path, f"1;24.11.2026 10:00;;{word};;;")], GERMAN) as ledger:
        assert rows(ledger, "select status, coalesce(status_raw, '') from runs") == [(expected, word)]


def test_what_the_profile_cannot_read_is_a_reject_with_its_reason(tmp_path: Path) -> None:
    file = _german(
        tmp_path,
        "1;24.11.2026 10:00;;erledigt;;;",
        "2;heute;;erledigt;;;",
        "3;;;erledigt;viele;;",
        "4;;;erledigt;1.234;;",
        ";;;erledigt;;;",
        "5;;;;;;",
    )
    result = take_in(tmp_path / "p", [file], GERMAN)
    assert (result.records_read, result.mapped, result.rejects) == (6, 2, 4)
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        found = rows(ledger, "select record, field, seen, reason from rejects order by record")
    assert found == [
        (2, "Beginn", "heute", "is no time of the form %d.%m.%Y %H:%M"),
        (3, "Stück", "viele", "is no whole number"),
        (4, "Stück", "1.234", "is no whole number"),
        (5, "native_id", None, "has no id"),
    ]


def test_payload_columns_are_searched_for_keys_also_inside_json(tmp_path: Path) -> None:
    file = _german(tmp_path, "1;;;erledigt;;;K-17", '2;;;erledigt;;;"{""order_id"": ""ORD-1""}"')
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        found = rows(
            ledger,
            "select run_id, entity_type, entity_key from touches where entity_type = 'order' or run_id = 'erp:1'",
        )
        assert sorted(found) == [("erp:1", "customer", "K-17"), ("erp:2", "order", "ORD-1")]


def test_columns_in_another_order_and_more_of_them_do_not_matter(tmp_path: Path) -> None:
    header = ";".join([*reversed(HEADER.split(";")), "Sonstiges"])
    file = _german(tmp_path, "K1;;12;erledigt;;24.11.2026 10:00;1;x", header=header)
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        assert rows(ledger, "select run_id, items_in from runs") == [("erp:1", 12)]


def test_a_file_without_a_wanted_column_is_not_ours(tmp_path: Path) -> None:
    file = _german(tmp_path, "1;24.11.2026 10:00", header="Auftrag Nr.;Beginn")
    (result,) = take_in(tmp_path / "p", [file], GERMAN).files
    assert (result.outcome, "Zustand" in result.message) == ("unknown", True)


def test_commas_and_iso_times(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(
        "id,job,start,end,state\n1,backup,2026-11-02T01:00:00Z,2026-11-02 01:05:00+00:00,gave up\n"
    )
    with ingested(tmp_path / "p", [tmp_path / "jobs.csv"], PLAIN) as ledger:
        found = rows(ledger, "select run_id, automation_id, status, duration_s, tz_assumed from runs")
        assert found == [("cron:1", "cron:backup", "failed", 300.0, False)]


def test_an_iso_time_without_a_zone_is_of_the_profiles_zone(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("id,job,start,end,state\n1,backup,2026-11-02T01:00:00,,ok\n")
    toml = PLAIN + "time_zone = 'America/New_York'\n"
    with ingested(tmp_path / "p", [tmp_path / "jobs.csv"], toml) as ledger:
        assert rows(ledger, "select started_at::varchar, tz_assumed from runs") == [("2026-11-02 06:00:00+00", True)]


def test_a_line_of_json_each(tmp_path: Path) -> None:
    file = _lines(tmp_path, RUN, {**RUN, "id": 2, "state": "gave up", "more": [1]})
    with ingested(tmp_path / "p", [file], PLAIN) as ledger:
        assert rows(ledger, "select run_id, status from runs order by 1") == [
            ("cron:1", "succeeded"),
            ("cron:2", "failed"),
        ]


def test_json_epochs_and_numbers(tmp_path: Path) -> None:
    file = _lines(tmp_path, {**RUN, "start": 1793581200, "end": 1793581260500})
    with ingested(tmp_path / "p", [file], PLAIN) as ledger:
        assert rows(ledger, "select started_at::varchar, duration_s from runs") == [("2026-11-02 01:00:00+00", 60.5)]


def test_one_bad_time_among_good_lines_is_one_reject(tmp_path: Path) -> None:
    file = _lines(tmp_path, RUN, {**RUN, "id": 2, "start": "soon"}, {**RUN, "id": 3})
    result = take_in(tmp_path / "p", [file], PLAIN)
    assert (result.records_read, result.mapped, result.rejects) == (3, 2, 1)


def test_json_below_the_surface(tmp_path: Path) -> None:
    toml = """
    [mappings.deep]
    tool = "deep"
    fields = { native_id = "run.id", started_at = "run.times.start", status = "state", items_out = "run.count", tags = "tags" }
    status = { ok = "succeeded" }
    payload = ["body"]
    [[records]]
    entity = "order"
    keys = ["order_id"]
    """
    record = {
        "run": {"id": 7, "times": {"start": "2026-11-02T01:00:00Z"}, "count": 3},
        "state": "ok",
        "tags": ["a", "b"],
        "body": {"order_id": "O-1"},
    }
    with ingested(tmp_path / "p", [_lines(tmp_path, record)], toml) as ledger:
        assert rows(ledger, "select run_id, automation, status, started_at::varchar, items_out from runs") == [
            ("deep:7", "deep", "succeeded", "2026-11-02 01:00:00+00", 3)
        ]
        assert rows(ledger, "select entity_key from touches") == [("O-1",)]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"])
def test_parquet_with_times_of_any_type(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""copy (select 1 as id, 'backup' as job, '2026-11-02 01:00:00+00'::{kind} as start, null::{kind} as "end", 'ok' as state)
                to '{file}' (format parquet)"""
        )
    with ingested(tmp_path / "p", [file], PLAIN) as ledger:
        assert rows(ledger, "select run_id, status, started_at::varchar from runs") == [
            ("cron:1", "succeeded", "2026-11-02 01:00:00+00")
        ]


def test_parquet_times_need_no_format(tmp_path: Path) -> None:
    file = tmp_path / "auftraege.parquet"
    with duckdb.connect() as connection:
        times = (
            """timestamp '2026-11-24 10:00:00' as "Beginn", '24.11.2026 10:05' as "Ende", 'erledigt' as "Zustand" """
        )
        others = """'1' as "Auftrag Nr.", 12 as "Stück", null as "Meldung ""lang""\", 'K1' as "Kunde" """
        connection.execute(f"copy (select {others}, {times}) to '{file}' (format parquet)")
    with ingested(tmp_path / "p", [file], GERMAN) as ledger:
        assert rows(ledger, "select items_in, ended_at is not null from runs") == [(12, True)]


def test_a_format_with_an_offset_says_its_own_zone(tmp_path: Path) -> None:
    toml = PLAIN + "time_format = '%d/%b/%Y:%H:%M:%S %z'\ntime_zone = 'Asia/Tokyo'\n"
    with ingested(
        tmp_path / "p", [_lines(tmp_path, {**RUN, "start": "02/Nov/2026:01:00:00 +0100", "end": ""})], toml
    ) as ledger:
        assert rows(ledger, "select started_at::varchar from runs") == [("2026-11-02 00:00:00+00",)]


def test_a_constant_stands_in_for_an_empty_cell(tmp_path: Path) -> None:
    toml = PLAIN + "constants = { automation = 'the rest', trigger = 'schedule', tags = 'night' }\n"
    file = _lines(tmp_path, RUN, {**RUN, "id": "2", "job": ""})
    with ingested(tmp_path / "p", [file], toml) as ledger:
        found = rows(ledger, 'select automation, "trigger" from runs order by run_id')
        assert found == [("backup", "schedule"), ("the rest", "schedule")]


def test_without_any_name_the_mapping_names_the_automation(tmp_path: Path) -> None:
    toml = "[mappings.nightly]\ntool = 'cron'\nfields = { native_id = 'id' }\nconstants = { status = 'succeeded' }\n"
    with ingested(tmp_path / "p", [_lines(tmp_path, {"id": "1"})], toml) as ledger:
        assert rows(ledger, "select automation, status from runs") == [("nightly", "succeeded")]


def test_attempts_of_one_id_are_runs_of_one_chain(tmp_path: Path) -> None:
    toml = PLAIN.replace("fields = {", "fields = { attempt = 'try', retry_of = 'first', ")
    file = _lines(tmp_path, {**RUN, "try": "1", "first": None, "state": "gave up"}, {**RUN, "try": "2", "first": "1"})
    with ingested(tmp_path / "p", [file], toml) as ledger:
        assert rows(ledger, "select run_id, root_run_id, status from runs order by 1") == [
            ("cron:1", "cron:1", "failed"),
            ("cron:1#2", "cron:1", "succeeded"),
        ]


def test_requires_narrows_what_the_profile_claims() -> None:
    adapter = adapter_of_mapping("x", Mapping(tool="x", fields={"native_id": "id"}, requires=("id", "kind")))
    assert adapter.exports[0].requires == {"id", "kind"}


def test_the_adapter_is_named_after_its_profile() -> None:
    adapter = adapter_of_mapping("erp", Mapping(tool="sap", fields={"native_id": "id", "items_in": "n"}))
    assert (adapter.name, adapter.tool, adapter.fidelity.items, adapter.fidelity.evidence) == (
        "mapping:erp",
        "sap",
        True,
        "documented",
    )


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            Mapping(tool="x", fields={"native_id": "id", "startet_at": "s"}),
            "fields.startet_at: is no column of a run. Did you mean 'started_at'?",
        ),
        (
            Mapping(tool="x", fields={"native_id": "id"}, constants={"owner": "me"}),
            "constants.owner: is no column of a run",
        ),
        (
            Mapping(tool="x", fields={"native_id": "id"}, constants={"status": "fine"}),
            "constants.status: 'fine' is not one of",
        ),
        (
            Mapping(tool="x", table="notices", fields={"notice": "id", "status": "s"}),
            "fields.status: is no column of a notice",
        ),
    ],
)
def test_a_profile_that_names_what_there_is_not(profile: Mapping, message: str) -> None:
    with pytest.raises(AdapterError, match="mapping:x") as raised:
        adapter_of_mapping("x", profile)
    assert message in str(raised.value)


def test_a_source_that_names_its_mapping_settles_which_of_two_fitting_ones_reads_its_files(tmp_path: Path) -> None:
    profile = '[mappings.{0}]\ntool = "{0}"\nrequires = ["Nr"]\nfields = {{ native_id = "Nr" }}\n'
    both = profile.format("one") + profile.format("two")
    file = tmp_path / "exports" / "a.csv"
    file.parent.mkdir()
    file.write_text("Nr,Status\n1,ok\n", encoding="utf-8")
    [undecided] = take_in(tmp_path / "undecided", [file], both).files
    assert undecided.outcome == "ambiguous"
    source = '[[sources]]\nname = "mine"\ntool = "two"\npaths = ["exports/*.csv"]\nmapping = "two"\n'
    [decided] = take_in(tmp_path / "decided", [file], both + source).files
    assert (decided.outcome, decided.adapter) == ("taken", "mapping:two")


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"tool": "x", "table": "notices", "fields": {"native_id": "id"}}, "fields needs notice"),
        ({"tool": "x", "fields": {"native_id": "id"}, "roles": {"a": "boss"}}, "not in the role vocabulary: boss"),
        (
            {"tool": "x", "fields": {"native_id": "id", "status": "s"}, "status_columns": ["s", "t"]},
            "exclude each other",
        ),
    ],
)
def test_a_profile_that_contradicts_itself(profile: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mapping.model_validate(profile)


ENVELOPED = """
[mappings.jobs]
tool = "jobs"
records = "page.items"
fields = { native_id = ["key", "id"], automation = 'labels."app.name"', role = "env", duration_s = "ms", error_message = "log.-1.text", started_at = "log.0.at" }
status_columns = ["state", "result"]
status = { done = "succeeded", "done|errors" = "partial", bad = "failed" }
roles = { staging = "test" }
only = { kind = "job" }
open_without = "end"
duration_unit = "ms"
"""


def _job(**more: object) -> dict[str, object]:
    log = [{"at": "2026-11-02T01:00:00Z", "text": "a"}, {"at": "2026-11-02T01:00:09Z", "text": "b"}]
    return {"kind": "job", "id": "1", "key": None, "env": "live", "state": "done", "result": None, "end": "x", "ms": 1500,
            "labels": {"app.name": "shop"}, "log": log, **more}  # fmt: skip


def _page(folder: Path, *jobs: dict[str, object]) -> Path:
    file = folder / "page.json"
    file.write_text(json.dumps({"page": {"items": jobs}}))
    return file


def test_records_in_an_envelope_paths_into_lists_and_names_with_dots(tmp_path: Path) -> None:
    file = _page(tmp_path, _job(), _job(key="k2", state="bad"), _job(kind="pod"))
    result = take_in(tmp_path / "p", [file], ENVELOPED)
    assert (result.mapped, result.set_aside, result.rejects) == (2, 1, 0)
    with ingested(tmp_path / "p", [], ENVELOPED) as ledger:
        found = rows(
            ledger, "select run_id, automation, duration_s, error_message, started_at::varchar from runs order by 1"
        )
    assert found == [
        ("jobs:1", "shop", 1.5, None, "2026-11-02 01:00:00+00"),
        ("jobs:k2", "shop", 1.5, "b", "2026-11-02 01:00:00+00"),
    ]


@pytest.mark.parametrize(
    ("more", "status", "role"),
    [
        ({}, "succeeded", "work"),
        ({"result": "Errors"}, "partial", "work"),
        ({"result": "who knows"}, "succeeded", "work"),
        ({"state": "who knows", "result": "bad"}, "failed", "work"),
        ({"state": "who knows"}, "unknown", "work"),
        ({"end": ""}, "running", "work"),
        ({"end": None, "state": "bad"}, "failed", "work"),
        ({"env": "Staging"}, "succeeded", "test"),
    ],
)
def test_words_of_several_columns_and_roles(more: dict[str, object], status: str, role: str, tmp_path: Path) -> None:
    with ingested(tmp_path / "p", [_page(tmp_path, _job(**more))], ENVELOPED) as ledger:
        assert rows(ledger, "select status, role from runs") == [(status, role)]


def test_a_list_of_another_kind_is_not_ours(tmp_path: Path) -> None:
    [file] = take_in(tmp_path / "p", [_page(tmp_path, _job(kind="pod"))], ENVELOPED).files
    assert file.outcome == "unknown"


def test_an_empty_page_that_might_be_anybodys_is_claimed_by_no_profile(tmp_path: Path) -> None:
    toml = ENVELOPED.replace("page.items", "data") + ENVELOPED.replace("page.items", "data").replace("jobs]", "other]")
    file = tmp_path / "page.json"
    file.write_text('{"data": []}')
    [result] = take_in(tmp_path / "p", [file], toml).files
    assert result.outcome == "unknown"


def test_a_duration_as_a_clock_shows_it_and_a_start_from_it(tmp_path: Path) -> None:
    toml = PLAIN.replace('started_at = "start"', 'duration_s = "took"')
    file = _lines(tmp_path, {**RUN, "took": "00:01:30"}, {**RUN, "id": 2, "took": "a while"})
    with ingested(tmp_path / "p", [file], toml) as ledger:
        assert rows(ledger, "select duration_s, started_at::varchar from runs") == [(90.0, "2026-11-02 01:03:30+00")]
        assert rows(ledger, "select field, seen, reason from rejects") == [("took", "a while", "is no number")]
