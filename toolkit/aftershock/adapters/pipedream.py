"""Pipedream: errors of workflows.

`GET /v1/workflows/{id}/$errors/event_summaries?expand=event` (the last 100), and `$errors` events as a subscription delivers
them. `/event_summaries` of what workflows emit is recognised and set aside: it says nothing of a run.

There is no list of all executions: what succeeded is not told by these files, and a failure rate cannot be had from them alone.
So they cover their time as filtered. Without `expand=event` Pipedream cuts an event off at 1 KB; one without its context is a
reject. The same context id again is the next try of an automatic retry, counted within a file.
"""

from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "pipedream"
DOCS = "https://pipedream.com/docs/rest-api/api-reference/workflows/get-workflows-errors"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="the last 100 errors of each workflow",
    inferred="timed_out and crashed from an error's code",
)

STATUS = StatusTable(
    {
        # Being listed is the status; the code of the error may say more.
        "error": "failed",
        "timeout": "timed_out",
        "out of memory": "crashed",
    }
)

_CONTEXT: Final = (
    "STRUCT(id VARCHAR, ts VARCHAR, workflow_id VARCHAR, deployment_id VARCHAR, source_type VARCHAR, test BOOLEAN)"
)
_ERROR: Final = (
    'STRUCT(code VARCHAR, cellId VARCHAR, namespace VARCHAR, ts VARCHAR, msg VARCHAR, message VARCHAR, "stack" VARCHAR)'
)


def _select(source: str) -> dict[str, str]:
    """Runs and their one known step of relations with `event`, `seen_at` and `is_error`."""
    told = f"""
errors as (
    select place, event.original_context as context, event.error as error, event.original_event as payload,
           coalesce(as_time(event.error.ts), seen_at) as failed_at,
           coalesce(event.error.msg, event.error.message, trim(split_part(event.error."stack", chr(10), 1))) as message,
           case when lower(event.error.code) like '%timeout%' then 'timeout'
                when regexp_matches(lower(event.error.code), 'out.?of.?memory|oom') then 'out of memory' else 'error' end as word
    from ({source}) where is_error and event.original_context.id is not null
), tries as (
    select *, dense_rank() over (partition by context.id order by failed_at) as attempt from errors
)"""
    return {
        "runs": f"""
with {told}
select place, context.id as native_id, attempt, context.workflow_id as automation_native_id, word as status_raw,
       case when context.test then 'test' end as role, context.source_type as "trigger",
       case when attempt = 1 then as_time(context.ts) end as started_at, failed_at as ended_at, context.deployment_id as version,
       error.code as error_type, message as error_message, case when attempt > 1 then context.id end as retry_of,
       case when attempt > 1 then attempt - 1 end as retry_of_attempt, payload, failed_at as updated_at
from tries
""",
        "steps": f"""
with {told}
select place, context.id as native_id, attempt as run_attempt, error.cellId as key, coalesce(error.namespace, error.cellId) as name,
       word as status_raw, failed_at as ended_at, error.code as error_type, message as error_message, failed_at as updated_at
from tries where error.cellId is not null
""",
        "set_aside": f"select place, 'an emitted event, and no run' as reason from ({source}) where not is_error",
        "rejects": f"""
select place, 'event.original_context.id' as field, null as seen, 'the event is cut off: export it again with expand=event' as reason
from ({source}) where is_error and event.original_context.id is null
""",
        "coverage": f"""
with {told}
select min(failed_at) as covers_from, max(failed_at) as covers_to, 'filtered' as completeness from tries having count(*) > 0
""",
    }


def _is_page(sample: Sample) -> bool:
    """Pipedream's envelope."""
    first: Any = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    info = first.get("page_info") if isinstance(first, dict) else None
    return isinstance(info, dict) and "start_cursor" in info


EXPORTS = (
    Export(
        name="event summaries",
        form="json",
        records="data",
        requires=frozenset({"id", "indexed_at_ms"}),
        one_of=frozenset({"event", "metadata"}),
        claims=_is_page,
        columns={
            "id": "VARCHAR",
            "indexed_at_ms": TIME,
            "event": f'STRUCT(original_event JSON, original_context {_CONTEXT}, error {_ERROR}, metadata STRUCT("name" VARCHAR))',
            "metadata": 'STRUCT("name" VARCHAR)',
        },
        select=_select(
            "select place, indexed_at_ms as seen_at, event, coalesce(event.error is not null or event.original_context is not null"
            " or coalesce(event.metadata.name, metadata.name) = '$errors', false) as is_error from records"
        ),
    ),
    Export(
        name="error events",
        form="json",
        requires=frozenset({"original_context.workflow_id", "original_context.id", "error.ts"}),
        columns={"original_event": "JSON", "original_context": _CONTEXT, "error": _ERROR},
        select=_select(
            "select place, null::TIMESTAMPTZ as seen_at, {'original_event': original_event, 'original_context': original_context,"
            " 'error': error} as event, true as is_error from records"
        ),
    ),
)
