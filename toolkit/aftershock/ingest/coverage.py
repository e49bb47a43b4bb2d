"""Which stretch of history a file claims to cover."""

from __future__ import annotations

import duckdb

from aftershock.ingest.canonical import Context
from aftershock.ingest.sql import literal
from aftershock.project import Source


def coverage_rows(con: duckdb.DuckDBPyConnection, context: Context, source: Source | None) -> None:
    """Write the file's `coverage` rows: what the adapter's own SELECT says, else from its first to its last run.

    A source that declares `covers = "day"` or `"week"` in aftershock.toml stands for those whole days or weeks (in its time
    zone) that its runs fall in; a file written in the middle of one stands for it up to then, and for nothing of what came after.
    """
    told_by = f"{literal(context.import_id)}, {literal(context.source)}"
    if "coverage" in context.export.select:
        con.execute(
            f"""insert into coverage select {told_by}, automation, covers_from, covers_to, coalesce(completeness, 'unknown')
               from sel_coverage where covers_from is not null and covers_to is not null"""
        ).fetchall()
        return
    if context.export.rank or "runs" not in context.tables:
        return  # a secondary source does not promise to hold every run
    unit = source.covers if source else "records"
    if unit == "records":
        con.execute(
            f"""insert into coverage
               select {told_by}, null, min(coalesce(queued_at, started_at, ended_at)), max(coalesce(ended_at, started_at, queued_at)), 'unknown'
               from sel_runs having min(coalesce(queued_at, started_at, ended_at)) is not null"""
        ).fetchall()
        return
    zone = literal(source.time_zone if source else "UTC")
    now = literal(context.file_time)
    con.execute(f"""
        insert into coverage
        with units as (
            select distinct date_trunc('{unit}', timezone({zone}, coalesce(started_at, queued_at, ended_at))) as begin from sel_runs
            where coalesce(started_at, queued_at, ended_at) is not null
        ), last as (select max(coalesce(ended_at, started_at, queued_at)) as at from sel_runs)
        select {told_by}, null, timezone({zone}, begin), case
                   when {now} between timezone({zone}, begin) and timezone({zone}, begin + interval 1 {unit}) then greatest({now}, last.at)
                   else timezone({zone}, begin + interval 1 {unit}) end, 'complete'
        from units, last
    """).fetchall()
