"""What n8n's API and its database share: the shape of an execution and of a workflow, status words, SELECTs.

Both give records with the same names, so one set of SELECTs serves all exports. Executions have a `workflowId`,
workflow definitions have `nodes`. Steps come from `data.resultData.runData`: the name of a node -> its runs. The database and the
editor keep `data` "flatted": a JSON array with its root in slot 0; inside its objects and arrays every string is the number
of the slot that is meant.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, Final

from aftershock.adapters.base import TIME, StatusTable

STATUS: Final = StatusTable(
    {
        "success": "succeeded",
        "error": "failed",
        "crashed": "crashed",
        "canceled": "cancelled",
        "waiting": "waiting",
        "running": "running",
        "new": "queued",
        "unknown": "unknown",
    }
)

_MAX_DEPTH: Final = 200
_MAX_VALUES: Final = 20_000_000

_NODE_RUN = """STRUCT(startTime DOUBLE, executionTime DOUBLE, executionIndex BIGINT, executionStatus VARCHAR,
    source STRUCT(previousNode VARCHAR, previousNodeOutput BIGINT, previousNodeRun BIGINT)[],
    error JSON, metadata STRUCT(subExecution STRUCT(executionId VARCHAR)), data JSON)"""
_NODES = 'STRUCT(name VARCHAR, "type" VARCHAR, disabled BOOLEAN, parameters JSON)[]'

COLUMNS: Final = MappingProxyType(
    {
        **dict.fromkeys(
            ("id", "mode", "status", "waitTill", "retryOf", "workflowId", "workflowName", "workflowVersionId"),
            "VARCHAR",
        ),
        **dict.fromkeys(("createdAt", "updatedAt", "startedAt", "stoppedAt", "deletedAt"), TIME),
        "finished": "BOOLEAN",
        "customData": "JSON",
        "data": f"""STRUCT(parentExecution STRUCT(executionId VARCHAR),
            resultData STRUCT(error JSON, lastNodeExecuted VARCHAR, runData MAP(VARCHAR, {_NODE_RUN}[])))""",
        "workflowData": f"STRUCT(name VARCHAR, nodes {_NODES})",
        "name": "VARCHAR",
        "active": "BOOLEAN",
        "nodes": _NODES,
    }
)

# Nodes that call no other system; of every other node the system is its app.
_NO_SYSTEM = """
    aggregate code compareDatasets crypto cron dateTime debugHelper editImage error evaluation executeWorkflow
    executionData extractFromFile filter form function functionItem graphql html httpRequest if interval
    itemLists limit localFile manual markdown merge moveBinaryData n8n noOp readBinaryFile readWriteFile
    removeDuplicates renameKeys respondToWebhook schedule set simulate sort splitInBatches splitOut start
    stickyNote stopAndError summarize switch wait webhook workflow xml
"""
_OPERATIONS = {
    "create": "POST CREATE INSERT ADD APPEND",
    "update": "PUT PATCH UPDATE",
    "upsert": "UPSERT APPENDORUPDATE",
    "delete": "DELETE REMOVE",
    "read": "GET HEAD GETALL READ SEARCH SELECT",
    "send": "SEND SENDANDWAIT REPLY",
}
_OPERATION_OF = "map " + str({word: ours for ours, words in _OPERATIONS.items() for word in words.split()})

# A later state of a run has stopped, or else started, later than an earlier one.
_CHANGED_AT = "coalesce(updatedAt, greatest(stoppedAt, startedAt, createdAt))"
# Until 2023 an execution had no status, only whether it had finished well.
_WORD = """coalesce(status, case when finished then 'success' when waitTill is not null then 'waiting'
                  when stoppedAt is not null then 'error' when startedAt is not null then 'running' end)"""
# The error that an item carries; some words in its place say that there is none.
_ERROR = "coalesce(nullif(json_extract(item, '$.error'), 'null'), json_extract(item, '$.json.error'))"
_NO_ERROR = "('', 'null', 'none', 'false', 'no', 'ok', '0', '{}', '[]')"
_HAS_ERROR = f"coalesce(lower(trim({_ERROR}::VARCHAR, '\" ')) not in {_NO_ERROR}, false)"


def _ran(which: str) -> str:
    """CTEs over node runs: `ran`, `faults` (errors that arose in their items), `calls` (what a node calls)."""
    return rf"""
    wanted as (
        select place, id, data, workflowData, {_CHANGED_AT} as updated_at
        from records where data is not null and {which}),
    entries as (select place, id, updated_at, unnest(map_entries(data.resultData.runData)) as entry from wanted),
    numbered as (select place, id, updated_at, entry.key as node, unnest(entry.value) as r,
                        generate_subscripts(entry.value, 1) - 1 as run from entries),
    ran as materialized (  -- every run of every node: the items it put out on any branch, and the branches it read
        select place, id, updated_at, node, run, r, (r.startTime, coalesce(r.executionIndex, 0)) as began, json_extract(r.data, '$.*[*][*]') as items,
               coalesce(list_filter(r.source, lambda s: s.previousNode is not null), []) as inputs
        from numbered where r is not null),
    carried as materialized (  -- the errors that items carry, each once a node run
        select place, node, run, any_value(inputs) as inputs, any_value(began) as began, {_ERROR}::VARCHAR as error, min(n) as n,
               arg_min(json_extract_string(item, '$.json.message'), n) as beside
        from (select place, node, run, inputs, began, unnest(items) as item, generate_subscripts(items, 1) as n from ran)
        where {_HAS_ERROR} group by all),
    first_seen as (select place, node, error, min(began) as began from carried group by all),
    passed_on as (  -- what the node before had put out already is not this node's
        select here.place, here.node, here.run, here.error
        from (select *, unnest(inputs) as input from carried) as here join first_seen as before
          on before.place = here.place and before.error = here.error and before.node = here.input.previousNode
         and before.node != here.node and before.began <= here.began),
    faults as (  -- the rest arose there, unless a trigger brought it
        select place, node, run, arg_min(error, n)::JSON as error, arg_min(beside, n) as beside
        from carried anti join passed_on using (place, node, run, error)
        where len(inputs) > 0 group by place, node, run),
    kinds as (
        select place, node.name as name, any_value(node."type") as kind, any_value(node.parameters) as parameters
        from (select place, unnest(workflowData.nodes) as node from wanted) group by all),
    calls as materialized (
        select place, name, kind,
               {_OPERATION_OF}[upper(coalesce(
                   parameters ->> '$.method', parameters ->> '$.requestMethod', parameters ->> '$.operation',
                   case when app = 'httpRequest' then 'GET' end))] as operation,
               coalesce(nullif(lower(regexp_extract(  -- the host, where it stands there literally
                            parameters ->> '$.url', '^=?https?://(?:[^/?#@]*@)?([^/?#@{{}}\s]+)(?:[/?#]|$)', 1)), ''),
                        case when app not in {tuple(_NO_SYSTEM.split())} then app end) as system
        from (select *, regexp_replace(regexp_extract(kind, '[^.]+$'), '(Tool|Trigger)$', '') as app from kinds))"""


_RUNS = f"""
with executions as (select * replace ({_WORD} as status) from records),
node_runs as (
    select place, unnest(flatten(map_values(data.resultData.runData))) as r from executions where data is not null),
started as (
    select place, flatten(list(json_extract(r.data, '$.*[*][*].json'))) as items from node_runs
    where coalesce(len(list_filter(r.source, lambda s: s.previousNode is not null)), 0) = 0 group by place),
given as (
    select place, list_filter(list_append(items, customData), lambda j: j::VARCHAR not in ('{{}}', 'null')) as given
    from executions left join started using (place)),
children as (
    select distinct place, unnest(list_append(
               coalesce(json_extract_string(r.data, '$.*[*][*].metadata.subExecution.executionId'), []),
               r.metadata.subExecution.executionId)) as child
    from node_runs where r.metadata.subExecution is not null)
select place, id as native_id,
       workflowId as automation_native_id, coalesce(workflowData.name, workflowName) as automation,
       case mode when 'manual' then 'manual' when 'error' then 'error_handler' when 'evaluation' then 'test'
                 else 'work' end as role,
       -- A success that is not to be saved stays "running" in the database for ever, marked as deleted.
       case when status = 'running' and stoppedAt is null and deletedAt is not null then 'unknown' end as status,
       status as status_raw, mode as trigger,
       createdAt as queued_at, startedAt as started_at,
       case when status is distinct from 'waiting' then stoppedAt end as ended_at, workflowVersionId as version,
       data.resultData.error ->> '$.name' as error_type, data.resultData.error ->> '$.message' as error_message,
       case when status = 'success' then
           len(json_extract(data.resultData.runData[data.resultData.lastNodeExecuted][-1].data, '$.*[*][*]'))
       end as items_out,
       retryOf as retry_of, case when mode = 'integrated' then data.parentExecution.executionId end as parent_native_id,
       case when len(given) > 1 then to_json(given) else given[1] end as payload, {_CHANGED_AT} as updated_at
from executions left join given using (place) where workflowId is not null
union all by name
select place, child as native_id, id as parent_native_id, {_CHANGED_AT} as updated_at
from children join executions using (place) where child is not null
"""

_STEPS = f"""
with {_ran("true")},
fed as (
    select f.place, f.node, f.run,
           sum(json_array_length(before.r.data, '$.main[' || coalesce(i.previousNodeOutput, 0) || ']')) as items_in
    from (select place, node, run, unnest(inputs) as i from ran) as f
    join ran as before
      on before.place = f.place and before.node = i.previousNode and before.run = coalesce(i.previousNodeRun, 0)
    group by all),
told as (
    select *, nullif(r.error, 'null') as fault,
           coalesce(r.executionStatus, case when fault is null then 'success' else 'error' end) as status_raw
    from ran)
select place, id as native_id, node as key, node as name, kind, system, 1 as attempt, run as map_index, status_raw,
       case when status_raw = 'success' and coalesce(fault, faults.error) is not null then 'partial' end as status,
       epoch_time(r.startTime) as started_at,
       case when status_raw not in ('waiting', 'running') then epoch_time(r.startTime + r.executionTime)
       end as ended_at,
       items_in, len(items) as items_out, coalesce(fault, faults.error) ->> '$.name' as error_type,
       coalesce(fault ->> '$.message', faults.error ->> '$.message', beside,
                coalesce(fault, faults.error) ->> '$') as error_message,
       operation, updated_at,
       to_json(list_transform(
           case when faults.error is null then items else list_filter(items, lambda item: not {_HAS_ERROR}) end,
           lambda item: json_extract(item, '$.json'))) as payload
from told left join faults using (place, node, run) left join fed using (place, node, run)
left join calls on calls.place = told.place and calls.name = node
"""

_NOTICES = f"""
with {_ran(f"mode = 'error' and {_WORD} = 'success'")},
reported as (
    select place, first(json_extract_string(items[1], '$.json.execution.id')) as run_id, first(json_extract(items[1], '$.json')) as report
    from ran where len(inputs) = 0 group by place),
sent as (
    select ran.place, string_agg(distinct system, ', ' order by system) as channel, count(faults.error) as n_failed
    from ran left join faults using (place, node, run) left join calls on calls.place = ran.place and calls.name = node
    group by all)
select place, coalesce(run_id, data.parentExecution.executionId) as native_id, id as notice,
       'error workflow' as kind, channel, stoppedAt as sent_at, 'id' as joined_by,
       concat_ws(': ', report ->> '$.workflow.name', coalesce(report ->> '$.execution.error.message', report ->> '$.trigger.error.message')) as title,
       {_CHANGED_AT} as updated_at
from records join sent using (place) left join reported using (place)
where n_failed = 0 and coalesce(run_id, data.parentExecution.executionId) is not null
"""

_AUTOMATIONS = """
with triggers as (
    select place, unnest(json_extract(node.parameters, '$.rule.interval[*]')) as i
    from (select place, unnest(nodes) as node from records where workflowId is null)
    where node."type" ilike '%.scheduleTrigger' and node.disabled is not true),
crons as (
    select place, string_agg(cron, '; ' order by cron) as schedule
    from (select place, coalesce(i ->> '$.triggerAtMinute', '0') as minute,
                 minute || ' ' || coalesce(i ->> '$.triggerAtHour', '0') as daily,
                 case coalesce(i ->> '$.field', 'days')
                     when 'cronExpression' then ltrim(i ->> '$.expression', '= ')
                     when 'seconds' then '*/' || coalesce(i ->> '$.secondsInterval', '30') || ' * * * * *'
                     when 'minutes' then '*/' || coalesce(i ->> '$.minutesInterval', '5') || ' * * * *'
                     when 'hours' then minute || ' */' || coalesce(i ->> '$.hoursInterval', '1') || ' * * *'
                     when 'days' then case when coalesce(i ->> '$.daysInterval', '1') = '1' then daily || ' * * *' end
                     when 'weeks' then case when coalesce(i ->> '$.weeksInterval', '1') = '1' then daily || ' * * ' ||
                         coalesce(array_to_string(json_extract_string(i, '$.triggerAtDay[*]'), ','), '0') end
                     when 'months' then daily || ' ' || coalesce(i ->> '$.triggerAtDayOfMonth', '1') || ' */' ||
                         coalesce(i ->> '$.monthsInterval', '1') || ' *'
                 end as cron from triggers)
    group by place)
select place, id as native_id, name, active as enabled, schedule, updatedAt as updated_at
from records left join crons using (place) where workflowId is null
"""

SELECT: Final = MappingProxyType({"runs": _RUNS, "steps": _STEPS, "notices": _NOTICES, "automations": _AUTOMATIONS})


def unflatten(text: str) -> Any:
    """The value that a flatted text stands for; a reference to what contains it becomes None.

    Raises `ValueError` for text that is not flatted, is nested too deep or unfolds to more than 20 million values.
    """
    slots = json.loads(text)
    if not isinstance(slots, list) or not slots:
        raise ValueError("no flatted text: not an array with a root in it")
    left = _MAX_VALUES

    def value(member: Any, above: tuple[int, ...]) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or len(above) > _MAX_DEPTH:
            raise ValueError("it unfolds to too many values" if left < 0 else f"nested deeper than {_MAX_DEPTH}")
        if not isinstance(member, str):
            return member
        slot = int(member)
        found = slots[slot]
        if slot in above:
            return None
        if isinstance(found, dict):
            return {key: value(inner, (*above, slot)) for key, inner in found.items()}
        if isinstance(found, list):
            return [value(inner, (*above, slot)) for inner in found]
        return found

    return value("0", ())
