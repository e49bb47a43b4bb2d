"""JSON documents for adapters that must see several of them together: a history and what describes it, the lines of one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

_BETWEEN: Final = re.compile(r"[ \t\r\n\x1e,\x00]*")
_NEXT: Final = re.compile(r"\n(?=[{\[])")  # a value of its own begins a line
_KEPT: Final = 16000


def documents(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The objects of a JSON file, in its order: a line each, one after another, or items of arrays; what cannot be read in between."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = [lines.readline(1 << 26).strip(" \t\r\n,\x1e") for _ in range(2)]
        if all(line.startswith("{") and line.endswith("}") for line in first):
            lines.seek(0)
            for line in lines:
                yield from documents_in(line)
            return
    yield from documents_in(path.read_text(encoding="utf-8", errors="replace"))


def documents_in(text: str) -> Iterator[Mapping[str, Any] | RecordError]:
    """The same of a text."""
    decoder = json.JSONDecoder(parse_constant=str)
    at = _between(text, 0)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            following = _NEXT.search(text, at)
            end = following.end() if following else len(text)
            why = "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON or cut off: {error}"
            yield RecordError(why, text[at : min(end, at + _KEPT)])
        else:
            yield from _objects(value)
        at = _between(text, end)


def _objects(value: Any) -> Iterator[Mapping[str, Any] | RecordError]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):  # pages that were gathered into one array
            yield from (one if isinstance(one, dict) else _no_object(one) for one in item)
        else:
            yield item if isinstance(item, dict) else _no_object(item)


def _no_object(value: Any) -> RecordError:
    return RecordError("is no object", str(value)[:_KEPT])


def _between(text: str, at: int) -> int:
    return _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere


def as_dict(value: Any) -> dict[str, Any]:
    """An object, also one that stands as text inside the JSON; empty where it is neither."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """A text as it is, anything else as JSON; None for nothing."""
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False, default=str)
