"""Writing export files: the same content gives the same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

from aftershock.simulate.rhythm import midnight
from aftershock.simulate.world import Run

_T = TypeVar("_T")
_GZIP_FROM: Final = 16_000
_OPEN: Final = ("queued", "running", "waiting")


@dataclass(frozen=True)
class Week:
    """An export of a week, made when it is over: what began in it, and what the export before showed unfinished."""

    label: str
    start: datetime
    end: datetime

    def takes(self, run: Run) -> bool:
        """Whether this export shows the run."""
        return self.start <= run.queued_at < self.end or run.status_at(self.start) in _OPEN


def weeks(first: date, until: date) -> list[Week]:
    """The calendar weeks from `first` to `until`, cut off at both ends."""
    found = list[Week]()
    day = first
    while day <= until:
        after = min(day + timedelta(days=7 - day.weekday()), until + timedelta(days=1))
        year, week, _ = day.isocalendar()
        found.append(Week(f"{year}-W{week:02d}", midnight(day), midnight(after)))
        day = after
    return found


def write_json(file: Path, *values: Any) -> None:
    """Responses, one a line, in the order in which they came. A large file is compressed, the same way every time."""
    if not values:
        return
    text = "\n".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values) + "\n"
    content = text.encode()
    if len(content) < _GZIP_FROM:
        write_bytes(file, content)
    else:
        write_bytes(file.with_name(f"{file.name}.gz"), gzip.compress(content, compresslevel=9, mtime=0))


def write_bytes(file: Path, content: bytes) -> None:
    """A file, in a folder that need not be there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def pages(rows: Sequence[_T], size: int) -> list[Sequence[_T]]:
    """Rows in pages; no rows make one empty page."""
    return [rows[offset : offset + size] for offset in range(0, max(1, len(rows)), size)]


def z(at: datetime | None, digits: int = 3) -> str | None:
    """`2026-11-18T08:14:03.123Z`, with so many digits behind the second."""
    if at is None:
        return None
    at = at.astimezone(UTC)
    whole = f"{at:%Y-%m-%dT%H:%M:%S}"
    return f"{whole}.{f'{at.microsecond:06d}'[:digits]}Z" if digits else f"{whole}Z"


def ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def token(*parts: object, size: int = 8) -> str:
    """Hexadecimal digits that only depend on `parts`."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=size).hexdigest()


def uuid(*parts: object) -> str:
    """A UUID that only depends on `parts`."""
    digits = token(*parts, size=16)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
