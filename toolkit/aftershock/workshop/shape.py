"""What samples of an unknown tool look like: where their records are, which columns these have, and what they seem to mean."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

import duckdb
from defusedxml.ElementTree import iterparse

from aftershock.adapters.base import Sample
from aftershock.errors import UnreadableFileError
from aftershock.ingest.containers import Opened, opened
from aftershock.ingest.sql import identifier, literal
from aftershock.ingest.stage import define_macros

_MAX_WORDS: Final = 40
_MAX_DEPTH: Final = 3
_TIME_NAMES: Final = re.compile(r"time|date|_at$|At$|start|end|begin|finish|created|updated|stopped", re.IGNORECASE)


@dataclass(frozen=True)
class ColumnShape:
    """A column: its DuckDB type (or `TIME`), how many records have it, how many different values, and some of these."""

    name: str
    type: str
    filled: int
    distinct: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """`form` as in `Export`; `records` the dotted path to the records; `element` an XML record's name; `table` a SQLite table."""

    form: str
    n: int
    columns: tuple[ColumnShape, ...]
    records: str = ""
    delimiter: str | None = None
    element: str = ""
    root: str = ""
    table: str = ""


def shape_of(files: Sequence[Path]) -> Shape:
    """The common shape of samples of one kind of file. Raises `UnreadableFileError` where they have none."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as folder:
        seen: list[tuple[Sample, Path]] = []
        for file in files:
            with opened(file) as inside:
                for found in inside:
                    if isinstance(found, UnreadableFileError):
                        raise found
                    seen.append((_best(found), _kept(found, Path(folder), len(seen))))
        forms = Counter(sample.form for sample, _ in seen)
        if len(forms) != 1:
            raise UnreadableFileError(
                ", ".join(file.name for file in files),
                f"are of different kinds: {', '.join(sorted(forms))}",
                "Make an adapter of one kind of file first, and add the others as further exports of it.",
            )
        return _SHAPES[forms.most_common()[0][0]](seen, Path(folder))


def _best(found: Opened) -> Sample:
    """JSON before text; of the CSV delimiters the one that gives most columns."""
    order = ("sqlite", "parquet", "json", "xml", "csv", "text")
    first = min(found.samples, key=lambda sample: order.index(sample.form))
    same = [sample for sample in found.samples if sample.form == first.form]
    best = max(same, key=lambda sample: len(sample.header))
    if best.form == "csv" and not _is_table(best):
        return next(sample for sample in found.samples if sample.form == "text")
    return best


def _is_table(sample: Sample) -> bool:
    """Every one of the first lines has about as many fields as the header, which names them without blanks only."""
    lines = (
        found.splitlines()[:20]
        if (found := sample.path and sample.path.read_text("utf-8", errors="replace")[:20000])
        else []
    )
    widths = [line.count(sample.text) for line in lines[:-1] or lines if line.strip()]
    return (
        bool(widths)
        and all(name and len(name) < 60 for name in sample.header)
        and max(widths) <= 2 * max(min(widths), 1)
    )


def _kept(found: Opened, folder: Path, number: int) -> Path:
    """The opened file, beyond the life of its private folder."""
    copy = folder / f"{number}.sample"
    copy.write_bytes(found.path.read_bytes())
    return copy


# -- JSON, CSV, Parquet: DuckDB types the columns


def _json(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    del folder
    path = Counter(_records_path(sample.top) for sample, _ in seen).most_common()[0][0]
    files = ", ".join(literal(str(file)) for _, file in seen)
    scan = f"read_json([{files}], union_by_name=true, sample_size=-1, maximum_object_size=104857600)"
    if not path:
        return Shape("json", *_typed(f"from {scan}"))
    steps = ".".join(identifier(part) for part in path.split("."))
    return Shape("json", *_typed(f"select r.* from (select unnest({steps}) as r from {scan})"), records=path)


def _records_path(top: Any) -> str:
    """Where the longest array of objects lies in an envelope; empty where the values are the records."""
    first = top[0] if isinstance(top, list) and top and not isinstance(top[0], list) else top
    if not isinstance(first, Mapping) or (isinstance(top, list) and _arrays(first, "") == {}):
        return ""
    found = _arrays(first, "")
    if not found:
        return ""
    path, length = max(found.items(), key=lambda item: item[1])
    scalars = sum(not isinstance(value, (list, Mapping)) for value in first.values())
    # one object with an array in it may be a record with parts; an envelope has little else
    return path if length > 1 and (scalars <= 4 or not isinstance(top, list)) and scalars <= 8 else ""


def _arrays(value: Mapping[str, Any], path: str, depth: int = 1) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, part in value.items():
        here = f"{path}.{key}" if path else key
        if isinstance(part, list) and part and all(isinstance(item, Mapping) for item in part):
            found[here] = len(part)
        elif isinstance(part, Mapping) and depth < _MAX_DEPTH:
            found |= _arrays(part, here, depth + 1)
    return found


def _csv(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    del folder
    delimiter = seen[0][0].text
    files = ", ".join(literal(str(file)) for _, file in seen)
    source = f"from read_csv([{files}], delim={literal(delimiter)}, header=true, union_by_name=true, sample_size=-1)"
    return Shape("csv", *_typed(source), delimiter=delimiter)


def _parquet(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    del folder
    files = ", ".join(literal(str(file)) for _, file in seen)
    return Shape("parquet", *_typed(f"from read_parquet([{files}], union_by_name=true)"))


def _typed(source: str) -> tuple[int, tuple[ColumnShape, ...]]:
    """Number of records and their columns, typed by DuckDB."""
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'").fetchall()
        define_macros(con, "UTC")
        try:
            con.execute(f"create table t as {source}").fetchall()
        except duckdb.Error as error:
            raise UnreadableFileError(
                "the samples", str(error).splitlines()[0], "Look whether they are whole."
            ) from None
        n = int(con.execute("select count(*) from t").fetchall()[0][0])
        described = con.execute("describe t").fetchall()
        return n, tuple(_column(con, row[0], row[1]) for row in described)


def _column(con: duckdb.DuckDBPyConnection, name: str, kind: str) -> ColumnShape:
    column = identifier(name)
    [(filled, distinct)] = con.execute(f"select count({column}), count(distinct {column}::VARCHAR) from t").fetchall()
    words = con.execute(f"""
        select left({column}::VARCHAR, 80) as word from t where {column} is not null group by 1 order by count(*) desc, 1 limit {_MAX_WORDS}
    """).fetchall()
    return ColumnShape(
        name, _our_type(con, name, kind, int(filled)), int(filled), int(distinct), tuple(word for (word,) in words)
    )


def _our_type(con: duckdb.DuckDBPyConnection, name: str, kind: str, filled: int) -> str:
    """The type to declare: what could one day hold something else is text, and a time is TIME."""
    column = identifier(name)
    if kind.startswith(("TIMESTAMP", "DATE")):
        return "TIME"
    if kind in ("VARCHAR", "BIGINT", "DOUBLE", "HUGEINT") and filled and _TIME_NAMES.search(name):
        year = f"year(as_time({column}::VARCHAR))"
        [(times,)] = con.execute(
            f"select count(*) from t where {column} is not null and {year} between 1990 and 2100"
        ).fetchall()
        if times == filled:
            return "TIME"
    if kind.startswith(("STRUCT", "MAP", "JSON")) or kind.endswith("[]"):
        return "JSON"
    return {"BIGINT": "BIGINT", "INTEGER": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}.get(kind, "VARCHAR")


# -- XML, SQLite, text: a reader gives the records


def _xml(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    names: Counter[str] = Counter()
    for _, file in seen:
        names.update(tag for depth, tag in _tags(file) if depth > 0)
    if not names:
        raise UnreadableFileError("the samples", "hold no element below the root", "Give samples with records in them.")
    element = names.most_common()[0][0]
    rows = [row for _, file in seen for row in _flat_elements(file, element)]
    return Shape("xml", *_typed(_as_lines(rows, folder)), element=element, root=seen[0][0].root)


def _tags(file: Path) -> Iterator[tuple[int, str]]:
    depth = 0
    for event, element in iterparse(file, events=("start", "end")):
        if event == "start":
            yield depth, element.tag.rpartition("}")[2]
            depth += 1
        else:
            depth -= 1


def _flat_elements(file: Path, name: str) -> Iterator[dict[str, str | None]]:
    for _, element in iterparse(file, events=("end",)):
        if element.tag.rpartition("}")[2] == name:
            yield flat(element)


def flat(element: Element) -> dict[str, str | None]:
    """Attributes and the texts of children, side by side."""
    children = {child.tag.rpartition("}")[2]: (child.text or "").strip() or None for child in element}
    return {**children, **element.attrib}


def _sqlite(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    import sqlite3

    rows: dict[str, list[dict[str, Any]]] = {}
    for sample, file in seen:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            for table in sample.header:
                found = connection.execute(f"select * from {identifier(table)} limit 1000").fetchall()
                rows.setdefault(table, []).extend({key: row[key] for key in row.keys()} for row in found)  # noqa: SIM118
        finally:
            connection.close()
    if not any(rows.values()):
        raise UnreadableFileError("the samples", "hold no row", "Give a database with history in it.")
    table = max(rows, key=lambda name: len(rows[name]))
    return Shape("sqlite", *_typed(_as_lines(rows[table], folder)), table=table)


def _text(seen: Sequence[tuple[Sample, Path]], folder: Path) -> Shape:
    lines = [
        line for _, file in seen for line in file.read_text("utf-8", errors="replace").splitlines() if line.strip()
    ]
    rows = [{"line": line} for line in lines]
    return Shape("text", *_typed(_as_lines(rows, folder)))


def _as_lines(rows: Sequence[Mapping[str, Any]], folder: Path) -> str:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
    return f"from read_json({literal(str(file))}, format='newline_delimited', sample_size=-1)"


_SHAPES: Final = {"json": _json, "csv": _csv, "parquet": _parquet, "xml": _xml, "sqlite": _sqlite, "text": _text}
