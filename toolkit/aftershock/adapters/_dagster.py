"""What the Dagster adapters share: the vocabulary, the columns of runs and events as GraphQL has them, and the SELECTs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aftershock.adapters.base import TIME, Fidelity, StatusTable

TOOL: Final = "dagster"

FIDELITY: Final = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="until somebody deletes runs; ticks for some days (dagster.yaml: retention)",
    inferred="the trigger from tags; attempts of a step but the last: failed",
)

STATUS: Final = StatusTable(
    {
        # Runs.
        "QUEUED": "queued",
        "NOT_STARTED": "queued",
        "MANAGED": "running",
        "STARTING": "queued",  # launched, and not yet running
        "STARTED": "running",
        "SUSPENDED": "waiting",
        "SUCCESS": "succeeded",
        "FAILURE": "failed",
        "CANCELING": "running",
        "CANCELED": "cancelled",
        # Steps; they share SUCCESS and FAILURE.
        "IN_PROGRESS": "running",
        "SKIPPED": "skipped",
        "UP_FOR_RETRY": "failed",  # this attempt: the next one is another
        # Asset checks, from whether they passed and their severity.
        "PASSED": "succeeded",
        "WARN": "partial",
        "ERROR": "failed",
    }
)

RUN: Final = {
    "__typename": "VARCHAR",
    "runId": "VARCHAR",
    "id": "VARCHAR",
    "jobName": "VARCHAR",
    "pipelineName": "VARCHAR",
    "pipeline": "JSON",
    "status": "VARCHAR",
    "runStatus": "VARCHAR",  # as the feed of runs calls it
    "creationTime": TIME,
    "startTime": TIME,
    "endTime": TIME,
    "updateTime": TIME,
    "parentRunId": "VARCHAR",
    "rootRunId": "VARCHAR",
    "runConfigYaml": "VARCHAR",
    "tags": "JSON",
    "stats": "JSON",
    "stepStats": "STRUCT(stepKey VARCHAR, status VARCHAR, startTime VARCHAR, endTime VARCHAR,"
    " attempts STRUCT(startTime VARCHAR, endTime VARCHAR)[])[]",
}
_ERROR: Final = "message VARCHAR, className VARCHAR"
EVENT: Final = {
    "__typename": "VARCHAR",
    "eventType": "VARCHAR",
    "runId": "VARCHAR",
    "pipelineName": "VARCHAR",
    "stepKey": "VARCHAR",
    "message": "VARCHAR",
    "timestamp": TIME,
    "error": f"STRUCT({_ERROR}, errorChain STRUCT(error STRUCT({_ERROR}))[], causes STRUCT({_ERROR})[], cause STRUCT({_ERROR}))",
    "evaluation": "STRUCT(checkName VARCHAR, success BOOLEAN, severity VARCHAR, assetKey STRUCT(path VARCHAR[]))",
    "assetKey": "JSON",
    "partition": "VARCHAR",
    "metadataEntries": "JSON",
    "failureMetadata": "JSON",
}


# `tags` as GraphQL lists them, or as an object of names and values.
_TAGS: Final = """case json_type(tags) when 'ARRAY' then list_filter(try(json_transform(tags, '[{"key": "VARCHAR", "value": "VARCHAR"}]')),
                    lambda tag: tag."key" is not null)
                when 'OBJECT' then list_transform(json_keys(tags), lambda name: {'key': name,
                    'value': json_extract_string(tags, '/' || replace(replace(name, '~', '~0'), '/', '~1'))}) end"""


def _tag(name: str) -> str:
    return f'list_filter(tags, lambda tag: tag."key" = \'{name}\')[1]."value"'


def _stat(name: str) -> str:
    return f"coalesce({name}, as_time(stats ->> '$.{name}'))"


# creationTime, enqueuedTime, launchTime and startTime lie minutes apart: a run waits from when it was made until it starts.
# A run that was cancelled in the queue has the time of its end as its start.
def runs(source: str) -> Mapping[str, str]:
    """`runs` and `steps` of runs with their statistics of steps. A retry or re-execution is a run that names the one before."""
    # Before Dagster 0.13 a run's times stood in its statistics only.
    identified = f"""(select *, coalesce(parentRunId, {_tag("dagster/parent_run_id")}, nullif(rootRunId, native_id)) as parent
            from (select * replace ({_TAGS} as tags, coalesce(status, runStatus) as status, {_stat("startTime")} as startTime, {_stat("endTime")} as endTime),
                         coalesce(runId, id) as native_id, coalesce(jobName, pipelineName, pipeline ->> '$.name') as automation
                  from {source}))"""
    return {
        "runs": f"""
select place, native_id, automation, status as status_raw, parent as retry_of, {_tag("dagster/backfill")} as correlation_id,
       coalesce({_tag("dagster/git_commit_hash")}, {_tag(".dagster/git_commit_hash")}) as version,
       case when {_tag("dagster/retry_number")} is not null then 'retry' when parent is not null then 're-execution'
            when {_tag("dagster/schedule_name")} is not null then 'schedule' when {_tag("dagster/sensor_name")} is not null then 'sensor'
            when {_tag("dagster/backfill")} is not null then 'backfill' when {_tag("dagster/from_automation_condition")} is not null
            or {_tag("dagster/auto_materialize")} is not null then 'automation' end as trigger,
       coalesce(creationTime, as_time(stats ->> '$.enqueuedTime')) as queued_at,
       case when not (status = 'CANCELED' and startTime = endTime) then startTime end as started_at, endTime as ended_at,
       list_transform(tags, lambda tag: concat_ws(':', tag."key", tag."value")) as tags,
       json_merge_patch(coalesce(try(to_json(map_from_entries(list_transform(tags, lambda tag: struct_pack(k := tag."key", v := tag."value"))))),
                                 json_object('tags', tags)), json_object('run_config', runConfigYaml))::VARCHAR as payload,
       coalesce(updateTime, greatest(creationTime, startTime, endTime)) as updated_at
from {identified} where native_id is not null
""",
        # `attempts` holds those that are over: one that goes on comes after them, and is all there is where none is told of.
        "steps": f"""
select place, native_id, key, regexp_replace(key, '\\[.*\\]$', '') as name, 'op' as kind, attempt, status_raw,
       as_time(began) as started_at, as_time(ended) as ended_at, coalesce(as_time(coalesce(ended, started)), updateTime, startTime) as updated_at
from (select place, native_id, updateTime, startTime, step.stepKey as key, attempt,
             case when attempt < attempts then 'UP_FOR_RETRY' else step.status end as status_raw,
             case when step.status = 'SKIPPED' and step.startTime is null then null
                  when attempt <= closed then step.attempts[attempt].startTime when attempt = 1 then step.startTime end as began,
             case when attempt <= closed then step.attempts[attempt].endTime else step.endTime end as ended,
             case when attempt > closed then step.startTime end as started
      from (select *, unnest(range(1, attempts + 1))::INTEGER as attempt
            from (select *, coalesce(len(step.attempts), 0) as closed,
                         greatest(closed + if(coalesce(step.status in ('SUCCESS', 'FAILURE', 'SKIPPED'), false), 0, 1), 1) as attempts
                  from (select place, native_id, updateTime, startTime, unnest(stepStats) as step from {identified} where native_id is not null))))
where key is not null
""",
        "rejects": f"select place, 'runId' as field, null::VARCHAR as seen, 'has no id' as reason from {identified} where native_id is null",
    }


_TYPES: Final = {
    "RunEnqueuedEvent": "RUN_ENQUEUED", "RunDequeuedEvent": "RUN_DEQUEUED", "RunStartingEvent": "RUN_STARTING", "RunStartEvent": "RUN_START",
    "RunSuccessEvent": "RUN_SUCCESS", "RunFailureEvent": "RUN_FAILURE", "RunCancelingEvent": "RUN_CANCELING",
    "RunCanceledEvent": "RUN_CANCELED", "RunInitFailureEvent": "RUN_INIT_FAILURE", "RunSuspendedEvent": "RUN_SUSPENDED", "RunResumedEvent": "RUN_RESUMED",
    "ExecutionStepStartEvent": "STEP_START", "ExecutionStepRestartEvent": "STEP_RESTARTED", "ExecutionStepSuccessEvent": "STEP_SUCCESS",
    "ExecutionStepFailureEvent": "STEP_FAILURE", "ExecutionStepSkippedEvent": "STEP_SKIPPED",
    "ExecutionStepUpForRetryEvent": "STEP_UP_FOR_RETRY", "MaterializationEvent": "ASSET_MATERIALIZATION", "StepMaterializationEvent": "ASSET_MATERIALIZATION",
    "ObservationEvent": "ASSET_OBSERVATION", "AssetCheckEvaluationEvent": "ASSET_CHECK_EVALUATION", "LogMessageEvent": "LOG_MESSAGE",
}  # fmt: skip
_RUN_WORDS: Final = {
    "RUN_ENQUEUED": "QUEUED", "RUN_DEQUEUED": "QUEUED", "RUN_STARTING": "STARTING", "RUN_START": "STARTED", "RUN_SUSPENDED": "SUSPENDED",
    "RUN_RESUMED": "STARTED", "RUN_SUCCESS": "SUCCESS", "RUN_INIT_FAILURE": "FAILURE",
    "RUN_FAILURE": "FAILURE", "RUN_CANCELING": "CANCELING", "RUN_CANCELED": "CANCELED",
}  # fmt: skip
_STEP_WORDS: Final = {
    "STEP_START": "IN_PROGRESS", "STEP_RESTARTED": "IN_PROGRESS", "STEP_UP_FOR_RETRY": "UP_FOR_RETRY", "STEP_SUCCESS": "SUCCESS",
    "STEP_FAILURE": "FAILURE", "STEP_SKIPPED": "SKIPPED",
}  # fmt: skip


def _words(words: Mapping[str, str], value: str) -> str:
    cases = " ".join(f"when '{raw}' then '{word}'" for raw, word in words.items())
    return f"case {value} {cases} end"


# Dagster wraps what a step raised: the first of the chain is the user's own exception, the next one is its cause.
_RAISED: Final = """case when error.className similar to 'Dagster\\w*Error|RetryRequestedFromPolicy'
            then coalesce(error.errorChain[1].error, error.causes[1], error.cause, {'message': error.message, 'className': error.className})
            else {'message': error.message, 'className': error.className} end"""


def events(source: str) -> Mapping[str, str]:
    """`runs`, `steps` and `set_aside` of a run's log of events.

    A process that outlives its run writes on for minutes: only the event that ended the run says when that was. A failed asset
    check fails no step and no run: it is a step of its own kind here, lest the success hide it.
    """
    told = f"""(select *, case when run_word is not null then 'run' when step_word is not null and stepKey is not null then 'step'
                    when type = 'ASSET_CHECK_EVALUATION' and evaluation.checkName is not null then 'check'
                    when type in ('LOG_MESSAGE', 'ASSET_MATERIALIZATION', 'ASSET_OBSERVATION') then 'text' end as about
        from (select *, {_words(_RUN_WORDS, "type")} as run_word, {_words(_STEP_WORDS, "type")} as step_word, {_RAISED} as raised,
                     coalesce(max(case when type = 'STEP_RESTARTED' then try_cast(regexp_extract(message, 'attempt # ?(\\d+)', 1) as INTEGER) end)
                              over (partition by runId, stepKey order by "timestamp", place rows unbounded preceding), 1) as attempt
              from (select *, coalesce(replace(eventType, 'PIPELINE_', 'RUN_'),
                                       {_words(_TYPES, "replace(__typename, 'Pipeline', 'Run')")}) as type from {source})))"""
    return {
        # what failed a run together with its steps is said by the steps
        "runs": f"""
select place, runId as native_id, pipelineName as automation, run_word as status_raw,
       case when type = 'RUN_ENQUEUED' then "timestamp" end as queued_at, case when type = 'RUN_START' then "timestamp" end as started_at,
       case when run_word in ('SUCCESS', 'FAILURE', 'CANCELED') then "timestamp" end as ended_at,
       case when run_word = 'FAILURE' and not own then raised.className end as error_type,
       case when run_word = 'FAILURE' and not own then trim(coalesce(raised.message, message), chr(10) || ' ') end as error_message,
       case when about <> 'step' then concat_ws(' ', message, partition, assetKey, metadataEntries) end as payload,
       "timestamp" as updated_at
from (select *, coalesce(contains(message, 'Steps failed:'), false) as own from {told})
where about is not null and runId is not null
""",
        "steps": f"""
select place, runId as native_id, stepKey as key, regexp_replace(stepKey, '\\[.*\\]$', '') as name, 'op' as kind, attempt,
       step_word as status_raw, case when type in ('STEP_START', 'STEP_RESTARTED') then "timestamp" end as started_at,
       case when step_word <> 'IN_PROGRESS' then "timestamp" end as ended_at,
       case when step_word in ('FAILURE', 'UP_FOR_RETRY') then raised.className end as error_type,
       case when step_word in ('FAILURE', 'UP_FOR_RETRY') then trim(coalesce(raised.message, message), chr(10) || ' ') end as error_message,
       failureMetadata::VARCHAR as payload, "timestamp" as updated_at
from {told} where about = 'step' and runId is not null
union all by name
select place, runId as native_id, concat('check ', check_name, ' on ', array_to_string(evaluation.assetKey.path, '/')) as key,
       check_name as name, 'asset check' as kind, 1 as attempt, if(passed, 'PASSED', coalesce(evaluation.severity, 'ERROR')) as status_raw,
       "timestamp" as ended_at, if(passed, null, 'AssetCheckFailed') as error_type, if(passed, null, message) as error_message,
       "timestamp" as updated_at
from (select *, evaluation.checkName as check_name, coalesce(evaluation.success, false) as passed from {told})
where about = 'check' and runId is not null
""",
        "set_aside": f"select place, 'event inside a run' as reason from {told} where about is null and runId is not null",
        "rejects": f"select place, 'runId' as field, null::VARCHAR as seen, 'names no run' as reason from {source} where runId is null",
    }


def feed() -> Mapping[str, str]:
    """The SELECTs over a feed, in which backfills stand between runs: their ids are short words."""
    is_backfill = "coalesce(__typename = 'PartitionBackfill' or runId is null and length(id) < 32, false)"
    return {
        **runs(f"(from records where not {is_backfill})"),
        "set_aside": f"select place, 'backfill: its runs name it' as reason from records where {is_backfill}",
    }


def run_and_events() -> Mapping[str, str]:
    """The SELECTs over records of both kinds, told apart by the column `what`: `run` or `event`."""
    parts = [runs("(from records where what = 'run')"), events("(from records where what = 'event')")]
    return {
        table: " union all by name ".join(f"select * from ({part[table]})" for part in parts if table in part)
        for table in ("runs", "steps", "set_aside", "rejects")
    }
