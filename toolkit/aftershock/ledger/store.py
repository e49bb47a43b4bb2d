"""The private store: one DuckDB file, written by one process at a time, briefly.

`Store.write()` takes the lock, opens the file, hands out a `Writer`, and publishes a snapshot at the end if anything was
committed. Nobody else ever opens this file: a forgotten reader would block the writer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from aftershock.errors import LedgerBusyError, LedgerFullError
from aftershock.ledger.migrations import migrate
from aftershock.ledger.snapshots import Snapshot, Snapshots
from aftershock.model import BY_NAME

MEMORY = "1700MB"
"""What DuckDB may take before it goes on on disk: with what lies outside its count, a writer stays under 2 GiB whatever it reads."""
THREADS = 1
"""Reading, settling and compressing are done hardly later by one than by two, and for a third less work."""
_FULL = ("no space left", "disk full", "file too large", "out of disk", "could not write", "max_temp_directory_size")


class Writer:
    """An open store under the lock: the only way to change the ledger."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path, snapshots: Snapshots) -> None:
        self.connection = connection
        self._file = file
        self._snapshots = snapshots

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All of what the block writes, or nothing. Raises `LedgerFullError` where the disk is full."""
        with full_disk_told(self._file.parent):
            self.connection.begin()
            try:
                yield self.connection
                self.connection.execute("update ledger_state set commits = commits + 1").fetchall()
                self.connection.commit()
            except BaseException:
                self._roll_back()
                raise

    def commits(self) -> int:
        """How many writes the store has seen: the number of the snapshot that would show them."""
        return int(self.connection.execute("select commits from ledger_state").fetchall()[0][0])

    def publish(self) -> Snapshot | None:
        """Publish what is committed; None where the newest snapshot shows it already (or nothing was ever written)."""
        with full_disk_told(self._file.parent):
            number = self.commits()
            if number == 0 or number == self._snapshots.current_number():
                return None
            self.connection.execute("checkpoint").fetchall()
            return self._snapshots.publish(self._file, number)

    def _roll_back(self) -> None:
        with suppress(duckdb.Error):  # a full disk can leave the connection unusable; closing it rolls back
            self.connection.rollback()


class Store:
    """The ledger of one project folder, for writing. `folder` is `data/ledger`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "store.duckdb"
        self.snapshots = Snapshots(folder)

    @contextmanager
    def write(self, *, wait_s: float = 60) -> Iterator[Writer]:
        """The one writer. Waits up to `wait_s` seconds for another one to finish.

        Publishes at the end whatever was committed, also when the block raises.
        Raises: `LedgerBusyError` if the lock stays taken; `LedgerFullError`; `NewerLedgerError`.
        """
        with full_disk_told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock(wait_s):
            temporary = self.folder / "tmp"
            shutil.rmtree(temporary, ignore_errors=True)  # left by a writer that was killed
            with full_disk_told(self.folder):
                connection = duckdb.connect(
                    str(self.file),
                    config={"temp_directory": str(temporary), "memory_limit": MEMORY, "threads": THREADS},
                )
            try:
                connection.execute("set TimeZone = 'UTC'").fetchall()
                with full_disk_told(self.folder):
                    self._migrate(connection)
                writer = Writer(connection, self.file, self.snapshots)
                try:
                    yield writer
                except BaseException:
                    with suppress(duckdb.Error, LedgerFullError):  # then the next write publishes
                        writer.publish()
                    raise
                writer.publish()
            finally:
                connection.close()

    def record_report_run(self, row: Mapping[str, Any]) -> None:
        """Add one `report_runs` row: `record_report_runs` of one."""
        self.record_report_runs([row])

    def record_report_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add `report_runs` rows, all or none, in one write: one snapshot shows them. No rows: nothing is written.

        Raises: `KeyError` for a column that the table does not have; what `write` raises.
        """
        known = BY_NAME["report_runs"].names
        for name in (name for row in rows for name in row):
            if name not in known:
                raise KeyError(name)
        if not rows:
            return
        with self.write() as writer, writer.transaction() as connection:
            for row in rows:
                statement = f"insert into report_runs ({', '.join(row)}) values ({', '.join('?' * len(row))})"
                connection.execute(statement, list(row.values())).fetchall()

    def _migrate(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Bring the store to this version; its commits go on from the newest snapshot, though it be deleted or restored."""
        newest = self.snapshots.newest_number()
        migrate(connection, self.file, newest)
        connection.execute(f"update ledger_state set commits = {newest} where commits < {newest}").fetchall()

    @contextmanager
    def _lock(self, wait_s: float) -> Iterator[None]:
        path = self.folder / "lock"
        holder = self.folder / "lock.holder"
        lock = FileLock(path)
        try:
            lock.acquire(timeout=wait_s, poll_interval=0.05)
        except Timeout:
            who = holder.read_text(encoding="utf-8") if holder.is_file() else "unknown process"
            raise LedgerBusyError(path, wait_s, who) from None
        try:
            with full_disk_told(self.folder):
                holder.write_text(f"process {os.getpid()}", encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turn the many words for a full disk into `LedgerFullError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if not isinstance(error, LedgerFullError) and any(word in str(error).casefold() for word in _FULL):
            raise LedgerFullError(folder, str(error).splitlines()[0]) from error
        raise
