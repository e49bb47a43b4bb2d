"""Celery's result backends: the SQLAlchemy table `celery_taskmeta` (SQLite), django-celery-results, and Redis.

The database file itself, or the table as CSV with a header (bytes as PostgreSQL writes them); the values of Redis'
`celery-task-meta-*` keys, one a line (`redis-cli GET` of each), or a JSON object of keys and values. One row per task id, with
its last state only. Name, arguments, worker and retries are there with `result_extended` alone; without it the row tells nothing
of the automation, which the events of the same task do.

A pickled result is never loaded: `pickletools.genops` names the texts in it and runs nothing.

`date_done` is when a finished task ended; other states have none in Celery 5.7, and the time of the last change before.
In a database it has no zone: it is the app's `timezone` in Celery 5.7, UTC in 5.3. Nothing in the file tells which, so it is
flagged, `time_zone` of the source decides, and the time in an event of the same task is preferred. The state is not: it is
Celery's last word. Not to be known: when a task began; what was deleted (`result_expires`, one day); tasks with `ignore_result`.
"""

from __future__ import annotations

import csv
import itertools
import json
import pickletools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._celery import STATUS as STATUS
from aftershock.adapters._celery import TELLING, carried_error, of_traceback
from aftershock.adapters._pairs import pairs
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample

TOOL = "celery"
DOCS = "https://docs.celeryq.dev/en/stable/userguide/configuration.html#task-result-backend-settings"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=True,
    keys=True,
    evidence="captured",
    retention="a day (result_expires), where `celery.backend_cleanup` runs",
    inferred="skipped for links of a chain that never ran; partial from an `error` that the result carries; times without zone",
)

_MAX_PICKLE: Final = 1 << 20
_NUMBERS: Final = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_PREFIX: Final = "celery-task-meta-"
_OF_DJANGO: Final = {"task_name": "name", "task_args": "args", "task_kwargs": "kwargs"}
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "celery_taskmeta": {},
    "django_celery_results_taskresult": _OF_DJANGO,
}
_COLUMNS: Final = {
    **dict.fromkeys(
        ("task_id", "status", "traceback", "name", "worker", "queue", "parent_id", "group_id", "texts"), "VARCHAR"
    ),
    **dict.fromkeys(("result", "children", "args", "kwargs"), "JSON"),
    **dict.fromkeys(("date_done", "date_started"), TIME),
    "retries": "INTEGER",
}


def _read_database(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The rows of whichever result table there is."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma query_only = on")
        database.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
        tables = {name for (name,) in database.execute("select name from sqlite_master")}
        for table, renamed in _TABLES.items():
            if table in tables:
                rows = database.execute(f"select * from {table} order by id")
                names = [renamed.get(column[0], column[0]) for column in rows.description]
                for row in rows:
                    yield _record(dict(zip(names, row, strict=True)))


def _record(row: Mapping[str, Any]) -> Mapping[str, Any]:
    record = {name: row.get(name) for name in _COLUMNS}
    for name in ("result", "children", "args", "kwargs"):
        value = record[name]
        if isinstance(value, bytes) and value[:1] == b"\x80":
            record[name], texts = None, _texts(value)
            if name == "result":
                record |= {"result": _named(texts), "texts": "\n".join(texts)}
        elif isinstance(value, (bytes, str)):
            record[name] = _json(value)
    return record


def _read_csv(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The rows of a table written as CSV; PostgreSQL writes bytes as `\\x` and hex."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        for row in csv.DictReader(line.replace("\x00", "") for line in lines):
            if None in row or None in row.values():
                yield RecordError("has not as many fields as the header", str(list(row.values()))[:1000])
            else:
                yield _record({_OF_DJANGO.get(name, name): _bytes(value) for name, value in row.items()})


def _bytes(value: str) -> str | bytes | None:
    if value.startswith("\\x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            return value
    return value or None


def _json(value: bytes | str) -> Any:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text  # django-celery-results keeps arguments as Python wrote them


def _texts(pickled: bytes) -> list[str]:
    """The texts and numbers in a pickle, in order, without loading it."""
    texts = []
    try:
        for operation, argument, _ in pickletools.genops(pickled[:_MAX_PICKLE]):
            if isinstance(argument, str) or operation.name in _NUMBERS:
                texts.append(str(argument))
    except Exception:  # cut off, or no pickle at all: what was read stands
        return texts
    return texts


def _named(texts: list[str]) -> Mapping[str, Any] | None:
    """The exception as the JSON serializer writes it; None where the pickle holds none."""
    after = dict(itertools.pairwise(texts))
    if "exc_type" not in after:
        return None
    message = after.get("exc_message", "exc_module")
    return {"exc_type": after["exc_type"], "exc_message": [] if message == "exc_module" else [message]}


def _read_keys(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The values of all keys of task results, at whichever depth of the dump they lie."""
    dump, broken = pairs(path)
    for key, value in _keys(dump):
        stored = value.get("value", value) if isinstance(value, dict) and "status" not in value else value
        meta = _json(stored) if isinstance(stored, str) else stored
        if not key.startswith(_PREFIX):
            yield {"texts": "another key of Redis"}
        elif isinstance(meta, dict):
            yield {"task_id": key.removeprefix(_PREFIX)} | {name: meta[name] for name in _COLUMNS if name in meta}
        else:
            yield RecordError("is no task result", str(stored)[:1000], key)
    yield from broken


def _keys(dump: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Keys and values of the object that holds results: of the dump itself, or of its databases."""
    for part in dump if isinstance(dump, list) else [dump]:
        if isinstance(part, dict) and any(str(key).startswith(_PREFIX) for key in part):
            yield from part.items()
        elif isinstance(part, dict) and depth < 3:
            for inner in part.values():
                yield from _keys(inner, depth + 1)


def _is_dump(sample: Sample) -> bool:
    return next(_keys(sample.top), None) is not None


def _is_database(sample: Sample) -> bool:
    return bool(_TABLES.keys() & set(sample.header))


_READY: Final = "('SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED', 'IGNORED')"
# A row of an extended backend that fails without a worker never ran: Celery fails the rest of a chain with its link.
# The last line of the traceback names the exception where the result cannot be read.
_TOLD: Final = f"""
    told as (
        select *, status in {_READY} as is_ready, name is not null and worker is null and status = 'FAILURE' as is_never_run,
               coalesce(result ->> '$.exc_type', nullif({of_traceback("traceback", 1)}, '')) as error_type,
               case when json_array_length(result -> '$.exc_message') = 1 then result ->> '$.exc_message[0]'
                    when json_type(result -> '$.exc_message') = 'ARRAY'
                    then array_to_string(list_transform(from_json(result -> '$.exc_message', '["JSON"]'), lambda part:
                        case json_type(part) when 'VARCHAR' then '''' || (part ->> '$') || '''' else part::VARCHAR end), ', ')
                    else coalesce(result ->> '$.exc_message', {of_traceback("traceback", 2)}) end as message,
               case when status = 'SUCCESS' then {carried_error("result")} end as carried,
               case when tz_assumed then interval 15 hours else interval 2 minutes end as slack,
               TIMESTAMPTZ '2000-01-01 00:00:00+00' as before_all
        from records where task_id is not null
    )"""
_STATE: Final = f"""case when carried is not null then 'partial' end as status,
       concat_ws('|', status, case when is_never_run then 'never ran' when status = 'FAILURE' and error_type in {tuple(TELLING)}
                                   then error_type end) as status_raw"""
_ERROR: Final = """case when status in ('FAILURE', 'REJECTED') and not is_never_run then error_type end as error_type,
       case when status = 'FAILURE' and not is_never_run or status in ('REVOKED', 'REJECTED') then nullif(message, '') else carried end as error_message"""
# A finished state is Celery's last word, later than any event in any zone; a state that tells no time is older than all.
# The time itself stands behind every other where its zone is not told.
_AT: Final = "case when is_ready and date_done is not null then date_done + slack else before_all end as updated_at"
_ENDS: Final = """case when is_ready then date_done end as ended_at, case when tz_assumed then date_done - slack else date_done + slack end as updated_at"""
_SELECT: Final = {
    "runs": f"""
with {_TOLD}, children as (
    select place, task_id as parent, unnest(from_json(json_extract(children, '$[*][0][0]'), '["VARCHAR"]')) as child from told
    where json_type(children) = 'ARRAY'
)
select place, task_id as native_id, name as automation, {_STATE}, {_ERROR}, null::TIMESTAMPTZ as started_at, null::TIMESTAMPTZ as ended_at,
       nullif(parent_id, task_id) as parent_native_id, list_filter([queue, group_id], lambda tag: tag is not null) as tags,
       json_object('args', args, 'kwargs', kwargs, 'result', coalesce(result, to_json(texts))) as payload,
       case when is_ready and date_done is not null then date_done + slack else before_all end as updated_at
from told
union all by name
select place, task_id as native_id, date_started as started_at, {_ENDS} from told where is_ready and date_done is not null
union all by name
select place, child as native_id, parent as parent_native_id, before_all as updated_at
from children join (select task_id as child, before_all from told) using (child)
""",
    "steps": f"""
with {_TOLD}, attempts as (select *, retries + 1 as attempt from told where retries is not null and not is_never_run and status <> 'RETRY'
                                    and (status <> 'REVOKED' or message = 'terminated'))
select place, task_id as native_id, 'task' as key, name, 'task' as kind, attempt, {_STATE}, {_ERROR},
       null::TIMESTAMPTZ as ended_at, {_AT}
from attempts
union all by name
select place, task_id as native_id, 'task' as key, name, 'task' as kind, attempt, {_ENDS} from attempts where is_ready and date_done is not null
""",
    "set_aside": "select place, coalesce(texts, 'no task') as reason from records where task_id is null",
}

EXPORTS = (
    Export(
        name="database",
        form="sqlite",
        claims=_is_database,
        reader=_read_database,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="table as csv",
        form="csv",
        requires=frozenset({"task_id", "status", "result", "date_done", "traceback"}),
        reader=_read_csv,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="redis values",
        form="json",
        requires=frozenset({"task_id", "status", "result", "traceback", "children"}),
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="redis keys",
        form="json",
        claims=_is_dump,
        reader=_read_keys,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)
