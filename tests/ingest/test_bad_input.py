"""Whatever comes in: never a traceback, never a lost record."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from conftest import Toy  # type: ignore[attr-defined]
from support import ingested, project_in, rows

from aftershock.errors import LedgerFullError
from aftershock.ingest import containers
from aftershock.ingest.pipeline import ingest


def record(i: int, **changes: object) -> dict[str, object]:
    return {
        "run": f"r{i}",
        "job": "import",
        "state": "ok",
        "begin": "2026-11-20T10:00:00Z",
        "end": "2026-11-20T10:01:00Z",
        "items": i,
    } | changes


def lines(records: Sequence[dict[str, object]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


def test_one_record_with_a_wrong_type_among_a_thousand_good_ones_is_the_only_one_rejected(toy: Toy) -> None:
    records = [record(i) for i in range(1000)]
    records[400]["items"] = "many"
    result = toy.one(lines(records))
    assert (result.records_read, result.mapped, result.rejects) == (1000, 999, 1)
    assert toy.sql("select record, field, seen, reason from rejects") == [(401, "items", "many", "is no BIGINT")]


def test_an_array_and_an_envelope_keep_their_good_records_too(toy: Toy) -> None:
    records = [record(i) for i in range(5)]
    records[2]["items"] = {"a": 1}
    page = json.dumps({"page": {"toys": records}, "next": None})
    result = toy.take(json.dumps(records), page)
    assert [(file.mapped, file.rejects) for file in result.files] == [(4, 1), (4, 1)]


def test_a_truncated_page_gives_its_whole_records_and_rejects_the_broken_one(toy: Toy) -> None:
    page = json.dumps({"page": {"toys": [record(i) for i in range(10)]}})
    result = toy.one(page[: page.index('"r9"') + 10])
    assert (result.mapped, result.rejects) == (9, 1)
    assert toy.sql("select reason from rejects") == [("is cut off",)]


def test_truncated_lines_lose_only_the_last(toy: Toy) -> None:
    result = toy.one(lines([record(i) for i in range(10)])[:-30])
    assert (result.mapped, result.rejects) == (9, 1)


def test_a_broken_record_in_the_middle_of_an_array_does_not_take_its_neighbours_along(toy: Toy) -> None:
    texts = [json.dumps(record(i)) for i in range(4)]
    texts[1] = texts[1].replace('"state":', '"state"')
    result = toy.one("[" + ",".join(texts) + "]")
    assert (result.mapped, result.rejects) == (3, 1)


def test_an_empty_file_is_named_and_does_not_stop_the_others(toy: Toy) -> None:
    result = toy.take(b"", lines([record(1), record(2)]))
    assert [file.outcome for file in result.files] == ["unreadable", "taken"]
    assert "is empty" in result.files[0].message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_read(toy: Toy, encoding: str) -> None:
    bom = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    text = bom + lines([record(1, job="Prüfung"), record(2)])
    assert toy.one(text.encode(encoding)).mapped == 2
    assert toy.sql("select automation from runs where native_id = 'r1'") == [("Prüfung",)]


def test_invalid_utf8_keeps_the_record_with_a_mark_where_it_was_unreadable(toy: Toy) -> None:
    content = (
        lines([record(1, error="caf\u00e9"), record(2)])
        .replace("caf\\u00e9", "caf§")
        .encode()
        .replace("§".encode(), b"\xe9")
    )
    assert toy.one(content).mapped == 2
    assert toy.sql("select count(*) from runs") == [(2,)]


def test_nan_and_infinity_are_rejected_by_name_in_a_number_and_harmless_in_a_payload(toy: Toy) -> None:
    content = '[{"run":"a","job":"j","state":"ok","items":NaN},{"run":"b","job":"j","state":"ok","note":{"x":-Infinity}},{"run":"c","job":"j","state":"ok"}]'
    result = toy.one(content)
    assert (result.mapped, result.rejects) == (2, 1)
    assert toy.sql("select record, field from rejects") == [(1, "items")]


def test_a_ten_megabyte_error_text_is_cut_and_says_so(toy: Toy) -> None:
    assert toy.one(lines([record(1, state="bad", error="x" * 10_000_000), record(2)])).mapped == 2
    [(text,)] = toy.sql("select error_message from runs where native_id = 'r1'")
    assert len(str(text)) < 4100
    assert str(text).endswith("(10000000 characters)")


def test_a_forty_megabyte_record_is_taken_in(toy: Toy) -> None:
    page = {"page": {"toys": [record(1), record(2, note={"blob": "y" * 40_000_000}), record(3)]}}
    assert toy.one(json.dumps(page)).mapped == 3


def test_deep_nesting_is_survived(toy: Toy) -> None:
    deep = "[" * 50_000 + "]" * 50_000
    content = lines([record(1)]) + f'{{"run":"deep","job":"j","state":"ok","note":{deep}}}\n' + lines([record(2)])
    result = toy.one(content)
    assert result.outcome == "taken"
    assert result.mapped + result.rejects == 3
    assert result.mapped >= 2


@pytest.mark.parametrize(
    "begin",
    [1795168800, 1795168800.0, "1795168800", 1795168800000, 1795168800000000, 1795168800000000000, "2026-11-20T10:00:00.000000000Z",
     "2026-11-20T18:00:00+08:00", "2026-11-20T10:00:00.9484194Z", "2026-11-20 10:00:00", "2026-11-20T11:00:00+0100"],
)  # fmt: skip
def test_times_of_every_kind_are_the_same_moment(toy: Toy, begin: object) -> None:
    assert toy.one(lines([record(1, begin=begin), record(2)])).rejects == 0
    assert toy.sql("select date_trunc('second', started_at)::VARCHAR from runs where native_id = 'r1'") == [
        ("2026-11-20 10:00:00+00",)
    ]


def test_a_time_without_a_zone_is_flagged(toy: Toy) -> None:
    toy.take(lines([record(1, begin="2026-11-20T10:00:00", end=None), record(2)]))
    assert toy.sql("select native_id, tz_assumed from runs order by 1") == [("r1", True), ("r2", False)]


@pytest.mark.parametrize("begin", ["0001-01-01T00:00:00", "1970-01-01T00:00:00.000Z", "", 0, None])
def test_words_for_no_time_are_no_time(toy: Toy, begin: object) -> None:
    assert toy.one(lines([record(1, begin=begin), record(2)])).rejects == 0
    assert toy.sql("select started_at from runs where native_id = 'r1'") == [(None,)]


def test_a_time_that_is_none_is_a_reject_with_what_was_seen(toy: Toy) -> None:
    assert toy.one(lines([record(1, begin="timestamp"), record(2)])).rejects == 1
    assert toy.sql("select field, seen, reason from rejects") == [("begin", "timestamp", "is no time")]


def test_missing_and_extra_fields_do_no_harm(toy: Toy) -> None:
    bare = {"run": "r1", "job": "j", "state": "ok", "brand_new": [1, {"x": 2}]}
    assert toy.one(lines([bare, record(2)])).mapped == 2


def test_a_record_without_an_id_is_a_reject(toy: Toy) -> None:
    assert toy.one(lines([record(1), record(2, run=None)])).rejects == 1


def test_a_status_word_never_seen_is_unknown_and_kept_as_it_was(toy: Toy) -> None:
    toy.take(lines([record(1, state="exploded"), record(2)]))
    assert toy.sql("select status, status_raw, is_finished from runs where native_id = 'r1'") == [
        ("unknown", "exploded", False)
    ]


def test_a_warning_line_before_the_json_is_stepped_over(toy: Toy) -> None:
    content = "2026-11-23T02:24:28Z [warning  ] Could not import graphviz. [py.warnings]\nInstall it.\n" + json.dumps(
        [record(1)]
    )
    assert toy.one(content).mapped == 1


def test_objects_after_one_another_without_any_separator_are_read(toy: Toy) -> None:
    assert toy.one("".join(json.dumps(record(i), indent=1) for i in range(4))).mapped == 4


def test_pages_after_one_another_are_read(toy: Toy) -> None:
    pages = [json.dumps({"page": {"toys": [record(i), record(i + 1)]}}) for i in (0, 10, 20)]
    assert toy.one("\n".join(pages)).mapped == 6


def test_a_planned_run_is_set_aside(toy: Toy) -> None:
    result = toy.one(lines([record(1), record(2, state="plan")]))
    assert (result.mapped, result.set_aside) == (1, 1)
    assert toy.sql("select record, reason from set_aside") == [(2, "planned")]


def test_gzip_zip_and_a_gzip_in_a_zip_are_opened(toy: Toy) -> None:
    packed = gzip.compress(lines([record(1), record(2)]).encode())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day/a.jsonl", lines([record(3), record(4)]))
        archive.writestr("day/b.jsonl.gz", gzip.compress(lines([record(5), record(6)]).encode()))
        archive.writestr("readme.txt", "hello")
    result = toy.take(packed, buffer.getvalue())
    assert result.mapped == 6
    assert [file.outcome for file in result.files] == ["taken", "taken", "taken", "unknown"]


def test_a_name_in_an_archive_that_points_outside_is_never_a_path(toy: Toy) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../outside.jsonl", lines([record(1), record(2)]))
        archive.writestr("/tmp/absolute-outside.jsonl", lines([record(3), record(4)]))  # noqa: S108
    assert toy.take(buffer.getvalue()).mapped == 4
    assert not (toy.logs.parent / "outside.jsonl").exists()


def test_a_zip_bomb_is_refused(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_RATIO_FROM", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b"0" * (20 << 20))
    bomb = gzip.compress(b"0" * (20 << 20))
    result = toy.take(buffer.getvalue(), bomb, lines([record(1), record(2)]))
    assert [file.outcome for file in result.files] == ["unreadable", "unreadable", "taken"]
    assert "archive bomb" in result.files[0].message


def test_a_damaged_archive_is_named(toy: Toy) -> None:
    packed = gzip.compress(lines([record(i) for i in range(1000)]).encode())
    result = toy.take(packed[:-100], b"PK\x03\x04broken")
    assert [file.outcome for file in result.files] == ["unreadable", "unreadable"]


def test_an_xml_entity_bomb_is_not_expanded(toy: Toy) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><lolz>&b;</lolz>'
    assert toy.one(bomb).outcome == "unknown"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"hello",
        b"[]",
        b"{}",
        b"null",
        b"PAR1",
        b"SQLite format 3\x00rubbish",
    ],
)
def test_files_that_are_no_logs_are_listed_and_nothing_more(toy: Toy, content: bytes) -> None:
    assert toy.one(content).outcome in ("unknown", "unreadable")


def test_a_database_is_read_from_a_copy_and_its_folder_stays_clean(toy: Toy) -> None:
    path = toy.logs / "toy.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table toy_runs (run, job, state, begin, end, items, note, error)")
    connection.execute("insert into toy_runs values ('r1', 'j', 'ok', '2026-11-20T10:00:00Z', null, 3, null, null)")
    connection.commit()
    before = sorted(file.name for file in toy.logs.iterdir())
    assert toy.one(path).mapped == 1
    assert sorted(file.name for file in toy.logs.iterdir()) == before
    connection.close()


def test_a_table_with_a_semicolon_a_mark_and_quoted_newlines_is_read(toy: Toy) -> None:
    content = '\ufeffrun;job;state;begin;end;items;error\nr1;"a ""b""";bad;2026-11-20T10:00:00Z;;3;"two\nlines"\nr2;c;ok;2026-11-20T10:00:00Z;;;\n'
    assert toy.one(content).mapped == 2
    assert toy.sql("select automation, error_message from runs where native_id = 'r1'") == [('a "b"', "two\nlines")]


def test_a_table_row_with_too_few_fields_or_a_wrong_number_is_rejected_alone(toy: Toy) -> None:
    content = "run,job,state,begin,end,items\nr1,j,ok,,,1\nr2,j\nr3,j,ok,,,many\nr4,j,ok,,,4\n"
    result = toy.one(content)
    assert (result.mapped, result.rejects) == (2, 2)


def test_parquet_is_read_with_the_types_it_has(toy: Toy) -> None:
    path = toy.logs / "runs.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'r1' as run, 'j' as job, "
            f" 'ok' as state, timestamptz '2026-11-20 10:00:00+00' as begin, null::timestamp as \"end\", 7 as items) to '{path}'"
        ).fetchall()
    assert toy.one(path).mapped == 1
    assert toy.sql("select items_out, started_at::VARCHAR from runs") == [(7, "2026-11-20 10:00:00+00")]


def test_secrets_in_rejects_and_errors_are_redacted(toy: Toy) -> None:
    secret = "Bearer " + "abcdefghijklmnop1234567890"
    toy.take(
        lines(
            [
                record(1, state="bad", error=f"401 for Authorization: {secret}"),
                record(2, items=f"Authorization: {secret}"),
            ]
        )
    )
    texts = toy.sql(
        "select error_message from runs union all select seen from rejects union all select raw from rejects"
    )
    assert not [text for (text,) in texts if text and "abcdefghijklmnop" in str(text)]


def test_a_file_taken_in_again_is_known_and_one_of_changed_content_is_not(toy: Toy) -> None:
    assert toy.one(lines([record(1, state="busy", end=None), record(2)])).runs_new == 2
    assert toy.one(lines([record(1, state="busy", end=None), record(2)])).outcome == "known"
    assert toy.one(lines([record(1), record(2)])).runs_changed == 1


def test_rejected_files_are_read_again_when_asked(toy: Toy) -> None:
    from aftershock.ingest.pipeline import ingest
    from aftershock.project import load

    toy.take(lines([record(1), record(2, items="x")]))
    result = ingest(load(toy.folder), [], retry_rejects=True)
    assert [(file.outcome, file.rejects) for file in result.files] == [("taken", 1)]
    assert toy.sql("select count(*) from rejects") == [(1,)]
    assert toy.sql("select count(*) from imports") == [(1,)]


def test_a_reader_that_fails_is_one_reject_and_the_others_go_on(toy: Toy) -> None:
    path = toy.logs / "broken.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table gone (run)")
        connection.execute("create view toy_runs as select * from gone")
        connection.execute("drop table gone")
    connection.close()
    result = toy.take(path, lines([record(1), record(2)]))
    assert [(file.outcome, file.rejects, file.mapped) for file in result.files] == [("taken", 1, 0), ("taken", 0, 2)]
    assert "OperationalError" in str(toy.sql("select reason from rejects"))


def test_an_impossible_date_or_a_damaged_member_in_a_zip_costs_nothing_else(toy: Toy) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for i in (0, 2):
            info = zipfile.ZipInfo(f"{i}.jsonl")
            info.date_time = (2026, 13, 0, 25, 0, 0)
            archive.writestr(info, lines([record(i), record(i + 1)]))
    packed = bytearray(buffer.getvalue())
    packed[packed.index(b'"r0"') + 1] = ord("x")  # the checksum of the first member no longer fits
    result = toy.take(bytes(packed))
    assert [file.outcome for file in result.files] == ["unreadable", "taken"]
    assert result.mapped == 2


def test_a_warning_line_in_another_encoding_does_not_damage_the_first_record(toy: Toy) -> None:
    content = b"Warnung: \xfcber \xe4lteres Format\n" + json.dumps([record(1)]).encode()
    assert toy.one(content).mapped == 1


def test_a_time_without_separators_is_no_epoch(toy: Toy) -> None:
    toy.take(lines([record(1, begin="20261120100000"), record(2, begin="20261120"), record(3, begin="2026-11-20")]))
    assert toy.sql("select started_at::VARCHAR, tz_assumed from runs order by native_id") == [
        ("2026-11-20 10:00:00+00", True),
        ("2026-11-20 00:00:00+00", True),
        ("2026-11-20 00:00:00+00", True),
    ]


def test_null_among_the_records_and_a_page_without_any_are_counted(toy: Toy) -> None:
    pages = [{"page": {"toys": [record(1), None, record(2)]}}, {"detail": "Unauthorized"}]
    result = toy.one("\n".join(json.dumps(page, indent=1) for page in pages))
    assert (result.records_read, result.mapped, result.rejects) == (4, 2, 2)


def test_a_foreign_first_line_does_not_hide_the_records_after_it(toy: Toy) -> None:
    result = toy.one(lines([{"level": "info", "msg": "export begins"}, record(1), record(2)]))
    assert (result.outcome, result.mapped, result.rejects) == ("taken", 2, 1)


def test_a_secret_in_a_name_or_across_the_cut_of_a_long_text_is_redacted(toy: Toy) -> None:
    secret = "hunter2" + "hunter2"
    filler = "x" * 3980
    toy.take(
        lines(
            [
                record(1, job=f"sync ?token={secret}"),
                record(2, state="bad", error=f"{filler} postgres://admin:{secret}@db.example/orders failed"),
                record(3, items=f"{'y' * 1990} postgres://admin:{secret}@db.example"),
            ]
        )
    )
    texts = toy.sql(
        "select automation from runs union all select name from automations union all select error_message from runs "
        "union all select raw from rejects union all select seen from rejects"
    )
    assert not [text for (text,) in texts if "hunter2" in str(text)]


def test_the_same_file_has_one_name_and_one_run_wherever_it_is_taken_in_from(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aftershock.ingest.pipeline import ingest
    from aftershock.project import load

    toy.toml = '[[sources]]\nname = "prod"\ntool = "toy"\npaths = ["data/prod/*"]\n'
    inside = toy.folder / "data" / "prod"
    inside.mkdir(parents=True)
    (inside / "a.jsonl").write_text(lines([record(1), record(2)]))
    toy.take(inside / "a.jsonl")
    monkeypatch.chdir(inside)
    again = ingest(load(toy.folder), [Path()])
    assert [file.outcome for file in again.files] == ["known"]
    assert toy.sql("select run_id from runs order by 1") == [("toy@prod:r1",), ("toy@prod:r2",)]
    assert toy.sql("select path from imports") == [("data/prod/a.jsonl",)]


def test_a_source_that_gets_a_name_takes_its_runs_along(toy: Toy) -> None:
    content = lines([record(1), record(2)])
    toy.take(content)
    toy.toml = '[[sources]]\nname = "prod"\ntool = "toy"\n'
    toy.take(content)
    assert toy.sql("select run_id from runs order by 1") == [("toy@prod:r1",), ("toy@prod:r2",)]


def test_a_source_that_nobody_configured_is_refused_with_a_guess(toy: Toy) -> None:
    from aftershock.errors import UnknownNameError
    from aftershock.ingest.pipeline import ingest

    project = project_in(toy.folder, '[[sources]]\nname = "prod"\ntool = "toy"\n')
    with pytest.raises(UnknownNameError, match="Did you mean 'prod'"):
        ingest(project, [toy.file(lines([record(1), record(2)]))], source="prdo")


def test_an_archive_that_fills_the_disk_is_told_as_a_full_disk(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(containers, "_copy_bounded", full)
    with pytest.raises(LedgerFullError, match="no room left"):
        toy.take(gzip.compress(lines([record(1), record(2)]).encode()))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_xml_in_other_encodings_is_read(tmp_path: Path, encoding: str) -> None:
    told = "iso-8859-1" if encoding.startswith("iso") else encoding.removesuffix("-sig")
    report = tmp_path / "report.xml"
    report.write_bytes(
        f'<?xml version="1.0" encoding="{told}"?><testsuite name="s"><testcase name="Prüfung"/></testsuite>'.encode(
            encoding
        )
    )
    ledger = ingested(tmp_path / "project", [report])
    assert rows(ledger, "select count(*) from runs where contains(native_id || automation, 'Prüfung')") == [(1,)]


def test_a_table_from_a_spreadsheet_of_western_europe_keeps_its_umlauts(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_bytes("Nr;Auftrag;Zustand\n1;Prüfung für Müller;done\n".encode("cp1252"))
    profile = '[mappings.erp]\ntool = "erp"\nfields = { native_id = "Nr", automation = "Auftrag", status = "Zustand" }\nstatus = { done = "succeeded" }\n'
    ledger = ingested(tmp_path / "project", [table], profile)
    assert rows(ledger, "select automation from runs") == [("Prüfung für Müller",)]


@pytest.mark.parametrize("pad", ["", "a"])
def test_an_error_of_the_reader_that_cuts_a_letter_in_two_is_a_reject_like_any_other(toy: Toy, pad: str) -> None:
    """DuckDB quotes the beginning of what it cannot cast, so many bytes of it, and Python cannot decode half a letter."""
    bad = json.dumps(record(1, items=pad + "é" * 300), ensure_ascii=False).encode()
    result = toy.take(bad, lines([record(2)]))
    assert [file.outcome for file in result.files] == ["taken", "taken"]
    assert [file.records_read for file in result.files] == [1, 1]


def test_text_with_lone_carriage_returns_is_no_table_and_no_fault(toy: Toy) -> None:
    result = toy.take(b"a,b\rc,d\re,f\n1,2\n", lines([record(1)]))
    assert [file.outcome for file in result.files] == ["unknown", "taken"]


def test_a_damaged_database_is_told_by_the_name_that_its_user_knows(tmp_path: Path) -> None:
    damaged = tmp_path / "history.sqlite"
    damaged.write_bytes(b"SQLite format 3\x00" + b"\x10\x00\x01\x01" + b"\xff" * 5000)
    (file,) = ingest(project_in(tmp_path / "project"), [damaged]).files
    assert (file.outcome, Path(file.path).name) == ("unreadable", "history.sqlite")
