"""What it costs to take in 50,000 runs, half of them known, into ledgers of 1, 5 and 20 million runs.

    PYTHONPATH=toolkit python benchmarks/reingest.py [--sizes 1 5 20] [--batch 50000] [--rounds 3] [--folder DIR]

One export of Airflow DAG runs is really taken in; SQL then multiplies what it left in every table, with later ids and
times, until the ledger has the wanted size: so the big ledger is what settling would have made. Then further exports are
taken in through the pipeline. `recent`: the known half are the newest runs, as in a daily export that overlaps the last
one. `scattered`: they are picked from the whole history. CPU seconds of all threads: the machine may be busy.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from aftershock.ingest.pipeline import ingest
from aftershock.ledger.store import Store, Writer
from aftershock.model import BY_NAME
from aftershock.project import Project, load

SEED_RUNS = 50_000
MULTIPLIED = [BY_NAME[name] for name in ("run_rows", "touch_observations", "touches")]
DAGS = 40
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
EVERY = timedelta(seconds=8)  # 20 million runs are five years
TOML = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ automation = "acme_*" }]

[[records]]
entity = "order"
keys = ["order_id"]
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="reingest-") as folder:
        project = _project(Path(folder))
        _seed(project)
        size, rows = 0, []
        for millions in options.sizes:
            size = _grow(project, size, round(millions * 1_000_000))
            for known in ("recent", "scattered"):
                costs = []
                for _ in range(options.rounds):
                    export, size = _export(Path(folder), size, options.batch, known)
                    costs.append(_take_in(project, export))
                commit, publish, wall = (statistics.median(column) for column in zip(*costs, strict=True))
                rows.append((known, millions, commit, publish, wall, project.ledger_folder / "store.duckdb"))
                _print_row(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 5, 20], help="runs in the ledger, in millions")
    parser.add_argument("--batch", type=int, default=50_000, help="runs in the export, half of them known")
    parser.add_argument("--rounds", type=int, default=3, help="exports for each figure, of which the median is told")
    parser.add_argument("--folder", type=Path, help="where the ledger is built (some 8 GB for 20 million runs)")
    return parser.parse_args()


def _print_row(rows: list[tuple[str, float, float, float, float, Path]]) -> None:
    known, millions, commit, publish, wall, store = rows[-1]
    if len(rows) == 1:
        print("| known half | million runs | ingest CPU s | to the first | publish CPU s | wall s | file MB |")
        print("|---|---:|---:|---:|---:|---:|---:|")
    first = next(row for row in rows if row[0] == known)
    megabytes = store.stat().st_size / 1e6
    print(
        f"| {known} | {millions:g} | {commit:.2f} | {commit / first[2]:.2f} | {publish:.2f} | {wall:.1f} | {megabytes:,.0f} |",
        flush=True,
    )


def _project(folder: Path) -> Project:
    (folder / "aftershock.toml").write_text(TOML, encoding="utf-8")
    return load(folder)


def _record(number: int) -> dict[str, Any]:
    """A DAG run as `GET /dags/~/dagRuns` gives it."""
    queued = BEGIN + number * EVERY
    end = queued + timedelta(seconds=5 + number % 600)
    return {
        "dag_id": f"{('acme', 'globex', 'initech')[number % DAGS % 3]}_dag_{number % DAGS:02d}",
        "dag_run_id": f"run-{number:010d}",
        "state": "failed" if number % 50 == 0 else "success",
        "run_type": "scheduled",
        "triggered_by": "timetable",
        "queued_at": queued.isoformat(),
        "start_date": (queued + timedelta(seconds=2)).isoformat(),
        "end_date": end.isoformat(),
        "last_scheduling_decision": end.isoformat(),
        "conf": {"order_id": f"ORD-{number}"},
    }


def _write(path: Path, numbers: Iterator[int]) -> Path:
    with path.open("w", encoding="utf-8") as out:
        for number in numbers:
            out.write(json.dumps(_record(number)) + "\n")
    return path


def _seed(project: Project) -> None:
    export = _write(project.folder / "seed.jsonl", iter(range(SEED_RUNS)))
    result = ingest(project, [export])
    assert result.runs_new == SEED_RUNS, result


def _export(folder: Path, size: int, batch: int, known: str) -> tuple[Path, int]:
    """An export of which half the runs are in the ledger; and how many runs that will then hold."""
    half = batch // 2
    old = range(size - half, size) if known == "recent" else sorted(random.Random(size).sample(range(size), half))
    return _write(folder / f"{known}-{size}.jsonl", iter([*old, *range(size, size + half)])), size + half


def _grow(project: Project, size: int, wanted: int) -> int:
    """Multiply what the seed left behind until there are `wanted` runs; gives how many there are."""
    have = max(size, SEED_RUNS)
    with _no_publish(), Store(project.ledger_folder).write() as writer:
        con = writer.connection
        for table in MULTIPLIED:
            con.execute(f"""
                create or replace temp table seed_{table.name} as
                select right(run_id, 10)::BIGINT as seed, * from {table.name} where run_id like '%/run-00000%' and seed < {SEED_RUNS}
            """).fetchall()
        while have < wanted:
            with writer.transaction():
                more = min(20 * SEED_RUNS, wanted - have)
                _multiply(con, have, more)
                have += more
        con.execute("update automations set last_run_at = (select max(started_at) from runs)").fetchall()
        con.execute("checkpoint").fetchall()
    return have


def _multiply(con: duckdb.DuckDBPyConnection, begin: int, count: int) -> None:
    """Runs `begin` to `begin + count` of every table, from the seed's rows; each 50,000 as if by a write of their own."""
    con.execute(f"""
        create or replace temp table copies as
        select number % {SEED_RUNS} as seed, number - number % {SEED_RUNS} as later from range({begin}, {begin + count}) t(number)
    """).fetchall()
    id_10 = "lpad((seed + later)::VARCHAR, 10, '0')"
    new = {
        "run_id": f"left(run_id, length(run_id) - 10) || {id_10}",
        "root_run_id": f"left(run_id, length(run_id) - 10) || {id_10}",
        "native_id": f"'run-' || {id_10}",
        "touch_id": "md5(touch_id || later)",
        "entity_key": "'ORD-' || (seed + later)",
        "write_no": f"write_no + later // {SEED_RUNS}",
        "told_in": f"told_in + later // {SEED_RUNS}",
    }
    for table in MULTIPLIED:
        columns = {name: new[name] for name in table.names if name in new}
        for column in table.columns:
            if column.type == "TIMESTAMPTZ":
                columns[column.name] = f'"{column.name}" + to_seconds(later * {EVERY.total_seconds()})'
        replaced = ", ".join(f'{value} as "{name}"' for name, value in columns.items())
        con.execute(f"""
            insert into {table.name} by name
            select old.* exclude (seed) replace ({replaced}) from copies join seed_{table.name} old using (seed)
        """).fetchall()
    con.execute(f"""
        insert into imports by name
        select seed.* replace (import_id || '-' || later as import_id, write_no + later as write_no)
        from (from imports order by started_at limit 1) seed, range({begin // SEED_RUNS}, {(begin + count) // SEED_RUNS}) t(later)
    """).fetchall()
    con.execute(f"update ledger_state set commits = commits + {count // SEED_RUNS}").fetchall()


@contextmanager
def _no_publish() -> Iterator[None]:
    publish = Writer.publish
    Writer.publish = lambda _: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Writer.publish = publish  # type: ignore[method-assign]


def _take_in(project: Project, export: Path) -> tuple[float, float, float]:
    """CPU seconds of reading, settling and committing, CPU seconds of publishing, and wall seconds of both."""
    spent = 0.0
    publish = Writer.publish

    def timed(writer: Writer) -> object:
        nonlocal spent
        begin = time.process_time()
        try:
            return publish(writer)
        finally:
            spent += time.process_time() - begin

    Writer.publish = timed  # type: ignore[assignment,method-assign]
    try:
        begin, began = time.process_time(), time.monotonic()
        result = ingest(project, [export])
        total, wall = time.process_time() - begin, time.monotonic() - began
    finally:
        Writer.publish = publish  # type: ignore[method-assign]
    (file,) = result.files
    assert file.runs_new * 2 == file.mapped, file
    export.unlink()
    return total - spent, spent, wall


if __name__ == "__main__":
    main()
