"""Every table metric on ten million runs of 5,000 automations, beside a hand-written DuckDB query and the pandas way.

Prints CPU seconds (all threads, from the ledger's file to a data frame), the ratio to each peer and our peak memory; the three must agree.
Ours and the query run in turns in one process, the least of some rounds counts. Pandas runs once, on the same rows: it fetches the columns
that it reads from the same file, through Arrow, and then computes; what the computing alone took stands beside it.

    PYTHONPATH=toolkit python benchmarks/metrics.py [--runs 10000000] [--only NAME ...] [--no-pandas] [--rounds 3] [--folder FOLDER]

`--folder` keeps the fleet there, and takes the one that is there: the making of ten million runs is not repeated.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent / "rivals"))

from rival import Rival, all_rivals, disagreements, make_runs

MEMORY = "3GB"


def main() -> None:
    """Measure, and print a Markdown table."""
    given = _arguments()
    rivals = [rival for rival in all_rivals() if not given.only or rival.name in given.only]
    if given.child:
        print(json.dumps(_measure(rivals[0], given.folder, given.rounds)))
        return
    with tempfile.TemporaryDirectory() as passing:
        folder = given.folder or Path(passing)
        if not (folder / "fleet.duckdb").exists():
            _build(folder, given.runs, given.automations)
        found = [_in_a_process(rival, folder, given.rounds) for rival in rivals]
        slow = {} if given.no_pandas else _pandas(rivals, folder)
    print(f"\n{given.runs:,} roots of {given.automations:,} automations\n")
    print(
        "| metric | ours, CPU s | DuckDB by hand | ours to it | pandas | pandas to ours | of it computing, to ours | peak GiB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for rival, one in zip(rivals, found, strict=True):
        whole, computing = slow.get(rival.name, (None, None))
        last = f"{whole:.1f} | {whole / one['ours']:.1f} | {computing / one['ours']:.1f}" if whole else " | | "
        print(
            f"| {rival.name} | {one['ours']:.2f} | {one['sql']:.2f} | {one['ours'] / one['sql']:.2f} | {last} | {one['peak_gib']:.1f} |"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--automations", type=int, default=5_000)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--no-pandas", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _build(folder: Path, runs: int, automations: int) -> None:
    folder.mkdir(exist_ok=True)
    with duckdb.connect(str(folder / "fleet.duckdb")) as con:
        make_runs(con, runs, automations)


def _in_a_process(rival: Rival, folder: Path, rounds: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--child",
        "--folder",
        str(folder),
        "--rounds",
        str(rounds),
        "--only",
        rival.name,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{rival.name}: {done.stderr}")
    print(f"{rival.name}: {done.stdout.strip()}", file=sys.stderr)
    return json.loads(done.stdout)


def _measure(rival: Rival, folder: Path, rounds: int) -> dict[str, float]:
    import ibis

    con = ibis.duckdb.connect(folder / "fleet.duckdb", read_only=True)
    raw = con.con
    raw.execute(f"set memory_limit = '{MEMORY}'").fetchall()
    runs = con.table("runs")
    rival.ours(runs.limit(1000))  # imports and first compilation are nobody's metric
    ours, sql = [], []
    for _ in range(rounds):
        begun = time.process_time()
        mine = rival.ours(runs)
        ours.append(time.process_time() - begun)
        if len(ours) == 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        begun = time.process_time()
        theirs = raw.sql(rival.sql).to_arrow_table().to_pandas()
        sql.append(time.process_time() - begun)
    wrong = disagreements(rival, mine, theirs)
    if wrong:
        raise SystemExit("\n".join(wrong))
    return {"ours": min(ours), "sql": min(sql), "peak_gib": round(peak, 2)}


def _pandas(rivals: list[Rival], folder: Path) -> dict[str, tuple[float, float]]:
    """Per metric: (fetching and computing, computing alone), in CPU seconds."""
    found = {}
    for rival in rivals:
        columns = _columns(rival)
        with duckdb.connect(str(folder / "fleet.duckdb"), read_only=True) as con:
            begun = time.process_time()
            frame = con.sql(f"select {', '.join(columns)} from runs").to_arrow_table().to_pandas()
        fetched = time.process_time()
        rival.pandas(frame)
        done = time.process_time()
        found[rival.name] = (done - begun, done - fetched)
        print(f"{rival.name}: pandas {done - begun:.1f}, of it computing {done - fetched:.1f}", file=sys.stderr)
    return found


def _columns(rival: Rival) -> list[str]:
    """The columns that the pandas way cannot do without, found on a small fleet."""
    with duckdb.connect() as con:
        make_runs(con, 2_000, 40)
        frame = con.sql("from runs").to_arrow_table().to_pandas()
    return [name for name in frame.columns if not _works(rival, frame.drop(columns=name))]


def _works(rival: Rival, frame: pd.DataFrame) -> bool:
    try:
        rival.pandas(frame)
    except (KeyError, AttributeError):
        return False
    return True


if __name__ == "__main__":
    main()
