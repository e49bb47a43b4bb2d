"""dbt's logs as JSON: `dbt --log-format json ...` (standard output) and `logs/dbt.log` with `--log-format-file json`, dbt 1.0 or later.

They tell what the files in `target/` (`dbt`) do not: invocations that ended before they wrote any, `Ctrl-C` and the nodes
it cancelled, the source that could not be asked. A line is an event; those of one invocation id are one run, the same as in
`run_results.json`, and where both speak, the log's word about the run is the later one. A log that just stops is of a run
that goes on as far as anybody can tell: dbt was killed, or is at work.
The text that dbt writes to `logs/dbt.log` by default is read too. Since dbt 1.5 it no longer names the day, so such runs have no
times of their own (`run_results.json` of the same invocation gives them); lines of invocations at work at once cannot be told apart.
At level `info`, the command is not told and the automation is just the project; `compile` and `run-operation` do not say that
they ended. The level `debug` (the default of the file) knows both.
What dbt prints to a console names neither day nor invocation: it is set aside, with what to keep instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._dbt_text import HEADER
from aftershock.adapters._dbt_text import read as read_text
from aftershock.adapters.base import TIME, Export, Fidelity, Sample
from aftershock.adapters.dbt import COMPILES, automation, error_type, kind, node, plain
from aftershock.adapters.dbt import STATUS as STATUS

TOOL = "dbt"
DOCS = "https://docs.getdbt.com/reference/events-logging"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=True,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="the file grows to 10 MB (--log-file-max-bytes), five older ones are kept",
    inferred="the project of an invocation that died before its nodes, from the others in the file; "
    "cancelled for a node whose query was cancelled and which then erred or was never heard of again",
)


def _words(line: str) -> str:
    """SQL: `docs generate` of `dbt --log-format json docs generate --select orders`."""
    return (
        rf"regexp_extract({line}, '\b(source\s+\w+|docs\s+\w+|run-operation|build|run|test|seed|snapshot|compile|retry"
        r"|parse|list|ls|show|clone|debug|deps|clean|init|freshness|generate)\b', 1)"
    )


def _command(line: str) -> str:
    """SQL: `docs generate` of `dbt docs generate`."""
    return rf"regexp_replace({line}, '^.*?\b(dbt|cli)\s+', '')"


def _macro(line: str) -> str:
    return rf"regexp_extract({line}, '\brun-operation\s+([^-\s]\S*)', 1)"


# What an event tells of how its invocation ended. Events that tell nothing are not here.
_ENDS: Final = (
    "('EndOfRunSummary', 'StatsLine', 'CommandCompleted', 'ResourceReport', 'MainEncounteredError', 'RunningOperationCaughtError',"
    " 'RunningOperationUncaughtError', 'RunResultFailure', 'FreshnessCheckComplete', 'NothingToDo', 'CatalogWritten')"
)
_LINES: Final = f"""
    with lines as (
        select place, info.invocation_id as id, info.name as event, as_time(info.ts) as told_at, data, info,
               nullif(data.node_info.unique_id, '') as unique_id, info.name in {_ENDS} as is_end
        from records where coalesce(info.invocation_id, '') <> ''
    )"""

# The first row of an invocation says that it started; the second, where there is one, how it ended. The command's own word
# stands above the counts, whose rule is dbt's for its exit code: a skipped node is an error. An interrupted command raises an
# error without words on its way out. One that died before its nodes is of the only project that the file tells of, if there is one.
_RUNS: Final = f"""{_LINES}, packages as (
        select id, split_part(unique_id, '.', 2) as package from lines where contains(unique_id, '.') group by id, split_part(unique_id, '.', 2)
        qualify row_number() over (partition by id order by count(*) desc, package) = 1
    ), invocations as (
        select id, min(place) as first, max(place) filter (is_end) as last, min(told_at) as began, max(told_at) as seen,
               min(told_at) filter (event = 'MainReportVersion') as started, max(told_at) filter (is_end) as ended,
               arg_min(data.target_name, place) as target,
               arg_min(data.args ->> '$.invocation_command', place) as line, arg_min(data.args ->> '$.which', place) as which,
               arg_min({_command("data.command")}, place) filter (event = 'CommandCompleted') as command,
               coalesce(bool_or(data.keyboard_interrupt = 'true'), false) as is_interrupted,
               max(nullif(trim(data.exc), '')) filter (event = 'MainEncounteredError') as uncaught,
               coalesce(bool_or(event = 'MainEncounteredError'), false) as is_uncaught,
               max(data.exc) filter (event in ('RunningOperationCaughtError', 'RunningOperationUncaughtError')) as caught,
               bool_and(coalesce(data.success, data.command_success) = 'true') filter (event in ('CommandCompleted', 'ResourceReport')) as is_success,
               coalesce(bool_or(try_cast(data.num_errors as BIGINT) > 0 or try_cast(data.stats ->> '$.error' as BIGINT) > 0
                       or try_cast(data.stats ->> '$.skip' as BIGINT) > 0)
                   or bool_or(event in ('RunResultFailure', 'RunningOperationCaughtError', 'RunningOperationUncaughtError'))
                   or bool_or(event = 'LogFreshnessResult' and lower(coalesce(data.status, data.node_info.node_status)) in ('error', 'runtime error'))
                 , false) as has_errors,
               arg_min(data.msg, place) filter (event = 'RunResultError' and unique_id is null) as of_no_node,
               string_agg(data.msg, chr(10) order by place) filter (event like 'Jinja%') as printed,
               arg_min(data.args::VARCHAR, place) as args, arg_min(info.extra::VARCHAR, place) as extra
        from lines group by id
    ), named as (
        select *, coalesce(command, nullif({_words("line")}, ''), which) as words, {_macro("line")} as macro,
               coalesce(package, (select case when count(distinct package) = 1 then min(package) end from packages)) as project
        from invocations left join packages using (id)
    )
    select first as place, id as native_id, {automation("project", "nullif(words, '')", "nullif(macro, '')")} as automation,
           'started' as status_raw, started as started_at, null::TIMESTAMPTZ as ended_at, null::VARCHAR as error_message,
           null::VARCHAR as error_type, json_object('args', args, 'extra', extra, 'printed', printed) as payload,
           case when target is not null then ['target:' || target] end as tags, began as updated_at
    from named
    union all
    select last, id, null, case when is_interrupted then 'keyboard interrupt'
                                when is_uncaught then 'exit 2'
                                when coalesce(is_success, not has_errors) then 'exit 0' else 'exit 1' end,
           started, ended, coalesce(uncaught, caught, of_no_node), {error_type("coalesce(uncaught, caught, of_no_node)")}, null, null, seen
    from named where last is not null
"""

# `CANCEL` goes out to every open connection, also to those of nodes that have ended: it says something only of a node that
# was at work, and then the node's own last word is an error.
_SAID: Final = (
    "case when event = 'RunResultError' then data.msg"
    " when word in ('error', 'fail', 'runtime error', 'warn', 'partial success') then data.run_result.message end"
)
# The result of a unit test stands beside its node, whose own status is None.
_RESULT: Final = """case when event = 'NodeFinished' or starts_with(event, 'Log') and event <> 'LogCancelLine' then
                        case lower(coalesce(data.run_result.status, data.status)) when 'ok' then 'success'
                             when 'pass' then 'pass' when 'fail' then 'fail' when 'warn' then 'warn' when 'error' then 'error'
                             when 'success' then 'success' when 'skipped' then 'skipped' when 'runtime error' then 'runtime error' end end"""
_STEPS: Final = f"""{_LINES}, compiling as (
        select id from lines where event = 'CommandCompleted' and {_command("data.command")} in {COMPILES}
    ), told as (
        select *, coalesce(unique_id, case when event = 'LogCancelLine' then data.conn_name end) as key,
               coalesce(nullif(nullif(lower(data.node_info.node_status), 'none'), ''), {_RESULT},
                        case when event = 'RunResultError' then 'none' end) as word
        from lines
    ), marked as (
        select *, min(place) filter (event = 'LogCancelLine') over of_node as cancel,
               min(place) filter (word not in ('started', 'compiling', 'executing', 'none')) over of_node as result,
               bool_or(unique_id is not null) over of_node as is_node,
               coalesce(bool_or(word = 'skipped') over of_node, false) as is_skipped  -- it 'started', too
        from told where key is not null window of_node as (partition by id, key)
    ), states as (
        select *, event = 'LogCancelLine' or word not in ('none', 'skipped', 'started', 'compiling', 'executing') as is_last,
               case when cancel < coalesce(result, cancel + 1) and (event = 'LogCancelLine' or word = 'error') then 'cancelled'
                    when word <> 'none' then word end as state
        from marked where is_node and (word is not null or event = 'LogCancelLine')
    )
    select place, id as native_id, {node("key")},
           {kind("key", "id in (select id from compiling)")} as kind,
           state as status_raw,
           -- in UTC, though without a word of it
           case when not is_skipped then as_time(nullif(data.node_info.node_started_at, '') || 'Z') end as started_at,
           case when not is_skipped then coalesce(as_time(nullif(data.node_info.node_finished_at, '') || 'Z'), if(is_last, told_at, null)) end as ended_at,
           case when is_last and not is_skipped then try_cast(coalesce(data.execution_time, data.run_result.execution_time) as DOUBLE) end as duration_s,
           case when try_cast(data.run_result.adapter_response ->> '$.rows_affected' as DOUBLE) >= 0
                then try_cast(data.run_result.adapter_response ->> '$.rows_affected' as DOUBLE)::BIGINT end as items_out,
           {plain(_SAID)} as error_message,
           {error_type(_SAID)} as error_type,
           concat_ws(' ', data.node_info.meta::VARCHAR, data.msg, data.run_result.message) as payload,
           told_at as updated_at
    from states where state is not null or event = 'RunResultError'
"""


def read_console(path: Path) -> Iterator[Mapping[str, Any]]:
    """The whole text as one record: nothing in it says when it was or whose it is."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        yield {"lines": sum(1 for _ in lines)}


_TEXT_RUNS: Final = f"""
    with packages as (
        select place, split_part(node.unique_id, '.', 2) as package
        from (select place, unnest(nodes) as node from records) where split_part(node.unique_id, '.', 2) <> ''
        group by place, package qualify row_number() over (partition by place order by count(*) desc, package) = 1
    ), named as (
        select *, {_words("command")} as words, {_macro("command")} as macro,
               coalesce(package, (select case when count(distinct package) = 1 then min(package) end from packages)) as project
        from records left join packages using (place)
    )
    select place, id as native_id, {automation("project", "nullif(words, '')", "nullif(macro, '')")} as automation,
           coalesce(verdict, if(began is null, null, 'started')) as status_raw,
           began as started_at, case when verdict is not null then ended end as ended_at, seconds as duration_s,
           error as error_message, {error_type("error")} as error_type, command as payload,
           case when verdict is null then began else ended end as updated_at
    from named where id is not null
"""
_TEXT_STEPS: Final = f"""
    select place, id as native_id, {node("node.unique_id")},
           {kind("node.unique_id", f"{_words('command')} in {COMPILES}")} as kind, node.status as status_raw,
           as_time(node.started_at) as started_at, as_time(node.ended_at) as ended_at, try_cast(node.duration as DOUBLE) as duration_s,
           case when node.status not in ('success', 'pass', 'skipped') then node.error end as error_message,
           case when node.status not in ('success', 'pass', 'skipped') then {error_type("node.error")} end as error_type,
           node.error as payload, coalesce(as_time(node.ended_at), as_time(node.started_at)) as updated_at
    from (select place, id, command, unnest(nodes) as node from records where id is not null)
"""

# First of all lines, but for those of the wrapper `dbt-ol`: a script's log in which dbt only appears is not ours.
_CONSOLE: Final = re.compile(
    r"\A(?:\[.*\[openlineage.*\n){0,9}(?:\x1b\[0m)?\d\d:\d\d:\d\d {1,2}(?:\| )?Running with dbt[= ]"
)
# Of a log that was rotated in the midst of an invocation, whose first header may be far down.
_LINES_OF_TEXT: Final = re.compile(
    r"\A(?:\d\d:\d\d:\d\d\.\d{6} \[(?:debug|info |warn |error)\] \[(?:MainThread|Thread-\d+)[^\]\n]*\]: .*\n(?!\Z)){2}"
)


# Of other events too, where the same names hold other things: so nothing here is a number.
_NODE_INFO: Final = (
    "STRUCT(unique_id VARCHAR, node_status VARCHAR, node_started_at VARCHAR, node_finished_at VARCHAR, meta JSON)"
)
_PARTS: Final = {
    "run_result": "STRUCT(status VARCHAR, message VARCHAR, execution_time VARCHAR, adapter_response JSON)",
    **dict.fromkeys(("status", "execution_time", "msg", "conn_name", "target_name"), "VARCHAR"),
    **dict.fromkeys(("args", "stats"), "JSON"),
    **dict.fromkeys(("keyboard_interrupt", "num_errors", "command", "success", "command_success"), "VARCHAR"),
}
_DATA: Final = (
    f"STRUCT(node_info {_NODE_INFO}, exc VARCHAR, {', '.join(f'{part} {type_}' for part, type_ in _PARTS.items())})"
)
_SELECT: Final = {
    "runs": _RUNS,
    "steps": _STEPS,
    "set_aside": """
    select place, if(coalesce(info.invocation_id, '') = '', 'event of no invocation', 'event inside a run') as reason from records
""",
}
# Before dbt 1.4 an event has a code and no name, and its parts stand side by side.
_NAMES: Final = {
    "A001": "MainReportVersion", "A002": "MainReportArgs", "Q018": "LogFreshnessResult", "Q019": "LogFreshnessResult",
    "Q022": "LogCancelLine", "Q024": "NodeStart", "Q025": "NodeFinished", "Z002": "MainEncounteredError", "Z022": "RunResultFailure",
    "Z023": "StatsLine", "Z024": "RunResultError", "Z030": "EndOfRunSummary",
}  # fmt: skip
_FLAT: Final = f"""(select place, {{'invocation_id': invocation_id, 'name': coalesce((map {_NAMES})[code], code), 'ts': ts, 'extra': null::JSON}} as info,
       {{'node_info': node_info, 'exc': coalesce(data.exc, case when code = 'Z002' then regexp_replace(msg, '^Encountered an error:\\s*', '') end),
         {", ".join(f"'{part}': data.{part}" for part in _PARTS)}}} as data from records)"""


def _is_console(sample: Sample) -> bool:
    return _CONSOLE.match(sample.text) is not None


def _is_text_log(sample: Sample) -> bool:
    return _LINES_OF_TEXT.match(sample.text) is not None or any(map(HEADER.match, sample.text.splitlines()))


EXPORTS = (
    Export(
        name="JSON log",
        form="json",
        requires=frozenset({"data", "info.invocation_id", "info.name", "info.ts", "info.code"}),
        columns={"info": 'STRUCT(invocation_id VARCHAR, "name" VARCHAR, ts VARCHAR, extra JSON)', "data": _DATA},
        select=_SELECT,
    ),
    Export(
        name="JSON log before dbt 1.4",
        form="json",
        requires=frozenset({"code", "invocation_id", "log_version", "ts", "data", "node_info"}),
        columns={
            **dict.fromkeys(("code", "invocation_id", "ts", "msg"), "VARCHAR"),
            "node_info": _NODE_INFO,
            "data": _DATA,
        },
        select={table: query.replace("from records", f"from {_FLAT}") for table, query in _SELECT.items()},
    ),
    Export(
        name="text log",
        form="text",
        claims=_is_text_log,
        reader=read_text,
        columns={
            "id": "VARCHAR",
            "verdict": "VARCHAR",
            "command": "VARCHAR",
            "error": "VARCHAR",
            "seconds": "DOUBLE",
            "began": TIME,
            "ended": TIME,
            "nodes": "STRUCT(unique_id VARCHAR, status VARCHAR, duration VARCHAR, error VARCHAR, started_at VARCHAR, ended_at VARCHAR)[]",
            "before": "BIGINT",
        },
        select={
            "runs": _TEXT_RUNS,
            "steps": _TEXT_STEPS,
            "set_aside": "select place, 'lines of an invocation that began in an older file' as reason from records where id is null",
        },
    ),
    Export(
        name="console text",
        form="text",
        claims=_is_console,
        reader=read_console,
        columns={"lines": "BIGINT"},
        select={
            "set_aside": """
    select place, 'names no invocation and no day: keep target/run_results.json, or run dbt with --log-format json' as reason from records
"""
        },
    ),
)
