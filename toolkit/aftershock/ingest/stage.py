"""The records of one file, typed, in the relation `records`; what could not be read as a record becomes a reject.

Fast path: DuckDB reads the file natively with the export's columns. Tolerant path, only where that raises (and for what DuckDB
cannot read at all): record by record in Python, then TRY_CAST; each bad record is a reject, each good one is kept.
`ignore_errors` is never used: it nulls silently.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import duckdb

from aftershock.adapters.base import TIME, Export, RecordError, Sample
from aftershock.ingest.sql import identifier, literal
from aftershock.ingest.tolerant import tolerant_records

MACROS: Final = (
    """create or replace temp macro epoch_time(number) as (
        case when number is null or number = 0 then null
             when abs(number) < 1e11 then make_timestamptz((number * 1e6)::BIGINT)
             when abs(number) < 1e14 then make_timestamptz((number * 1e3)::BIGINT)
             when abs(number) < 1e17 then make_timestamptz(number::BIGINT)
             when abs(number) < 9.2e18 then make_timestamptz((number::HUGEINT // 1000)::BIGINT) end)""",
    # the stored zone stands in time_zone(); year 1 and 1970-01-01T00:00:00 are vendors' words for "no time"
    """create or replace temp macro as_time_in(value, zone) as (
        case when value is null or trim(value) in ('', 'null', 'None') then null
             when regexp_full_match(trim(value), '(19|20)\\d{12}') then timezone(zone, try_strptime(trim(value), '%Y%m%d%H%M%S'))
             when regexp_full_match(trim(value), '(19|20)\\d{6}') then timezone(zone, try_strptime(trim(value), '%Y%m%d'))
             when regexp_full_match(trim(value), '-?\\d{1,19}(\\.\\d+)?') and not regexp_full_match(trim(value), '\\d{8}')
                  then epoch_time(try_cast(trim(value) as DECIMAL(38, 6)))
             else nullif(nullif(
                  case when regexp_matches(trim(value), '(?i)(z|utc|gmt|[+-]\\d{2}(:?\\d{2}){0,2})$') and length(trim(value)) > 11
                       then try_cast(trim(value) as TIMESTAMPTZ)
                       else timezone(zone, try_cast(trim(value) as TIMESTAMP)) end,
                  TIMESTAMPTZ '0001-01-01 00:00:00+00'), TIMESTAMPTZ '1970-01-01 00:00:00+00') end)""",
    """create or replace temp macro has_zone(value) as (
        value is null or trim(value) = '' or (regexp_full_match(trim(value), '-?\\d+(\\.\\d+)?')
            and not regexp_full_match(trim(value), '(19|20)(\\d{6}|\\d{12})'))
        or length(trim(value)) > 11 and regexp_matches(trim(value), '(?i)(z|utc|gmt|[+-]\\d{2}(:?\\d{2}){0,2})$'))""",
    """create or replace temp macro no_time(value) as (
        value is null or trim(value) in ('', '0', '0.0', 'null', 'None') or regexp_matches(trim(value), '^(0001-01-01|1970-01-01[T ]00:00:00)'))""",
)
_KEPT: Final = 16000  # of a rejected record: cut down only after secrets were taken out, lest a half one stays
_MIN_OBJECT_BYTES: Final = 64 * 1024**2
_MAX_OBJECT_BYTES: Final = 4 * 1024**3 - 1


@dataclass(frozen=True)
class Staged:
    """How many records the file held. Rejects so far stand in the temporary table `staged_rejects`."""

    records_read: int


def define_macros(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """The SQL macros that adapters' SELECTs may use; times without a zone are of `zone`."""
    for macro in MACROS:
        con.execute(macro).fetchall()
    con.execute(f"create or replace temp macro as_time(value) as as_time_in(value, '{zone}')").fetchall()


def stage(
    con: duckdb.DuckDBPyConnection, export: Export, sample: Sample, file_time: datetime, file_name: str = ""
) -> Staged:
    """Fill `records` (a view) and `staged_rejects` from one file."""
    con.execute("""create or replace temp table staged_rejects
        (record BIGINT, place VARCHAR, field VARCHAR, seen VARCHAR, reason VARCHAR, raw VARCHAR)""").fetchall()
    assert sample.path is not None  # noqa: S101  containers always give a path
    path = sample.path
    if not _fast(con, export, sample, path):
        _tolerant(con, export, path)
    _reject_bad_times(con, export)
    read = con.execute(
        "select (select count(*) from raw_records) + (select count(*) from staged_rejects where place is null)"
    ).fetchall()
    _records_view(con, export, file_time, file_name)
    return Staged(int(read[0][0]))


def _fast(con: duckdb.DuckDBPyConnection, export: Export, sample: Sample, path: Path) -> bool:
    """True if DuckDB read the file by itself."""
    if export.reader is not None:
        return False
    source = {"json": _json_scan, "csv": _csv_scan, "parquet": _parquet_scan}[export.form](export, sample, path)
    try:
        con.execute(f"create or replace temp table raw_records as {source}").fetchall()
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException):
            raise
        return False
    if export.form != "json":
        _reject_uncastable(con, export)
    elif export.records:
        con.execute("""insert into staged_rejects
            select place, '', null, 'null', 'holds no record', null from raw_records where is_null""").fetchall()
        con.execute("alter table raw_records drop column is_null").fetchall()
    return True


def _json_scan(export: Export, sample: Sample, path: Path) -> str:
    fields = {name: _reader_type(kind) for name, kind in export.columns.items()}
    size = max(_MIN_OBJECT_BYTES, min(path.stat().st_size + 1024, _MAX_OBJECT_BYTES))
    if not export.records:
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in fields.items())
        scan = f"read_json({literal(str(path))}, columns={{{columns}}}, format='{_json_format(sample)}', maximum_object_size={size})"
        return f"select row_number() over () as place, * from {scan}"
    inner = "STRUCT(" + ", ".join(f"{identifier(name)} {kind}" for name, kind in fields.items()) + ")[]"
    first, *rest = export.records.split(".")
    for part in reversed(rest):
        inner = f"STRUCT({identifier(part)} {inner})"
    scan = f"read_json({literal(str(path))}, columns={{{literal(first)}: {literal(inner)}}}, format='{_json_format(sample)}', maximum_object_size={size})"
    steps = ".".join(identifier(part) for part in (first, *rest))
    # a page without the array gives one null record, which becomes a reject like any null among the records
    records = f"select unnest(case when {steps} is null then [null] else {steps} end) as record from {scan}"
    return f"select row_number() over () as place, record is null as is_null, record.* from ({records})"


def _json_format(sample: Sample) -> str:
    """How DuckDB shall read it: a line each is much the fastest, but only where the beginning looks so."""
    text = sample.text
    if text.lstrip()[:1] == "[":
        return "array"
    lines = [line for line in text.splitlines()[:3] if line.strip()]
    complete = len(lines) > 1 and all(
        line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines[:2]
    )
    return "newline_delimited" if complete else "unstructured"


def _csv_scan(export: Export, sample: Sample, path: Path) -> str:
    delimiter = export.delimiter or sample.text
    have = {name: position for position, name in enumerate(sample.header)}
    names = ", ".join(f"{literal(name or f'column{position}')}: 'VARCHAR'" for name, position in have.items())
    wanted = ", ".join(
        f"nullif(trim({identifier(name)}), '') as {identifier(name)}"
        if name in have
        else f"null::VARCHAR as {identifier(name)}"
        for name in export.columns
    )
    return (
        f"select row_number() over () as place, {wanted} from read_csv({literal(str(path))}, delim={literal(delimiter)}, header=true, "
        f"quote='\"', escape='\"', columns={{{names}}}, auto_detect=false, strict_mode=true, max_line_size=104857600)"
    )


def _parquet_scan(export: Export, sample: Sample, path: Path) -> str:
    wanted = ", ".join(
        f"{identifier(name)}::VARCHAR as {identifier(name)}"
        if name in sample.header
        else f"null::VARCHAR as {identifier(name)}"
        for name in export.columns
    )
    return f"select row_number() over () as place, {wanted} from read_parquet({literal(str(path))})"


def _reject_uncastable(con: duckdb.DuckDBPyConnection, export: Export) -> None:
    """CSV and Parquet come in as text: give every column its type, and reject the records that do not fit."""
    casts = {name: kind for name, kind in export.columns.items() if kind not in (TIME, "VARCHAR")}
    for name, kind in casts.items():
        column = identifier(name)
        con.execute(f"""
            insert into staged_rejects
            select place, '', {literal(name)}, {column}, 'is no {kind}', null from raw_records where {column} is not null and try_cast({column} as {kind}) is null
        """).fetchall()
    typed = ", ".join(f"try_cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in casts.items())
    if typed:
        con.execute(
            f"create or replace temp table raw_records as select * replace ({typed}) from raw_records"
        ).fetchall()


def _tolerant(con: duckdb.DuckDBPyConnection, export: Export, path: Path) -> None:
    """Record by record: what Python can read is typed leniently, and what does not fit its type is rejected by name."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as folder:
        staged = Path(folder) / "records"
        with staged.open("w", encoding="utf-8") as out:
            broken = list(_write_records(export.reader(path) if export.reader else tolerant_records(path, export), out))
        _load_staged(con, export, staged)
        if broken:
            con.executemany("insert into staged_rejects values (?, null, ?, ?, ?, ?)", broken)


def _write_records(
    records: Iterator[Mapping[str, Any] | RecordError], out: IO[str]
) -> Iterator[tuple[int, str | None, str, str, str]]:
    """Write the good ones, a line each, numbered in the file's order; give the broken ones as rejects."""
    place = 0
    while True:
        place += 1
        try:
            record = next(records)
        except StopIteration:
            return
        except RecordError as error:
            record = error
        except (
            Exception
        ) as error:  # a reader that fails in the middle has read what it has read; the rest is one reject
            yield (place, None, "", f"cannot be read from here on: {type(error).__name__}: {error}", "")
            return
        if isinstance(record, RecordError):
            yield (place, record.field, record.raw[:_KEPT], record.reason, record.raw[:_KEPT])
            continue
        try:
            line = json.dumps({"place": place, "doc": record}, ensure_ascii=False, allow_nan=False, default=str)
        except (ValueError, RecursionError) as error:
            yield (place, None, str(record)[:_KEPT], f"cannot be kept as JSON: {error}", str(record)[:_KEPT])
            continue
        out.write(line.encode("utf-8", errors="replace").decode("utf-8") + "\n")


def _load_staged(con: duckdb.DuckDBPyConnection, export: Export, staged: Path) -> None:
    size = max(_MIN_OBJECT_BYTES, min(staged.stat().st_size + 1024, _MAX_OBJECT_BYTES))
    con.execute(f"""
        create or replace temp table documents as
        select place, doc from read_json({literal(str(staged))}, columns={{place: 'BIGINT', doc: 'JSON'}}, format='newline_delimited', maximum_object_size={size})
    """).fetchall()
    typed, misfits = [], []
    for name, kind in export.columns.items():
        pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
        reader = _reader_type(kind)
        if reader == "VARCHAR":
            typed.append(f"doc->>{pointer} as {identifier(name)}")
            continue
        if reader == "JSON":
            typed.append(f"nullif(doc->{pointer}, 'null'::JSON) as {identifier(name)}")
            continue
        nested = "(" in reader or "[" in reader
        value = (
            f"try(json_transform(doc->{pointer}, {literal(_structure_of(reader))}))"
            if nested
            else f"try_cast(doc->>{pointer} as {reader})"
        )
        typed.append(f"{value} as {identifier(name)}")
        shape = "ARRAY" if reader.endswith("[]") else "OBJECT"
        misfit = (
            f"json_type(doc, {pointer}) not in ('{shape}', 'NULL')"
            if nested
            else f"doc->>{pointer} is not null and {value} is null"
        )
        misfits.append(f"""
            select place, '', {literal(name)}, left(doc->>{pointer}, {_KEPT}), 'is no {kind.split("(")[0]}', left(doc::VARCHAR, {_KEPT})
            from documents where {misfit}""")
    con.execute(
        f"create or replace temp table raw_records as select place, {', '.join(typed)} from documents order by place"
    ).fetchall()
    for misfit in misfits:
        con.execute(f"insert into staged_rejects {misfit}").fetchall()
    con.execute("drop table documents").fetchall()


def _structure_of(kind: str) -> str:
    """A DuckDB type as the JSON structure that json_transform wants."""
    if kind.endswith("[]"):
        return f"[{_structure_of(kind[:-2].strip())}]"
    if kind.upper().startswith("STRUCT("):
        fields = (_split_field(part) for part in _split_fields(kind[kind.index("(") + 1 : -1]))
        return "{" + ", ".join(f"{json.dumps(name)}: {_structure_of(inner)}" for name, inner in fields) + "}"
    return json.dumps(kind)


def _split_fields(text: str) -> Iterator[str]:
    depth, quoted, begin = 0, False, 0
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        elif not quoted and char == "," and not depth:
            yield text[begin:at]
            begin = at + 1
    yield text[begin:]


def _split_field(text: str) -> tuple[str, str]:
    text = text.strip()
    if text.startswith('"'):
        name, _, kind = text[1:].partition('"')
    else:
        name, _, kind = text.partition(" ")
    return name, kind.strip()


def _reject_bad_times(con: duckdb.DuckDBPyConnection, export: Export) -> None:
    times = [name for name, kind in export.columns.items() if kind == TIME]
    if not times:
        return
    texts = ", ".join(f"{{'field': {literal(name)}, 'seen': {identifier(name)}}}" for name in times)
    con.execute(f"""
        insert into staged_rejects
        select place, '', text.field, left(text.seen, {_KEPT}), 'is no time', null
        from (select place, unnest([{texts}]) as text from raw_records)
        where not no_time(text.seen) and as_time(text.seen) is null
    """).fetchall()


def _records_view(con: duckdb.DuckDBPyConnection, export: Export, file_time: datetime, file_name: str) -> None:
    times = [identifier(name) for name, kind in export.columns.items() if kind == TIME]
    replaced = f"replace ({', '.join(f'as_time({name}) as {name}' for name in times)})" if times else ""
    zoned = " and ".join(f"has_zone({name})" for name in times) or "true"
    con.execute(f"""
        create or replace temp table records as
        select * {replaced}, TIMESTAMPTZ {literal(file_time.isoformat())} as file_time,
               {literal(file_name)} as file_name, not ({zoned}) as tz_assumed
        from raw_records anti join (select distinct record as place from staged_rejects) using (place)
    """).fetchall()


def _reader_type(kind: str) -> str:
    return "VARCHAR" if kind == TIME else kind.replace(TIME, "VARCHAR")
