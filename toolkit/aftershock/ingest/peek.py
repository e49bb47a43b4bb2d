"""A look at the beginning of a JSON text that may be cut off anywhere."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_CLOSERS: Final = {"{": "}", "[": "]"}
_BEGINS: Final = re.compile(r"\{\s*[\"}]|\[\s*[\[{\]]")  # not the `[2026-…]` or `[info]` of a log line
_MAX_DEPTH: Final = 200
_MAX_VALUES: Final = 5


def json_values(text: str) -> list[Any]:
    """The first few top-level JSON values of a text; the last one is completed where the text breaks off.

    An empty list where the text does not begin with a JSON object or array.
    """
    values: list[Any] = []
    decoder = json.JSONDecoder()
    at = 0
    while len(values) < _MAX_VALUES:
        while at < len(text) and text[at] in " \t\r\n\x1e,\x00":
            at += 1
        if at >= len(text) or text[at] not in "{[":
            break
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value = _completed(text[at:])
            if value is not None:
                values.append(value)
            break
        values.append(value)
    return values


def json_start(text: str, *, max_lines: int = 40) -> int | None:
    """Where JSON begins: 0, or after some lines of plain text (a warning on the same stream). None without any."""
    at = 0
    for _ in range(max_lines):
        rest = (
            text[at:].lstrip(" \t\r\n\x00") if at == 0 else text[at:]
        )  # an indented brace is part of what stands above it
        if _BEGINS.match(rest) and _is_data(json_values(rest[:65536])):
            return len(text) - len(rest)
        newline = text.find("\n", at)
        if newline < 0:
            return None
        at = newline + 1
    return None


def _is_data(values: list[Any]) -> bool:
    """An object, or an array that is empty or holds objects or arrays: not a word in brackets that a log line begins with."""
    return bool(values) and (
        isinstance(values[0], dict) or not values[0] or any(isinstance(item, (dict, list)) for item in values[0])
    )


def _completed(text: str) -> Any | None:
    """The value that a cut-off text begins, up to its last complete part; None where there is none."""
    stack: list[str] = []
    cuts: list[tuple[int, str]] = []  # places after which the text can be closed, with what closes it
    in_string = escaped = False
    for at, char in enumerate(text):
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            stack.append(_CLOSERS[char])
            if len(stack) > _MAX_DEPTH:
                break
            cuts.append((at + 1, "".join(reversed(stack))))
        elif char in "}]":
            if not stack or stack.pop() != char:
                break
            cuts.append((at + 1, "".join(reversed(stack))))
            if not stack:
                break
        elif char == "," and stack:
            cuts.append((at, "".join(reversed(stack))))
    for at, closing in reversed(cuts[:1] + cuts[-60:]):
        try:
            return json.loads(text[:at] + closing)
        except (ValueError, RecursionError):
            continue
    return None
