"""LangSmith: traces of agents and chains, as `POST /api/v1/runs/query` gives them (a page `{"runs": [...]}`), `client.list_runs` written as
JSON, a line each or an array (runs in `child_runs` are read with them), the bulk export (Parquet, CSV), and the bodies that the SDKs send to
`POST /runs/batch` (`{"post": [...], "patch": [...]}`).

What LangSmith calls a run is here a step, but for the root of a trace, which is the run: so a run's id is its trace's. `dotted_order` names
all ancestors with the time at which each began; of a patch it is often the only word about whose it is.

- A batch tells of a run twice: that it began, and in a later `patch` that it ended. They are one, in whatever files.
- `status` is not sent by the SDKs: a run with an error failed, one that ended without succeeded, one that has not ended runs.
- A run that somebody interrupted says so only in its error (`CancelledError`, `KeyboardInterrupt`); one that waits for a person
  likewise (`GraphInterrupt`).
- Runs over the examples of a data set are tests. Times without a zone are UTC. A batch names its project, the API gives its id:
  automations of the one and the other cannot be told to be the same.
"""

from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "langsmith"
DOCS = "https://docs.smith.langchain.com/reference/data_formats/run_data_format"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=True,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="14 days for base traces, 400 for extended ones",
    inferred="the status of what the SDKs send: from its error and its end",
)
STATUS = StatusTable(
    {
        "success": "succeeded",
        "error": "failed",
        "pending": "running",
        "interrupted": "cancelled",
        ("error", "CancelledError"): "cancelled",
        ("error", "KeyboardInterrupt"): "cancelled",
        ("error", "GraphInterrupt"): "waiting",
        ("error", "NodeInterrupt"): "waiting",
    }
)

_KINDS: Final = ("tool", "chain", "llm", "retriever", "embedding", "prompt", "parser")
_COLUMNS: Final = {
    "id": "VARCHAR",
    "name": "VARCHAR",
    "run_type": "VARCHAR",
    "start_time": TIME,
    "end_time": TIME,
    "status": "VARCHAR",
    "error": "VARCHAR",
    "parent_run_id": "VARCHAR",
    "trace_id": "VARCHAR",
    "dotted_order": "VARCHAR",
    "session_id": "VARCHAR",
    "session_name": "VARCHAR",
    "reference_example_id": "VARCHAR",
    "tags": "VARCHAR[]",
    "inputs": "JSON",
    "outputs": "JSON",
    "extra": "JSON",
    "child_runs": "JSON",
}
_LISTED: Final = ", ".join(_COLUMNS)
_IN_BATCH: Final = (
    "STRUCT(" + ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in _COLUMNS.items()) + ")[]"
)
_OF_JSON: Final = ", ".join(
    f"as_time(doc ->> '$.{name}') as {name}" if kind == TIME
    else f"try((doc -> '$.{name}')::VARCHAR[]) as {name}" if kind == "VARCHAR[]"
    else f"doc -> '$.{name}' as {name}" if kind == "JSON"
    else f"doc ->> '$.{name}' as {name}"
    for name, kind in _COLUMNS.items()
)  # fmt: skip
_ONE_BY_ONE: Final = f"select place, {_LISTED} from records"
_BATCHES: Final = f"""
    select place, {", ".join(f"as_time(run.{name}) as {name}" if kind == TIME else f"run.{name} as {name}" for name, kind in _COLUMNS.items())}
    from (select place, unnest(list_concat(coalesce(post, []), coalesce(patch, []))) as run from records)
"""

_UUID: Final = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_STOPPED: Final = "('CancelledError', 'KeyboardInterrupt', 'GraphInterrupt', 'NodeInterrupt')"


def _told(source: str) -> str:
    """SQL: runs with their ancestry; what `dotted_order` knows stands in for what a record leaves out."""
    return rf"""
    with recursive listed as ({source}), below as (
        select place, unnest(json_extract(child_runs, '$[*]')) as doc from listed where child_runs is not null
        union all
        select place, unnest(json_extract(doc, '$.child_runs[*]')) as doc from below
    ), every as (
        select * from listed union all by name select place, {_OF_JSON} from below
    ), placed as (
        select *, regexp_extract_all(dotted_order, '{_UUID}') as line,
               try_strptime(regexp_extract(dotted_order, '([0-9]{{8}}T[0-9]{{6,12}})Z[^.]*$', 1), '%Y%m%dT%H%M%S%f') as dotted_time,
               nullif(regexp_extract(trim(error), '^(?:[\w.]*[.])?([A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit))\b', 1), '') as error_type
        from every
    ), told as (
        select * replace (coalesce(start_time, dotted_time at time zone 'UTC') as start_time),
               lower(coalesce(nullif(id, ''), line[-1])) as run,
               lower(coalesce(nullif(trace_id, ''), line[1], case when coalesce(parent_run_id, '') = '' then id end)) as trace,
               extra -> '$.metadata' as metadata,
               case when coalesce(error, '') <> '' then concat_ws('|', 'error', case when error_type in {_STOPPED} then error_type end)
                    when nullif(status, '') is not null then status
                    when end_time is not null then 'success' else 'pending' end as state,
               nullif(trim(regexp_extract(error, '(?s)^(.*?)(?:\n\s*\nTraceback |Traceback \(most recent|\n\s+at |$)', 1)), '') as said
        from placed
    )
"""


_VALUES: Final = """error_type, said as error_message,
       json_object('name', name, 'metadata', metadata, 'inputs', inputs, 'outputs', outputs) as payload, coalesce(end_time, start_time) as updated_at"""


def _selects(source: str) -> dict[str, str]:
    told = _told(source)
    return {
        "runs": f"""{told}
            select place, run as native_id, concat_ws('/', coalesce(session_id, session_name), name) as automation_native_id, name as automation,
                   case when reference_example_id is not null then 'test' end as role, state as status_raw,
                   start_time as started_at, end_time as ended_at, tags, metadata ->> '$.revision_id' as version,
                   coalesce(metadata ->> '$.thread_id', metadata ->> '$.session_id', metadata ->> '$.conversation_id') as correlation_id, {_VALUES}
            from told where run = trace and name is not null
            union all by name  -- a patch: what it leaves out is no news
            select place, run as native_id, state as status_raw, start_time as started_at, end_time as ended_at, tags, {_VALUES}
            from told where run = trace and name is null
            union all by name
            select min(place) as place, trace as native_id, max(coalesce(end_time, start_time)) as updated_at
            from told anti join (select trace from told where run = trace) root using (trace) where trace is not null and run is not null group by trace
        """,
        "steps": f"""{told}
            select place, trace as native_id, run as key, coalesce(name, max(name) over (partition by run)) as name, run_type as kind,
                   coalesce(metadata ->> '$.ls_provider', case when run_type = 'tool' then name end) as system,
                   state as status_raw, start_time as started_at, end_time as ended_at, {_VALUES}
            from told where run <> trace
        """,
        "rejects": f"""{told}
            select place, case when run is null then 'id' else 'trace_id' end as field, parent_run_id as seen,
                   case when run is null then 'has no id' else 'is inside a trace, and nothing says of which' end as reason
            from told where run is null or trace is null
        """,
    }


def _is_batch(record: Any) -> bool:
    """Runs among what is to be posted or patched."""
    runs = [run for name in ("post", "patch") if isinstance(record.get(name), list) for run in record[name]]
    return any(isinstance(run, dict) and ("dotted_order" in run or "run_type" in run) for run in runs)


def _is_run(record: Any) -> bool:
    return str(record["run_type"]) in _KINDS


_EMPTY: Final = (
    "select place, 'holds no runs' as reason from records where coalesce(len(post), 0) + coalesce(len(patch), 0) = 0"
)
_NAMES: Final = frozenset({"id", "run_type", "start_time"})
_MARKS: Final = frozenset({"trace_id", "dotted_order", "parent_run_id", "session_id"})


def _is_page(sample: Sample) -> bool:
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, dict) and (bool(first.get("runs")) or "cursors" in first)


EXPORTS = (
    Export(
        name="page of runs",
        form="json",
        records="runs",
        requires=_NAMES,
        one_of=_MARKS,
        where=_is_run,
        claims=_is_page,
        columns=_COLUMNS,
        select=_selects(_ONE_BY_ONE),
    ),
    Export(
        name="runs",
        form="json",
        requires=_NAMES,
        one_of=_MARKS,
        where=_is_run,
        columns=_COLUMNS,
        select=_selects(_ONE_BY_ONE),
    ),
    Export(
        name="batch sent by an SDK",
        form="json",
        one_of=frozenset({"post", "patch"}),
        where=_is_batch,
        claims=lambda sample: "run" in sample.text or "dotted_order" in sample.text,
        columns={"post": _IN_BATCH, "patch": _IN_BATCH},
        select=_selects(_BATCHES) | {"set_aside": _EMPTY},
    ),
    Export(
        name="bulk export",
        form="parquet",
        requires=frozenset({"id", "run_type", "start_time", "trace_id"}),
        columns=_COLUMNS,
        select=_selects(_ONE_BY_ONE),
    ),
    Export(
        name="bulk export as a table",
        form="csv",
        requires=frozenset({"id", "run_type", "start_time", "trace_id"}),
        columns=_COLUMNS,
        select=_selects(_ONE_BY_ONE),
    ),
)
