"""Which stretch of history a file claims to cover."""

from __future__ import annotations

import duckdb

from aftershock.ingest.canonical import Context
from aftershock.project import Source


def coverage_rows(con: duckdb.DuckDBPyConnection, context: Context, source: Source | None) -> None:
    """Write the file's `coverage` rows: what the adapter's own SELECT says, else from its first to its last run.

    A source that declares `covers = "day"` or `"week"` in aftershock.toml stands for those whole days or weeks (in its time
    zone) that its runs fall in; a file written in the middle of one stands for it up to then, and for nothing of what came after.
    """
    if "coverage" in context.export.select:
        con.execute(
            """insert into coverage select ?, ?, automation, covers_from, covers_to, coalesce(completeness, 'unknown')
               from sel_coverage where covers_from is not null and covers_to is not null""",
            [context.import_id, context.source],
        ).fetchall()
        return
    if context.export.rank or "runs" not in context.tables:
        return  # a secondary source does not promise to hold every run
    unit = source.covers if source else "records"
    if unit == "records":
        con.execute(
            """insert into coverage
               select ?, ?, null, min(coalesce(queued_at, started_at, ended_at)), max(coalesce(ended_at, started_at, queued_at)), 'unknown'
               from sel_runs having min(coalesce(queued_at, started_at, ended_at)) is not null""",
            [context.import_id, context.source],
        ).fetchall()
        return
    zone = source.time_zone if source else "UTC"
    con.execute(
        f"""
        insert into coverage
        with units as (
            select distinct date_trunc('{unit}', timezone(?, coalesce(started_at, queued_at, ended_at))) as begin from sel_runs
            where coalesce(started_at, queued_at, ended_at) is not null
        ), last as (select max(coalesce(ended_at, started_at, queued_at)) as at from sel_runs)
        select ?, ?, null, timezone(?, begin), case
                   when $file_time between timezone(?, begin) and timezone(?, begin + interval 1 {unit}) then greatest($file_time, last.at)
                   else timezone(?, begin + interval 1 {unit}) end, 'complete'
        from units, last
        """.replace("$file_time", f"TIMESTAMPTZ '{context.file_time.isoformat()}'"),
        [zone, context.import_id, context.source, zone, zone, zone, zone],
    ).fetchall()
