"""Files in, ledger out: recognise, stage, map, account, settle, commit; one transaction per file, one snapshot at the end."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import duckdb

from aftershock.adapters.base import Adapter
from aftershock.adapters.registry import adapters
from aftershock.errors import AftershockError, LedgerFullError, UnreadableFileError
from aftershock.ingest import canonical, keys, stage
from aftershock.ingest.containers import Opened, expand, opened
from aftershock.ingest.coverage import coverage_rows
from aftershock.ingest.recognise import Claim, recognise
from aftershock.ingest.sql import literal
from aftershock.ledger import joins, settle
from aftershock.ledger.store import Store, Writer, full_disk_told
from aftershock.project import Project, Source

Outcome = Literal["taken", "known", "unknown", "ambiguous", "unreadable"]
PUBLISH_EVERY_S: Final = 30.0
_SMALL_BYTES: Final = 4 * 1024**2
_FILE_TABLES: Final = ("run_observations", "step_observations", "touch_observations", "notice_observations", "automation_observations",
                       "change_observations", "coverage", "rejects", "set_aside", "imports")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of one file (or one member of an archive). Counts are of records and runs."""

    path: str
    outcome: Outcome
    adapter: str | None = None
    records_read: int = 0
    mapped: int = 0
    set_aside: int = 0
    rejects: int = 0
    runs_new: int = 0
    runs_changed: int = 0
    message: str = ""


@dataclass(frozen=True)
class IngestResult:
    """What became of all files. `snapshot` is the newest snapshot afterwards, None for a ledger still empty."""

    files: tuple[FileResult, ...]
    seconds: float
    snapshot: int | None

    def __getattr__(self, name: str) -> int:
        """Totals over the files: `records_read`, `mapped`, `set_aside`, `rejects`, `runs_new`, `runs_changed`."""
        if name in ("records_read", "mapped", "set_aside", "rejects", "runs_new", "runs_changed"):
            return sum(getattr(file, name) for file in self.files)
        raise AttributeError(name)

    @property
    def recognised(self) -> int:
        """How many files were taken in or known already."""
        return sum(file.outcome in ("taken", "known") for file in self.files)


@dataclass
class _Job:
    project: Project
    adapters: Sequence[Adapter]
    source: str | None
    exported_at: datetime | None
    retry_rejects: bool
    filled: set[str] = field(default_factory=set)
    config_hash: str = field(init=False)

    def __post_init__(self) -> None:
        self.config_hash = self.project.config_hash()


def ingest(
    project: Project,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    exported_at: datetime | None = None,
    retry_rejects: bool = False,
    wait_s: float = 60,
    on_file: Callable[[FileResult], None] | None = None,
    only: Adapter | None = None,
) -> IngestResult:
    """Take in every log file under `paths` and publish a snapshot.

    A file known by content, adapter version and configuration is not read again. `exported_at` is when the files were exported,
    for records that do not say. `retry_rejects` reads again those files (wherever they were) of which records were rejected.
    `on_file` is called after each file, when it is committed. `only`: an adapter to use instead of all that are known.

    Raises: `FileNotFoundError` for a path that leads to nothing; `LedgerBusyError`; `LedgerFullError`; `ProjectError`;
    `UnknownNameError` for a source that is not configured, where any is. A file that cannot be read or is of no known format is a result, not an error.
    """
    began = time.monotonic()
    keys.check_source(project, source)
    job = _Job(project, [only] if only else all_adapters(project), source, exported_at, retry_rejects)
    store = Store(project.ledger_folder)
    files = expand(paths)
    results: list[FileResult] = []
    with store.write(wait_s=wait_s) as writer:
        con = writer.connection
        _set_up(con, project)
        if retry_rejects:
            given = {file.resolve() for file in files}
            files += [file for file in _rejected_files(con, project) if file.resolve() not in given]
        published = time.monotonic()
        for file in files:
            for result in _take_file(writer, job, file):
                results.append(result)
                if on_file:
                    on_file(result)
            if time.monotonic() - published > PUBLISH_EVERY_S:
                writer.publish()
                published = time.monotonic()
        if settle.spans_are_stale(con):  # also after an ingestion that was killed before this
            with writer.transaction():
                settle.automation_spans(con)
        if joins.are_due(con):  # likewise
            with writer.transaction():
                joins.join(con)
    return IngestResult(tuple(results), time.monotonic() - began, store.snapshots.current_number())


def all_adapters(project: Project) -> list[Adapter]:
    """The adapters of this package and of outside packages, and one for each mapping of the project."""
    if not project.mappings:
        return list(adapters().values())
    from aftershock.adapters.mapping import adapter_of_mapping

    return [*adapters().values(), *(adapter_of_mapping(name, profile) for name, profile in project.mappings.items())]


def _set_up(con: duckdb.DuckDBPyConnection, project: Project) -> None:
    stage.define_macros(con, "UTC")
    canonical.define_tables(con)
    keys.check_patterns(con, project)
    keys.load_client_rules(con, project)


def _rejected_files(con: duckdb.DuckDBPyConnection, project: Project) -> list[Path]:
    """The files, still there, of which records were rejected."""
    rows = con.execute("select distinct path from imports where rejects > 0 order by 1").fetchall()
    places = [project.folder / one for (path,) in rows for one in (path, path.split("!", 1)[0])]
    return list(dict.fromkeys(place for place in places if place.is_file()))


def _shown(project: Project, file: Path) -> str:
    """A file's name in the ledger, the same from wherever it is taken in: within the project, else absolute."""
    place = file.resolve()
    return str(place.relative_to(project.folder)) if place.is_relative_to(project.folder) else str(place)


def _take_file(writer: Writer, job: _Job, file: Path) -> Iterable[FileResult]:
    try:
        with full_disk_told(job.project.ledger_folder), opened(file, _shown(job.project, file)) as inside:
            for found in inside:
                if isinstance(found, UnreadableFileError):
                    yield FileResult(path=found.path, outcome="unreadable", message=f"{found.seen}. {found.remedy}")
                else:
                    yield _take(writer, job, found)
    except AftershockError:
        raise
    except OSError as error:
        yield FileResult(path=str(file), outcome="unreadable", message=str(error))


def _take(writer: Writer, job: _Job, found: Opened) -> FileResult:
    mapping = keys.mapping_of(job.project, found.name, job.source)
    candidates = [one for one in job.adapters if mapping is None or one.name == f"mapping:{mapping}"]
    verdict = recognise(found.samples, candidates)
    if verdict.claim is None:
        outcome: Outcome = "ambiguous" if verdict.outcome == "ambiguous" else "unknown"
        return FileResult(path=found.name, outcome=outcome, message=verdict.message)
    claim = verdict.claim
    source = keys.source_of(job.project, claim.tool, found.name, job.source)
    before = _known(writer.connection, found, source)
    now = (claim.adapter.version, job.config_hash)
    if any(row[1:3] == now and row[4] == source and not (job.retry_rejects and row[3]) for row in before):
        return FileResult(path=found.name, outcome="known", adapter=claim.adapter.name)
    try:
        # reading comes before the transaction: a read that fails would end it
        with full_disk_told(job.project.ledger_folder):
            prepared = _prepare(writer.connection, job, found, claim, source)
        with writer.transaction():
            return _commit(writer.connection, job, found, prepared, [row[0] for row in before])
    except (LedgerFullError, MemoryError):
        raise
    except (
        AftershockError,
        duckdb.Error,
        UnicodeDecodeError,
    ) as error:  # a fault of this file or its adapter: the others have their turn
        first = str(error).splitlines()[0]
        return FileResult(
            path=found.name, outcome="unreadable", adapter=claim.adapter.name, message=f"could not be read: {first}"
        )


def _known(con: duckdb.DuckDBPyConnection, found: Opened, source: str) -> list[tuple[str, str, str, int, str]]:
    """How this very content was taken in before, for this source or from this place: what a new reading replaces.

    Import id, adapter version, configuration, rejects, source.
    """
    return con.execute(
        f"""select import_id, adapter_version, config_hash, rejects, source from imports
           where sha256 = {literal(found.sha256)} and (source = {literal(source)} or path = {literal(found.name)}) order by started_at"""
    ).fetchall()


@dataclass(frozen=True)
class _Prepared:
    """A file whose records are staged and mapped in temporary tables."""

    context: canonical.Context
    configured: Source | None
    started: datetime
    records_read: int
    mapped: int
    set_aside: int
    rejects: int


def _prepare(con: duckdb.DuckDBPyConnection, job: _Job, found: Opened, claim: Claim, source: str) -> _Prepared:
    """Read, map and account for every record, in temporary tables only."""
    started = datetime.now(UTC)
    import_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    file_time = job.exported_at or found.modified_at
    context = canonical.Context(job.project, claim.adapter, claim.export, source, import_id, file_time, claim.tool)
    configured = next((one for one in job.project.sources if one.name == source), None)
    zone = configured.time_zone if configured and claim.export.time_zone == "UTC" else claim.export.time_zone
    stage.define_macros(con, zone)
    staged = stage.stage(con, claim.export, claim.sample, file_time, _bare_name(found.name))
    canonical.select(con, context, job.filled)
    if found.size > _SMALL_BYTES:
        stage.forget(con)
    mapped, set_aside, rejects = canonical.account(con, context)
    if staged.records_read != mapped + set_aside + rejects:
        raise AftershockError(
            f"{found.name}: {staged.records_read} records read, but {mapped} + {set_aside} + {rejects} accounted for"
        )
    canonical.clean(con, context)
    return _Prepared(context, configured, started, staged.records_read, mapped, set_aside, rejects)


def _bare_name(name: str) -> str:
    """`run.log` of `/var/log/nightly.zip!logs/run.log.gz`."""
    return re.split(r"[/\\!]", name)[-1].removesuffix(".gz")


def _commit(
    con: duckdb.DuckDBPyConnection, job: _Job, found: Opened, prepared: _Prepared, replaced: Sequence[str]
) -> FileResult:
    """Everything of one file, inside one transaction."""
    context = prepared.context
    settle.prepare(con)
    _forget(con, replaced)
    canonical.observe(con, context)
    coverage_rows(con, context, prepared.configured)
    _keep_leftovers(con, context.import_id)
    settled = settle.settle(con)
    row: dict[str, str | int | datetime] = {
        "import_id": context.import_id, "path": found.name, "sha256": found.sha256, "bytes": found.size, "adapter": context.adapter.name,
        "adapter_version": context.adapter.version, "observed_at": context.file_time, "records_read": prepared.records_read,
        "mapped": prepared.mapped, "set_aside": prepared.set_aside, "rejects": prepared.rejects, "runs_new": settled.runs_new,
        "runs_changed": settled.runs_changed, "started_at": prepared.started, "finished_at": datetime.now(UTC),
        "source": context.source, "config_hash": job.config_hash,
    }  # fmt: skip
    con.execute(f"""
        insert into imports ({", ".join(row)}, write_no) values ({", ".join(map(literal, row.values()))}, getvariable('write_no'))
    """).fetchall()
    return FileResult(
        path=found.name,
        outcome="taken",
        adapter=context.adapter.name,
        records_read=prepared.records_read,
        mapped=prepared.mapped,
        set_aside=prepared.set_aside,
        rejects=prepared.rejects,
        runs_new=settled.runs_new,
        runs_changed=settled.runs_changed,
    )


def _forget(con: duckdb.DuckDBPyConnection, import_ids: Sequence[str]) -> None:
    """Take back what the same file said when it was read under another configuration."""
    for import_id in map(literal, import_ids):
        for table in ("run_observations", "step_observations", "touch_observations", "notice_observations"):
            con.execute(
                f"insert into touched_runs select distinct run_id from {table} where import_id = {import_id}"
            ).fetchall()
        con.execute(
            f"insert into touched_runs select run_id from run_rows where told_in = (select write_no from imports where import_id = {import_id})"
        ).fetchall()
        for one in ("automation", "notice", "change"):
            con.execute(
                f"insert into touched_{one}s select distinct {one}_id from {one}_observations where import_id = {import_id}"
            ).fetchall()
        for table in _FILE_TABLES:
            con.execute(f"delete from {table} where import_id = {import_id}").fetchall()


def _keep_leftovers(con: duckdb.DuckDBPyConnection, import_id: str) -> None:
    """Rejects and set-aside records, one row each, as text that may be kept."""
    if con.execute("select 1 from staged_rejects limit 1").fetchall():
        con.execute(f"""
           insert into rejects
           select {literal(import_id)}, record, 'record ' || record, string_agg(field, ', ' order by field), string_agg(seen, ', ' order by field),
                  string_agg(distinct reason, '; '), max(raw)
           from staged_rejects group by record
        """).fetchall()
    con.execute(
        f"insert into set_aside select {literal(import_id)}, place, min(reason) from sel_set_aside group by place"
    ).fetchall()
