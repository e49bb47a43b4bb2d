"""dbt: what an invocation left in `target/`: `run_results.json`, `sources.json` (freshness) and `manifest.json`.

One invocation is a run, each of its nodes (models, tests, seeds, snapshots, hooks...) a step. The files say nothing of how
the invocation ended: its exit code is worked out as dbt does, from its nodes, so a warning alone is a success (the ledger
calls it partial) and a skipped node is a failure. They are written over by the next invocation, and stay as they are when
that one dies early: keep a copy of each, or the logs too (`dbt_logs`), which know of invocations that left no file, of nodes
that were cancelled, of a source whose freshness could not be asked, and of `Ctrl-C`.
dbt has no jobs: the automation is the project (the package most nodes are of) and the command, such as `agency build`.
The manifest tells the version: a hash of the code of all nodes. `compile` and `docs generate` call a node a success
though nothing ran; their steps are marked so.
"""

from __future__ import annotations

from typing import Final

from aftershock.adapters.base import Export, Fidelity, StatusTable

TOOL = "dbt"
DOCS = "https://docs.getdbt.com/reference/artifacts/run-results-json"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=True,
    trigger=False,
    versions=True,
    parents=False,
    keys=True,
    evidence="captured",
    retention="until the next invocation writes over it",
    inferred="the exit code, by dbt's own rule; before dbt 1.10 a run's start, from its end and the time its nodes took; "
    "versions only where the manifest of the same invocation was kept. `dbt retry` does not say what it retries",
)

STATUS = StatusTable(
    {
        # Nodes.
        "success": "succeeded",
        "error": "failed",
        "skipped": "skipped",
        "partial success": "partial",  # some batches of a microbatch model
        "no-op": "skipped",
        "reused": "skipped",  # dbt Fusion: nothing new upstream
        # Tests and sources.
        "pass": "succeeded",
        "fail": "failed",
        "warn": "partial",
        "runtime error": "failed",
        # In logs only.
        "started": "running",
        "compiling": "running",
        "executing": "running",
        "cancelled": "cancelled",
        # Invocations: the exit codes that dbt documents. 1 is an error it handled, 2 one that it did not.
        "exit 0": "succeeded",
        "exit 1": "failed",
        "exit 2": "failed",
        "keyboard interrupt": "cancelled",
    }
)


COMPILES: Final = "('compile', 'docs generate', 'generate', 'list', 'ls', 'show', 'parse')"
"""Commands that call a node a success though nothing ran."""


def kind(unique_id: str, is_compiled: str) -> str:
    """SQL: `model` of `model.agency.orders`, and whether nothing of it ran."""
    return f"split_part({unique_id}, '.', 1) || if(coalesce({is_compiled}, false), ', compiled only', '')"


def plain(text: str) -> str:
    """SQL: without the colours of a console."""
    return f"trim(regexp_replace({text}, '\\x1b\\[[0-9;]*m', '', 'g'), chr(10))"


BAD: Final = "('error', 'fail', 'runtime error', 'partial success', 'skipped')"
"""Words for a node with which dbt's exit code is 1 (`interpret_results`)."""


def node(unique_id: str) -> str:
    """SQL: what the id of a node tells of the step. `unit_test.agency.fct_orders.sums` -> sums; `model.agency.a.v2` -> a."""
    first = f"split_part({unique_id}, '.', 1)"
    return f"""{unique_id} as key,
           coalesce(nullif(split_part({unique_id}, '.', if({first} in ('source', 'unit_test'), 4, 3)), ''), {unique_id}) as name,
           case when {first} in ('test', 'unit_test', 'source', 'analysis', 'exposure') then 'read' end as operation"""


def error_type(message: str) -> str:
    """SQL: `Database Error` of `Database Error in model orders (models/orders.sql) ...`."""
    return f"nullif(regexp_extract({message}, '(?:^|error:\\s+)([A-Z]\\w+ Error)\\b', 1), '')"


def automation(project: str, command: str, macro: str = "null") -> str:
    """SQL: `agency build`, `agency run-operation purge`; just the project where the command is not known, nothing without a project."""
    words = f"case ({command}) when 'generate' then 'docs generate' when 'freshness' then 'source freshness' else ({command}) end"
    return f"({project}) || coalesce(' ' || ({words}), '') || coalesce(case when ({command}) = 'run-operation' then ' ' || ({macro}) end, '')"


_METADATA: Final = "STRUCT(dbt_schema_version VARCHAR, invocation_id VARCHAR, generated_at VARCHAR, invocation_started_at VARCHAR, env JSON)"
_TIMING: Final = 'STRUCT("name" VARCHAR, started_at VARCHAR, completed_at VARCHAR)[]'
_RESULT: Final = f'unique_id VARCHAR, status VARCHAR, "timing" {_TIMING}, execution_time DOUBLE, adapter_response JSON, message VARCHAR'

# A package's nodes carry its name, so the project is what most nodes are of; without a node, the folder.
_INVOCATIONS: Final = f"""
    with nodes as (
        select place, split_part(node.unique_id, '.', 2) as package, lower(node.status) as word
        from (select place, unnest(results) as node from records)
    ), packages as (
        select place, package from nodes where package <> '' group by place, package
        qualify row_number() over (partition by place order by count(*) desc, package) = 1
    ), verdicts as (
        select place, bool_or(word in {BAD}) as is_bad from nodes group by place
    )
    select place, metadata.invocation_id as native_id, {{automation}} as automation,
           case when is_bad then 'exit 1' else 'exit 0' end as status_raw,
           coalesce(as_time(metadata.invocation_started_at),
                    as_time(metadata.generated_at) - to_microseconds(round(elapsed_time * 1e6)::BIGINT)) as started_at,
           as_time(metadata.generated_at) as ended_at, metadata.env ->> '$.DBT_CLOUD_RUN_ID' as correlation_id, {{about}}
           as_time(metadata.generated_at) as updated_at
    from records left join packages using (place) left join verdicts using (place)
"""
# Of the sources it names, dbt leaves out those that it could not ask at all.
_STEPS: Final = f"""
    with nodes as (
        select place, metadata.invocation_id as native_id, as_time(metadata.generated_at) as ended, unnest(results) as node,
               {{command}} as command
        from records
    )
    select place, native_id, {node("node.unique_id")},
           {kind("node.unique_id", f"command in {COMPILES}")} as kind,
           node.status as status_raw,
           list_min(list_transform(node."timing", lambda one: as_time(one.started_at))) as started_at,
           list_max(list_transform(node."timing", lambda one: as_time(one.completed_at))) as ended_at,
           case when lower(node.status) <> 'skipped' then node.execution_time end as duration_s,
           {{items}} as items_out,
           case when lower(node.status) not in ('success', 'pass', 'skipped', 'no-op') then {plain("{message}")} end as error_message,
           case when lower(node.status) not in ('success', 'pass', 'skipped', 'no-op') then {error_type("{message}")} end as error_type,
           {{payload}} as payload, ended as updated_at
    from nodes where node.unique_id is not null
"""
# rows_affected is -1 where the database does not count
_ROWS: Final = """case when try_cast(node.adapter_response ->> '$.rows_affected' as DOUBLE) >= 0
           then (node.adapter_response ->> '$.rows_affected')::DOUBLE::BIGINT end"""
_STALE: Final = """coalesce(node.message, node.error, 'loaded ' || node.max_loaded_at_time_ago_in_s::VARCHAR || ' s before it was asked, criteria '
           || (node.criteria ->> '$'))"""

RESULTS: Final = {
    "runs": _INVOCATIONS.format(
        automation=automation(
            "coalesce(package, nullif(regexp_extract(args ->> '$.project_dir', '([^/\\\\]+)[/\\\\]*$', 1), ''))",
            "coalesce(args ->> '$.which', args ->> '$.rpc_method')",
            "args ->> '$.macro'",
        ),
        about="""json_object('args', args, 'env', metadata.env) as payload,
           case when args ->> '$.target' is not null then ['target:' || (args ->> '$.target')] end as tags,""",
    ),
    "steps": _STEPS.format(
        command="coalesce(args ->> '$.which', args ->> '$.rpc_method')",
        items=_ROWS,
        message="node.message",
        payload="json_object('message', node.message, 'code', node.compiled_code, 'relation', node.relation_name)",
    ),
}

SOURCES: Final = {
    "runs": _INVOCATIONS.format(
        automation=automation("package", "'source freshness'"), about="metadata.env as payload,"
    ),
    "steps": _STEPS.format(command="'source freshness'", items="null::BIGINT", message=_STALE, payload="node.error"),
}

# When a project is parsed only, the manifest is all there is of an invocation, and it does not say how that ended.
MANIFEST: Final = {
    "runs": """
    select place, metadata.invocation_id as native_id, as_time(metadata.invocation_started_at) as started_at,
           left(md5(array_to_string(list_sort(json_extract_string(nodes, '$.*.checksum.checksum')), ' ')), 12) as version,
           as_time(metadata.generated_at) as updated_at
    from records where metadata.invocation_id is not null
""",
    "set_aside": "select place, 'a manifest that names no invocation' as reason from records where metadata.invocation_id is null",
}

_KNOWN: Final = ("/run-results/", "/sources/", "/manifest/")


EXPORTS = (
    Export(
        name="run results",
        form="json",
        requires=frozenset({"metadata.dbt_schema_version", "metadata.invocation_id", "results"}),
        where=lambda record: "/run-results/" in str(record["metadata"]["dbt_schema_version"]),
        columns={
            "metadata": _METADATA,
            "results": f"STRUCT({_RESULT}, compiled_code VARCHAR, relation_name VARCHAR)[]",
            "elapsed_time": "DOUBLE",
            "args": "JSON",
        },
        select=RESULTS,
    ),
    Export(
        name="source freshness",
        form="json",
        requires=frozenset({"metadata.dbt_schema_version", "metadata.invocation_id", "results"}),
        where=lambda record: "/sources/" in str(record["metadata"]["dbt_schema_version"]),
        columns={
            "metadata": _METADATA,
            "results": f"STRUCT({_RESULT}, error VARCHAR, max_loaded_at_time_ago_in_s DOUBLE, criteria JSON)[]",
            "elapsed_time": "DOUBLE",
        },
        select=SOURCES,
    ),
    Export(
        name="manifest",
        form="json",
        requires=frozenset({"metadata.dbt_schema_version"}),
        where=lambda record: "/manifest/" in str(record["metadata"]["dbt_schema_version"]),
        columns={"metadata": _METADATA, "nodes": "JSON"},
        select=MANIFEST,
    ),
    Export(
        name="other artifact",
        form="json",
        requires=frozenset({"metadata.dbt_schema_version"}),
        where=lambda record: not any(kind in str(record["metadata"]["dbt_schema_version"]) for kind in _KNOWN),
        columns={"metadata": _METADATA},
        select={
            "set_aside": """
    select place, regexp_extract(metadata.dbt_schema_version, '/([^/]+)/[^/]*$', 1) || ': an artifact that tells of no run' as reason from records
"""
        },
    ),
)
