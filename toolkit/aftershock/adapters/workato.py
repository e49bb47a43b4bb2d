"""Workato: jobs of recipes.

`GET /api/recipes/{id}/jobs` and one job (also of a managed user), the web app's own `jobs`, and the files of job history streaming and
replication (a job a file, with its lines). `GET /api/recipes` gives names.

The public API does not say which recipe a job is of: save its answer under a name that says so (`recipe_1234_jobs.json`). Nor has it a
status: a job with an error has failed, one without an end still runs. An error may be a text, a JSON text or an object; its `input` is
business data in Ruby's writing, which is searched for keys and not kept. A poll error is a trigger that failed: no record was worked on.
A repeated job is a job of its own that names the first. The counts of the envelope are of the recipe's whole life.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, as_dict, as_text, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, StatusTable

TOOL = "workato"
DOCS = "https://docs.workato.com/workato-api/jobs.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="30 days by default, as the workspace is set",
    inferred="the status where only is_error and completed_at stand; a line that ran without an error succeeded",
)

STATUS = StatusTable(
    {
        "succeeded": "succeeded",
        "failed": "failed",
        "pending": "running",
        "completed": "succeeded",  # of replicated jobs
        "processing": "running",
        "canceled": "cancelled",
        "cancelled": "cancelled",
        # A poll error and lines, in our words.
        "poll error": "failed",
        "line failed": "failed",
        "line ran": "succeeded",
    }
)

_INPUT: Final = re.compile(r"[;,]?\s*input:\s*(.*)\Z", re.S)
_OPERATIONS: Final = (
    ("upsert", "upsert"),
    ("create_or_update", "upsert"),
    ("create", "create"),
    ("add", "create"),
    ("insert", "create"),
    ("update", "update"),
    ("delete", "delete"),
    ("remove", "delete"),
    ("send", "send"),
    ("post", "send"),
    ("get", "read"),
    ("search", "read"),
    ("list", "read"),
    ("find", "read"),
    ("download", "read"),
)


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every job, whatever it is wrapped in."""
    for value in values(path):
        if isinstance(value, CutOff):
            found: Iterator[Any] = value.items("items", "jobs")
        else:
            pages = [
                value[name]
                for name in ("items", "jobs")
                if isinstance(value, Mapping) and isinstance(value.get(name), list)
            ]
            found = iter(pages[0] if pages else [value])
        for job in found:
            if isinstance(job, RecordError):
                yield job
            elif isinstance(job, Mapping):
                yield _job(job)
            else:
                yield RecordError("is no object", str(job)[:1000])


def _job(job: Mapping[str, Any]) -> Mapping[str, Any]:
    error_type, message, given, where = _error(job)
    has_failed = job.get("is_error") is True or bool(message or error_type)
    is_poll_error = job.get("is_poll_error") is True
    status = as_text(job.get("status"))
    if is_poll_error:
        status = "poll error"
    elif has_failed and (status is None or STATUS[status] == "succeeded"):
        status = "failed"
    elif status is None:
        status = "succeeded" if job.get("completed_at") else "pending"
    lines = job.get("lines")
    return {
        "id": job.get("id"),
        "recipe_id": job.get("recipe_id") or job.get("flow_id"),
        "recipe_name": job.get("recipe_name"),
        "status": status,
        "started_at": job.get("started_at"),
        "completed_at": job.get("completed_at"),
        "error_type": error_type,
        "error_message": message,
        "master_job_id": job.get("master_job_id") if job.get("is_repeat") is not False else None,
        "calling_job_id": job.get("calling_job_id"),
        "is_test": job.get("is_test") is True or job.get("is_test_case_job") is True,
        "payload": {"title": job.get("title"), "report": job.get("report"), "input": given},
        "lines": list(_lines(lines if isinstance(lines, list) else [], where, error_type, message, is_poll_error)),
    }


def _error(job: Mapping[str, Any]) -> tuple[str | None, str | None, Any, Mapping[str, Any]]:
    """The error's type and message, the input it was made of, and all that says where it happened."""
    error, parts = job.get("error"), as_dict(job.get("error_parts"))
    known = {**as_dict(error), **parts}
    if known:
        return (
            as_text(known.get("error_type")) or as_text(job.get("error_type")),
            _message(known),
            known.get("input"),
            known,
        )
    text = as_text(error)
    found = _INPUT.search(text or "")
    return (
        as_text(job.get("error_type")),
        text[: found.start()] if text and found else text,
        found[1] if found else None,
        {},
    )


def _message(known: Mapping[str, Any]) -> str | None:
    message = as_text(known.get("message"))
    found = _INPUT.search(message or "")
    return message[: found.start()] if message and found else message


def _lines(
    lines: list[Any], where: Mapping[str, Any], error_type: str | None, message: str | None, is_poll_error: bool
) -> Iterator[Mapping[str, Any]]:
    """The recipe's lines that ran, each turn of a loop by itself; then the one that failed, where it is not among them."""
    turns: Counter[str] = Counter()
    failed_line = as_text(where.get("line_number"))
    is_told = False
    for line in map(as_dict, lines):
        number = as_text(line.get("recipe_line_number")) or str(sum(turns.values()))
        own = as_dict(line.get("error")) or ({"message": line["error"]} if line.get("error") else {})
        has_failed = bool(own) or number == failed_line
        is_told = is_told or has_failed
        yield {
            "key": number,
            "map_index": turns[number],
            "kind": "trigger" if number == "0" else "action",
            "system": as_text(line.get("adapter_name")),
            "does": as_text(line.get("adapter_operation")),
            "operation": _operation(as_text(line.get("adapter_operation"))),
            "status": "line failed" if has_failed else "line ran",
            "error_type": (as_text(own.get("error_type")) or error_type) if has_failed else None,
            "error_message": (_message(own) or message) if has_failed else None,
            "payload": json.dumps({"input": line.get("input"), "output": line.get("output")}, default=str),
        }
        turns[number] += 1
    if (failed_line or where.get("adapter") or is_poll_error) and not is_told:
        yield {
            "key": "0" if is_poll_error else failed_line or as_text(where.get("adapter")),
            "map_index": 0,
            "kind": "trigger" if is_poll_error else "action",
            "system": as_text(where.get("adapter")),
            "does": as_text(where.get("action")),
            "operation": _operation(as_text(where.get("action"))),
            "status": "line failed",
            "error_type": error_type,
            "error_message": message,
        }


def _operation(name: str | None) -> str | None:
    return next((ours for begin, ours in _OPERATIONS if (name or "").lower().startswith(begin)), None)


_COLUMNS: Final = {
    "id": "VARCHAR",
    "recipe_id": "VARCHAR",
    "recipe_name": "VARCHAR",
    "status": "VARCHAR",
    "started_at": TIME,
    "completed_at": TIME,
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "master_job_id": "VARCHAR",
    "calling_job_id": "VARCHAR",
    "is_test": "BOOLEAN",
    "payload": "JSON",
    "lines": 'STRUCT("key" VARCHAR, map_index INTEGER, kind VARCHAR, "system" VARCHAR, does VARCHAR, operation VARCHAR, status VARCHAR,'
    " error_type VARCHAR, error_message VARCHAR, payload VARCHAR)[]",
}
_SELECT: Final = {
    "runs": r"""
select place, id as native_id, recipe_name as automation,
       coalesce(recipe_id, nullif(regexp_extract(lower(file_name), 'recipes?[^0-9a-z]{0,3}([0-9]+)', 1), '')) as automation_native_id,
       status as status_raw, case when is_test then 'test' end as role, started_at, completed_at as ended_at, error_type, error_message,
       nullif(master_job_id, id) as retry_of, calling_job_id as parent_native_id, payload, coalesce(completed_at, started_at) as updated_at
from records
""",
    "steps": """
select place, id as native_id, line."key" as key, coalesce(concat_ws(': ', line."system", line.does), 'trigger') as name, line.kind as kind,
       line."system" as system, line.operation as operation, line.map_index as map_index, line.status as status_raw,
       line.error_type as error_type, line.error_message as error_message, line.payload as payload,
       coalesce(completed_at, started_at) as updated_at
from (select place, id, started_at, completed_at, unnest(lines) as line from records)
""",
}
_IS_JOB: Final = frozenset({"id", "started_at"})
_TOO: Final = frozenset({"is_poll_error", "master_job_id", "is_repeat"})

EXPORTS = (
    *(
        Export(
            name=f"jobs{' in ' + records if records else ''}",
            form="json",
            records=records,
            requires=_IS_JOB,
            one_of=_TOO,
            reader=read,
            columns=_COLUMNS,
            select=_SELECT,
        )
        for records in ("items", "jobs", "")
    ),
    *(
        Export(
            name=f"recipes{' in ' + records if records else ''}",
            form="json",
            records=records,
            requires=frozenset({"id", "name", "running", "job_succeeded_count"}),
            columns={
                "id": "VARCHAR",
                "name": "VARCHAR",
                "running": "BOOLEAN",
                "trigger_application": "VARCHAR",
                "updated_at": TIME,
            },
            select={
                "automations": "select place, id as native_id, name, running as enabled, updated_at from records where id is not null"
            },
        )
        for records in ("items", "")
    ),
)
