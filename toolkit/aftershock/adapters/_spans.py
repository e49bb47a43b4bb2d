"""What traces have in common, whoever wrote them: a root span is a run, every other span of its trace a step of it.

A format brings its spans into one flat shape and says how an attribute is read; the conventions of OpenTelemetry are known here.
The flat shape is a SELECT of `place, trace_id, span_id, parent_id` (null at a root), `name, kind, service, version, code` (UNSET,
OK, ERROR or NOT ENDED), `message, started_at, ended_at, exception_type, exception_message, retry_of, linked, payload`, of what its
resource says `of_resource_result, of_resource_pipeline`, and whatever its attributes are read from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aftershock.model import FAILURES

Attribute = Callable[[str], str]
"""SQL: the text of an attribute of a span, null where it has none of that name."""

_RESULTS: Final[Mapping[str, str]] = {
    # `cicd.pipeline.result` and `cicd.pipeline.task.run.result`.
    "success": "succeeded",
    "failure": "failed",
    "error": "crashed",
    "timeout": "timed_out",
    "cancellation": "cancelled",
    "skip": "skipped",
    # `cicd.pipeline.run.state`, where there is no result yet.
    "pending": "queued",
    "executing": "running",
    "finalizing": "running",
    # What the collector's GitHub receiver writes instead: GitHub's own words.
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "skipped": "skipped",
    "timed_out": "timed_out",
    "neutral": "succeeded",
    "action_required": "waiting",
    "startup_failure": "crashed",
    "stale": "skipped",
    "queued": "queued",
    "waiting": "waiting",
    "in_progress": "running",
}
STATUS_WORDS: Final[Mapping[str | tuple[str | None, ...] | None, str]] = {
    "UNSET": "succeeded",  # no error was recorded
    "OK": "succeeded",
    "ERROR": "failed",
    "NOT ENDED": "running",
    **{(code, word): ours for word, ours in _RESULTS.items() for code in ("UNSET", "OK", "NOT ENDED")},
    **{("ERROR", word): ours if ours in (*FAILURES, "cancelled") else "failed" for word, ours in _RESULTS.items()},
}
"""A span's status code, alone or with the result that an attribute names. An error is one, whatever else is said."""

RESULTS: Final = (
    "cicd.pipeline.result",
    "cicd.pipeline.task.run.result",
    "cicd.pipeline.run.task.status",
    "cicd.pipeline.run.status",
    "cicd.pipeline.run.state",
)
_SYSTEMS: Final = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "db.system.name",
    "db.system",
    "messaging.system",
    "peer.service",
    "server.address",
    "net.peer.name",
    "http.host",
    "rpc.service",
)
# Which of several tries a span is, from 0.
_RESENT: Final = ("retry.attempt", "http.request.resend_count", "http.resend_count")
_METHODS: Final = (
    "http.request.method",
    "http.method",
    "db.operation.name",
    "db.operation",
    "messaging.operation.type",
    "messaging.operation",
)
_OTHERS: Final = (
    "cicd.pipeline.name",
    "cicd.pipeline.run.id",
    "cicd.pipeline.task.name",
    "cicd.pipeline.task.type",
    "error.type",
    "faas.trigger",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "http.url",
    "job.status",
    "job.trigger",
    "session.id",
    "url.full",
    "vcs.ref.head.revision",
)
READ: Final = (*RESULTS, *_SYSTEMS, *_RESENT, *_METHODS, *_OTHERS)
"""All attributes that are read of a span: where a format lists them, the others need not be looked through again and again."""
_VERBS: Final = {
    "read": ("GET", "HEAD", "SELECT", "FIND", "RECEIVE", "PROCESS"),
    "create": ("POST", "INSERT"),
    "update": ("PATCH", "UPDATE"),
    "upsert": ("PUT", "UPSERT", "MERGE"),
    "delete": ("DELETE",),
    "send": ("SEND", "PUBLISH"),
}


def first(attribute: Attribute, *names: str) -> str:
    """SQL: the first of these attributes that is there."""
    return f"coalesce({', '.join(attribute(name) for name in names)})"


def _status(attribute: Attribute) -> str:
    """SQL: a key of STATUS_WORDS. Of the `job.status` that programs make up only what no status code can say is believed."""
    own = attribute("job.status")
    own = f"case when lower({own}) in ('cancelled', 'canceled', 'skipped') then lower({own}) end"
    return f"concat_ws('|', code, coalesce({first(attribute, *RESULTS)}, of_resource_result, {own}))"


def _error(attribute: Attribute) -> str:
    return f"""case when code = 'ERROR' then coalesce(exception_type, {attribute("error.type")}) end as error_type,
           case when code = 'ERROR' then coalesce(exception_message, nullif(message, '')) end as error_message"""


def runs(spans: str, attribute: Attribute, slim: str | None = None) -> str:
    """SQL: the runs of spans; `slim` gives them with fewer columns, where that is cheaper: `place, trace_id, parent_id, started_at, ended_at`.

     Of a trace whose root is not in the file only is known that it is: the root may be in another file, or was never
    written because its process was killed."""
    pipeline = f"coalesce({attribute('cicd.pipeline.name')}, of_resource_pipeline)"
    agent = f"case when {attribute('gen_ai.operation.name')} = 'invoke_agent' then {attribute('gen_ai.agent.name')} end"
    return f"""
    with slim as materialized ({slim or spans})
    select place, trace_id as native_id, concat_ws('/', service, coalesce({pipeline}, {agent}, name)) as automation_native_id,
           coalesce({pipeline}, {agent}, name) as automation,
           {_status(attribute)} as status_raw, {first(attribute, "faas.trigger", "job.trigger")} as "trigger",
           started_at, ended_at, {_error(attribute)}, coalesce({attribute("vcs.ref.head.revision")}, version) as version,
           {first(attribute, "cicd.pipeline.run.id", "gen_ai.conversation.id", "session.id")} as correlation_id,
           nullif(retry_of, trace_id) as retry_of, case when len(linked) = 1 then nullif(linked[1], trace_id) end as parent_native_id,
           payload, coalesce(ended_at, started_at) as updated_at
    from ({spans}) where parent_id is null and trace_id is not null
    union all by name
    select min(place) as place, trace_id as native_id, max(coalesce(ended_at, started_at)) as updated_at
    from slim anti join (select trace_id from slim where parent_id is null) root using (trace_id)
    where trace_id is not null group by trace_id
    """


def steps(spans: str, attribute: Attribute) -> str:
    """SQL: the steps of spans: all but roots, and roots that failed, since a trace can have several roots and a run shows the last.

    A span that says which try it is has the same key as the other tries; where a loop repeats them, each round is an instance.
    """
    verb = f"upper(coalesce({first(attribute, *_METHODS)}))"
    operation = " ".join(
        f"when {verb} in {words} then '{ours}'" if len(words) > 1 else f"when {verb} = '{words[0]}' then '{ours}'"
        for ours, words in _VERBS.items()
    )
    task = f"case when {attribute('cicd.pipeline.task.name')} is not null then 'task' end"
    resent = f"try_cast({first(attribute, *_RESENT)} as INTEGER)"
    return f"""
    with told as (
        select *, {resent} + 1 as try_no from ({spans}) where trace_id is not null and (parent_id is not null or code = 'ERROR')
    ), tried as (
        select place, trace_id, span_id, row_number() over (partition by trace_id, parent_id, name, try_no order by started_at, span_id) - 1 as map_index
        from told where try_no between 1 and 1000 and parent_id is not null
    )
    select told.place, told.trace_id as native_id,
           case when tried.map_index is not null then parent_id || '/' || name else told.span_id end as key,
           coalesce({first(attribute, "cicd.pipeline.task.name", "gen_ai.tool.name")}, name) as name,
           case when parent_id is null then 'root span' else
                coalesce({first(attribute, "cicd.pipeline.task.type", "gen_ai.operation.name")}, {task}, kind) end as kind,
           coalesce({first(attribute, *_SYSTEMS)},
                    nullif(regexp_extract({first(attribute, "url.full", "http.url")}, '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1), '')) as system,
           case when tried.map_index is not null then try_no else 1 end as attempt, coalesce(tried.map_index, 0) as map_index,
           {_status(attribute)} as status_raw, started_at, ended_at, {_error(attribute)}, case {operation} end as operation,
           payload, coalesce(ended_at, started_at) as updated_at
    from told left join tried using (place, trace_id, span_id)
    """
