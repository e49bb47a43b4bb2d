"""Published snapshots: what readers open, how long it is kept, and that nobody ever reads the store itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from pages import RUNS, task_page
from support import project_in, take_in

import aftershock
from aftershock.errors import LedgerFullError, NoSnapshotError
from aftershock.ledger import snapshots
from aftershock.ledger.snapshots import Snapshots
from aftershock.ledger.store import Store


def write(folder: Path, times: int = 1) -> list[int]:
    """So many writes of one commit each; gives the numbers of the snapshots on disk."""
    store = Store(project_in(folder).ledger_folder)
    for _ in range(times):
        store.record_report_run({"report_run_id": "r", "report": "fleet"})
    return store.snapshots.kept()


def report_runs(folder: Path, snapshot: int | None = None) -> int:
    with aftershock.open(folder, snapshot=snapshot) as ledger:
        return int(ledger.sql("select count(*) from report_runs").fetchall()[0][0])


def published(folder: Path) -> Path:
    return folder / "data" / "ledger" / "published"


def test_the_last_three_snapshots_are_kept(tmp_path: Path) -> None:
    assert write(tmp_path, 5) == [3, 4, 5]


def test_each_snapshot_shows_what_was_committed_when_it_was_published(tmp_path: Path) -> None:
    write(tmp_path, 3)
    assert [report_runs(tmp_path, number) for number in (1, 2, 3)] == [1, 2, 3]


def test_the_newest_snapshot_is_opened_by_default(tmp_path: Path) -> None:
    write(tmp_path, 3)
    assert report_runs(tmp_path) == 3


def test_a_write_that_commits_nothing_publishes_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    with Store(tmp_path / "data" / "ledger").write():
        pass
    assert Snapshots(tmp_path / "data" / "ledger").kept() == [1]


def test_a_pinned_snapshot_is_kept_while_it_is_pinned(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger, ledger.pin():
        assert write(tmp_path, 5) == [1, 4, 5, 6]
        assert report_runs(tmp_path, 1) == 1
    assert write(tmp_path) == [5, 6, 7]


def test_the_pin_of_a_process_that_died_keeps_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    pin = published(tmp_path) / f"ledger-1.pin-{int(dead.stdout)}-abc"
    pin.touch()
    assert write(tmp_path, 4) == [3, 4, 5]
    assert not pin.exists()


def test_pinning_a_snapshot_that_is_gone_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    ledger = aftershock.open(tmp_path)
    write(tmp_path, 4)
    with pytest.raises(NoSnapshotError, match="snapshot 1 is not kept; there are: 3, 4, 5"), ledger.pin():
        pass
    ledger.close()


def test_an_open_snapshot_does_not_change_until_it_is_refreshed(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        write(tmp_path, 4)
        before = (ledger.snapshot, ledger.report_runs.count().execute())
        ledger.refresh()
        assert (before, (ledger.snapshot, ledger.report_runs.count().execute())) == ((1, 1), (5, 5))


def test_refreshing_where_nothing_is_new_keeps_the_tables(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        table = ledger.report_runs
        assert ledger.refresh() is ledger
        assert table.count().execute() == 1


def test_two_snapshots_can_be_open_at_once(tmp_path: Path) -> None:
    write(tmp_path, 2)
    with aftershock.open(tmp_path, snapshot=1) as older, aftershock.open(tmp_path) as newer:
        assert older.report_runs.count().execute() == 1
        assert newer.report_runs.count().execute() == 2


@pytest.mark.parametrize(
    "statement", ["delete from steps", "create table mine (x INTEGER)", "update steps set status = 'failed'"]
)
def test_a_snapshot_cannot_be_changed(tmp_path: Path, statement: str) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        ledger.sql(statement)


def test_an_open_snapshot_does_not_hinder_the_writer(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path):
        assert write(tmp_path, 2) == [1, 2, 3]


def test_readers_never_open_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    opened: list[tuple[str, object]] = []
    connect = duckdb.connect

    def watched(database: str = ":memory:", *, read_only: bool = False, **more: object) -> duckdb.DuckDBPyConnection:
        opened.append((Path(database).name, read_only))
        return connect(database, read_only=read_only, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(duckdb, "connect", watched)
    with aftershock.open(tmp_path) as ledger:
        ledger.runs.count().execute()
    assert opened == [("ledger-1.duckdb", True)]


def test_an_empty_ledger_says_how_to_fill_it(tmp_path: Path) -> None:
    project_in(tmp_path)
    with pytest.raises(NoSnapshotError) as caught:
        aftershock.open(tmp_path)
    assert str(caught.value) == (
        f"{published(tmp_path)}: the ledger is empty. Take in some run logs first: `aftershock ingest PATH`."
    )


def test_a_snapshot_that_is_gone_is_told_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, 4)
    with pytest.raises(NoSnapshotError) as caught:
        aftershock.open(tmp_path, snapshot=1)
    assert str(caught.value) == f"{published(tmp_path)}: snapshot 1 is not kept; there are: 2, 3, 4."


def test_a_number_is_never_used_again_though_the_store_was_deleted(tmp_path: Path) -> None:
    write(tmp_path, 4)
    (tmp_path / "data" / "ledger" / "store.duckdb").unlink()
    assert write(tmp_path) == [3, 4, 5]
    assert [report_runs(tmp_path, number) for number in (4, 5)] == [4, 1]


def test_a_number_is_never_used_again_though_an_older_store_was_put_back(tmp_path: Path) -> None:
    write(tmp_path)
    store = tmp_path / "data" / "ledger" / "store.duckdb"
    older = store.read_bytes()
    write(tmp_path, 4)
    store.write_bytes(older)
    assert write(tmp_path) == [4, 5, 6]
    assert [report_runs(tmp_path, number) for number in (5, 6)] == [5, 2]


def test_deleting_the_published_files_leaves_the_numbers_growing(tmp_path: Path) -> None:
    write(tmp_path, 3)
    for file in published(tmp_path).iterdir():
        file.unlink()
    assert write(tmp_path) == [4]
    assert report_runs(tmp_path) == 4


def test_current_names_a_whole_snapshot_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    seen = []
    switch = Snapshots._switch

    def watched(self: Snapshots, number: int) -> None:
        seen.append((report_runs(tmp_path), report_runs(tmp_path, number)))
        switch(self, number)
        seen.append((report_runs(tmp_path), json.loads((published(tmp_path) / "CURRENT").read_text())["snapshot"]))

    monkeypatch.setattr(Snapshots, "_switch", watched)
    write(tmp_path)
    assert seen == [(1, 2), (2, 2)]


def test_a_commit_that_could_not_be_published_is_published_by_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_copy", full)
        with pytest.raises(LedgerFullError, match="the last snapshot still serves"):
            take_in(tmp_path, [task_page(tmp_path, 0)])
    with aftershock.open(tmp_path) as ledger:
        assert (ledger.snapshot, ledger.runs.count().execute()) == (1, 0)
    with Store(tmp_path / "data" / "ledger").write():
        pass
    with aftershock.open(tmp_path) as ledger:
        assert ledger.runs.count().execute() == RUNS


def test_a_block_that_fails_later_has_its_commits_published(tmp_path: Path) -> None:
    store = Store(project_in(tmp_path).ledger_folder)
    with pytest.raises(ZeroDivisionError), store.write() as writer:  # noqa: PT012
        with writer.transaction() as connection:
            connection.execute("insert into report_runs (report) values ('fleet')").fetchall()
        raise ZeroDivisionError
    assert report_runs(tmp_path) == 1


def test_a_transaction_that_fails_keeps_nothing(tmp_path: Path) -> None:
    store = Store(project_in(tmp_path).ledger_folder)
    with pytest.raises(ZeroDivisionError), store.write() as writer, writer.transaction() as connection:  # noqa: PT012
        connection.execute("insert into report_runs (report) values ('fleet')").fetchall()
        raise ZeroDivisionError
    assert store.snapshots.kept() == []


def test_what_a_killed_writer_left_behind_is_cleared_away(tmp_path: Path) -> None:
    write(tmp_path)
    left = [published(tmp_path) / ".ledger-9-abc.part", published(tmp_path) / ".CURRENT-abc"]
    spilled = tmp_path / "data" / "ledger" / "tmp" / "duckdb_temp_storage_DEFAULT-0.tmp"
    spilled.parent.mkdir(exist_ok=True)
    for file in (*left, spilled):
        file.write_bytes(b"half")
    write(tmp_path)
    assert [file for file in (*left, spilled) if file.exists()] == []


def test_a_reader_whose_snapshot_is_dropped_while_it_opens_gets_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    connect = duckdb.connect

    def slow(database: str, **options: object) -> duckdb.DuckDBPyConnection:
        monkeypatch.setattr(duckdb, "connect", connect)
        write(tmp_path, 5)
        return connect(database, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(duckdb, "connect", slow)
    with aftershock.open(tmp_path) as ledger:
        assert ledger.snapshot == 6


def test_the_time_of_publication_is_in_utc(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        assert ledger.published_at.tzinfo is UTC
        assert abs(datetime.now(UTC) - ledger.published_at) < timedelta(minutes=5)


def test_times_are_shown_in_utc_wherever_the_reader_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", "America/New_York")
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        assert ledger.sql("select current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_a_pointer_cut_short_by_a_power_failure_gives_the_newest_snapshot_on_disk(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "data" / "ledger" / "published" / "CURRENT").write_bytes(b"")
    with aftershock.open(tmp_path) as ledger:
        number = ledger.snapshot
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        assert ledger.snapshot > number


def test_a_ledger_writes_through_the_one_store_and_shows_it_after_a_refresh(tmp_path: Path) -> None:
    write(tmp_path)
    with aftershock.open(tmp_path) as ledger:
        with ledger.write() as writer, writer.transaction() as connection:
            connection.execute("insert into report_runs (report) values ('by hand')").fetchall()
        assert ("by hand",) not in ledger.sql("select report from report_runs").fetchall()
        assert ("by hand",) in ledger.refresh().sql("select report from report_runs").fetchall()
