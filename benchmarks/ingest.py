"""How many records a CPU second: our whole ingestion beside bare reading, in one run.

    PYTHONPATH=toolkit python benchmarks/ingest.py [--records 1000000] [--formats jsonl csv pages otlp] [--folder DIR] [--rounds 1]

Records of about one kilobyte in four formats: GitHub Actions runs a line each, pages of n8n executions, CSV, OTLP traces. Each
figure is the CPU time of a process of its own, with all its threads and its start; the machine may be busy.

- aftershock: `ingest()` with everything: recognition, hash of the file, rejects, redaction, ids, settling, snapshot;
- DuckDB: `read_json` or `read_csv` of the same columns, typed, into a table of a file, with all cores as DuckDB does by itself and
  with one thread as we do: what nobody can be faster than who reads with DuckDB;
- polars and pandas: the same columns read, typed and handed to a table of a DuckDB file (polars only where it is installed).

`--big 5` instead makes one file of that many GB and tells the peak memory of taking it in.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
RECORD_BYTES = 1000
TOML = """
[mappings.jobs]
tool = "jobs"
fields = { native_id = "Run", automation = "Job", status = "State", started_at = "Started", ended_at = "Ended", \
items_in = "Rows in", items_out = "Rows out", error_message = "Error" }
status = { done = "succeeded", failed = "failed" }
"""


def main() -> None:
    options = _options()
    if options.child:
        CHILDREN[options.child[0]](*options.child[1:])
        return
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="ingest-") as folder:
        if options.big:
            _big(Path(folder), options.big, options.formats[0])
        else:
            _compare(Path(folder), options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records in each file")
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--by", nargs="+", default=list(CHILDREN), choices=list(CHILDREN))
    parser.add_argument("--rounds", type=int, default=1, help="runs for each figure, of which the median is told")
    parser.add_argument("--folder", type=Path, help="where the files are made (some 3 GB)")
    parser.add_argument(
        "--big", type=float, metavar="GB", help="peak memory for a file of so many GB, of the first of --formats"
    )
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(folder: Path, options: argparse.Namespace) -> None:
    print("| format | by | records per CPU s | to DuckDB | to DuckDB, one thread | to pandas | peak MB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for form in options.formats:
        file = folder / f"{form}.log"
        with file.open("w", encoding="utf-8", newline="") as out:
            out.writelines(FORMATS[form](options.records))
        found = {who: _measure(who, form, file, options.rounds) for who in options.by}
        rates = {who: options.records / cpu for who, (cpu, _) in found.items() if cpu}
        for who, (cpu, peak) in found.items():
            if not cpu:
                print(f"| {form} | {who} | not installed | | | | |")
                continue
            ratios = " | ".join(
                f"{rates[who] / rates[peer]:.2f}" if peer in rates else "" for peer in ("duckdb", "duckdb-1", "pandas")
            )
            print(f"| {form} | {who} | {rates[who]:,.0f} | {ratios} | {peak / 1024:,.0f} |", flush=True)
        file.unlink()


def _measure(who: str, form: str, file: Path, rounds: int) -> tuple[float, int]:
    """CPU seconds (the median) and peak memory in kB of a process that reads the file; 0 where it cannot be had."""
    if who == "polars" and importlib.util.find_spec("polars") is None:
        return 0.0, 0
    costs = []
    peak = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=file.parent) as room:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, __file__, "--child", who, form, str(file), room], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            peak = int((Path(room) / "peak").read_text())
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(costs), peak


def _big(folder: Path, gigabytes: float, form: str) -> None:
    file = folder / f"{form}.log"
    records = round(gigabytes * 1e9 / (RECORD_BYTES + 20))
    with file.open("w", encoding="utf-8", newline="") as out:
        out.writelines(FORMATS[form](records))
    cpu, peak = _measure("aftershock", form, file, 1)
    print(
        f"{form}: {file.stat().st_size / 1e9:.1f} GB, {records:,} records, {cpu:,.0f} CPU s, peak {peak / 1024:,.0f} MB"
    )


# -- the files


def _runs(records: int) -> Iterator[tuple[int, datetime, bool, random.Random]]:
    chance = random.Random(47)
    for number in range(records):
        yield number, BEGIN + timedelta(seconds=20 * number), chance.random() < 0.92, chance


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _padded(record: dict[str, Any], name: str) -> dict[str, Any]:
    """With a text under `name` that brings the record to its size."""
    return {**record, name: "n" * max(RECORD_BYTES - len(json.dumps(record)) - len(name) - 8, 0)}


def jsonl(records: int) -> Iterator[str]:
    """GitHub Actions: a run a line."""
    for number, at, ok, chance in _runs(records):
        page = f"https://github.com/acme/shop/actions/runs/{5_000_000_000 + number}"
        record = {
            "id": 5_000_000_000 + number, "name": f"Sync {number % 40}", "head_branch": "main", "head_sha": f"{chance.getrandbits(160):040x}",
            "path": f".github/workflows/sync-{number % 40}.yml", "run_number": number // 40, "run_attempt": 1, "event": "schedule",
            "display_title": f"Sync orders of page {number}", "status": "completed", "conclusion": "success" if ok else "failure",
            "workflow_id": 9000 + number % 40, "url": page.replace("github.com", "api.github.com/repos"), "html_url": page,
            "created_at": _iso(at), "run_started_at": _iso(at), "updated_at": _iso(at + timedelta(seconds=chance.randint(5, 500))),
            "actor": {"login": "bot"}, "head_commit": {"message": "Update the exporter"}, "repository": {"full_name": "acme/shop"},
        }  # fmt: skip
        yield json.dumps(_padded(record, "note")) + "\n"


def pages(records: int) -> Iterator[str]:
    """n8n: pages of 250 executions, one after the other."""
    page: list[dict[str, Any]] = []
    for number, at, ok, _ in _runs(records):
        record = {
            "id": str(number + 1), "finished": ok, "mode": "trigger", "retryOf": None, "retrySuccessId": None,
            "status": "success" if ok else "error", "createdAt": _iso(at), "startedAt": _iso(at),
            "stoppedAt": _iso(at + timedelta(seconds=3)), "workflowId": f"wf{number % 40:014d}", "waitTill": None,
            "customData": {"order_id": f"ORD-{100_000 + number}"}, "workflowVersionId": f"{number % 40:032x}",
        }  # fmt: skip
        page.append(_padded(record, "annotation"))
        if len(page) == 250 or number == records - 1:
            yield json.dumps({"data": page, "nextCursor": "eyJsaW1pdCI6MjUwfQ"}) + "\n"
            page = []


def table(records: int) -> Iterator[str]:
    """CSV: what a portal exports."""
    header = ("Run", "Job", "State", "Started", "Ended", "Rows in", "Rows out", "Host", "Error", "Comment")
    yield _line(header)
    for number, at, ok, chance in _runs(records):
        error = "" if ok else f"HTTP {chance.choice((401, 429, 500, 503))} from the CRM for page {number}"
        row = [f"R-{number}", f"job {number % 40}", "done" if ok else "failed", _iso(at), _iso(at + timedelta(seconds=chance.randint(5, 500))),
               chance.randint(0, 999), chance.randint(0, 999), f"host-{number % 7}", error]  # fmt: skip
        yield _line([*row, "c" * (RECORD_BYTES - len(_line(row)))])


def _line(row: Any) -> str:
    class Line:
        text = ""

        def write(self, text: str) -> None:
            self.text = text

    line = Line()
    csv.writer(line).writerow(row)
    return line.text


def otlp(records: int) -> Iterator[str]:
    """OTLP: traces of one span, fifty in a batch."""
    spans: list[dict[str, Any]] = []
    for number, at, ok, chance in _runs(records):
        nanoseconds = int(at.timestamp()) * 1_000_000_000
        span = {
            "traceId": f"{chance.getrandbits(128):032x}", "spanId": f"{chance.getrandbits(64):016x}", "parentSpanId": "",
            "name": f"sync {number % 40}", "kind": 1, "startTimeUnixNano": str(nanoseconds),
            "endTimeUnixNano": str(nanoseconds + chance.randint(5, 500) * 1_000_000_000),
            "attributes": [{"key": "page", "value": {"intValue": str(number)}}],
            "status": {"code": 1} if ok else {"code": 2, "message": "HTTP 503 from the CRM"},
        }  # fmt: skip
        padding = "n" * max(RECORD_BYTES - len(json.dumps(span)) - 60, 0)
        span["attributes"].append({"key": "note", "value": {"stringValue": padding}})
        spans.append(span)
        if len(spans) == 50 or number == records - 1:
            service = {"attributes": [{"key": "service.name", "value": {"stringValue": "agency-worker"}}]}
            yield (
                json.dumps(
                    {
                        "resourceSpans": [
                            {"resource": service, "scopeSpans": [{"scope": {"name": "worker"}, "spans": spans}]}
                        ]
                    }
                )
                + "\n"
            )
            spans = []


FORMATS: dict[str, Callable[[int], Iterator[str]]] = {"jsonl": jsonl, "csv": table, "pages": pages, "otlp": otlp}


# -- the readers, each in a process of its own


def _tell_peak(room: str) -> None:
    (Path(room) / "peak").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def aftershock(form: str, file: str, room: str) -> None:
    """Our whole ingestion."""
    from aftershock.ingest.pipeline import ingest
    from aftershock.project import load

    (Path(room) / "aftershock.toml").write_text(TOML if form == "csv" else "")
    [result] = ingest(load(Path(room)), [Path(file)]).files
    if result.outcome != "taken" or result.rejects or not result.runs_new:
        raise SystemExit(f"{form}: {result}")
    _tell_peak(room)


COLUMNS = {
    "jsonl": {
        "id": "BIGINT", "name": "VARCHAR", "path": "VARCHAR", "display_title": "VARCHAR", "head_branch": "VARCHAR", "head_sha": "VARCHAR",
        "run_number": "BIGINT", "run_attempt": "INTEGER", "event": "VARCHAR", "status": "VARCHAR", "conclusion": "VARCHAR",
        "workflow_id": "BIGINT", "url": "VARCHAR", "html_url": "VARCHAR", "created_at": "TIMESTAMPTZ", "run_started_at": "TIMESTAMPTZ",
        "updated_at": "TIMESTAMPTZ", "actor": "STRUCT(login VARCHAR)", "head_commit": "STRUCT(message VARCHAR)",
        "repository": "STRUCT(full_name VARCHAR)",
    },
    "csv": {
        "Run": "VARCHAR", "Job": "VARCHAR", "State": "VARCHAR", "Started": "TIMESTAMPTZ", "Ended": "TIMESTAMPTZ", "Rows in": "BIGINT",
        "Rows out": "BIGINT", "Host": "VARCHAR", "Error": "VARCHAR", "Comment": "VARCHAR",
    },
    "pages": {
        "id": "VARCHAR", "finished": "BOOLEAN", "mode": "VARCHAR", "status": "VARCHAR", "retryOf": "VARCHAR", "createdAt": "TIMESTAMPTZ",
        "startedAt": "TIMESTAMPTZ", "stoppedAt": "TIMESTAMPTZ", "workflowId": "VARCHAR", "workflowVersionId": "VARCHAR", "customData": "JSON",
    },
    "otlp": {
        "traceId": "VARCHAR", "spanId": "VARCHAR", "parentSpanId": "VARCHAR", "name": "VARCHAR", "kind": "VARCHAR",
        "startTimeUnixNano": "BIGINT", "endTimeUnixNano": "BIGINT",
        "attributes": 'STRUCT("key" VARCHAR, "value" STRUCT(stringValue VARCHAR, intValue VARCHAR, boolValue BOOLEAN, doubleValue DOUBLE))[]',
        "status": "STRUCT(code VARCHAR, message VARCHAR)",
    },
}  # fmt: skip
"""What each format's adapter reads, typed."""
TIMES = {form: [name for name, kind in columns.items() if kind == "TIMESTAMPTZ"] for form, columns in COLUMNS.items()}


def duckdb(form: str, file: str, room: str, **config: int) -> None:
    """DuckDB alone: the same columns into a table; with all cores, if not told otherwise."""
    import duckdb as engine

    fields = COLUMNS[form]
    struct = "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")[]"
    columns = {
        "pages": {"data": struct},
        "otlp": {"resourceSpans": f"STRUCT(scopeSpans STRUCT(spans {struct})[])[]"},
    }.get(form, fields)
    listed = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    source = {
        "jsonl": f"from read_json('{file}', columns={{{listed}}}, format='newline_delimited')",
        "csv": f"from read_csv('{file}', columns={{{listed}}}, header=true)",
        "pages": f"select r.* from (select unnest(data) as r from read_json('{file}', columns={{{listed}}}, format='newline_delimited'))",
        "otlp": f"""select s.* from (select unnest(flatten(flatten(list_transform(resourceSpans, lambda r: list_transform(r.scopeSpans, lambda p:
            p.spans))))) as s from read_json('{file}', columns={{{listed}}}, format='newline_delimited'))""",
    }[form]
    with engine.connect(f"{room}/t.duckdb", config=config) as con:
        con.execute(f"create table t as {source}").fetchall()
    _tell_peak(room)


def polars(form: str, file: str, room: str) -> None:
    """polars, then DuckDB from Arrow."""
    import duckdb as engine
    import polars as pl

    if form == "csv":
        frame = pl.read_csv(file)
    else:
        frame = pl.read_ndjson(file, infer_schema_length=1000)
        if form == "pages":
            frame = frame.explode("data").unnest("data")
        elif form == "otlp":
            frame = frame.explode("resourceSpans").unnest("resourceSpans").explode("scopeSpans").unnest("scopeSpans")
            frame = frame.explode("spans").select("spans").unnest("spans")
    frame = frame.select(name for name in COLUMNS[form] if name in frame.columns)
    frame = frame.with_columns(pl.col(name).str.to_datetime(time_zone="UTC") for name in TIMES[form])
    arrow = frame.to_arrow()
    with engine.connect(f"{room}/t.duckdb") as con:
        con.register("frame", arrow)
        con.execute("create table t as from frame").fetchall()
    _tell_peak(room)


def pandas(form: str, file: str, room: str) -> None:
    """pandas, then DuckDB from the frame."""
    import duckdb as engine
    import pandas as pd

    if form == "csv":
        frame = pd.read_csv(file)
    elif form == "jsonl":
        frame = pd.read_json(file, lines=True, dtype=False)
    else:
        path = {"pages": "data", "otlp": ["resourceSpans", "scopeSpans", "spans"]}[form]
        with Path(file).open(encoding="utf-8") as lines:
            frame = pd.concat([pd.json_normalize(json.loads(line), record_path=path, max_level=0) for line in lines])
    frame = frame[[name for name in COLUMNS[form] if name in frame.columns]]
    for name in TIMES[form]:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    with engine.connect(f"{room}/t.duckdb") as con:
        con.register("frame", frame)
        con.execute("create table t as from frame").fetchall()
    _tell_peak(room)


CHILDREN: dict[str, Callable[..., None]] = {
    "aftershock": aftershock,
    "duckdb": duckdb,
    "duckdb-1": partial(duckdb, threads=1),
    "polars": polars,
    "pandas": pandas,
}

if __name__ == "__main__":
    main()
