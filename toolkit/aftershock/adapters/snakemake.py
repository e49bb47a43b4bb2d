"""Snakemake: the logs it writes (`.snakemake/log/*.snakemake.log`, or the terminal's output), and the files of logger plugins.

Three sources of one run, a run being one invocation of `snakemake`: its log (5 to 9; the best word on how it ended), the events of the
plugin snakesee (JSON lines, which never say that a workflow ended) and the database of the plugin snkmt (whose ERROR stays when a
retry saved the workflow, and whose stopped workflows are RUNNING for ever). From Snakemake 9 on all three name the workflow's id; older
logs are known by the log's own name, which the terminal's output repeats in its last line.

Jobs are steps, each restart an attempt. Jobs that a failure kept from running are listed nowhere. Ctrl-C is told from failure only by
the log; without the last line of an ended log a stopped workflow is still running, for all anyone can tell. Records about outputs
(`.snakemake/metadata`, `--stats`) name no invocation and know only the last success: they are recognised and set aside.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftershock.adapters._snakemake import database_workflows, event_workflows, merely, text_workflows
from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "snakemake"
DOCS = "https://snakemake.readthedocs.io/en/stable/executing/monitoring.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="logs: until the working directory is cleaned; snkmt: until its database is",
    inferred="a job's failed attempt from its being started again (snkmt); success from the last of all steps (snakesee)",
)

STATUS = StatusTable(
    {
        # What a log says of its workflow, in words of our own.
        "finished": "succeeded",
        "error": "failed",
        "locked": "failed",
        "cancelled": "cancelled",
        "nothing to be done": "skipped",
        "running": "running",
        "terminating": "running",
        "no end": "unknown",
        # snkmt's words for workflows and jobs.
        "success": "succeeded",
        "unknown": "unknown",
        # Jobs.
        "killed": "crashed",
    }
)


def _is_log(sample: Sample) -> bool:
    text = re.sub(r"\x1b\[[0-9;]*m", "", sample.text)
    return bool(
        re.search(r"^(?:Building DAG of jobs\.\.\.|SNAKEMAKE\n=+)$", text, re.M)
        or re.search(r"^(?:LockException:|Error: Directory cannot be locked\.)", text, re.M)
        or (re.search(r"^\[\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}\]\n(?:local)?(?:rule|checkpoint) \S+:$", text, re.M))
    )


def _is_event(record: Any) -> bool:
    return str(record["event_type"]) == "workflow_started" or (
        ("job_id" in record and str(record["event_type"]).startswith("job_"))
        or {"completed_jobs", "total_jobs"} <= set(record)
    )


_COLUMNS: Final = {
    "kind": "VARCHAR", "reason": "VARCHAR", "id": "VARCHAR", "stamp": "VARCHAR", "word": "VARCHAR", "snakefile": "VARCHAR",
    "folder": "VARCHAR", "host": "VARCHAR", "command": "VARCHAR", "started_at": TIME, "ended_at": TIME, "updated_at": TIME,
    "duration_s": "DOUBLE", "error_type": "VARCHAR", "error_message": "VARCHAR",
    "jobs": "STRUCT(job VARCHAR, attempt INTEGER, rule VARCHAR, state VARCHAR, started_at VARCHAR, ended_at VARCHAR, wildcards JSON,"
            " output VARCHAR, error_type VARCHAR, error_message VARCHAR)[]",
}  # fmt: skip

# Without a workflow's id: the log's name, its own or as the terminal's output repeats it, else when and where it began.
_NAME: Final = r"""coalesce(id, stamp, nullif(regexp_extract(file_name, '\d{4}-\d\d-\d\dT\d{6}\.\d+'), ''),
    strftime(started_at, '%Y-%m-%dT%H:%M:%SZ'), file_name || ':' || place)"""
_PARTS: Final = "string_split(replace(snakefile, '\\', '/'), '/')"
_RUN: Final = f"""
select place, {_NAME} as native_id, snakefile as automation_native_id,
       coalesce(array_to_string(list_slice({_PARTS}, -2, -1), '/'), 'snakemake') as automation, word as status_raw,
       started_at, ended_at, duration_s, error_type, error_message,
       json_object('command', command, 'folder', folder, 'host', host) as payload, updated_at
from records where kind = 'run'
"""
_STEPS: Final = f"""
with told as (select place, {_NAME} as native_id, unnest(jobs) as job, updated_at as told_at from records where kind = 'run')
select place, native_id, job.job as key, job.rule as name, 'rule' as kind, job.attempt as attempt, job.state as status_raw,
       as_time(job.started_at) as started_at, as_time(job.ended_at) as ended_at, job.error_type as error_type,
       job.error_message as error_message, json_object('wildcards', job.wildcards, 'output', job.output) as payload,
       coalesce(as_time(job.ended_at), as_time(job.started_at), told_at) as updated_at
from told
"""
_SET_ASIDE: Final = "select place, reason from records where kind = 'aside'"
_SELECT: Final = {"runs": _RUN, "steps": _STEPS, "set_aside": _SET_ASIDE}

EXPORTS = (
    Export(name="log", form="text", claims=_is_log, reader=text_workflows, columns=_COLUMNS, select=_SELECT),
    Export(
        name="events of snakesee",
        form="json",
        requires=frozenset({"event_type", "timestamp"}),
        where=_is_event,
        reader=event_workflows,
        columns=_COLUMNS,
        select=_SELECT,
        rank=1,
    ),
    Export(
        name="database of snkmt",
        form="sqlite",
        requires=frozenset({"workflows", "rules", "jobs", "errors", "files"}),
        reader=database_workflows,
        columns=_COLUMNS,
        select=_SELECT,
        rank=1,
    ),
    Export(
        name="metadata of an output",
        form="json",
        requires=frozenset({"rule", "input", "shellcmd", "starttime", "endtime", "incomplete"}),
        reader=merely("provenance of an output: which invocation made it is not said"),
        columns=_COLUMNS,
        select={"set_aside": _SET_ASIDE},
    ),
    Export(
        name="stats",
        form="json",
        requires=frozenset({"total_runtime", "rules", "files"}),
        reader=merely("runtimes, without a status and an id"),
        columns=_COLUMNS,
        select={"set_aside": _SET_ASIDE},
    ),
)
