"""From a sample of an unknown tool to rows: `aftershock adapter new`, `ingest`, `aftershock adapter check`."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ingested, rows
from typer.testing import CliRunner

import aftershock.adapters as folder
from aftershock.adapters import registry
from aftershock.cli import app
from aftershock.errors import AdapterError, UnknownNameError, UnreadableFileError
from aftershock.workshop import check_adapter, new_adapter

BOTS = [
    {
        "runId": f"r-{number}",
        "botName": "Invoice bot",
        "outcome": outcome,
        "startedTime": f"2026-11-20T1{number}:00:00Z",
        "finishedTime": f"2026-11-20T1{number}:01:00Z",
        "errorText": error,
        "input": {"order_id": f"ORD-{number}"},
    }
    for number, (outcome, error) in enumerate(
        [("Completed", None), ("Failed", "HTTP 503 from the CRM"), ("Exploded", "boom")]
    )
]
RECORDS = '[[records]]\nentity = "order"\nkeys = ["order_id"]\n'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Path]:
    """A folder whose adapters are known while a test runs, as those of an installed package would be."""
    modules = tmp_path / "bench"
    modules.mkdir()
    folder.__path__.append(str(modules))
    registry.adapters.cache_clear()
    yield modules
    folder.__path__.remove(str(modules))
    for name in [name for name in sys.modules if name.startswith("aftershock.adapters.acme")]:
        del sys.modules[name]
    registry.adapters.cache_clear()


def sample(place: Path, content: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content, encoding="utf-8")
    return place


def made(bench: Path, name: str, file: Path) -> dict[str, str]:
    guesses = new_adapter(name, [file], modules=bench, samples=bench / "samples").guesses
    registry.adapters.cache_clear()
    return guesses


def test_a_sample_of_an_unknown_tool_becomes_rows_without_a_line_written_by_hand(bench: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "bots.jsonl", "\n".join(map(json.dumps, BOTS)))
    wrote = CliRunner().invoke(app, ["adapter", "new", "acme_bots", str(file), "--into", str(bench)])
    assert wrote.exit_code == 0, wrote.output
    registry.adapters.cache_clear()
    ledger = ingested(tmp_path / "project", [file], RECORDS)
    assert rows(
        ledger, "select run_id, automation, status, status_raw, error_message, duration_s from runs order by run_id"
    ) == [
        ("acme_bots:r-0", "Invoice bot", "succeeded", "Completed", None, 60.0),
        ("acme_bots:r-1", "Invoice bot", "failed", "Failed", "HTTP 503 from the CRM", 60.0),
        ("acme_bots:r-2", "Invoice bot", "unknown", "Exploded", "boom", None),
    ]
    assert rows(ledger, "select entity_key from touches order by 1") == [("ORD-0",), ("ORD-1",), ("ORD-2",)]


def test_the_check_names_what_is_missing_until_nothing_is(bench: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "bots.jsonl", "\n".join(map(json.dumps, BOTS)))
    made(bench, "acme_bots", file)
    places = {"modules": bench, "samples": bench / "samples", "tests": bench / "tests"}
    missing = check_adapter("acme_bots", **places)
    assert [sentence.split(":")[0] for sentence in missing] == [
        "10 guesses to be confirmed and their marks removed",
        "DOCS names no page of the vendor",
        f"{bench / 'samples' / 'acme_bots' / 'SOURCE.md'} does not say yet where the samples are from and what really happened",
        f"no {bench / 'tests' / 'test_acme_bots.py'}",
    ]
    module = bench / "acme_bots.py"
    text = module.read_text().replace('"Exploded": "unknown",', '"Exploded": "crashed",')
    module.write_text(text.replace("GUESS", "confirmed:").replace('"https://"', '"https://docs.example.com/bots"'))
    (bench / "samples" / "acme_bots" / "SOURCE.md").write_text("Written by the vendor's sandbox, version 3.")
    sample(bench / "tests" / "test_acme_bots.py", "")
    assert check_adapter("acme_bots", **places) == []


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("data.json", json.dumps({"page": 1, "data": {"jobs": [{"uuid": "a", "state": "success", "created": 1763632800000, "queue": "x"},
                                                              {"uuid": "b", "state": "error", "created": 1763632900000, "queue": "x"}]}}),
         {"native_id": "uuid", "status_raw": "state", "automation": "queue", "queued_at": "created"}),
        ("data.csv", "Run ID;Job;State;Start time;Rows in\n1;a;done;2026-11-20 10:00:00;4\n2;a;failed;2026-11-20 11:00:00;5\n",
         {"native_id": "Run ID", "status_raw": "State", "automation": "Job", "started_at": "Start time", "items_in": "Rows in"}),
        ("data.xml", '<history><job id="1" status="ok" start="2026-11-20T10:00:00Z"><name>x</name></job>'
                     '<job id="2" status="failed" start="2026-11-20T11:00:00Z"><name>x</name></job></history>',
         {"native_id": "id", "status_raw": "status", "automation": "name", "started_at": "start"}),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_name_and_content_in_every_form(
    bench: Path, tmp_path: Path, name: str, content: str, columns: dict[str, str]
) -> None:
    file = sample(tmp_path / name, content)
    assert made(bench, "acme_history", file) == columns
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select count(*), count(distinct status) from runs") == [(2, 2)]


def test_a_database_is_read_by_its_longest_table(bench: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with sqlite3.connect(file) as connection:
        connection.executescript("""
            create table settings (name text); create table job_runs (id integer, job text, state text, started text);
            insert into job_runs values (1, 'sync', 'success', '2026-11-20T10:00:00Z'), (2, 'sync', 'error', '2026-11-20T11:00:00Z');""")
    connection.close()
    assert made(bench, "acme_history", file)["native_id"] == "id"
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select native_id, status from runs order by 1") == [("1", "succeeded"), ("2", "failed")]


def test_lines_of_text_are_set_aside_until_somebody_says_what_a_run_is(bench: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "job.log", "nightly export begins\nnightly export ends with 3\n")
    assert made(bench, "acme_text", file) == {}
    assert "Fold the lines of one run into one record here" in (bench / "acme_text.py").read_text()
    assert any(
        "is not recognised" in one
        for one in check_adapter("acme_text", modules=bench, samples=bench / "samples", tests=bench)
    )


def test_a_column_that_repeats_is_no_id(bench: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "x.jsonl", '{"id": 1, "status": "ok"}\n{"id": 1, "status": "ok"}\n')
    assert "native_id" not in made(bench, "acme_twice", file)


def test_a_name_that_is_taken_or_is_none_is_refused(bench: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "x.jsonl", '{"id": 1}\n')
    for name in ("n8n", "Acme Bots", "class"):
        with pytest.raises(AdapterError, match="name"):
            new_adapter(name, [file], modules=bench, samples=bench / "samples")
    assert list(bench.iterdir()) == []


def test_samples_of_different_kinds_are_refused(bench: Path, tmp_path: Path) -> None:
    files = [sample(tmp_path / "x.jsonl", '{"id": 1}\n'), sample(tmp_path / "y.xml", "<a><b/></a>")]
    with pytest.raises(UnreadableFileError, match="different kinds"):
        new_adapter("acme_mixed", files, modules=bench, samples=bench / "samples")


def test_checking_what_nobody_has_suggests_a_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="papermill"):
        check_adapter("papermil", modules=tmp_path, samples=tmp_path, tests=tmp_path)


def test_our_own_adapters_lack_nothing_that_the_check_can_see() -> None:
    root = Path(__file__).parent / "adapters"
    modules = Path(registry.folder.__path__[0])
    assert check_adapter("papermill", modules=modules, samples=root, tests=root) == []
