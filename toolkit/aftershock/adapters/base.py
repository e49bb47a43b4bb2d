"""What an adapter is made of. The difference between formats is a table and a SELECT, not code.

An adapter is one module of this folder (or of an outside package, by the entry point `aftershock.adapters`) with five
parts in one order: a docstring naming the vendor's endpoint or file, then `TOOL`, `DOCS`, `FIDELITY`, `STATUS`, `EXPORTS`.

Each `Export` says how one kind of file is recognised, which columns its records have, and the SELECTs that make canonical
rows of them. The SELECTs read one relation, `records`: a row per record of the file, with

- the declared `columns`, typed (a column of type `TIME` is a TIMESTAMPTZ in there, whatever text or epoch it was),
- `place` BIGINT: the record's number in the file, from 1,
- `file_time` TIMESTAMPTZ: when the file says it was exported, else when it was last modified,
- `file_name` VARCHAR: its name without folders and without `.gz` (a log's only word about whose it is; recognition never looks at it),
- `tz_assumed` BOOLEAN: a TIME of this record came without a zone,

and give, under the names of `CANONICAL`, whichever columns they know. Every SELECT gives `place`; a record that no SELECT
gives is a reject. `ingest` fills the rest: ids, the status of `status_raw`, redaction, clients, touches, `import_id`.

SQL macros that every SELECT may use: `as_time(text)` reads ISO times with any number of digits and epochs in s, ms, µs and
ns, and gives null for nothing, for year 1 and for 1970-01-01T00:00:00; `epoch_time(number)` the same for a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from aftershock.model import STATUS_WORDS

TIME: Final = "TIME_TEXT"
"""The column type for a time in whatever form: `records` shows it as TIMESTAMPTZ."""

CANONICAL: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "runs": (
            "scope", "native_id", "attempt", "automation_native_id", "automation", "role", "status", "status_raw", "trigger",
            "queued_at", "started_at", "ended_at", "duration_s", "items_in", "items_out", "version", "correlation_id",
            "error_type", "error_message", "retry_of", "retry_of_attempt", "parent_scope", "parent_native_id", "parent_attempt",
            "tags", "payload", "updated_at",
        ),
        "steps": (
            "scope", "native_id", "run_attempt", "key", "name", "kind", "system", "attempt", "map_index", "status",
            "status_raw", "started_at", "ended_at", "duration_s", "items_in", "items_out", "error_type", "error_message",
            "operation", "payload", "updated_at",
        ),
        "notices": (
            "scope", "native_id", "run_attempt", "notice", "channel", "recipient", "kind", "sent_at", "acknowledged_at",
            "resolved_at", "joined_by", "title", "text", "key", "payload", "updated_at",
        ),
        "changes": (
            "automation_scope", "automation_native_id", "automation", "change", "version", "at", "by", "kind", "scope", "native_id",
            "run_attempt", "joined_by", "title", "text", "key", "updated_at",
        ),
        "automations": ("scope", "native_id", "name", "owner", "schedule", "enabled", "updated_at"),
        "coverage": ("automation", "covers_from", "covers_to", "completeness"),
        "set_aside": ("reason",),
        "rejects": ("field", "seen", "reason"),
    }
)  # fmt: skip
"""Canonical columns that a SELECT may give, beside `place`. What it leaves out is null.

runs: `scope` is the tool's own id space (project, DAG, repository), null where ids are unique in the tool; `attempt` only
where the tool counts attempts under one id; `status_raw` a VARCHAR or a VARCHAR[] (looked up in STATUS), `status` only where
STATUS cannot decide; `automation_native_id` else `automation` identifies the automation; `retry_of` names the run before in
the chain; `payload` is JSON or text in which clients and record keys are looked for and which is not stored; `updated_at` is
the record's own time of last change.
`parent_scope` left null is the run's own scope; '*' says that only the parent's id is known: the one run of the source that has it.
steps: `scope`, `native_id`, `run_attempt` name the run; `key` (else `name`) the step in it; `operation` and `system` say what
its touches did and where. A file that knows only steps also selects `runs`, with what it knows of them (place: min(place)).
notices: `notice` is the tool's own id of it; `scope`, `native_id`, `run_attempt` name the run of this very tool it is about, with
`joined_by` 'id'. Left out, the run is looked for in all tools by what `key` (dedup key, alias, monitor), `title` and `text` say:
put addresses and ids there. Business keys are looked for in `payload`, else in these three; it is not stored.
changes: `change` is the tool's own id of it; `scope`, `native_id`, `run_attempt` the run that made it. Run and automation left out are
looked for like a notice's.
rejects: records that cannot be mapped, and why, where the column types alone cannot tell; the other SELECTs may give them too.
coverage: one or more rows, without `place`; left out, the file covers from its first to its last run, completeness unknown.
"""


CANONICAL_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attempt": "INTEGER", "run_attempt": "INTEGER", "retry_of_attempt": "INTEGER", "parent_attempt": "INTEGER", "map_index": "INTEGER",
        "queued_at": "TIMESTAMPTZ", "started_at": "TIMESTAMPTZ", "ended_at": "TIMESTAMPTZ", "updated_at": "TIMESTAMPTZ",
        "sent_at": "TIMESTAMPTZ", "acknowledged_at": "TIMESTAMPTZ", "resolved_at": "TIMESTAMPTZ", "at": "TIMESTAMPTZ",
        "covers_from": "TIMESTAMPTZ", "covers_to": "TIMESTAMPTZ",
        "duration_s": "DOUBLE", "items_in": "BIGINT", "items_out": "BIGINT", "enabled": "BOOLEAN", "tags": "VARCHAR[]",
    }
)  # fmt: skip
"""The DuckDB types of canonical columns; all others are VARCHAR."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """What a tool's exports can and cannot tell. The docs table and each report's "how to read this" come from here."""

    attempts: bool
    steps: bool
    items: bool
    trigger: bool
    versions: bool
    parents: bool
    keys: bool
    evidence: Literal["captured", "vendor fixture", "documented"]
    retention: str = "unknown"
    inferred: str = "nothing"


class StatusTable:
    """The vendor's words and ours.

    Keys are one word, or a tuple of words where the tool needs several columns (None: empty). Words are compared
    casefolded, with `_`, `-` and blanks removed. Raises `ValueError` for a word of ours that does not exist.
    """

    def __init__(self, words: Mapping[str | tuple[str | None, ...] | None, str]) -> None:
        unknown = sorted(set(words.values()) - set(STATUS_WORDS))
        if unknown:
            raise ValueError(f"not in the status vocabulary: {', '.join(unknown)}")
        self.words: Mapping[str, str] = {self.key(raw): word for raw, word in words.items()}

    @staticmethod
    def key(raw: str | tuple[str | None, ...] | None) -> str:
        """The comparable form of a vendor's word or words: `"completed|timedout"`."""
        parts = raw if isinstance(raw, tuple) else (raw,)
        return "|".join((part or "").casefold().translate(_NO_SEPARATORS) for part in parts)

    def __getitem__(self, raw: str | tuple[str | None, ...] | None) -> str:
        """Our word; `unknown` for a word never seen."""
        return self.words.get(self.key(raw), "unknown")


_NO_SEPARATORS: Final = str.maketrans("", "", "_- ")


@dataclass(frozen=True)
class Sample:
    """What recognition sees of a file: at most its first 64 KiB.

    `form` is the container; `top` the (possibly cut off) JSON value or None; `header` CSV or Parquet columns or SQLite tables;
    `root` the XML root element; `text` the beginning as text.
    """

    form: str
    text: str = ""
    top: Any = None
    header: tuple[str, ...] = ()
    root: str = ""
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Export:
    """One kind of file that a tool gives out.

    `form`: json (one value, several after one another, or a line each), csv, parquet, sqlite, xml or text.
    `records`: JSON only: the dotted path to the array of records (`"data.results"`), or "" where the records are the top-level
    values or the items of top-level arrays.
    `requires`: names that a record (JSON), the header (CSV, Parquet) or the list of tables (SQLite) must have; `a.b` asks one level down.
    `one_of`: of these at least one must be there too. `forbids`: names that must not be there.
    `where`: a last look at the first record, for formats that share their names; true means ours.
    `columns`: name -> DuckDB type, or TIME. JSON values below a STRUCT are typed too; `JSON` keeps a part as it is.
    `reader`: for sqlite, xml, text and odd JSON: gives the records as plain dicts, from a private copy of the file. May raise
    `RecordError` for one record and go on by yielding it instead.
    `time_zone`: of times without one.
    `rank`: 1 for a secondary source whose word gives way to the tool's own records.
    `generic`: a format that anybody may write (JUnit XML, plain log lines): gives way where an export that is not generic claims the file.
    `tool_of`: for a format that many tools write: the tool that wrote this file (it begins the ids and names the source); None for TOOL.
    """

    name: str
    form: Literal["json", "csv", "parquet", "sqlite", "xml", "text"]
    columns: Mapping[str, str]
    select: Mapping[str, str]
    records: str = ""
    requires: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    forbids: frozenset[str] = frozenset()
    where: Callable[[Mapping[str, Any]], bool] | None = None
    claims: Callable[[Sample], bool] | None = None
    reader: Callable[[Path], Iterator[Mapping[str, Any] | RecordError]] | None = None
    time_zone: str = "UTC"
    rank: int = 0
    delimiter: str | None = None
    generic: bool = False
    tool_of: Callable[[Sample], str | None] | None = None


@dataclass(frozen=True)
class RecordError(Exception):
    """One record that a reader could not read: yielded in its place, it becomes a reject."""

    reason: str
    raw: str = ""
    field: str | None = None


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A format: what `registry` makes of an adapter module."""

    name: str
    tool: str
    docs: str
    about: str
    fidelity: Fidelity
    status: StatusTable
    exports: tuple[Export, ...]
    version: str = field(default="1")
