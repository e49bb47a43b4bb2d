"""Reading damaged JSON and CSV record by record: each good record is kept, each bad one is named."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from aftershock.adapters.base import Export, RecordError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.S)
_BLANK = re.compile(r"[ \t\r\n\x1e,\x00]*")


def tolerant_records(path: Path, export: Export) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every record of a JSON or CSV file that can be read, and a `RecordError` for every stretch that cannot."""
    if export.form == "csv":
        yield from _csv_records(path, export)
        return
    if _is_lines(path):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.strip(" \t\r\n\x00\x1e"):
                    yield from _values(line, export.records)
        return
    yield from _values(path.read_text(encoding="utf-8", errors="replace"), export.records)


def _is_lines(path: Path) -> bool:
    """A value a line: both of the first two lines are complete objects."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = [line.strip() for line in (lines.readline(1 << 26), lines.readline(1 << 26)) if line.strip()]
    return len(first) == 2 and all(line.startswith("{") for line in first) and first[0].endswith("}")


def _values(text: str, path: str) -> Iterator[Mapping[str, Any] | RecordError]:
    """The records in all top-level values of a text."""
    decoder = json.JSONDecoder(parse_constant=str)  # NaN and Infinity stay visible, as words
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "[" and not path:
            at = yield from _items(text, at, decoder)
        else:
            begin = _array_of(text, at, path) if path else None
            if begin is not None:
                at = yield from _items(text, begin, decoder)
                at = _end_of_envelope(text, at, path)
            else:
                value, at = _one(text, at, decoder)
                yield value
        at = _skip(text, at)


def _items(text: str, at: int, decoder: json.JSONDecoder) -> Generator[Mapping[str, Any] | RecordError, None, int]:
    """The items of the array that begins at `at`; returns where it ends."""
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "]":
        value, at = _one(text, at, decoder)
        if isinstance(value, list):  # an array of arrays: pages printed after one another
            yield from (item if isinstance(item, dict) else RecordError("is no object", str(item)) for item in value)
        else:
            yield value
        at = _skip(text, at)
    return at + 1


def _one(text: str, at: int, decoder: json.JSONDecoder) -> tuple[Any, int]:
    """The value at `at`, or what is wrong with it; and where the next one begins."""
    try:
        value, end = decoder.raw_decode(text, at)
    except RecursionError:
        return RecordError("is nested too deeply", text[at : at + 16000]), _balanced(text, at) or len(text)
    except ValueError as error:
        closed = _balanced(text, at)
        if closed is None:
            return RecordError("is cut off", text[at : at + 16000]), len(text)
        return RecordError(f"is no JSON: {getattr(error, 'msg', error)}", text[at : min(closed, at + 16000)]), closed
    if isinstance(value, (dict, list)):
        return value, end
    return RecordError("is no object", text[at : min(end, at + 16000)]), end


def _balanced(text: str, at: int) -> int | None:
    """Where the brackets that open at `at` are closed again; None if never. Without brackets: the end of the line."""
    if text[at] not in "{[":
        newline = text.find("\n", at)
        return newline if newline > at else None if newline < 0 else at + 1
    depth = 0
    for found in _TOKEN.finditer(text, at):
        if found[0] in "{[":
            depth += 1
        elif found[0] in "}]":
            depth -= 1
            if depth == 0:
                return found.end()
    return None


def _array_of(text: str, at: int, path: str) -> int | None:
    """Where the array at a dotted path of the object at `at` begins."""
    for part in path.split("."):
        found = re.compile(rf'"{re.escape(part)}"\s*:\s*(?=[\[{{])').search(text, at)
        if not found:
            return None
        at = found.end()
    return at if text[at : at + 1] == "[" else None


def _end_of_envelope(text: str, at: int, path: str) -> int:
    """Past the object that an array of records stood in: to the next top-level `{` that holds such an array, or the end."""
    first = path.split(".")[0]
    found = re.compile(rf'\{{\s*"(?:[^"\\]|\\.)*"\s*:|"{re.escape(first)}"\s*:\s*[\[{{]').search(text, at)
    while found:
        if _array_of(text, found.start(), path) is not None:
            return found.start()
        found = None
    return len(text)


def _skip(text: str, at: int) -> int:
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere


def _csv_records(path: Path, export: Export) -> Iterator[Mapping[str, Any] | RecordError]:
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        lines = (line.replace("\x00", "") for line in handle)
        first = next(lines, "")
        delimiter = export.delimiter or max(",;\t|", key=first.count)
        header = [name.strip().lstrip("\ufeff") for name in next(csv.reader([first], delimiter=delimiter), [])]
        for row in csv.reader(lines, delimiter=delimiter):
            if not row:
                continue
            if len(row) != len(header):
                yield RecordError(
                    f"has {len(row)} fields where the header has {len(header)}", delimiter.join(row)[:16000]
                )
            else:
                yield {name: value.strip() or None for name, value in zip(header, row, strict=True)}
