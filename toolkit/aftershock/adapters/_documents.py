"""JSON that an adapter reads by itself: where several values must be seen together, or the envelope tells what its records do not.

`documents` gives the objects of a file and goes on behind what cannot be read; `values` gives whole values, envelopes and all, and
what is left of one that is cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

_DECODER: Final = json.JSONDecoder(parse_constant=str)
_BETWEEN: Final = re.compile(r"[ \t\r\n\x1e,\x00]*")
_NEXT: Final = re.compile(r"\n(?=[{\[])")  # a value of its own begins a line
_KEPT: Final = 16000
_SHOWN: Final = 1000


@dataclass(frozen=True)
class CutOff:
    """The rest of a text from where its last value begins that cannot be read to its end."""

    text: str

    def items(self, *names: str) -> Iterator[Mapping[str, Any] | RecordError]:
        """The whole objects of the first array under one of these names, then the error."""
        begin = re.search(rf'"(?:{"|".join(map(re.escape, names))})"\s*:\s*\[', self.text)
        yield from self._from(begin.end() if begin else None)

    def _from(self, begin: int | None) -> Iterator[Mapping[str, Any] | RecordError]:
        at = begin or 0
        while begin is not None:
            at = _between(self.text, at)
            try:
                value, at = _DECODER.raw_decode(self.text, at)
            except (ValueError, RecursionError):
                break
            yield value if isinstance(value, Mapping) else RecordError("is no object", str(value)[:_SHOWN])
        yield RecordError("is cut off", self.text[at : at + _SHOWN])

    def word(self, name: str) -> str | None:
        """The first text under this name."""
        found = re.search(rf'"{re.escape(name)}"\s*:\s*"((?:[^"\\]|\\.)*)"', self.text)
        return found[1] if found else None

    def documents(self, array: str) -> Iterator[Mapping[str, Any] | RecordError]:
        """What is left of an array: its objects; of a page with an array of this name: a page with them. Then the error."""
        if self.text.startswith("["):
            yield from self._from(1)
            return
        *whole, error = self.items(array)
        if whole:
            yield {array: whole}
        yield error


def values(path: Path) -> Iterator[Any]:
    """The top-level values of a file, those of top-level arrays one by one; at last a `CutOff` where the text breaks off."""
    text = path.read_text(encoding="utf-8", errors="replace")
    at = _between(text, 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield CutOff(text[at:])
            return
        yield from value if isinstance(value, list) else [value]
        at = _between(text, end)


def documents(path: Path, array: str = "") -> Iterator[Mapping[str, Any] | RecordError]:
    """The objects of a JSON file, in its order: a line each, one after another, or items of arrays; what cannot be read in between.

    With `array`, the name that pages have their records under, what is whole of a page or array that breaks off is given too.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = [lines.readline(1 << 26).strip(" \t\r\n,\x1e") for _ in range(2)]
        if all(line.startswith("{") and line.endswith("}") for line in first):
            lines.seek(0)
            for line in lines:
                yield from documents_in(line)
            return
    yield from documents_in(path.read_text(encoding="utf-8", errors="replace"), array)


def documents_in(text: str, array: str = "") -> Iterator[Mapping[str, Any] | RecordError]:
    """The same of a text."""
    at = _between(text, 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            following = _NEXT.search(text, at)
            end = following.end() if following else len(text)
            if array and not following and isinstance(error, ValueError):
                yield from CutOff(text[at:]).documents(array)
                return
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
