"""Dagster: what its GraphQL API and its command line tell of runs.

Answers to `runsOrError` (or `pipelineRunsOrError`, `runsFeedOrError`), a page or many, with `stepStats`, `stats` and `tags` where
they were asked for; the runs of `pipelineOrError`; `runOrError` with its `eventConnection`; `logsForRun`; the schedules and sensors of
`repositoriesOrError` with their ticks, and backfills; `dagster run list`. A query names the fields that it wants: `runId`, `status` and
`jobName` are needed, of events `runId`, `timestamp`, `message` and `__typename` or `eventType`.

- A retry of a run and a re-execution are new runs that name the one before: they share a root. Ad-hoc runs of assets are all
  of the job `__ASSET_JOB`.
- Steps that never began are not told of, and those of a cancelled run that were stopped are told of as failures.
- Ticks and backfills are no runs: the runs that they launched carry their names as tags. Ticks that failed are set aside
  under that reason.
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
from aftershock.adapters.base import Export, RecordError, Sample

TOOL = "dagster"
DOCS = "https://docs.dagster.io/api/graphql"

_RUN_LINE: Final = re.compile(r"Run: (?P<run>\S+)\s*")
_JOB_LINE: Final = re.compile(r"\s+(?:Job|Pipeline): (?P<job>\S+)\s*")


def _data(top: Any) -> Mapping[str, Any]:
    """The answer inside its envelope, of which several may stand in a file: the first."""
    first = top[0] if isinstance(top, list) and top else top
    inner = first.get("data", first) if isinstance(first, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _answers(name: str) -> Any:
    """A look for the field of the query that a page answers, empty or not."""
    return lambda sample: isinstance(_data(sample.top).get(name), Mapping)


def _has_one_run(sample: Sample) -> bool:
    found = _data(sample.top)
    run = found.get("runOrError") or found.get("pipelineRunOrError")
    return (
        isinstance(run, Mapping) and bool({"runId", "id"} & set(run)) and bool({"status", "eventConnection"} & set(run))
    )


def read_run(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """One run, and the events that were asked for with it."""
    for found in _pages(path):
        if isinstance(found, RecordError):
            yield found
            continue
        run = found.get("runOrError") or found.get("pipelineRunOrError") or {}
        connection = run.pop("eventConnection", None) or {}
        yield {**run, "what": "run"}
        for event in connection.get("events") or []:
            yield {"runId": run.get("runId") or run.get("id"), **event, "what": "event"}


def read_ticks(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every schedule and sensor, and every tick of theirs."""
    for found in _pages(path):
        if isinstance(found, RecordError):
            yield found
            continue
        for repository in found["repositoriesOrError"].get("nodes") or []:
            for kind in ("schedules", "sensors"):
                for one in repository.get(kind) or []:
                    state = one.get(f"{kind[:-1]}State") or {}
                    yield {
                        "what": kind[:-1],
                        "job": one.get("pipelineName") or one.get("jobName"),
                        "schedule": " ".join(filter(None, (one.get("cronSchedule"), one.get("executionTimezone")))),
                        "enabled": state.get("status") == "RUNNING" if state.get("status") else None,
                    }
                    for tick in state.get("ticks") or []:
                        yield {"what": "tick", "status": tick.get("status")}


def read_list(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs of `dagster run list`: a line with the id, and under it one with the job."""
    run = None
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            named = _RUN_LINE.fullmatch(line)
            job = _JOB_LINE.fullmatch(line)
            if run and not job:
                yield {"runId": run, "job": None}
            if job and run:
                yield {"runId": run, "job": job["job"]}
            elif not named and line.strip():
                yield RecordError("is no run", raw=line[:16000])
            run = named["run"] if named else None
    if run:
        yield {"runId": run, "job": None}


def _pages(path: Path) -> Iterator[dict[str, Any] | RecordError]:
    """The answers in a file, one or several after one another or in an array."""
    text = path.read_text(encoding="utf-8", errors="replace")
    decoder, at = json.JSONDecoder(parse_constant=str), 0
    while match := re.compile(r"\S").search(text, at):
        try:
            value, at = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError) as error:
            yield RecordError(f"cannot be read as JSON: {error}", raw=text[match.start() : match.start() + 16000])
            return
        for page in value if isinstance(value, list) else [value]:
            yield dict(_data(page))


_TICKS: Final = {
    "automations": """
select place, job as "name", nullif(schedule, '') as schedule, enabled from records where what = 'schedule' and job is not null
""",
    "set_aside": """
select place, case when what <> 'tick' then concat(what, ' whose job is not told') when status = 'FAILURE' then 'tick that failed'
                   when status = 'SKIPPED' then 'tick that launched no run' else 'tick: its runs name it' end as reason
from records where what <> 'schedule' or job is null
""",
}


def _pages_of(field: str, select: Mapping[str, str], records: str = "results") -> tuple[Export, ...]:
    """Runs as a query answers, in its envelope and (as a client library gives them) without."""
    return tuple(
        Export(
            name=f"{field}{suffix}",
            form="json",
            records=f"{envelope}{field}.{records}",
            requires=frozenset() if field == "runsFeedOrError" else frozenset({"status"}),
            one_of=frozenset({"runId", "id"}),
            claims=_answers(field),
            columns=_dagster.RUN,
            select=select,
        )
        for suffix, envelope in (("", "data."), (" without envelope", ""))
    )


def _logs_of(suffix: str, envelope: str) -> Export:
    return Export(
        name=f"logsForRun{suffix}",
        form="json",
        records=f"{envelope}logsForRun.events",
        requires=frozenset({"timestamp"}),
        one_of=frozenset({"__typename", "eventType"}),
        claims=_answers("logsForRun"),
        columns=_dagster.EVENT,
        select=_dagster.events("records"),
        rank=1,
    )


EXPORTS = (
    *_pages_of("runsOrError", _dagster.runs("records")),
    *_pages_of("pipelineRunsOrError", _dagster.runs("records")),
    *_pages_of("pipelineOrError", _dagster.runs("records"), records="runs"),
    *_pages_of("runsFeedOrError", _dagster.feed()),
    Export(
        name="runs",
        form="json",
        requires=frozenset({"runId", "status"}),
        one_of=frozenset({"jobName", "pipelineName", "stepStats", "runConfigYaml"}),
        columns=_dagster.RUN,
        select=_dagster.runs("records"),
    ),
    Export(
        name="runOrError",
        form="json",
        claims=_has_one_run,
        reader=read_run,
        columns={"what": "VARCHAR", **_dagster.RUN, **_dagster.EVENT},
        select=_dagster.run_and_events(),
    ),
    _logs_of("", "data."),
    _logs_of(" without envelope", ""),
    Export(
        name="ticks",
        form="json",
        claims=_answers("repositoriesOrError"),
        reader=read_ticks,
        columns={"what": "VARCHAR", "job": "VARCHAR", "schedule": "VARCHAR", "enabled": "BOOLEAN", "status": "VARCHAR"},
        select=_TICKS,
    ),
    Export(
        name="backfills",
        form="json",
        records="data.partitionBackfillsOrError.results",
        requires=frozenset({"status"}),
        claims=_answers("partitionBackfillsOrError"),
        columns={"id": "VARCHAR"},
        select={"set_aside": "select place, 'backfill: its runs name it' as reason from records"},
    ),
    Export(
        name="run list",
        form="text",
        claims=lambda sample: bool(re.match(r"\s*Run: [0-9a-f-]{36}\s+(?:Job|Pipeline): ", sample.text)),
        reader=read_list,
        columns={"runId": "VARCHAR", "job": "VARCHAR"},
        select={"runs": "select place, runId as native_id, job as automation from records"},
        rank=1,
    ),
)
