"""A store of an older version becomes one of this version and keeps its rows; one of a newer version is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from pages import RUNS, task_page
from support import project_in, take_in

import aftershock
from aftershock.errors import NewerLedgerError
from aftershock.ledger import migrations
from aftershock.ledger.store import Store
from aftershock.model import SCHEMA_VERSION, TABLES

VERSION_1 = Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8")
ROWS = """
insert into imports (import_id, path, sha256, runs_new) values ('i1', 'old.json', 'abc', 2);
insert into runs (run_id, tool, native_id, root_run_id, status, first_seen_at) values
    ('n8n:1', 'n8n', '1', 'n8n:1', 'failed', timestamptz '2026-11-01 00:00:00+00'),
    ('n8n:2', 'n8n', '2', 'n8n:1', 'succeeded', timestamptz '2026-11-01 00:00:00+00');
insert into run_observations (import_id, run_id, observed_at, retry_of) values
    ('i1', 'n8n:2', timestamptz '2026-11-01 00:00:00+00', 'n8n:1'), ('i1', 'n8n:1', timestamptz '2026-11-01 00:00:00+00', null);
insert into steps (step_id, run_id, name) values ('n8n:2/Send', 'n8n:2', 'Send');
insert into step_observations (import_id, step_id, run_id, name) values ('i1', 'n8n:2/Send', 'n8n:2', 'Send');
insert into changes (change_id, automation_id, kind) values ('c1', 'n8n:7', 'version');
"""


def old_store(folder: Path, script: str = VERSION_1 + ROWS) -> Path:
    """The project folder of a store of version 1."""
    file = project_in(folder).ledger_folder / "store.duckdb"
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(script).fetchall()
    return file


def schema(connection: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[str, str]]]:
    """Table -> (column, type) of everything in the store."""
    columns = (
        "select table_name, column_name, data_type from duckdb_columns() where not internal and database_name = 'store'"
    )
    tables: dict[str, set[tuple[str, str]]] = {}
    for table, column, kind in connection.execute(columns).fetchall():
        tables.setdefault(table, set()).add((column, kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")))
    return tables


MODEL = {table.name: {(column.name, column.type) for column in table.columns} for table in TABLES}


def test_a_store_of_version_1_gets_every_table_and_column_of_this_version(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        assert schema(writer.connection) == MODEL


def test_a_new_store_has_every_table_and_column_of_this_version(tmp_path: Path) -> None:
    with Store(tmp_path).write() as writer:
        assert schema(writer.connection) == MODEL


def test_rows_of_version_1_are_kept(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        con = writer.connection
        assert con.execute("select path, runs_new from imports").fetchall() == [("old.json", 2)]
        assert con.execute("select run_id, status from runs order by 1").fetchall() == [
            ("n8n:1", "failed"),
            ("n8n:2", "succeeded"),
        ]
        assert con.execute("select change_id, import_id from changes").fetchall() == [("c1", None)]


def test_steps_of_version_1_get_their_name_as_key(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        for table in ("steps", "step_observations"):
            assert writer.connection.execute(f"select step_key from {table}").fetchall() == [("Send",)]


def test_runs_of_version_1_learn_from_observations_what_they_retried(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        retries = writer.connection.execute("select run_id, retry_of from runs order by 1").fetchall()
        assert retries == [("n8n:1", None), ("n8n:2", "n8n:1")]


def test_rows_of_version_1_are_found_again_by_settling(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        con = writer.connection
        assert con.execute("select run_seen_at = timestamptz '2026-11-01 00:00:00+00' from steps").fetchall() == [
            (True,)
        ]
        for table in ("run_observations", "step_observations"):
            assert con.execute(f"select distinct write_no from {table}").fetchall() == [(0,)]


def test_a_change_of_an_older_version_is_what_its_file_told(tmp_path: Path) -> None:
    with Store(old_store(tmp_path).parent).write() as writer:
        told = writer.connection.execute(
            "select change_id, automation_id, kind, run_id from change_observations"
        ).fetchall()
        assert told == [("c1", "n8n:7", "version", None)]


def test_what_was_seen_of_runs_in_version_1_is_seen_yet(tmp_path: Path) -> None:
    seen = """insert into status_history values ('n8n:1', 'failed', 'error', timestamptz '2026-11-01 00:00:00+00', 'i1');"""
    folder = old_store(tmp_path, VERSION_1 + ROWS + seen).parent
    for _ in range(2):
        with Store(folder).write() as writer:
            history = "select run_id, status, import_id from status_history"
            assert writer.connection.execute(history).fetchall() == [("n8n:1", "failed", "i1")]


def test_a_migrated_store_takes_in_files_and_is_published(tmp_path: Path) -> None:
    old_store(tmp_path)
    take_in(tmp_path, [task_page(tmp_path, 0)])
    with aftershock.open(tmp_path) as ledger:
        assert ledger.sql("select count(*) from runs").fetchall() == [(2 + RUNS,)]


def test_each_version_is_written_down_once(tmp_path: Path) -> None:
    store = Store(old_store(tmp_path).parent)
    for _ in range(3):
        with store.write() as writer:
            applied = writer.connection.execute("select version from schema_version order by 1").fetchall()
            assert applied == [(number,) for number in range(1, SCHEMA_VERSION + 1)]
            assert writer.connection.execute("select count(*) from ledger_state").fetchall() == [(1,)]


def test_steps_are_applied_in_order_and_only_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {
        2: ("create table story (line VARCHAR)", "insert into story values ('never: version 2 was there')"),
        3: ("create table story (line VARCHAR)", "insert into story values ('third')"),
        4: ("insert into story select line || ', fourth' from story",),
    }
    script = VERSION_1 + "insert into schema_version values (2, now());"
    monkeypatch.setattr(migrations, "STEPS", steps)
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 4)
    monkeypatch.setattr(
        migrations, "complete", lambda connection: connection.execute("create table ledger_state (commits BIGINT)")
    )
    with Store(old_store(tmp_path, script).parent).write() as writer:
        assert writer.connection.execute("select line from story").fetchall() == [("third",), ("third, fourth",)]


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = old_store(tmp_path)
    with duckdb.connect(str(file)) as connection:
        before = schema(connection)
    broken = {2: ("alter table runs add column half VARCHAR", "select this_is_no_function()")}
    monkeypatch.setattr(migrations, "STEPS", broken)
    with pytest.raises(duckdb.Error, match="this_is_no_function"), Store(file.parent).write():
        pass
    with duckdb.connect(str(file)) as connection:
        assert schema(connection) == before
        assert connection.execute("select count(*) from runs").fetchall() == [(2,)]


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    newer = SCHEMA_VERSION + 1
    file = old_store(tmp_path, VERSION_1 + f"insert into schema_version values ({newer}, now());")
    before = file.read_bytes()
    with pytest.raises(NewerLedgerError) as caught, Store(file.parent).write():
        pass
    assert str(caught.value) == (
        f"{file}: written by a newer aftershock (schema {newer}, this one knows {SCHEMA_VERSION}). Upgrade aftershock."
    )
    assert file.read_bytes() == before
