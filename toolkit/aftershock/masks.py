"""What varies in a message from one occurrence to the next: one ordered table of patterns that ingestion and metrics share.

Every pattern means the same in RE2 (DuckDB), Java (Spark) and Python: no look-around, no back-reference, ASCII classes. They stand in
one alternation, so that one pass over a text replaces all of them; what stands first wins where two begin at the same character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Final

WILD: Final = "<*>"


@dataclass(frozen=True)
class Mask:
    """One kind of thing that varies, its pattern, and texts that it must take whole."""

    name: str
    pattern: str
    examples: tuple[str, ...]


_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK: Final = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,:]\d+)?(?: ?[AaPp][Mm]\b)?"
_ZONE: Final = r"(?: ?(?:Z\b|UTC\b|GMT\b|[A-Z]{2,3}T\b|[+-]\d{2}:?\d{2}\b))?"
_UNIT: Final = (
    r"(?:%|[mµun]?s\b|secs?\b|seconds?\b|mins?\b|minutes?\b|hours?\b|hrs?\b|days?\b|weeks?\b|milliseconds?\b|microseconds?\b"
    r"|[kKMGTP]i?[Bb]\b|[Bb]ytes?\b|B\b|[kMG]?Hz\b|MHZ\b|[KM]\b)"
)
_STOP: Final = r"\s\"'`,;:()\[\]{}<>|="

MASKS: Final = (
    Mask(
        "url",
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\"'`<>()\[\]{}|,;]+",
        ("https://a.example/x?id=7", "hdfs://n1:9000/a"),
    ),
    Mask("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", ("ann.lee+x@mail.example.org",)),
    Mask(
        "uuid", r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", ("0b9b1c2e-6f0a-4a53-9d3e-0123456789ab",)
    ),
    Mask("mac", r"\b[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,}\b", ("00:1b:44:11:3a:b7",)),
    Mask(
        "date and time",
        rf"\b\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T :]{_CLOCK}{_ZONE})?|\b\d{{1,2}}[-/]\d{{1,2}}[-/]\d{{4}}(?:[ ,T]+{_CLOCK}{_ZONE})?"
        rf"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},? )?(?:{_MONTH} +\d{{1,2}}|\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}})\b"
        rf"(?:,? +{_CLOCK}{_ZONE})?(?:,? \d{{4}}\b)?(?: {_CLOCK}{_ZONE})?",
        (
            "2026-11-23T04:05:06.123Z",
            "2026-11-23 04:05:06,123",
            "Fri Jun 17 07:07:00 2005",
            "23 Nov 2026 04:05",
            "11/23/2026 4:05 PM",
        ),
    ),
    Mask("time", rf"\b{_CLOCK}{_ZONE}", ("04:05", "23:59:59.123", "4:05 PM")),
    Mask(
        "ipv6",
        r"\b[0-9a-fA-F]{1,4}(?:::?[0-9a-fA-F]{1,4}){3,7}(?:::)?",
        ("fe80::1ff:fe23:4567:890a", "2001:db8:0:1:1:1:1:1"),
    ),
    # How an object prints itself; another time `null` may stand in its place.
    Mask("object", r"@[0-9a-f]{5,16}\b|\b[A-Z][A-Za-z]+\{\w*\d\w*\}", ("@1b2c3d4e", "WorkSource{10113}")),
    Mask(
        "path",
        rf"(?:\B[~.]{{0,2}}/|\b[A-Za-z]:[\\/]|\B\\\\)[^{_STOP}]*[^{_STOP}.!?,]|\b[\w.-]+(?:[/\\][\w.@%+~-]+){{2,}}",
        ("/var/log/app.log", "C:\\data\\orders.csv", "dags/crm/sync.py", "/api/v1/orders"),
    ),
    Mask(
        "quoted value",
        r"\\(?:042|x22)[^\\\n]{0,120}\\(?:042|x22)|\B'[^'\n]{1,120}'\B|\B`[^`\n]{1,120}`\B|=\"[^\"\n]{0,120}\"|='[^'\n]{0,120}'",
        ("'orders_2026'", "'Ann Lee'", "`id`", '="View Lock"', r"\042alt0\042"),
    ),
    Mask("host and port", r"\b[A-Za-z][\w-]*(?:\.[\w-]+)+:\d+\b", ("db.prod.example:5432",)),
    Mask(
        "dotted name with a number",
        r"\b[A-Za-z_-][\w-]*\d[\w-]*(?:\.[\w-]+)*\.[A-Za-z][\w-]+(?::\d+)?\b|\b(?:[A-Za-z_][\w-]*\.)+[\w-]*\d[\w-]*(?:\.[\w-]+)*(?::\d+)?\b"
        r"|\b(?:\d+-)+\d+[\w-]*(?:\.[\w-]+)+\b|\b\d[\w-]*(?:\.[\w-]+)*\.[A-Za-z][\w-]+(?::\d+)?\b",
        (
            "db3.prod.example",
            "worker-17.local:8080",
            "220-135-151-1.example.net",
            "0610920850.example.net",
            "orders.csv.2026",
        ),
    ),
    Mask(
        "number with a unit",
        rf"(?:[<>]|\B[-+])?\b\d+(?:[.,]\d+)* ?{_UNIT}(?: \(\d+(?:\.\d+)? ?[KMGT]i?B\))?",
        ("30 s", "1.5GB", "<1 sec", "1165 bytes (1.13 KB)", "12345678 bytes (11.8 MB)", "85%", "+350ms"),
    ),
    Mask("duration", r"(?:\B[-+])?\b(?:\d+(?:[.,]\d+)?(?:d|h|m|min|s|ms|us|ns)){2,}\b", ("1h30m", "+1s250ms")),
    Mask(
        "hexadecimal",
        r"\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b",
        ("0x7f3a9c", "deadbeef", "9e107d9d372bb6826bd81d3542a419d6"),
    ),
    Mask("key", r"\b[A-Z]{2,}-\d+\b", ("ACME-1001",)),
    Mask("id", r"\b[A-Za-z_]*\d+[A-Za-z_]\w*|\b[A-Za-z]\w*_-?\d+\b", ("job_1445_0005_m_02", "3f9a2c", "blk_-77")),
    Mask("number", r"\B[-+]\d+(?:[.,:]\d+)*|\d+(?:[.,:]\d+)*", ("42", "-1.5", "1,234,567", "10.0.0.7:5432")),
)
"""In this order. A number within a word leaves the word's letters: `node-246` and `node-3` become `node-<*>`."""

_JOINT: Final = r"(?:[ ,;:|/\\#.@~+*&-]{0,3}<\*>)+"


@dataclass(frozen=True)
class Step:
    """A replacement over the whole text: of a pattern, or of a literal where `literal` says so; only where the text has `only`."""

    find: str
    put: str
    literal: bool = False
    only: str = ""


STEPS: Final = (
    # A quoted word in prose (`column "x" is missing`) is a value; in JSON (`"error": "invalid_grant"`) it may be the error itself.
    Step(': "', ':\x01"', literal=True, only=' "'),
    Step(', "', ',\x01"', literal=True, only=' "'),
    Step(r" \"[^\"\s]+\"", f" {WILD}", only=' "'),
    Step("\x01", " ", literal=True, only=' "'),
    Step("|".join(mask.pattern for mask in MASKS), WILD),
    # `10.0.0.1:80, 10.0.0.2:80` is one list, however long; `user ()` is `user (somebody)` without the somebody.
    Step(rf"<\*>{_JOINT}", WILD),
    Step(" ()", f" ({WILD})", literal=True),
)
_GROUPS: Final = tuple(
    (only, tuple((step, None if step.literal else re.compile(step.find, re.ASCII)) for step in steps))
    for only, steps in groupby(STEPS, key=lambda step: step.only)
)


def masked(text: str) -> str:
    """A text with everything in `MASKS` replaced by `<*>`."""
    for only, steps in _GROUPS:
        if only in text:
            for step, pattern in steps:
                text = pattern.sub(step.put, text) if pattern else text.replace(step.find, step.put)
    return text


def masked_sql(column: str) -> str:
    """The same as a DuckDB expression over a text expression."""
    for only, steps in _GROUPS:
        found = column
        for step, _ in steps:
            find, put = (part.replace("'", "''") for part in (step.find, step.put))
            found = (
                f"replace({found}, '{find}', '{put}')"
                if step.literal
                else f"regexp_replace({found}, '{find}', '{put}', 'g')"
            )
        column = f"case when contains({column}, '{only}') then {found} else {column} end" if only else found
    return column
