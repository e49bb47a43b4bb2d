"""The records of one file, typed, in the relation `records`; what could not be read as a record becomes a reject.

Fast path: DuckDB reads the file natively with the export's columns. Tolerant path, only where that raises (and for what DuckDB
cannot read at all): record by record in Python, then TRY_CAST; each bad record is a reject, each good one is kept.
`ignore_errors` is never used: it nulls silently.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
        case when value is null then null
             when value like '____-__-__T__:__:__%Z' then  -- by far the commonest, and told without a regular expression
                  nullif(nullif(try_cast(value as TIMESTAMPTZ), TIMESTAMPTZ '0001-01-01 00:00:00+00'), TIMESTAMPTZ '1970-01-01 00:00:00+00')
             when trim(value) in ('', 'null', 'None') then null
             when regexp_full_match(trim(value), '(19|20)\\d{12}') then timezone(zone, try_strptime(trim(value), '%Y%m%d%H%M%S'))
             when regexp_full_match(trim(value), '(19|20)\\d{6}') then timezone(zone, try_strptime(trim(value), '%Y%m%d'))
             when regexp_full_match(trim(value), '-?\\d{1,19}(\\.\\d+)?') and not regexp_full_match(trim(value), '\\d{8}')
                  then case when contains(value, '.') then epoch_time(try_cast(trim(value) as DOUBLE))
                            else epoch_time(try_cast(trim(value) as BIGINT)) end  -- a DECIMAL of both is a thousand times slower
             else nullif(nullif(
                  case when regexp_matches(trim(value), '(?i)(z|utc|gmt|[+-]\\d{2}(:?\\d{2}){0,2})$') and length(trim(value)) > 11
                       then try_cast(trim(value) as TIMESTAMPTZ)
                       else timezone(zone, try_cast(trim(value) as TIMESTAMP)) end,
                  TIMESTAMPTZ '0001-01-01 00:00:00+00'), TIMESTAMPTZ '1970-01-01 00:00:00+00') end)""",
    """create or replace temp macro has_zone(value) as (
        case when value is null or value like '____-__-__T__:__:__%Z' then true else trim(value) = '' or (regexp_full_match(trim(value), '-?\\d+(\\.\\d+)?')
            and not regexp_full_match(trim(value), '(19|20)(\\d{6}|\\d{12})'))
        or length(trim(value)) > 11 and regexp_matches(trim(value), '(?i)(z|utc|gmt|[+-]\\d{2}(:?\\d{2}){0,2})$') end)""",
    """create or replace temp macro no_time(value) as (
        value is null or trim(value) in ('', '0', '0.0', 'null', 'None') or regexp_matches(trim(value), '^(0001-01-01|1970-01-01[T ]00:00:00)'))""",
)
_KEPT: Final = 16000  # of a rejected record: cut down only after secrets were taken out, lest a half one stays
_RECORD_BYTES: Final = 16 * 1024**2
_MAX_RECORD_BYTES: Final = 4 * 1024**3 - 1
_MISFITS: Final = "STRUCT(field VARCHAR, seen VARCHAR, reason VARCHAR)[]"


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
    kept = _fast(con, export, sample, path)
    if kept is None:
        kept = _tolerant(con, export, path)
    counts = ", ".join(f"count({identifier(column)})" for column in kept)
    [(read, *odd)] = con.execute(f"select count(*){', ' if kept else ''}{counts} from raw_records").fetchall()
    if any(odd):
        _settle_odd(con, export, kept)
    con.execute(f"""
        create or replace temp view records as
        select * exclude ({", ".join(map(identifier, () if any(odd) else kept))}{"" if any(odd) or not kept else ", "}_misfits, _record),
               {"" if any(odd) else "false as tz_assumed,"} {literal(file_time)} as file_time,
               {literal(file_name)} as file_name
        from raw_records where _misfits is null
    """).fetchall()
    [(broken,)] = con.execute("select count(*) from staged_rejects where place is null").fetchall()
    return Staged(int(read) + int(broken))


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Once the adapter's SELECTs have run, only which records there are still matters: make room."""
    con.execute("create or replace temp table some_records as select place, tz_assumed from records").fetchall()
    con.execute("create or replace temp view records as from some_records").fetchall()
    con.execute("drop table raw_records").fetchall()


def _fast(con: duckdb.DuckDBPyConnection, export: Export, sample: Sample, path: Path) -> tuple[str, ...] | None:
    """What `_typed` gives if DuckDB read the file by itself, else None."""
    if export.reader is not None:
        return None
    scan = {"json": _json_scan, "csv": _csv_scan, "parquet": _parquet_scan}[export.form]
    times = [name for name, kind in export.columns.items() if kind == TIME]
    casts = {} if export.form == "json" else {n: k for n, k in export.columns.items() if k not in (TIME, "VARCHAR")}
    kept = [_text_of("")] if export.form == "json" and export.records else []
    for size in _record_sizes(path):
        source = f"select *, null::VARCHAR as _record from ({scan(export, sample, path, size)})"
        try:
            with _room_for(con, size):
                return _typed(con, source, times, casts, kept)
        except UnicodeDecodeError:  # an error of DuckDB that quotes bytes which are no UTF-8
            return None
        except duckdb.Error as error:
            if isinstance(error, duckdb.OutOfMemoryException):
                raise
            if not any(words in str(error) for words in ("maximum_object_size", "Maximum line size")):
                return None
    return None


def _record_sizes(path: Path) -> tuple[int, ...]:
    """How large one JSON value or CSV line may be: DuckDB sets several times as much memory aside, so a small one is tried first."""
    whole = min(path.stat().st_size + 1024, _MAX_RECORD_BYTES)
    return (_RECORD_BYTES, whole) if whole > _RECORD_BYTES else (_RECORD_BYTES,)


@contextmanager
def _room_for(con: duckdb.DuckDBPyConnection, size: int) -> Iterator[None]:
    """Memory for records of an unusual size: a page of half a gigabyte is one JSON value, and has to be held as one."""
    if size <= _RECORD_BYTES:
        yield
        return
    [(limit,)] = con.execute("select current_setting('memory_limit')").fetchall()
    con.execute(f"set memory_limit = '{8 * size // 1_000_000 + 1_000}MB'").fetchall()
    try:
        yield
    finally:
        con.execute(f"set memory_limit = '{limit}'").fetchall()


def _typed(
    con: duckdb.DuckDBPyConnection, source: str, times: Sequence[str], casts: Mapping[str, str], kept: Sequence[str]
) -> tuple[str, ...]:
    """Make `raw_records` of a source whose `times` and `casts` are still text: one pass, in which the usual costs next to nothing.

    Beside each of these columns stands its text where it was not of the usual form, null elsewhere. Gives the names of all columns
    of that kind, those that the source has already (`kept`) among them.
    """
    typed = {
        name: f"case when {_usual_time(identifier(name))} then try_cast({identifier(name)} as TIMESTAMPTZ) end"
        for name in times
    }
    typed |= {name: f"try_cast({identifier(name)} as {kind})" for name, kind in casts.items()}
    both = ", ".join(f"{value} as {identifier(name)}" for name, value in typed.items())
    texts = [f"{identifier(name)} as {identifier(_text_of(name))}" for name in typed]
    inner = f"select * replace ({both}), {', '.join(texts)} from ({source})" if typed else source
    odd = ", ".join(
        f"case when {identifier(name)} is null then {identifier(_text_of(name))} end as {identifier(_text_of(name))}"
        for name in typed
    )
    con.execute(f"""
        create or replace temp table raw_records as
        select * {f"replace ({odd})" if odd else ""}, null::{_MISFITS} as _misfits from ({inner})""").fetchall()
    return (*kept, *map(_text_of, typed))


def _usual_time(column: str) -> str:
    """ISO with a zone, as most tools write it: told without a regular expression."""
    return " or ".join(f"{column} like '20__-__-__T__:__:__{end}'" for end in ("%Z", "%+__:__", "%-__:__"))


def _settle_odd(con: duckdb.DuckDBPyConnection, export: Export, kept: Sequence[str]) -> None:
    """Read what is not of the usual form: times however they are written; what fits no type makes its record a reject."""
    texts = {name: identifier(_text_of(name)) for name in ("", *export.columns) if _text_of(name) in kept}
    times = [name for name, kind in export.columns.items() if kind == TIME]
    wrong = {name: (f"{text} is not null", f"is no {export.columns[name].split('(')[0]}" if name else "holds no record")
             for name, text in texts.items() if name not in times}  # fmt: skip
    wrong |= {name: (f"{texts[name]} is not null and {identifier(name)} is null and not no_time({texts[name]})", "is no time")
              for name in times}  # fmt: skip
    found = ", ".join(
        f"case when {test} then {{'field': {literal(name) if name else 'null'}, 'seen': {texts[name]}, 'reason': {literal(reason)}}} end"
        for name, (test, reason) in wrong.items()
    )
    read = ", ".join(f"coalesce({identifier(name)}, as_time({texts[name]})) as {identifier(name)}" for name in times)
    zoned = " and ".join(f"has_zone({texts[name]})" for name in times) or "true"
    con.execute(f"""
        create or replace temp table raw_records as
        select * exclude (_misfits, {", ".join(texts.values())}), not ({zoned}) as tz_assumed,
               case when {" or ".join(f"({test})" for test, _ in wrong.values())}
                    then list_filter([{found}], lambda misfit: misfit is not null)::{_MISFITS} end as _misfits
        from (select * {f"replace ({read})" if read else ""} from raw_records)
    """).fetchall()
    con.execute(f"""
        insert into staged_rejects
        select place, '', misfit.field, left(misfit.seen, {_KEPT}), misfit.reason, left(_record, {_KEPT})
        from (select place, _record, unnest(_misfits) as misfit from raw_records where _misfits is not null)
    """).fetchall()


def _text_of(name: str) -> str:
    """The column that keeps the text beside what was made of it."""
    return f"{name} as text"


def _json_scan(export: Export, sample: Sample, path: Path, size: int) -> str:
    fields = {name: _reader_type(kind) for name, kind in export.columns.items()}
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
    null = f"case when record is null then 'null' end as {identifier(_text_of(''))}"
    return f"select row_number() over () as place, {null}, record.* from ({records})"


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


def _csv_scan(export: Export, sample: Sample, path: Path, size: int) -> str:
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
        f"quote='\"', escape='\"', columns={{{names}}}, auto_detect=false, strict_mode=true, max_line_size={size}, buffer_size={size})"
    )


def _parquet_scan(export: Export, sample: Sample, path: Path, size: int) -> str:
    del size  # of JSON values
    wanted = ", ".join(
        f"{identifier(name)}::VARCHAR as {identifier(name)}"
        if name in sample.header
        else f"null::VARCHAR as {identifier(name)}"
        for name in export.columns
    )
    return f"select row_number() over () as place, {wanted} from read_parquet({literal(str(path))})"


def _tolerant(con: duckdb.DuckDBPyConnection, export: Export, path: Path) -> tuple[str, ...]:
    """Record by record: what Python can read is typed leniently, and what does not fit its type is rejected by name."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as folder:
        staged = Path(folder) / "records"
        with staged.open("w", encoding="utf-8") as out:
            lines = _Lines(out)
            broken = list(
                _write_records(export.reader(path) if export.reader else tolerant_records(path, export), lines)
            )
        with _room_for(con, lines.longest):
            kept = _load_staged(con, export, staged, max(_RECORD_BYTES, min(lines.longest + 1024, _MAX_RECORD_BYTES)))
        if broken:
            con.executemany("insert into staged_rejects values (?, null, ?, ?, ?, ?)", broken)
        return kept


class _Lines:
    """A file of lines that remembers how long its longest is, in bytes."""

    def __init__(self, out: IO[str]) -> None:
        self.out = out
        self.longest = 0

    def write(self, line: str) -> None:
        content = line.encode("utf-8", errors="replace")
        self.longest = max(self.longest, len(content))
        self.out.write(content.decode("utf-8") + "\n")


def _write_records(
    records: Iterator[Mapping[str, Any] | RecordError], out: _Lines
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
        out.write(line)


def _load_staged(con: duckdb.DuckDBPyConnection, export: Export, staged: Path, size: int) -> tuple[str, ...]:
    values: list[str] = []
    times: list[str] = []
    casts: dict[str, str] = {}
    kept: list[str] = []
    for name, kind in export.columns.items():
        pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
        reader = _reader_type(kind)
        if reader == "JSON":
            values.append(f"nullif(doc->{pointer}, 'null'::JSON) as {identifier(name)}")
        elif "(" in reader or "[" in reader:
            shape = "ARRAY" if reader.endswith("[]") else "OBJECT"
            values.append(
                f"try(json_transform(doc->{pointer}, {literal(_structure_of(reader))})) as {identifier(name)}"
            )
            misfit = f"json_type(doc, {pointer}) not in ('{shape}', 'NULL')"
            values.append(f"case when {misfit} then doc->>{pointer} end as {identifier(_text_of(name))}")
            kept.append(_text_of(name))
        else:
            values.append(f"doc->>{pointer} as {identifier(name)}")
            if kind == TIME:
                times.append(name)
            elif kind != "VARCHAR":
                casts[name] = kind
    source = f"""
        select place, doc::VARCHAR as _record, {", ".join(values)}
        from read_json({literal(str(staged))}, columns={{place: 'BIGINT', doc: 'JSON'}}, format='newline_delimited', maximum_object_size={size})"""
    return _typed(con, source, times, casts, kept)


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


def _reader_type(kind: str) -> str:
    return "VARCHAR" if kind == TIME else kind.replace(TIME, "VARCHAR")
