"""n8n's event bus log, `n8nEventLog*.log`: one JSON object a line, rotated at each start.

A secondary source: it tells of runs that were never saved or are long pruned, but neither of items nor of waiting for ever.
"""

from __future__ import annotations

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "n8n"
DOCS = "https://docs.n8n.io/log-streaming/"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=True,
    versions=False,
    parents=False,
    keys=False,
    evidence="captured",
    retention="three files of 10 MB, a new one at each start (N8N_EVENTBUS_LOGWRITER_KEEPLOGCOUNT)",
    inferred="a failure without a message is the echo of a cancellation",
)
_WORDS = {
    "n8n.workflow.success": "succeeded",
    "n8n.workflow.failed": "failed",
    "n8n.workflow.crashed": "crashed",
    "n8n.workflow.cancelled": "cancelled",
    "n8n.workflow.started": "running",
    "n8n.audit.workflow.resumed": "running",
    "n8n.audit.workflow.waiting": "waiting",
    "n8n.execution.throttled": "queued",
}
STATUS = StatusTable(_WORDS)

_IS_RUN = (
    "payload.executionId is not null and regexp_matches(eventName, '^n8n\\.(workflow|execution|audit\\.workflow)\\.')"
)
_IS_CHANGE = "payload.executionId is null and payload.workflowId is not null and eventName like 'n8n.audit.workflow.%'"

_RUNS = f"""
select place, payload.executionId as native_id, payload.workflowId as automation_native_id, payload.workflowName as automation,
       case when payload.mode is null then null else coalesce(
           map {{'manual': 'manual', 'error': 'error_handler', 'evaluation': 'test'}}[payload.mode], 'work') end as role,
       -- A cancelled run also "fails", a moment later and without a message.
       case when eventName in ({", ".join(f"'{word}'" for word in _WORDS)})
            and not (eventName = 'n8n.workflow.failed' and payload.errorMessage is null) then eventName end as status_raw,
       payload.mode as trigger, case when eventName = 'n8n.execution.throttled' then ts end as queued_at,
       case when eventName = 'n8n.workflow.started' then ts end as started_at,
       case when eventName in ('n8n.workflow.success', 'n8n.workflow.failed', 'n8n.workflow.crashed', 'n8n.workflow.cancelled')
            then ts end as ended_at,
       payload.errorMessage as error_message, ts as updated_at
from records where {_IS_RUN}
"""

_CHANGES = f"""
select place, payload.workflowId as automation_native_id, payload.workflowName as automation, ts as "at", payload.userId as "by",
       coalesce(payload.activeVersionId, payload.deactivatedVersionId) as version, regexp_extract(eventName, '[^.]+$') as kind
from records where {_IS_CHANGE}
"""

_SET_ASIDE = f"""
select place, case when __type = '$$EventMessageConfirm' then 'confirmation'
                   when payload.executionId is not null then 'event inside a run' else 'not about a run' end as reason
from records where not coalesce({_IS_RUN}, false) and not coalesce({_IS_CHANGE}, false)
"""

EXPORTS = (
    Export(
        name="event log",
        form="json",
        requires=frozenset({"__type", "ts"}),
        where=lambda line: str(line["__type"]).startswith("$$EventMessage"),
        columns={
            "__type": "VARCHAR",
            "ts": TIME,
            "eventName": "VARCHAR",
            "payload": """STRUCT(executionId VARCHAR, workflowId VARCHAR, workflowName VARCHAR, "mode" VARCHAR, errorMessage VARCHAR,
                userId VARCHAR, activeVersionId VARCHAR, deactivatedVersionId VARCHAR)""",
        },
        select={"runs": _RUNS, "changes": _CHANGES, "set_aside": _SET_ASIDE},
        rank=1,
    ),
)
