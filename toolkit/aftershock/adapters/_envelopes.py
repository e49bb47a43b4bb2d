"""Reading JSON in which the envelope tells what its records do not: whole values, and what is left of one that is cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

_BETWEEN: Final = " \t\r\n,\x00\x1e"
_SHOWN: Final = 1000
_DECODER: Final = json.JSONDecoder(parse_constant=str)


@dataclass(frozen=True)
class CutOff:
    """The rest of a text from where its last value begins that cannot be read to its end."""

    text: str

    def items(self, *names: str) -> Iterator[Mapping[str, Any] | RecordError]:
        """The whole objects of the first array under one of these names, then the error."""
        begin = re.search(rf'"(?:{"|".join(map(re.escape, names))})"\s*:\s*\[', self.text)
        at = begin.end() if begin else 0
        while begin:
            at = _skip(self.text, at)
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


def values(path: Path) -> Iterator[Any]:
    """The top-level values of a file, those of top-level arrays one by one; at last a `CutOff` where the text breaks off."""
    text, at = path.read_text(encoding="utf-8", errors="replace"), 0
    while (at := _skip(text, at)) < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield CutOff(text[at:])
            return
        yield from value if isinstance(value, list) else [value]


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at
