"""Camunda 8 (Zeebe) and 7: process instances.

Records of Zeebe's exporters, a JSON object each (also as Elasticsearch keeps them, in `_source`); Operate's API `/v1/process-instances/search`,
`/v1/flownode-instances/search`, `/v1/incidents/search`; the Orchestration API `/v2/process-instances/search`, `/v2/element-instances/search`,
`/v2/incidents/search`, `/v2/jobs/search`; of Camunda 7 `/history/process-instance`, `/history/activity-instance`, `/history/incident`.

An instance is a run, an element of it a step, known by the key of its instance. An instance with an open incident is stuck: it
waits for somebody. Zeebe counts down what is left of a job's tries and does not number them, so a step shows the last word on it:
failed where none are left, running while another is to come. Commands are wishes and no facts, and are set aside.
"""

from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "camunda"
DOCS = "https://docs.camunda.io/docs/self-managed/components/orchestration-cluster/zeebe/exporters/exporters/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="as the cluster's history clean-up is set, 30 days after the end by default",
    inferred="nothing",
)

STATUS = StatusTable(
    {
        # Exported records about instances and their elements.
        "ELEMENT_ACTIVATING": "running",
        "ELEMENT_ACTIVATED": "running",
        "ELEMENT_COMPLETING": "running",
        "ELEMENT_COMPLETED": "succeeded",
        "ELEMENT_TERMINATING": "running",
        "ELEMENT_TERMINATED": "cancelled",
        # Jobs, in records and in the API; a failure with tries left is not the end.
        "CREATED": "queued",
        "FAILED": "failed",
        "TIMED_OUT": "running",
        "FAILED, to be tried again": "running",
        "RETRIES_UPDATED": "running",
        "RECURRED_AFTER_BACKOFF": "running",
        "YIELDED": "running",
        "MIGRATED": "running",
        "ERROR_THROWN": "failed",
        # Incidents: what they mean for the instance, and for the element.
        "INCIDENT CREATED": "waiting",
        "INCIDENT RESOLVED": "running",
        "INCIDENT": "failed",
        # The APIs' states.
        "ACTIVE": "running",
        "ACTIVE with an incident": "waiting",
        "COMPLETED": "succeeded",
        "CANCELED": "cancelled",
        "TERMINATED": "cancelled",
        # Camunda 7.
        "SUSPENDED": "waiting",
        "EXTERNALLY_TERMINATED": "cancelled",
        "INTERNALLY_TERMINATED": "cancelled",
    }
)

_VALUE: Final = (
    "STRUCT(bpmnProcessId VARCHAR, version VARCHAR, processInstanceKey VARCHAR, elementId VARCHAR, bpmnElementType VARCHAR,"
    " parentProcessInstanceKey VARCHAR, elementInstanceKey VARCHAR, errorType VARCHAR, errorMessage VARCHAR, errorCode VARCHAR,"
    ' "type" VARCHAR, retries INTEGER, "name" VARCHAR, "value" VARCHAR, variables JSON, resourceName VARCHAR)'
)
_RECORD: Final = {
    "key": "VARCHAR",
    "timestamp": TIME,
    "recordType": "VARCHAR",
    "valueType": "VARCHAR",
    "intent": "VARCHAR",
    "value": _VALUE,
    "recordValue": _VALUE,
}
_HIT: Final = (
    "STRUCT(" + ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in _RECORD.items()) + ")"
)
_ELEMENTS: Final = "('ELEMENT_ACTIVATING', 'ELEMENT_ACTIVATED', 'ELEMENT_COMPLETING', 'ELEMENT_COMPLETED', 'ELEMENT_TERMINATING', 'ELEMENT_TERMINATED')"


def _told(source: str) -> str:
    """Records with `sort`: what each is about."""
    return f"""
told as (
    select *, case when recordType <> 'EVENT' then 'command, and no event'
                   when valueType = 'PROCESS_INSTANCE' and intent in {_ELEMENTS}
                        then case when told.bpmnElementType = 'PROCESS' then 'instance' else 'element' end
                   when valueType in ('JOB', 'INCIDENT') and told.processInstanceKey > '0' then lower(valueType)
                   when valueType in ('VARIABLE', 'PROCESS_INSTANCE_CREATION') and told.processInstanceKey > '0' then 'variables'
                   when valueType = 'PROCESS' and intent = 'CREATED' then 'process'
                   else 'record of ' || valueType end as sort
    from (select *, coalesce("value", recordValue) as told from ({source}))
)"""


def _records(source: str) -> dict[str, str]:
    told = _told(source)
    return {
        "runs": f"""
with {told}
select place, told.processInstanceKey as native_id, told.bpmnProcessId as automation,
       case sort when 'instance' then intent when 'incident' then 'INCIDENT ' || intent end as status_raw,
       case when sort = 'instance' and intent in ('ELEMENT_ACTIVATING', 'ELEMENT_ACTIVATED') then "timestamp" end as started_at,
       case when sort = 'instance' and intent in ('ELEMENT_COMPLETED', 'ELEMENT_TERMINATED') then "timestamp" end as ended_at,
       told.version as version, told.errorType as error_type, case when sort = 'incident' then told.errorMessage end as error_message,
       case when told.parentProcessInstanceKey not in ('-1', '') then told.parentProcessInstanceKey end as parent_native_id,
       case when sort = 'variables' then concat_ws(' ', told."name", told."value", told.variables) end as payload, "timestamp" as updated_at
from told where sort in ('instance', 'element', 'job', 'incident', 'variables')
""",
        "steps": f"""
with {told}
select place, told.processInstanceKey as native_id, case sort when 'element' then "key" else told.elementInstanceKey end as key,
       told.elementId as name, told.bpmnElementType as kind, case when sort = 'job' then told."type" end as system,
       case when sort = 'element' then intent when sort = 'job' and intent = 'FAILED' and told.retries > 0 then 'FAILED, to be tried again'
            when sort = 'job' and intent not in ('COMPLETED', 'CANCELED') then intent  -- these the element's own record tells
            when sort = 'incident' and intent = 'CREATED' then 'INCIDENT'
            when sort = 'incident' and intent = 'RESOLVED' then 'INCIDENT RESOLVED' end as status_raw,
       case when sort = 'element' and intent in ('ELEMENT_ACTIVATING', 'ELEMENT_ACTIVATED') then "timestamp" end as started_at,
       case when sort = 'element' and intent in ('ELEMENT_COMPLETED', 'ELEMENT_TERMINATED') then "timestamp" end as ended_at,
       case when sort = 'incident' then told.errorType when intent in ('FAILED', 'ERROR_THROWN', 'TIMED_OUT') then nullif(told.errorCode, '') end as error_type,
       nullif(told.errorMessage, '') as error_message, "timestamp" as updated_at
from told where sort = 'element' or sort in ('job', 'incident') and told.elementInstanceKey > '0' and intent <> 'MIGRATED'
""",
        "changes": f"""
with {told}
select place, told.bpmnProcessId as automation_native_id, told.bpmnProcessId as automation, told.version as version,
       "timestamp" as "at", 'version' as kind
from told where sort = 'process'
""",
        "set_aside": f"""
with {told}
select place, sort as reason from told where sort not in ('instance', 'element', 'job', 'incident', 'variables', 'process')
""",
    }


_HITS: Final = """
select * replace (as_time("timestamp") as "timestamp") from (select place, unnest(_source) from records where _source is not null)
"""
_NO_SOURCE: Final = "select place, 'no document of an exporter' as reason from records where _source is null"
_HIT_SELECT: Final = _records(_HITS) | {"set_aside": _records(_HITS)["set_aside"] + f" union all {_NO_SOURCE}"}
_IS_RECORD: Final = frozenset({"key", "recordType", "valueType", "intent"})
_IS_HIT: Final = frozenset({"_source.recordType", "_source.valueType", "_source.intent"})

# Lists tell how an instance is without saying since when: they count from its start, so what tells of its end is the later word.
_INSTANCES: Final = """
select place, {key} as native_id, {process} as automation,
       case when state = 'ACTIVE' and {incident} then 'ACTIVE with an incident' else state end as status_raw,
       startDate as started_at, endDate as ended_at, {version} as version,
       case when {parent} not in ('-1', '') then {parent} end as parent_native_id, coalesce(endDate, startDate) as updated_at
from records
"""
_ELEMENT_LIST: Final = """
select place, processInstanceKey as native_id, {key} as key, {name} as name, "type" as kind,
       case when state = 'ACTIVE' and {incident} then 'INCIDENT' else state end as status_raw,
       startDate as started_at, endDate as ended_at, coalesce(endDate, startDate) as updated_at
from records
"""
_STUBS: Final = (
    "select place, processInstanceKey as native_id, {process} as automation, {at} as updated_at from records"
)
_INCIDENT_RUNS: Final = """
select place, processInstanceKey as native_id, {process} as automation,
       case when state in ('ACTIVE', 'PENDING', 'MIGRATED') then 'INCIDENT CREATED' end as status_raw,
       {kind} as error_type, {message} as error_message, creationTime as updated_at
from records
"""
_TIMES: Final = {"startDate": TIME, "endDate": TIME, "state": "VARCHAR"}

EXPORTS = (
    Export(
        name="exporter records",
        form="json",
        requires=_IS_RECORD,
        one_of=frozenset({"value", "recordValue"}),
        columns=_RECORD,
        select=_records("from records"),
    ),
    Export(name="documents", form="json", requires=_IS_HIT, columns={"_source": _HIT}, select=_HIT_SELECT),
    Export(
        name="Elasticsearch hits",
        form="json",
        records="hits.hits",
        requires=_IS_HIT,
        columns={"_source": _HIT},
        select=_HIT_SELECT,
    ),
    Export(
        name="Operate process instances",
        form="json",
        records="items",
        requires=frozenset({"key", "bpmnProcessId", "processVersion", "state", "startDate"}),
        columns={
            "key": "VARCHAR",
            "bpmnProcessId": "VARCHAR",
            "processVersion": "VARCHAR",
            "parentKey": "VARCHAR",
            "incident": "BOOLEAN",
            **_TIMES,
        },
        select={
            "runs": _INSTANCES.format(
                key="key", process="bpmnProcessId", incident="incident", version="processVersion", parent="parentKey"
            )
        },
    ),
    Export(
        name="Operate flow node instances",
        form="json",
        records="items",
        requires=frozenset({"key", "processInstanceKey", "flowNodeId", "state", "startDate"}),
        columns={
            "key": "VARCHAR",
            "processInstanceKey": "VARCHAR",
            "flowNodeId": "VARCHAR",
            "type": "VARCHAR",
            "incident": "BOOLEAN",
            **_TIMES,
        },
        select={
            "runs": _STUBS.format(process="null::VARCHAR", at="coalesce(endDate, startDate)"),
            "steps": _ELEMENT_LIST.format(key="key", name="flowNodeId", incident="incident"),
        },
    ),
    Export(
        name="Operate incidents",
        form="json",
        records="items",
        requires=frozenset({"key", "processInstanceKey", "type", "message", "creationTime", "state"}),
        columns={
            "processInstanceKey": "VARCHAR",
            "type": "VARCHAR",
            "message": "VARCHAR",
            "creationTime": TIME,
            "state": "VARCHAR",
        },
        select={"runs": _INCIDENT_RUNS.format(process="null::VARCHAR", kind='"type"', message='"message"')},
    ),
    Export(
        name="process instances",
        form="json",
        records="items",
        requires=frozenset({"processInstanceKey", "processDefinitionId", "state", "startDate", "hasIncident"}),
        forbids=frozenset({"elementInstanceKey"}),
        columns={
            "processInstanceKey": "VARCHAR",
            "processDefinitionId": "VARCHAR",
            "processDefinitionVersion": "VARCHAR",
            "parentProcessInstanceKey": "VARCHAR",
            "hasIncident": "BOOLEAN",
            **_TIMES,
        },
        select={
            "runs": _INSTANCES.format(
                key="processInstanceKey",
                process="processDefinitionId",
                incident="hasIncident",
                version="processDefinitionVersion",
                parent="parentProcessInstanceKey",
            )
        },
    ),
    Export(
        name="element instances",
        form="json",
        records="items",
        requires=frozenset({"elementInstanceKey", "processInstanceKey", "elementId", "state", "startDate"}),
        columns={
            "elementInstanceKey": "VARCHAR",
            "processInstanceKey": "VARCHAR",
            "processDefinitionId": "VARCHAR",
            "elementId": "VARCHAR",
            "type": "VARCHAR",
            "hasIncident": "BOOLEAN",
            **_TIMES,
        },
        select={
            "runs": _STUBS.format(process="processDefinitionId", at="coalesce(endDate, startDate)"),
            "steps": _ELEMENT_LIST.format(key="elementInstanceKey", name="elementId", incident="hasIncident"),
        },
    ),
    Export(
        name="incidents",
        form="json",
        records="items",
        requires=frozenset({"incidentKey", "processInstanceKey", "errorType", "creationTime", "state"}),
        columns={
            "processInstanceKey": "VARCHAR",
            "processDefinitionId": "VARCHAR",
            "elementInstanceKey": "VARCHAR",
            "elementId": "VARCHAR",
            "errorType": "VARCHAR",
            "errorMessage": "VARCHAR",
            "creationTime": TIME,
            "state": "VARCHAR",
        },
        select={
            "runs": _INCIDENT_RUNS.format(process="processDefinitionId", kind="errorType", message="errorMessage"),
            "steps": """
select place, processInstanceKey as native_id, elementInstanceKey as key, elementId as name,
       case when state in ('ACTIVE', 'PENDING', 'MIGRATED') then 'INCIDENT' end as status_raw, errorType as error_type,
       errorMessage as error_message, creationTime as updated_at
from records where elementInstanceKey is not null
""",
        },
    ),
    Export(
        name="jobs",
        form="json",
        records="items",
        requires=frozenset({"jobKey", "processInstanceKey", "elementInstanceKey", "elementId", "state", "retries"}),
        columns={
            "processInstanceKey": "VARCHAR",
            "processDefinitionId": "VARCHAR",
            "elementInstanceKey": "VARCHAR",
            "elementId": "VARCHAR",
            "type": "VARCHAR",
            "state": "VARCHAR",
            "retries": "INTEGER",
            "errorCode": "VARCHAR",
            "errorMessage": "VARCHAR",
            "creationTime": TIME,
            "lastUpdateTime": TIME,
            "endTime": TIME,
        },
        select={
            "runs": _STUBS.format(process="processDefinitionId", at="coalesce(endTime, lastUpdateTime, creationTime)"),
            "steps": """
select place, processInstanceKey as native_id, elementInstanceKey as key, elementId as name, "type" as system,
       case when state = 'FAILED' and retries > 0 then 'FAILED, to be tried again' else state end as status_raw,
       nullif(errorCode, '') as error_type, nullif(errorMessage, '') as error_message,
       coalesce(endTime, lastUpdateTime, creationTime) as updated_at
from records
""",
        },
    ),
    Export(
        name="Camunda 7 process instances",
        form="json",
        requires=frozenset({"id", "processDefinitionKey", "startTime", "endTime", "state", "superProcessInstanceId"}),
        columns={
            "id": "VARCHAR",
            "businessKey": "VARCHAR",
            "processDefinitionKey": "VARCHAR",
            "processDefinitionVersion": "VARCHAR",
            "startTime": TIME,
            "endTime": TIME,
            "removalTime": "VARCHAR",
            "state": "VARCHAR",
            "superProcessInstanceId": "VARCHAR",
            "deleteReason": "VARCHAR",
        },
        select={
            "runs": """
select place, id as native_id, processDefinitionKey as automation, state as status_raw, startTime as started_at, endTime as ended_at,
       processDefinitionVersion as version, businessKey as correlation_id, deleteReason as error_message,
       superProcessInstanceId as parent_native_id, coalesce(endTime, startTime) as updated_at
from records
"""
        },
    ),
    Export(
        name="Camunda 7 activity instances",
        form="json",
        requires=frozenset(
            {"id", "activityId", "activityType", "processInstanceId", "startTime", "endTime", "canceled"}
        ),
        columns={
            "id": "VARCHAR",
            "activityId": "VARCHAR",
            "activityName": "VARCHAR",
            "activityType": "VARCHAR",
            "processInstanceId": "VARCHAR",
            "processDefinitionKey": "VARCHAR",
            "startTime": TIME,
            "endTime": TIME,
            "canceled": "BOOLEAN",
        },
        select={
            "runs": """
select place, processInstanceId as native_id, processDefinitionKey as automation, coalesce(endTime, startTime) as updated_at from records
""",
            "steps": """
select place, processInstanceId as native_id, id as key, coalesce(activityName, activityId) as name, activityType as kind,
       case when canceled then 'CANCELED' when endTime is not null then 'COMPLETED' else 'ACTIVE' end as status_raw,
       startTime as started_at, endTime as ended_at, coalesce(endTime, startTime) as updated_at
from records
""",
        },
    ),
    Export(
        name="Camunda 7 incidents",
        form="json",
        requires=frozenset({"id", "processInstanceId", "incidentType", "incidentMessage", "activityId"}),
        one_of=frozenset({"createTime", "incidentTimestamp"}),
        columns={
            **dict.fromkeys(
                ("processInstanceId", "processDefinitionKey", "incidentType", "incidentMessage"), "VARCHAR"
            ),
            **dict.fromkeys(("createTime", "incidentTimestamp", "endTime"), TIME),
            "open": "BOOLEAN",
        },
        select={
            "runs": """
select place, processInstanceId as native_id, processDefinitionKey as automation,
       case when coalesce("open", endTime is null) then 'INCIDENT CREATED' end as status_raw, incidentType as error_type,
       incidentMessage as error_message, coalesce(endTime, createTime, incidentTimestamp) as updated_at
from records where processInstanceId is not null
""",
            "set_aside": "select place, 'incident of no instance' as reason from records where processInstanceId is null",
        },
    ),
)
