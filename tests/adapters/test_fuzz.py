"""Damaged samples: whatever is done to a file, it is taken in or refused with a reason, and no record of it is lost.

`make fuzz` runs it for longer.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import project_in
from zoo import FAMILIES, samples_of

from aftershock.ingest.pipeline import ingest

LONG = bool(os.environ.get("AFTERSHOCK_LONG"))
FILES_AT_ONCE = 6 if LONG else 3
MAX_BYTES = 60_000
"""Of a sample, so that one ingestion stays short: what comes later is of the same kind."""
ODD = [
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "x",
    "null",
    "2026-13-45T99:00:00Z",
    "\x00",
    "<b>&amp;",
    [],
    [None],
    {},
    {"a": [1, {}]},
    "é" * 300,
]
JUNK = [
    b"\x00",
    b"\xff\xfe",
    b"\n",
    b"\r\n\r\n",
    b'"',
    b"}",
    b"]",
    b"<",
    b"\xed\xa0\x80",
    b"\x1b[31m",
    b",,,,",
    b"'; drop table runs; --",
]


def content_of(file: Path) -> bytes:
    """The beginning of a sample, unpacked."""
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return raw[:MAX_BYTES] if not raw.startswith(b"SQLite") else raw


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places_in(part, (*path, key))


def with_odd_value(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The same value with something else at a place."""
    if not path:
        return odd
    whole = value
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = odd
    return whole


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file with one to three kinds of damage: cut off, lines shuffled or doubled, bytes put in, values of another type."""
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["cut", "shuffle", "double", "junk", "type", "type"]))
        at = draw(st.integers(0, len(content)))
        lines = content.splitlines(keepends=True)
        if kind == "cut":
            content = content[:at] or b"{"
        elif kind == "shuffle" and len(lines) < 400:
            content = b"".join(draw(st.permutations(lines)))
        elif kind == "double" and lines:
            first = draw(st.integers(0, len(lines) - 1))
            content = b"".join([*lines[: first + 1], *lines[first : first + 5], *lines[first + 5 :]])
        elif kind == "junk":
            content = content[:at] + draw(st.sampled_from(JUNK)) + content[at:]
        elif kind == "type":
            content = draw(retyped(content, lines))
    return content


@st.composite
def retyped(draw: st.DrawFn, content: bytes, lines: list[bytes]) -> bytes:
    """JSON (whole, or one of its lines) in which one value is of another type; anything else with a field swapped."""
    for part, rest in ((content, b""), *(((lines[0], b"".join(lines[1:])),) if lines else ())):
        try:
            value = json.loads(part)
        except (ValueError, RecursionError):
            continue
        path = draw(st.sampled_from(list(places_in(value))[:3000]))
        return json.dumps(with_odd_value(value, path, draw(st.sampled_from(ODD)))).encode() + b"\n" + rest
    old, new = draw(
        st.sampled_from(
            [(b"2026-", b"20x6-"), (b":", b"="), (b"1", b"one"), (b",", b";"), (b">", b"/>"), (b" ", b"\t")]
        )
    )
    return content.replace(old, new, draw(st.integers(1, 50)))


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_a_damaged_file_is_taken_in_or_refused_with_a_reason(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    contents = [content_of(file) for file in samples_of(folder)]

    @settings(
        phases=list(Phase) if LONG else [Phase.generate],  # to make a failure small takes a thousand ingestions
        max_examples=60 if LONG else 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not LONG,
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        room = tmp_path_factory.mktemp("fuzz")
        files = []
        for number in range(FILES_AT_ONCE):
            file = room / f"{number}.log"
            file.write_bytes(data.draw(damaged(data.draw(st.sampled_from(contents)))))
            files.append(file)
        result = ingest(project_in(room / "project"), files)
        assert len(result.files) == len(files)
        for told in result.files:
            content = Path(told.path).read_bytes()
            assert "could not be read" not in told.message, (told, content[:2000])
            assert told.outcome == "taken" or told.message or told.outcome == "known", told
            assert told.records_read == told.mapped + told.set_aside + told.rejects, told

    run()
