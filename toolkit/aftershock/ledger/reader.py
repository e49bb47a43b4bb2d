"""What everybody but the ingester opens: one snapshot, read-only, as Ibis tables or SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from aftershock.errors import NoSnapshotError
from aftershock.ledger.snapshots import Snapshot, Snapshots
from aftershock.model import PUBLIC_TABLES
from aftershock.project import Project

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.ledger.store import Writer


class Ledger:
    """One snapshot of a project's ledger. It never changes under you; `refresh()` moves on to the newest.

    Every table of the contract is an attribute: `ledger.runs` is an Ibis table.
    """

    imports: ir.Table
    coverage: ir.Table
    automations: ir.Table
    runs: ir.Table
    steps: ir.Table
    touches: ir.Table
    notices: ir.Table
    changes: ir.Table
    status_history: ir.Table
    rejects: ir.Table
    set_aside: ir.Table
    findings: ir.Table
    report_runs: ir.Table

    def __init__(self, project: Project, snapshot: int | None = None) -> None:
        self.project = project
        self._snapshots = Snapshots(project.ledger_folder)
        self._wanted = snapshot
        self._open()

    @property
    def snapshot(self) -> int:
        """The number of the snapshot that is open."""
        return self._snapshot.number

    @property
    def published_at(self) -> datetime:
        """When that snapshot was published, in UTC."""
        return self._snapshot.published_at

    @property
    def path(self) -> Path:
        """Its file, for DuckDB's own command line or another tool."""
        return self._snapshot.path

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The answer to a query, lazily: `.df()`, `.fetchall()`, or just show it. The snapshot cannot be changed by it."""
        return self._connection.sql(query)

    def refresh(self) -> Self:
        """Move on to the newest snapshot. Tables taken before stay with the old one, which closes: take them anew."""
        newest = self._snapshots.current_number()
        if newest is not None and newest != self.snapshot:
            self.close()
            self._wanted = None
            self._open()
        return self

    @contextmanager
    def pin(self) -> Iterator[Self]:
        """Keep this snapshot on disk while the block runs, so that other processes can open it by number."""
        with self._snapshots.pin(self.snapshot):
            yield self

    def write(self, *, wait_s: float = 60) -> AbstractContextManager[Writer]:
        """Write to the project's ledger: `Store.write()` of its private store. This snapshot stays as it is; `refresh()` moves on."""
        from aftershock.ledger.store import Store

        return Store(self.project.ledger_folder).write(wait_s=wait_s)

    def close(self) -> None:
        """Close the snapshot. Closing twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger of {self.project.name}, snapshot {self.snapshot} of {self.published_at:%Y-%m-%d %H:%M} UTC>"

    def _open(self) -> None:
        self._snapshot, self._connection = self._connect()
        self._connection.execute("set TimeZone = 'UTC'").fetchall()
        for name in (*PUBLIC_TABLES, "_backend"):  # of the snapshot before
            self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        """The Ibis tables, each when it is first asked for: opening a snapshot for SQL alone takes no time."""
        if name == "_backend":
            import ibis

            self._backend = ibis.duckdb.from_connection(self._connection)
            return self._backend
        if name in PUBLIC_TABLES:
            table = self._backend.table(name)
            setattr(self, name, table)
            return table
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *PUBLIC_TABLES]

    def _connect(self) -> tuple[Snapshot, duckdb.DuckDBPyConnection]:
        """The wanted snapshot; when the newest is dropped between finding and opening it, the one after it."""
        for _ in range(20):
            snapshot = self._snapshots.find(self._wanted)
            try:
                return snapshot, duckdb.connect(str(snapshot.path), read_only=True)
            except duckdb.IOException:
                if snapshot.path.is_file():
                    raise
        raise NoSnapshotError(self._snapshots.folder, self._wanted, self._snapshots.kept())
