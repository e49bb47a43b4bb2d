"""BullMQ (and Bull before it): jobs, queue events and Redis keys of a queue.

Jobs as `job.toJSON()` gives them, a line each or an array, best with the state they were asked for: `queue.getJobs([state])` and
`{state, ...job.toJSON(), logs}`, since toJSON has none. A `QueueEvents` subscription, a line an event: `{event, streamId: id, ...args}`.
A dump of the keys `<prefix>:<queue>:*` as one JSON object. What `getJobSchedulers()` gives. Bull-board's `GET /api/queues` and
`/api/queues/<queue>/<job>`.

A run is a job id; every time a worker takes the job up is an attempt, and a step of the run: retries, retries by hand and stalls
keep the id. Jobs that were removed at once are known from events alone. A job that a scheduler only planned is set aside.

Ids count from 1 in every queue, and queue events do not name theirs: give each queue its own `[[sources]]`. In a file that
holds several queues the queue stands before the id. A custom id that is added again after it was removed is the same run.

Not to be known: whether an active job's worker lives; whether a parent in `waiting-children` waits or is stuck for ever, when its
child failed without `failParentOnFailure`; what became of a job that returned `{"enriched": false}`: its words are its own, only
an `error` in what it returned makes it partial. A job without its state tells it by its fields, where they leave no doubt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters._pairs import pairs
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "bullmq"
DOCS = "https://docs.bullmq.io/guide/jobs/getters"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=False,
    parents=True,
    keys=True,
    evidence="captured",
    retention="jobs until removeOnComplete, removeOnFail or `clean`; the last 10,000 events",
    inferred="a failed attempt where an active job goes back to delayed or waiting; partial from an `error` in the returned value",
)

_STALLED: Final = "job stalled more than allowable limit"
STATUS = StatusTable(
    {
        "added": "queued",
        "waiting": "queued",
        "wait": "queued",
        "prioritized": "queued",
        "delayed": "waiting",
        "paused": "waiting",
        "waiting-children": "waiting",
        "active": "running",
        "completed": "succeeded",
        "failed": "failed",
        ("failed", _STALLED): "crashed",  # its workers died, as often as the queue allows
        "removed": "cancelled",  # before it began
        "stalled": "crashed",  # an attempt whose worker was lost
        "stuck": "unknown",
        "unknown": "unknown",
    }
)

_JOB: Final = {
    **dict.fromkeys(
        ("id", "name", "state", "failedReason", "parentKey", "repeatJobKey", "queueQualifiedName", "library"), "VARCHAR"
    ),
    **dict.fromkeys(("timestamp", "processedOn", "finishedOn"), TIME),
    **dict.fromkeys(("attemptsMade", "attemptsStarted", "stalledCounter"), "INTEGER"),
    **dict.fromkeys(("data", "opts", "returnvalue", "stacktrace", "logs", "parent"), "JSON"),
}
_EVENT: Final = {
    **dict.fromkeys(("event", "streamId", "jobId", "name", "prev", "failedReason", "queueQualifiedName"), "VARCHAR"),
    "returnvalue": "JSON",
}
_IS_JOB: Final = frozenset({"id", "name", "data", "opts", "timestamp", "attemptsMade"})


def _carried(value: str) -> str:
    """The error that a returned value carries, whether it is JSON or a text with JSON in it; null for none."""
    parsed = f"case when json_type({value}) = 'VARCHAR' then try(json({value} ->> '$')) else {value} end"
    found = f"json_extract_string({parsed}, '$.error')"
    return f"case when lower(trim({found})) not in ('', 'null', 'none', 'false', 'no', 'ok', '0', '{{}}', '[]') then {found} end"


def _queue(column: str) -> str:
    return f"nullif(regexp_extract({column}, '([^:]+)$', 1), '')"


# A finished word stands five seconds later than it was: workers' clocks are not Redis' own. A job's own record stands last.
# Where the state alone is new, the number of attempts and the state tell what came after what.
_TOLD_JOBS: Final = f"""
    told as (
        select *, {_queue("queueQualifiedName")} as queue, {_carried("returnvalue")} as carried, (returnvalue ->> '$') <> 'null' as has_value,
               coalesce(from_json(case when json_type(stacktrace) = 'ARRAY' then stacktrace end, '["VARCHAR"]'), []) as traces,
               count(distinct queueQualifiedName) over () > 1 as is_scoped
        from ({{jobs}})
    ), stated as (
        select *, case when is_scoped then queue end as scope, coalesce(nullif(repeatJobKey, ''), case when id like 'repeat:%' then id end) as scheduler,
               case when state is not null then state
                    when finishedOn is not null and (failedReason is null or has_value) then 'completed'
                    when finishedOn is not null and failedReason = '{_STALLED}' then 'failed'
                    -- Bull keeps the words of an earlier failure: with attempts left the last one need not have failed
                    when finishedOn is not null and len(traces) >= attemptsMade
                         and (coalesce(library, queueQualifiedName, 'bull') <> 'bull'
                              or attemptsMade >= coalesce(try_cast(opts ->> '$.attempts' as BIGINT), 1)) then 'failed'
                    when finishedOn is not null and len(traces) < attemptsMade and attemptsStarted is not null
                         and (opts ->> '$.stackTraceLimit') is null then 'completed'
                    when finishedOn is not null then 'unknown'
                    when attemptsStarted > attemptsMade then 'active'
                    when processedOn is null and coalesce(try_cast(opts ->> '$.delay' as BIGINT), 0) = 0 then 'waiting'
                    when processedOn is null then 'delayed'
                    when attemptsMade = 0 and failedReason is null and len(traces) = 0 then 'active' else 'unknown' end as stands
        from told
    ), jobs as (
        select *, stands in ('completed', 'failed') as is_ended, scheduler is not null and stands = 'delayed' and processedOn is null as is_planned,
               coalesce(nullif(attemptsStarted, 0), len(traces) + (stands in ('completed', 'active'))::INTEGER) as times_taken,
               case when stands = 'failed' and failedReason = '{_STALLED}' then concat_ws('|', stands, failedReason) else stands end as words,
               greatest("timestamp", processedOn, finishedOn) + case when stands in ('completed', 'failed') then interval 6 seconds
                   else to_microseconds(10 * coalesce(attemptsMade, 0) + coalesce(list_position(['waiting', 'active', 'delayed'], stands), 0)) end as changed_at
        from stated
    )"""
_ERROR_TYPE: Final = r"nullif(regexp_extract(traces[-1], '^(?:[\w]+\.)*([A-Z]\w*)(?::|\n|$)', 1), '')"
_RUNS_OF_JOBS: Final = f"""
with {_TOLD_JOBS}
select place, scope, id as native_id, name as automation,
       case when stands = 'completed' and carried is not null then 'partial' end as status, words as status_raw,
       case when scheduler is not null then 'scheduler' when coalesce(parentKey, parent::VARCHAR) is not null then 'flow' end as trigger,
       "timestamp" as queued_at, case when times_taken <= 1 then processedOn end as started_at, case when is_ended then finishedOn end as ended_at,
       case when stands = 'failed' then {_ERROR_TYPE} end as error_type,
       case when stands = 'failed' then failedReason when stands = 'completed' then carried end as error_message,
       case when is_scoped then coalesce({_queue("parent ->> '$.queueKey'")}, regexp_extract(parentKey, '^[^:]+:([^:]+):', 1)) end as parent_scope,
       coalesce(parent ->> '$.id', nullif(regexp_extract(parentKey, '^[^:]+:[^:]+:(.*)$', 1), '')) as parent_native_id,
       json_object('data', data, 'returnvalue', returnvalue, 'logs', logs, 'queue', queue, 'deduplication', opts -> '$.deduplication') as payload,
       changed_at as updated_at
from jobs where not is_planned
"""
# Every attempt that failed left its stack; only where none stalled is it plain which one.
_STEPS_OF_JOBS: Final = f"""
with {_TOLD_JOBS}, earlier as (
    select *, unnest(range(1, len(traces) - (stands = 'failed')::INTEGER + 1)) as n from jobs
    where coalesce(stalledCounter, 0) = 0 and len(traces) + (stands <> 'failed')::INTEGER >= times_taken and times_taken > 1
)
select place, scope, id as native_id, 'job' as key, name, 'job' as kind, times_taken as attempt,
       case when stands = 'completed' and carried is not null then 'partial' end as status, words as status_raw,
       processedOn as started_at, case when is_ended then finishedOn end as ended_at,
       case when stands = 'failed' then {_ERROR_TYPE} end as error_type,
       case when stands = 'failed' then failedReason when stands = 'completed' then carried end as error_message, changed_at as updated_at
from jobs where not is_planned and times_taken > 0 and stands in ('completed', 'failed', 'active')
union all by name
select place, scope, id as native_id, 'job' as key, name, 'job' as kind, n::INTEGER as attempt, 'failed' as status, 'failed' as status_raw,
       nullif(regexp_extract(traces[n], '^(?:[\\w]+\\.)*([A-Z]\\w*)(?::|\\n|$)', 1), '') as error_type,
       regexp_extract(traces[n], '^(?:[\\w.]+: )?([^\\n]*)', 1) as error_message, changed_at as updated_at
from earlier where n < times_taken
"""
_PLANNED_JOBS: Final = f"""
with {_TOLD_JOBS}
select place, 'planned by a scheduler, not begun' as reason from jobs where is_planned
"""

# The number behind the milliseconds orders what happened in one of them.
_MOVES: Final = "('added', 'waiting', 'prioritized', 'delayed', 'waiting-children', 'active', 'completed', 'failed', 'stalled', 'removed')"
_TOLD_EVENTS: Final = f"""
    told as (
        select *, epoch_time(try_cast(split_part(streamId, '-', 1) as BIGINT))
                      + to_microseconds(coalesce(try_cast(split_part(streamId, '-', 2) as INTEGER), 0)) as "at",
               {_carried("returnvalue")} as carried, jobId like 'repeat:%' as is_repeat,
               case when count(distinct queueQualifiedName) over () > 1 then {_queue("queueQualifiedName")} end as scope
        from ({{events}}) where event in {_MOVES}
    ), moves as (
        select *, max(name) over job as task, bool_or(event = 'added') over job as is_told_from_the_first,
               is_repeat and not bool_or(event in ('waiting', 'active', 'completed', 'failed')) over job as is_planned,
               count(*) filter (event = 'active') over so_far as taken,
               coalesce(lag(event) over (partition by queueQualifiedName, jobId order by "at", place), prev) as before,
               "at" + case when event in ('completed', 'failed', 'removed') then interval 5 seconds else interval 0 seconds end as changed_at
        from told
        window job as (partition by queueQualifiedName, jobId),
               so_far as (partition by queueQualifiedName, jobId order by "at", place rows between unbounded preceding and current row)
    )"""
_WORDS: Final = f"case when event = 'failed' and failedReason = '{_STALLED}' then concat_ws('|', event, failedReason) else event end"
_RUNS_OF_EVENTS: Final = f"""
with {_TOLD_EVENTS}
select place, scope, jobId as native_id, task as automation, case when event = 'completed' and carried is not null then 'partial' end as status,
       case when event = 'stalled' or (event = 'removed' and coalesce(prev, 'completed') in ('completed', 'failed')) then null else {_WORDS} end as status_raw,
       case when is_repeat then 'scheduler' end as trigger, case when event = 'added' then "at" end as queued_at,
       case when event = 'active' and taken = 1 and is_told_from_the_first then "at" end as started_at,
       case when event in ('completed', 'failed') then "at" end as ended_at,
       case when event = 'failed' then failedReason when event = 'completed' then carried end as error_message,
       case when returnvalue is not null then json_object('returnvalue', returnvalue) end as payload, changed_at as updated_at
from moves where not is_planned
"""
_STEPS_OF_EVENTS: Final = f"""
with {_TOLD_EVENTS}
select place, scope, jobId as native_id, 'job' as key, task as name, 'job' as kind, taken as attempt,
       case when event in ('delayed', 'waiting', 'prioritized') then 'failed' when event = 'completed' and carried is not null then 'partial' end as status,
       {_WORDS} as status_raw, case when event = 'active' then "at" end as started_at, case when event <> 'active' then "at" end as ended_at,
       case event when 'failed' then failedReason when 'completed' then carried when 'stalled' then 'stalled: its worker was lost' end as error_message,
       changed_at as updated_at
from moves
where is_told_from_the_first and not is_planned and taken > 0
  and (event in ('active', 'completed', 'failed', 'stalled') or (event in ('delayed', 'waiting', 'prioritized') and before = 'active'))
"""
_OTHER_EVENTS: Final = f"""
with {_TOLD_EVENTS}
select place, 'planned by a scheduler, not begun' as reason from moves where is_planned
union all
select place, case when event in ('duplicated', 'deduplicated', 'debounced') then 'added again, which the queue ignored'
                   when jobId is null then 'of the queue' else event end as reason
from ({{events}}) where event not in {_MOVES}
"""
_LINES: Final = "select * from records"


def _over(query: str, records: str) -> str:
    """A query over jobs or over events, wherever they stand."""
    return query.replace("{jobs}", records).replace("{events}", records)


def _read_keys(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The jobs and events among the keys of Redis; what else a queue keeps is one record a key."""
    dump, broken = pairs(path)
    keys = {key: _value(stored) for part in _databases(dump) for key, stored in part.items()}
    queues = _queues(keys)
    states = {
        f"{queue}:{job}": state
        for queue in queues
        for word, state in _LISTS
        for job in _members(keys.get(f"{queue}:{word}"))
    }
    for key, value in keys.items():
        queue = max((queue for queue in queues if key.startswith(f"{queue}:")), key=len, default="")
        if _is_hash(value):
            job = key[len(queue) + 1 :] if queue else key.split(":", 2)[-1]
            yield _job(job, value, states.get(key), queue or ":".join(key.split(":")[:2]), keys.get(f"{key}:logs"))
        elif key == f"{queue}:events" and isinstance(value, list):
            for entry in value:
                yield _event(entry, queue)
        else:
            yield {"kind": "key"}
    yield from broken


def _read_board(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The jobs of bull-board's queues, and the one job of its page about a job."""
    for value in values(path):
        if isinstance(value, CutOff):
            for job in value.items("jobs"):
                yield job if isinstance(job, RecordError) else _of_board(job, {}, None)
            continue
        for queue in _list(value, "queues"):
            for job in _list(queue, "jobs"):
                yield (
                    _of_board(job, queue, None)
                    if isinstance(job, Mapping)
                    else RecordError("is no object", str(job)[:1000])
                )
        if isinstance(value, Mapping) and isinstance(value.get("job"), Mapping):
            yield _of_board(value["job"], {}, value.get("status"))


def _of_board(job: Mapping[str, Any], queue: Mapping[str, Any], state: Any) -> dict[str, Any]:
    record = {_OF_BOARD.get(name, name): value for name, value in job.items()}
    return {name: record[name] for name in _JOB if name in record} | {
        "state": state, "queueQualifiedName": queue.get("name"), "library": queue.get("type"),
    }  # fmt: skip


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []


def _is_board(sample: Sample) -> bool:
    top = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    queues = _list(top, "queues")
    if queues:
        return isinstance(queues[0], Mapping) and {"name", "counts", "jobs"} <= set(queues[0])
    job = top.get("job") if isinstance(top, Mapping) else None
    return isinstance(job, Mapping) and {"id", "timestamp", "attempts", "isFailed"} <= set(job)


_OF_BOARD: Final = {"attempts": "attemptsMade", "returnValue": "returnvalue"}
_LISTS: Final = (
    *(("wait", "waiting"), ("paused", "paused"), ("prioritized", "prioritized"), ("delayed", "delayed")),
    *(("waiting-children", "waiting-children"), ("active", "active"), ("completed", "completed"), ("failed", "failed")),
)
_SHORT: Final = {"atm": "attemptsMade", "ats": "attemptsStarted", "stc": "stalledCounter", "rjk": "repeatJobKey"}
_WRITTEN_AS_JSON: Final = ("data", "opts", "returnvalue", "stacktrace", "parent")


def _databases(dump: Any) -> list[dict[str, Any]]:
    return [part for part in (dump if isinstance(dump, list) else [dump]) if isinstance(part, dict)]


def _value(stored: Any) -> Any:
    return stored["value"] if isinstance(stored, dict) and stored.keys() >= {"type", "value"} else stored


def _queues(keys: Mapping[str, Any]) -> set[str]:
    """`<prefix>:<queue>`: what stands before the keys that every queue has."""
    return {key[: found.start()] for key in keys if (found := re.search(r":(?:meta|id|events|stalled-check)$", key))}


def _is_hash(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= {"name", "data", "opts", "timestamp"}


def _members(value: Any) -> list[str]:
    """The ids in a list or in a sorted set, whether its scores stand between them, in pairs or as values."""
    if isinstance(value, dict):
        return [str(member) for member in value]
    if not isinstance(value, list):
        return []
    return [str(item[0] if isinstance(item, list) and item else item) for item in value]


def _job(job: str, fields: Mapping[str, Any], state: str | None, queue: str, logs: Any) -> Mapping[str, Any]:
    record = {_SHORT.get(name, name): value for name, value in fields.items() if _SHORT.get(name, name) in _JOB}
    for name in _WRITTEN_AS_JSON:
        if isinstance(record.get(name), str):
            record[name] = _json(record[name])
    return record | {"kind": "job", "id": job, "state": state, "queueQualifiedName": queue, "logs": logs}


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _event(entry: Any, queue: str) -> Mapping[str, Any] | RecordError:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], (list, dict)):
        return RecordError("is no entry of a stream", str(entry)[:1000], "events")
    told = entry[1]
    fields = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=False))
    record = {name: value for name, value in fields.items() if name in _EVENT}
    if isinstance(record.get("returnvalue"), str):
        record["returnvalue"] = _json(record["returnvalue"])
    return record | {"kind": "event", "streamId": str(entry[0]), "queueQualifiedName": queue}


def _is_dump(sample: Sample) -> bool:
    return any(
        ":" in key and _is_hash(_value(stored)) for part in _databases(sample.top) for key, stored in part.items()
    )


_JOBS_OF_KEYS: Final = "select * from records where kind = 'job'"
_EVENTS_OF_KEYS: Final = "select * from records where kind = 'event'"

EXPORTS = (
    Export(
        name="jobs",
        form="json",
        requires=_IS_JOB,
        one_of=frozenset({"returnvalue", "stacktrace", "progress"}),
        columns=_JOB,
        select={
            "runs": _over(_RUNS_OF_JOBS, _LINES),
            "steps": _over(_STEPS_OF_JOBS, _LINES),
            "set_aside": _over(_PLANNED_JOBS, _LINES),
        },
    ),
    Export(
        name="queue events",
        form="json",
        requires=frozenset({"event", "streamId"}),
        columns=_EVENT,
        select={
            "runs": _over(_RUNS_OF_EVENTS, _LINES),
            "steps": _over(_STEPS_OF_EVENTS, _LINES),
            "set_aside": _over(_OTHER_EVENTS, _LINES),
        },
    ),
    Export(
        name="redis keys",
        form="json",
        claims=_is_dump,
        reader=_read_keys,
        columns={"kind": "VARCHAR", **_JOB, **_EVENT},
        select={
            "runs": f"({_over(_RUNS_OF_JOBS, _JOBS_OF_KEYS)}) union all by name ({_over(_RUNS_OF_EVENTS, _EVENTS_OF_KEYS)})",
            "steps": f"({_over(_STEPS_OF_JOBS, _JOBS_OF_KEYS)}) union all by name ({_over(_STEPS_OF_EVENTS, _EVENTS_OF_KEYS)})",
            "set_aside": f"""({_over(_PLANNED_JOBS, _JOBS_OF_KEYS)}) union all by name ({_over(_OTHER_EVENTS, _EVENTS_OF_KEYS)})
                union all by name select place, 'a key that is neither job nor event' as reason from records where kind = 'key'""",
        },
    ),
    Export(
        name="bull-board",
        form="json",
        claims=_is_board,
        reader=_read_board,
        columns=_JOB,
        select={
            "runs": _over(_RUNS_OF_JOBS, _LINES),
            "steps": _over(_STEPS_OF_JOBS, _LINES),
            "set_aside": _over(_PLANNED_JOBS, _LINES),
        },
    ),
    Export(
        name="job schedulers",
        form="json",
        requires=frozenset({"key", "name", "next"}),
        one_of=frozenset({"every", "pattern", "cron"}),
        columns={
            **dict.fromkeys(("key", "name", "pattern", "cron", "tz", "every"), "VARCHAR"),
            "next": TIME,
        },
        select={
            "automations": """
select place, name, concat_ws(' ', coalesce(pattern, cron, 'every ' || (try_cast(every as BIGINT) / 1000)::BIGINT || ' s'), tz) as schedule,
       true as enabled
from records where name is not null
"""
        },
    ),
)
