"""Make (Integromat): executions of scenarios, incomplete executions, scenarios.

`GET /api/v2/scenarios/{id}/logs`, one log, and `.../executions/{id}` (the detail); `GET /api/v2/dlqs?scenarioId=`, one of them,
`/dlqs/{id}/logs` and one of those; `GET /api/v2/scenarios`. Pages as answered, single ones, or a record a line.

A log names its scenario only inside `imtId` (`<start in ms>_<scenario|dlq>.<scenario or incomplete execution>.<auto|manual>.<execution>`)
and has no end: it is start and duration. An incomplete execution is what Make kept of a run that broke off: it adds why. Each try to
complete it is an execution of its own, a log of kind `dlq`; these tries are one chain, and carry the id of the incomplete execution as does
the run that broke off (`/dlqs/{id}`; the list `/dlqs` names no execution and is set aside). A detail holds no id: it is taken from the
file's name (`<execution id>.json`), else it is a reject.

A check run, in which the trigger found nothing, looks like any other success: ask without `showCheckRuns`. "Run once" is `manual`; whether
a start over the API is too, Make's documentation does not say.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "make"
DOCS = "https://developers.make.com/api-documentation/api-reference/scenarios-greater-than-logs"
FIDELITY = Fidelity(
    attempts=True,
    steps=False,
    items=False,
    trigger=True,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="7 to 60 days by plan",
    inferred="the end of a run from its duration; of a run known only as an incomplete execution: failed, or partial once that is resolved",
)

STATUS = StatusTable(
    {
        "0": "running",
        "1": "succeeded",
        "2": "partial",  # success with warnings: an error was handled, or kept as an incomplete execution
        "3": "failed",
        # The detail's words.
        "RUNNING": "running",
        "SUCCESS": "succeeded",
        "WARNING": "partial",
        "ERROR": "failed",
        # What an incomplete execution says of its run, in our words.
        "incomplete": "failed",
        "incomplete, deleted": "failed",
        "incomplete, resolved": "partial",
    }
)

_ENVELOPES: Final = {
    "scenarioLogs": "log",
    "scenarioLog": "log",
    "dlqLogs": "log",
    "dlqLog": "log",
    "dlqs": "dlq",
    "dlq": "dlq",
    "scenarios": "scenario",
    "scenario": "scenario",
}


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every record, whatever it is wrapped in, with its kind."""
    for value in values(path):
        if isinstance(value, CutOff):
            for item in value.items(*_ENVELOPES):
                yield item if isinstance(item, RecordError) else {**item, "is": _kind(item)}
        elif not isinstance(value, Mapping):
            yield RecordError("is no object", str(value)[:1000])
        elif wrapped := [name for name in _ENVELOPES if isinstance(value.get(name), Mapping | list)]:
            for name in wrapped:
                yield from _records(value[name], _ENVELOPES[name])
        else:
            yield {**value, "is": _kind(value)}


def _records(inside: Any, kind: str) -> Iterator[Mapping[str, Any] | RecordError]:
    for item in inside if isinstance(inside, list) else [inside]:
        yield {**item, "is": kind} if isinstance(item, Mapping) else RecordError("is no object", str(item)[:1000])


def _kind(record: Mapping[str, Any]) -> str:
    if "imtId" in record:
        return "log"
    if "resolved" in record and "attempts" in record:
        return "dlq"
    return "scenario" if "scheduling" in record else "detail"


def _is_detail(record: Mapping[str, Any]) -> bool:
    """Nothing but a word, and what came out or went wrong."""
    error = record.get("error")
    return record.get("status") in ("RUNNING", "SUCCESS", "WARNING", "ERROR") and (
        (isinstance(error, Mapping) and "causeModule" in error)
        or (bool(record.keys() & {"outputs", "executionId"}) and record.keys() <= _OF_DETAIL)
    )


_OF_DETAIL: Final = {"status", "outputs", "error", "executionId", "scenarioId", "detailUrl", "statusUrl"}


def _has_page(sample: Sample) -> bool:
    """An empty list of something that others have too is Make's only with its paging."""
    first: Any = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, Mapping) and (bool(first.get("scenarios")) or "pg" in first)


_COLUMNS: Final = {
    "is": "VARCHAR",
    "id": "VARCHAR",
    # logs
    "imtId": "VARCHAR",
    "eventType": "VARCHAR",
    "type": "VARCHAR",
    "status": "VARCHAR",
    "timestamp": TIME,
    "duration": "DOUBLE",
    "authorId": "VARCHAR",
    "instant": "BOOLEAN",
    "name": "VARCHAR",
    # incomplete executions and details
    "executionId": "VARCHAR",
    "scenarioId": "VARCHAR",
    "scenarioName": "VARCHAR",
    "reason": "VARCHAR",
    "resolved": "BOOLEAN",
    "deleted": "BOOLEAN",
    "created": TIME,
    "outputs": "JSON",
    "error": "JSON",
    # scenarios
    "isActive": "BOOLEAN",
    "islinked": "BOOLEAN",
    "isPaused": "BOOLEAN",
    "lastEdit": TIME,
    "scheduling": "JSON",
    "createdByUser": "JSON",
    "updatedByUser": "JSON",
}

# Execution ids stand with dashes in incomplete executions and without in logs: one form, without.
_TOLD: Final = r"""
parts as (
    select *, regexp_extract(imtId, '^([0-9]+)_([a-z]+)[.]([^.]+)[.]([^.]+)[.]([^.]+)$', ['begin', 'kind', 'owner', 'how', 'execution']) as part,
           case when "is" = 'detail' then nullif(regexp_extract(replace(lower(file_name), '-', ''), '[0-9a-f]{32}'), '') end as named,
           coalesce(status, case eventType when 'EXECUTION_START' then '0' end) as word
    from records
), told as (
    select *, lower(replace(coalesce(nullif(trim(case "is" when 'log' then id else executionId end), ''), nullif(part.execution, ''), named), '-', '')) as execution,
           coalesce("timestamp", epoch_time(try_cast(part."begin" as DECIMAL(38, 6)))) as began,
           "is" = 'log' and status is null and duration is null and coalesce(eventType, '') not like 'EXECUTION%' as is_edit
    from parts
)"""
_RUNS: Final = f"""
with {_TOLD}
select place, execution as native_id, case when part.kind = 'scenario' then part.owner end as automation_native_id, null as automation, word as status_raw,
       case when coalesce("type", part.how) = 'manual' and part.kind = 'scenario' then 'manual' end as role,
       concat_ws('/', coalesce("type", nullif(part.how, '')), case when instant then 'instant' end) as "trigger", began as started_at,
       case when word in ('1', '2', '3') then began + to_milliseconds(duration) end as ended_at,
       case when word in ('1', '2', '3') then duration / 1000 end as duration_s, null as error_type, null as error_message,
       case when part.kind = 'dlq' then 'dlq.' || part.owner end as retry_of, case when part.kind = 'dlq' then part.owner end as correlation_id,
       json_object('name', name) as payload, began + case when word = '0' then interval 0 second else to_milliseconds(coalesce(duration, 0)) end as updated_at
from told where "is" = 'log' and not is_edit and imtId is not null
union all by name
select place, execution as native_id, scenarioId as automation_native_id, scenarioName as automation,
       concat_ws(', ', 'incomplete', case when resolved then 'resolved' when deleted then 'deleted' end) as status_raw,
       created as ended_at, reason as error_message, lower(replace(id, '-', '')) as correlation_id, created as updated_at
from told where "is" = 'dlq' and execution is not null
union all by name
select place, execution as native_id, scenarioId as automation_native_id, word as status_raw, error ->> '$.name' as error_type,
       error ->> '$.message' as error_message, outputs as payload
from told where "is" = 'detail' and execution is not null
"""
_SELECT: Final = {
    "runs": _RUNS,
    "steps": f"""
with {_TOLD}
select place, execution as native_id, error ->> '$.causeModule.name' as key, 'module' as kind, error ->> '$.causeModule.appName' as system,
       'ERROR' as status_raw, error ->> '$.name' as error_type, error ->> '$.message' as error_message
from told where "is" = 'detail' and execution is not null and (error ->> '$.causeModule.name') is not null
""",
    "automations": """
select place, id as native_id, name, createdByUser ->> '$.name' as owner,
       concat_ws(' ', scheduling ->> '$.type', 'every ' || (scheduling ->> '$.interval') || ' s') as schedule,
       coalesce(isActive, islinked) and not coalesce(isPaused, false) as enabled, lastEdit as updated_at
from records where "is" = 'scenario' and id is not null
""",
    "changes": f"""
with {_TOLD}
select place, id as automation_native_id, name as automation, lastEdit as "at", updatedByUser ->> '$.name' as "by", 'edited' as kind
from told where "is" = 'scenario' and id is not null and lastEdit is not null
union all by name
select place, part.owner as automation_native_id, began as "at", authorId as "by", coalesce("type", eventType) as kind
from told where is_edit and part.kind = 'scenario' and began is not null
""",
    "set_aside": f"""
with {_TOLD}
select place, 'incomplete execution without the id of its execution: /dlqs/' || coalesce(id, '{{id}}') || ' tells it' as reason
from told where "is" = 'dlq' and execution is null
union all by name
select place, 'no execution' as reason from told where is_edit and (part.kind <> 'scenario' or began is null)
""",
    "rejects": f"""
with {_TOLD}
select place, 'executionId' as field, file_name as seen, 'names no execution: call the file <execution id>.json' as reason
from told where "is" = 'detail' and execution is null
union all
select place, 'imtId' as field, null as seen, 'is missing' as reason from told where "is" = 'log' and imtId is null
""",
}


def _export(name: str, records: str, requires: set[str], **more: Any) -> Export:
    return Export(
        name=name,
        form="json",
        records=records,
        requires=frozenset(requires),
        reader=read,
        columns=_COLUMNS,
        select=_SELECT,
        **more,
    )


_INCOMPLETE: Final = {"id", "created", "resolved", "attempts"}

EXPORTS = (
    _export("scenario logs", "scenarioLogs", {"imtId"}),
    _export("scenario log", "scenarioLog", {"imtId"}),
    _export("logs of an incomplete execution", "dlqLogs", {"imtId"}),
    _export("log of an incomplete execution", "dlqLog", {"imtId"}),
    _export("logs", "", {"imtId", "timestamp", "duration"}),
    _export("incomplete executions", "dlqs", _INCOMPLETE, rank=1),
    _export("incomplete execution", "dlq", _INCOMPLETE, rank=1),
    _export("incomplete executions, bare", "", _INCOMPLETE | {"retry", "size"}, rank=1),
    _export("scenarios", "scenarios", {"id", "name", "teamId", "scheduling"}, claims=_has_page),
    _export("scenario", "scenario", {"id", "name", "teamId", "scheduling"}),
    _export("detail", "", {"status"}, where=_is_detail, rank=1, generic=True),
)
