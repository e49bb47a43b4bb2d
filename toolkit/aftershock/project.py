"""`aftershock.toml`: what a project folder says about its sources, clients, records, expectations and reports.

Errors name the file, the key, what stood there and what to write instead.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from aftershock.errors import NoProjectError, ProjectError, UnknownNameError
from aftershock.model import ROLES, STATUS_WORDS

_T = TypeVar("_T")
FILE_NAME = "aftershock.toml"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(value: object) -> object:
    """`"30m"`, `"1h 30m"`, `"2d"` as a timedelta; a number without a unit is refused."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    parts = _DURATION.findall(text)
    if not isinstance(value, str) or not parts or _DURATION.sub("", text).strip():
        raise ValueError("write a duration with its unit: 90s, 30m, 2h, 1d, 1w")
    return timedelta(seconds=sum(float(number) * _UNIT_S[unit] for number, unit in parts))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("write a time zone of the IANA list, such as Europe/Berlin or UTC") from None
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return text


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text):
        raise ValueError("use lower-case letters, digits, - and _ (it becomes part of a file name)")
    return text


def _cron_line(text: str) -> str:
    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"no cron line ({error}); write five fields such as '0 7 * * MON'") from None
    return text


Duration = Annotated[timedelta, BeforeValidator(duration)]
Zone = Annotated[str, AfterValidator(_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Slug = Annotated[str, AfterValidator(_slug)]
Cron = Annotated[str, AfterValidator(_cron_line)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """A configured instance of a tool. Files under `paths` belong to it; a source without paths takes all files of its tool.

    `covers`: what one export file stands for: the stretch between its first and last record, or the whole calendar days or
    weeks (in `time_zone`) that its records fall in.
    """

    name: Slug
    tool: str
    paths: tuple[str, ...] = ()
    time_zone: Zone = "UTC"
    covers: Literal["records", "day", "week"] = "records"
    mapping: str | None = None


class RunRule(_Part):
    """Which runs belong to a client: all conditions that are given must hold. `automation` is a shell pattern."""

    source: str | None = None
    automation: str | None = None
    tag: str | None = None
    path: str | None = Field(None, description="dotted path into the payload, or a bare key at any depth")
    equals: str | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any((self.source, self.automation, self.tag, self.path)):
            raise ValueError("say which runs: source, automation, tag, or path with equals")
        if bool(self.path) != bool(self.equals):
            raise ValueError("path and equals go together")
        return self


class Client(_Part):
    """Somebody whose automations these are, and who gets a report."""

    id: Slug
    name: str
    time_zone: Zone | None = None
    runs: tuple[RunRule, ...] = ()


class RecordKey(_Part):
    """Where the key of a business record is found: under these names at any depth of a payload, or by pattern in any text.

    With both, a value found under a name must match the pattern in full. `client`: records found by this rule are that client's.
    """

    entity: str
    keys: tuple[str, ...] = ()
    pattern: Pattern | None = None
    client: str | None = None
    hashed: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.keys and not self.pattern:
            raise ValueError("say where the key is: keys = [...] or pattern = '...'")
        return self


class Expectation(_Part):
    """A sentence that must hold: every record touched by `after` is touched by `then` within `within`.

    `after` and `then` are shell patterns over automation names.
    """

    name: str
    entity: str
    after: str
    then: str
    within: Duration
    client: str | None = None
    severe: bool = False


class Report(_Part):
    """A report: which notebook, for whom, when."""

    name: Slug
    notebook: str
    audience: Literal["fleet", "clients"] = "clients"
    cron: Cron | None = None
    time_zone: Zone | None = None
    period: Literal["day", "week", "month"] = "week"
    parameters: dict[str, Any] = Field(default_factory=dict)


class Mapping(_Part):
    """A profile for a CSV, JSON or Parquet file of no known tool: column -> field, word -> status.

    A field may be given several columns: the first that holds something counts.
    """

    tool: str
    table: Literal["runs", "notices"] = "runs"
    fields: dict[str, str | tuple[str, ...]] = Field(description="canonical field -> column or columns of the file")
    status: dict[str, str] = Field(default_factory=dict, description="the file's word or words (`a|b`) -> ours")
    status_columns: tuple[str, ...] = Field(
        (), description="columns that together tell the status: their words as `a|b`"
    )
    open_without: str | None = Field(None, description="a record in which this column is empty still runs")
    roles: dict[str, str] = Field(default_factory=dict, description="the file's word in `fields.role` -> ours")
    only: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict, description="column -> its words in records that count; the others are set aside"
    )
    records: str = Field("", description="JSON: dotted path to the array of records")
    requires: tuple[str, ...] = ()
    time_format: str | None = None
    time_zone: Zone = "UTC"
    duration_unit: Literal["s", "ms", "min"] = "s"
    delimiter: str | None = None
    payload: tuple[str, ...] = ()
    constants: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for given, there_are, what in ((self.status, STATUS_WORDS, "status"), (self.roles, ROLES, "role")):
            wrong = sorted(set(given.values()) - set(there_are))
            if wrong:
                raise ValueError(f"not in the {what} vocabulary: {', '.join(wrong)}. There are: {', '.join(there_are)}")
        key = "native_id" if self.table == "runs" else "notice"
        if key not in self.fields:
            raise ValueError(f"fields needs {key}: the column that identifies a {self.table.removesuffix('s')}")
        if "status" in self.fields and self.status_columns:
            raise ValueError("fields.status and status_columns exclude each other: name all columns in status_columns")
        return self


class Privacy(_Part):
    """What becomes of personal data: names of payload fields whose text is taken out of everything that is stored."""

    personal_fields: tuple[str, ...] = ()
    redact_emails: bool = True


class Project(_Part):
    """A project folder, as its `aftershock.toml` describes it. All names are checked against one another."""

    folder: Path
    name: str = "Aftershock"
    time_zone: Zone = "UTC"
    sources: tuple[Source, ...] = ()
    clients: tuple[Client, ...] = ()
    records: tuple[RecordKey, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    reports: tuple[Report, ...] = ()
    mappings: dict[str, Mapping] = Field(default_factory=dict)
    privacy: Privacy = Privacy()

    @property
    def ledger_folder(self) -> Path:
        """Where the ledger lives."""
        return self.folder / "data" / "ledger"

    @property
    def reports_folder(self) -> Path:
        """Where rendered reports go."""
        return self.folder / "reports"

    @property
    def notebooks_folder(self) -> Path:
        """Where the project's notebooks are."""
        return self.folder / "notebooks"

    def client(self, client_id: str) -> Client:
        """The client of that id. Raises `UnknownNameError`."""
        return _named("client", client_id, {client.id: client for client in self.clients})

    def report(self, name: str) -> Report:
        """The report of that name. Raises `UnknownNameError`."""
        return _named("report", name, {report.name: report for report in self.reports})

    def zone_of(self, client_id: str | None) -> str:
        """The time zone of a client's periods, else the project's."""
        return (self.client(client_id).time_zone if client_id else None) or self.time_zone

    def config_hash(self) -> str:
        """Changes when a file taken in before would be read differently now."""
        parts = self.model_dump(mode="json", include={"sources", "clients", "records", "mappings", "privacy"})
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _named(kind: str, name: str, known: dict[str, _T]) -> _T:
    if name not in known:
        raise UnknownNameError(kind, name, list(known))
    return known[name]


def find_folder(start: Path) -> Path:
    """The project folder at or above `start`. Raises `NoProjectError`."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise NoProjectError(start)


def load(folder: Path) -> Project:
    """The project described by `folder/aftershock.toml`.

    Raises: `NoProjectError` without that file; `ProjectError` naming the key for anything that cannot be used.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise NoProjectError(folder)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(file, "the whole file", str(error), "no valid TOML; mend that place") from None
    try:
        project = Project.model_validate({**content, "folder": folder.resolve()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole file"
        seen = "" if first["type"] == "missing" else first["input"]
        raise ProjectError(file, key, seen, first["msg"].removeprefix("Value error, ")) from None
    _check_names(file, project)
    return project


def _check_names(file: Path, project: Project) -> None:
    """What one part of the file says about another must exist."""
    clients = [client.id for client in project.clients]
    sources = [source.name for source in project.sources]
    for kind, names in (
        ("clients", clients),
        ("sources", sources),
        ("reports", [report.name for report in project.reports]),
        ("expectations", [expectation.name for expectation in project.expectations]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ProjectError(file, kind, name, "stands there twice; names must differ")
    entities = {record.entity for record in project.records}
    for i, expectation in enumerate(project.expectations):
        if expectation.entity not in entities:
            raise ProjectError(
                file, f"expectations.{i}.entity", expectation.entity, "no [[records]] entry finds this entity"
            )
        if expectation.client and expectation.client not in clients:
            raise ProjectError(file, f"expectations.{i}.client", expectation.client, "no [[clients]] entry has this id")
    for i, record in enumerate(project.records):
        if record.client and record.client not in clients:
            raise ProjectError(file, f"records.{i}.client", record.client, "no [[clients]] entry has this id")
    for i, source in enumerate(project.sources):
        if source.mapping and source.mapping not in project.mappings:
            raise ProjectError(file, f"sources.{i}.mapping", source.mapping, "no [mappings.NAME] of this name")
    for i, client in enumerate(project.clients):
        for j, rule in enumerate(client.runs):
            if rule.source and sources and rule.source not in sources:
                raise ProjectError(
                    file, f"clients.{i}.runs.{j}.source", rule.source, "no [[sources]] entry has this name"
                )
