"""Celery's events, as a monitor of the broker gets them: one JSON object a line; and what Flower makes of them.

`app.events.Receiver(...).capture()` with each event written as JSON (workers started with `-E`; `task_send_sent_event` for the
moment of sending). Also the tasks that `celery.events.State` keeps, as Flower shows them: `GET /api/tasks`, or one a line;
and the messages that wait in a queue (`redis-cli --raw LRANGE <queue> 0 -1`).

A run is a task id; a retry keeps the id, so each attempt is a step of the run. Only `task-sent` and `task-received` carry name,
arguments and the number of retries, so a file with neither of them tells no attempts. Flower's tasks tell one state each: what
was retried has lost its earlier attempts, and a hard time limit reads as the loss of its process where that came last.

Not to be known from here: a task of a worker that was killed stays running for ever, as does one that raised `Ignore`; a link of
a chain behind one that failed has no event at all. Where a worker and the receiver live in different time zones Celery shifts
the event's time by the difference, which cannot be undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._celery import EVENT, EVENTS, carried_error, error_message, error_type, plain
from aftershock.adapters._celery import STATUS as STATUS
from aftershock.adapters._pairs import pairs
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample

TOOL = "celery"
DOCS = "https://docs.celeryq.dev/en/stable/userguide/monitoring.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=True,
    keys=True,
    evidence="captured",
    retention="nothing is kept: whoever listened has them",
    inferred="the attempt of an event that does not tell it, from the retries before it; partial from an `error` that the result carries",
)

_TASK_NAMES: Final = frozenset({"uuid", "name", "state", "received"})
_TASK: Final = {
    **dict.fromkeys(
        ("uuid", "name", "state", "args", "kwargs", "result", "exception", "traceback", "root_id", "parent_id"),
        "VARCHAR",
    ),
    **dict.fromkeys(
        ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "timestamp"), TIME
    ),
    "retries": "INTEGER",
    "runtime": "DOUBLE",
}
_ENDED: Final = "coalesce(succeeded, failed, revoked, rejected)"
# What Flower keeps of an earlier attempt's exception says nothing of a success.
_OF_FLOWER: Final = f"""
    with tasks as (
        select *, {error_type("exception", "traceback")} as error_type, {error_message("exception", "traceback")} as message,
               {plain("result")} as returned, {carried_error(plain("result"))} as carried,
               coalesce("timestamp", {_ENDED}, retried, started, received, sent) as changed_at
        from records
    )"""
_STATE: Final = """case when state = 'SUCCESS' and carried is not null then 'partial' end as status,
       concat_ws('|', state, case when state = 'FAILURE' and error_type in ('SoftTimeLimitExceeded', 'TimeLimitExceeded', 'WorkerLostError')
                                  then error_type end) as status_raw"""
_ERROR: Final = """case when state in ('FAILURE', 'REJECTED') then error_type end as error_type,
       case when state in ('FAILURE', 'REJECTED') then message else carried end as error_message"""
_TASKS: Final = {
    "runs": f"""{_OF_FLOWER}
select place, uuid as native_id, name as automation, {_STATE},
       coalesce(sent, received) as queued_at, case when coalesce(retries, 0) = 0 then started end as started_at,
       {_ENDED} as ended_at, case when coalesce(retries, 0) = 0 then runtime end as duration_s,
       root_id as correlation_id, nullif(parent_id, uuid) as parent_native_id, {_ERROR},
       json_object('args', {plain("args")}, 'kwargs', {plain("kwargs")}, 'result', returned, 'exception', exception) as payload,
       changed_at as updated_at
from tasks
""",
    "steps": f"""{_OF_FLOWER}
select place, uuid as native_id, 'task' as key, name, 'task' as kind, coalesce(retries, 0) + 1 as attempt, {_STATE},
       started as started_at, {_ENDED} as ended_at, runtime as duration_s, {_ERROR}, changed_at as updated_at
from tasks where started is not null and state not in ('PENDING', 'RECEIVED', 'RETRY')
""",
}


# A message tells no time; the events of its task know better, whatever they say.
_MESSAGES: Final = {
    "runs": f"""
select place, headers.id as native_id, headers.task as automation, 'published' as status_raw,
       headers.root_id as correlation_id, nullif(headers.parent_id, headers.id) as parent_native_id,
       json_object('args', {plain("headers.argsrepr")}, 'kwargs', {plain("headers.kwargsrepr")}) as payload,
       TIMESTAMPTZ '2000-01-01 00:00:00+00' as updated_at
from records
"""
}


def _read_tasks(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Flower's tasks by their ids, without the ids."""
    by_id, broken = pairs(path)
    for uuid, task in by_id.items() if isinstance(by_id, dict) else ():
        yield {"uuid": uuid, **task} if isinstance(task, dict) else RecordError("is no task", str(task), uuid)
    yield from broken


def _are_tasks_by_id(sample: Sample) -> bool:
    first = next(iter(sample.top.values()), None) if isinstance(sample.top, dict) else None
    return isinstance(first, dict) and first.keys() >= _TASK_NAMES


EXPORTS = (
    Export(
        name="events",
        form="json",
        requires=frozenset({"type", "hostname", "timestamp", "clock"}),
        where=lambda event: str(event["type"]).startswith(("task-", "worker-")),
        columns=EVENT,
        select=EVENTS,
    ),
    Export(
        name="queued messages",
        form="json",
        requires=frozenset({"headers.id", "headers.task", "properties.delivery_info", "body"}),
        columns={
            "headers": "STRUCT(id VARCHAR, task VARCHAR, root_id VARCHAR, parent_id VARCHAR, argsrepr VARCHAR, kwargsrepr VARCHAR)"
        },
        select=_MESSAGES,
    ),
    # Secondary: one state a task, made from the events that whoever kept it happened to hear.
    Export(
        name="tasks",
        form="json",
        requires=_TASK_NAMES,
        one_of=frozenset({"sent", "succeeded", "failed", "retried", "worker"}),
        columns=_TASK,
        select=_TASKS,
        rank=1,
    ),
    Export(
        name="flower result",
        form="json",
        requires=frozenset({"task-id", "state"}),
        columns={**dict.fromkeys(("task-id", "state", "traceback"), "VARCHAR"), "result": "JSON"},
        select={
            "runs": """
select place, "task-id" as native_id, state as status_raw, case when state in ('FAILURE', 'REVOKED') then result ->> '$' end as error_message,
       json_object('result', result) as payload, TIMESTAMPTZ '2000-01-01 00:00:00+00' as updated_at
from records where "task-id" is not null
""",
            "rejects": """select place, 'task-id' as field, null::VARCHAR as seen, 'has no id' as reason from records where "task-id" is null""",
        },
        rank=1,
    ),
    Export(
        name="flower tasks",
        form="json",
        claims=_are_tasks_by_id,
        reader=_read_tasks,
        columns=_TASK,
        select=_TASKS,
        rank=1,
    ),
)
