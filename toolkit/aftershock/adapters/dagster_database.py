"""Dagster's own records of runs and events: its SQLite databases and `dagster debug export`.

`history/runs.db`, `history/runs/{run id}.db` (events), `schedules/schedules.db` under DAGSTER_HOME, or their text
(`sqlite3 FILE .dump`); a debug export is one run with all its events. In all of them runs and events are serialised objects
of Dagster, which are read here as plain JSON: the shape that GraphQL gives is made of them. Ticks and backfills are set aside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters import _dagster
from aftershock.adapters._dagster import FIDELITY as FIDELITY
from aftershock.adapters._dagster import STATUS as STATUS
from aftershock.adapters._sql_dump import in_utc, tables
from aftershock.adapters.base import Export, RecordError, Sample

TOOL = "dagster"
DOCS = "https://docs.dagster.io/deployment/oss/dagster-instance"

_TABLES: Final = ("runs", "event_logs", "job_ticks", "bulk_actions")
_MAX_CAUSES: Final = 20
_DUMPED: Final = re.compile(
    r"(?im)^(?:CREATE TABLE|INSERT INTO)\s+(?:IF NOT EXISTS\s+)?[\"'`\[]?"
    r"(?:runs|run_tags|snapshots|bulk_actions|daemon_heartbeats|event_logs|asset_keys|job_ticks|jobs|instigators)\b"
)
_OURS: Final = re.compile(
    r"\b(?:run_body|snapshot_body|dagster_event_type|tick_body|job_origin_id|repository_selector_id|daemon_type)\b"
    r'|"__class__": "(?:PipelineRun|DagsterRun|EventLogEntry|DagsterEvent|JobTickData|TickData)"'
)


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every run, event, tick and backfill of a database or a dump, told apart by `what`."""
    with tables(path, _TABLES) as database:
        yield from database.broken
        for row in database.rows("runs"):
            body = _object(row.get("run_body"))
            yield (
                _run(body, in_utc(row, "create_timestamp", "update_timestamp"))
                if body
                else _unreadable(row, "run_body")
            )
        for row in database.rows("event_logs"):
            entry = _object(row.get("event"))
            yield _event(entry, row) if entry else _unreadable(row, "event")
        for table, what in (("job_ticks", "tick"), ("bulk_actions", "backfill")):
            for row in database.rows(table):
                yield {"what": what, "status": row.get("status")}


def read_debug_export(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The run and the events of `dagster debug export`. The run itself has no times: those of its events are taken."""
    try:
        export = json.loads(path.read_text(encoding="utf-8", errors="replace"), parse_constant=str)
    except (ValueError, RecursionError) as error:
        yield RecordError(f"cannot be read as JSON: {error}")
        return
    events = [_event(entry, {}) for entry in export.get("event_list") or [] if isinstance(entry, Mapping)]
    changes = [float(event["timestamp"]) for event in events if re.match("RUN_|PIPELINE_", str(event["eventType"]))]
    run = export.get("pipeline_run") or export.get("dagster_run") or {}
    yield _run(run, {"update_timestamp": str(max(changes)) if changes else None})
    yield from events


def _object(text: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unreadable(row: Mapping[str, Any], field: str) -> RecordError:
    return RecordError("is no serialised object", raw=str(row.get(field))[:16000], field=field)


def _enum(value: Any) -> Any:
    """`{"__enum__": "PipelineRunStatus.FAILURE"}` is FAILURE."""
    return str(value["__enum__"]).rpartition(".")[2] if isinstance(value, Mapping) and "__enum__" in value else value


def _run(body: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A run as GraphQL gives it; the columns of its row know the newest status and the times."""
    tags = body.get("tags")
    return {
        "what": "run",
        "runId": row.get("run_id") or body.get("run_id"),
        "jobName": body.get("job_name") or body.get("pipeline_name") or row.get("pipeline_name"),
        "status": row.get("status") or _enum(body.get("status")),
        "creationTime": row.get("create_timestamp"),
        "startTime": row.get("start_time"),
        "endTime": row.get("end_time"),
        "updateTime": row.get("update_timestamp"),
        "parentRunId": body.get("parent_run_id"),
        "runConfigYaml": json.dumps(body.get("run_config")),
        "tags": [{"key": str(key), "value": str(value)} for key, value in tags.items()]
        if isinstance(tags, Mapping)
        else None,
    }


def _event(entry: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the event log as GraphQL gives it; one without a Dagster event is a line that a step logged."""
    inner = entry.get("dagster_event")
    event: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
    found = event.get("event_specific_data")
    data: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    about = data.get("materialization") or data.get("asset_observation") or {}
    return {
        "what": "event",
        "eventType": event.get("event_type_value") or "LOG_MESSAGE",
        "runId": entry.get("run_id") or row.get("run_id"),
        "pipelineName": entry.get("job_name") or entry.get("pipeline_name"),
        "stepKey": event.get("step_key") or entry.get("step_key"),
        "message": event.get("message") or entry.get("user_message") or entry.get("message"),
        "timestamp": entry.get("timestamp"),
        "error": _error(data.get("error") or data.get("first_step_failure_event") or entry.get("error_info")),
        "evaluation": _evaluation(data) if "check_name" in data else None,
        "assetKey": about.get("asset_key"),
        "partition": about.get("partition"),
        "metadataEntries": about.get("metadata_entries"),
        "failureMetadata": data.get("user_failure_data"),
    }


def _error(error: Any) -> dict[str, Any] | None:
    """A `SerializableErrorInfo` with the chain of what caused it."""
    if not isinstance(error, Mapping) or "cls_name" not in error:
        return None
    chain: list[dict[str, Any]] = []
    cause = error.get("cause")
    while isinstance(cause, Mapping) and len(chain) < _MAX_CAUSES:
        chain.append({"error": {"message": cause.get("message"), "className": cause.get("cls_name")}})
        cause = cause.get("cause")
    return {"message": error.get("message"), "className": error.get("cls_name"), "errorChain": chain}


def _evaluation(data: Mapping[str, Any]) -> dict[str, Any]:
    passed = data.get("success", data.get("passed"))
    return {
        "checkName": data.get("check_name"),
        "success": passed,
        "severity": _enum(data.get("severity")),
        "assetKey": data.get("asset_key"),
    }


def _is_database(sample: Sample) -> bool:
    there = set(sample.header)
    return any(
        marks <= there
        for marks in (
            {"runs", "run_tags", "snapshots"},
            {"event_logs", "asset_keys"},
            {"event_logs", "secondary_indexes"},
            {"job_ticks", "jobs"},
        )
    )


def _is_dump(sample: Sample) -> bool:
    return bool(_DUMPED.search(sample.text)) and bool(_OURS.search(sample.text))


def _is_debug_export(sample: Sample) -> bool:
    return isinstance(sample.top, Mapping) and sample.top.get("__class__") == "DebugRunPayload"


_COLUMNS: Final = {"what": "VARCHAR", **_dagster.RUN, **_dagster.EVENT}
_SELECT: Final = {
    **_dagster.run_and_events(),
    "set_aside": f"""{_dagster.run_and_events()["set_aside"]}
union all by name select place, case when what = 'backfill' then 'backfill: its runs name it' when status = 'FAILURE' then 'tick that failed'
    when status = 'SKIPPED' then 'tick that launched no run' else 'tick: its runs name it' end as reason
from records where what in ('tick', 'backfill')""",
}

EXPORTS = (
    Export(name="database", form="sqlite", claims=_is_database, reader=read, columns=_COLUMNS, select=_SELECT),
    Export(name="dump", form="text", claims=_is_dump, reader=read, columns=_COLUMNS, select=_SELECT),
    Export(
        name="debug export",
        form="json",
        claims=_is_debug_export,
        reader=read_debug_export,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)
