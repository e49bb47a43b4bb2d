"""n8n's event bus log, `n8nEventLog*.log`: one JSON object a line, rotated at each start.

A secondary source: it tells of runs that were never saved or are long pruned, but nothing of items or parents.
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
STATUS = StatusTable(
    {
        "n8n.workflow.success": "succeeded",
        "n8n.workflow.failed": "failed",
        "n8n.workflow.crashed": "crashed",
        "n8n.workflow.cancelled": "cancelled",
        "n8n.workflow.started": "running",
        "n8n.audit.workflow.resumed": "running",
        "n8n.audit.workflow.waiting": "waiting",
        "n8n.execution.throttled": "queued",
    }
)

_IS_RUN = """coalesce(payload.executionId is not null
    and regexp_matches(eventName, '^n8n[.](workflow|execution|audit[.]workflow)[.]'), false)"""
_IS_CHANGE = """coalesce(payload.executionId is null and payload.workflowId is not null
    and starts_with(eventName, 'n8n.audit.workflow.'), false)"""

# Not every event about a run names its state; and a cancelled run also "fails", a moment later and without a message.
_RUNS = f"""
select place, payload.executionId as native_id,
       payload.workflowId as automation_native_id, payload.workflowName as automation,
       case payload.mode when 'manual' then 'manual' when 'error' then 'error_handler' when 'evaluation' then 'test'
                         else if(payload.mode is null, null, 'work') end as role,
       case when eventName in {tuple(STATUS.words)} and (payload.errorMessage is not null or eventName not like '%.failed')
            then eventName end as status_raw,
       payload.mode as trigger,
       case when eventName = 'n8n.execution.throttled' then ts end as queued_at,
       case when eventName = 'n8n.workflow.started' then ts end as started_at,
       case when eventName similar to 'n8n[.]workflow[.](success|failed|crashed|cancelled)' then ts end as ended_at,
       payload.errorMessage as error_message, ts as updated_at
from records where {_IS_RUN}
"""

_CHANGES = f"""
select place, payload.workflowId as automation_native_id, payload.workflowName as automation,
       ts as "at", payload.userId as "by", regexp_extract(eventName, '[^.]+$') as kind,
       coalesce(payload.activeVersionId, payload.deactivatedVersionId) as version
from records where {_IS_CHANGE}
"""

_SET_ASIDE = f"""
select place, case when __type = '$$EventMessageConfirm' then 'confirmation'
                   when payload.executionId is not null then 'event inside a run' else 'not about a run' end as reason
from records where not {_IS_RUN} and not {_IS_CHANGE}
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
            "payload": """STRUCT(executionId VARCHAR, workflowId VARCHAR, workflowName VARCHAR, "mode" VARCHAR,
                errorMessage VARCHAR, userId VARCHAR, activeVersionId VARCHAR, deactivatedVersionId VARCHAR)""",
        },
        select={"runs": _RUNS, "changes": _CHANGES, "set_aside": _SET_ASIDE},
        rank=1,
    ),
)
