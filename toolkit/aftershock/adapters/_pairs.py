"""Reading one JSON object of many names and values, such as all keys of Redis: what is whole of one that is cut off, too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

_BEGINS: Final = re.compile(r"[\s\x00]*(?:\[\s*)?\{")
_BETWEEN: Final = re.compile(r"[\s,:\x00]*")
_SHOWN: Final = 1000


def pairs(path: Path) -> tuple[Any, list[RecordError]]:
    """The value of a file, and what is wrong with it: of an object that breaks off, the names and values before that."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    decoder = json.JSONDecoder(parse_constant=str)
    try:
        return json.loads(text, parse_constant=str), []
    except (ValueError, RecursionError) as error:
        why = f"cannot be read as JSON: {error}"
    found: dict[str, Any] = {}
    begin = _BEGINS.match(text)
    at = begin.end() if begin else 0
    while begin:
        try:
            name, end = decoder.raw_decode(text, _between(text, at))
            value, end = decoder.raw_decode(text, _between(text, end))
        except (ValueError, RecursionError):
            break
        found[str(name)], at = value, end
    return found, [RecordError(why, text[at : at + _SHOWN])]


def _between(text: str, at: int) -> int:
    return _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere
