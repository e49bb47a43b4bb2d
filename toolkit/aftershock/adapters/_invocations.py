"""Logs of command line tools that hold one invocation after another, with little to tell them apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# `worker.log` of `worker.log.1`, `worker.log-20261123-1795400344` and `worker-2026-11-23.log`: whose log it is through its rotations.
LOG: Final = (
    r"regexp_replace(regexp_replace(file_name, '([.]\d{1,4})$', ''), '[-._]\d{4}-?\d{2}-?\d{2}([-_T.]?\d{2,10})*', '')"
)
LOG_NAME: Final = rf"regexp_replace({LOG}, '[.](log|txt|jsonl|json|ndjson|logfmt|out)$', '')"

_EXIT: Final = re.compile(
    r"\W*(?:[\w.\-]+ )?(?:exit(?:ed)?|rc|return(?:ed)?)(?:[ _]?(?:code|status))?(?: with(?: (?:code|status))?)?\s*[=: ]\s*(?P<code>\d{1,3})\W*$",
    re.I,
)
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def exit_code(line: str) -> int | None:
    """The exit code that a wrapper wrote behind an invocation: `exit=3`, `restic exited with code 1`; None for any other line."""
    found = _EXIT.match(line) if len(line) < 100 else None
    return int(found["code"]) if found else None


def lines_of(path: Path) -> Iterator[str]:
    """A log's lines as a terminal would leave them: without colours, and of a line overwritten by `\\r` the last state."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in lines:
            yield _ESCAPES.sub("", line.strip("\x00").rstrip("\r\n").rpartition("\r")[2])


def number(text: str | None) -> int | None:
    """`1,234` of rsync and restic; None for what is no whole number."""
    plain = (text or "").replace(",", "").replace(".", "")
    return int(plain) if plain.isdigit() and len(plain) < 18 else None


def count(value: object) -> int | None:
    """A number of a JSON message as a count; None for what is none (or is infinite, which JSON's `1e999` is to Python)."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < 1e15 else None  # type: ignore[arg-type,call-overload]
