"""What Snakemake and its logger plugins write, folded into one record per workflow invocation, its jobs inside."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import documents
from aftershock.adapters._invocations import count
from aftershock.adapters.base import RecordError

_MONTHS: Final = {
    name: at
    for at, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*m")
_AT: Final = re.compile(r"\[\w{3} (?P<month>\w{3}) +(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})\]$")
_BEGINS: Final = re.compile(r"(?:local)?(?:rule|checkpoint) (?P<rule>[\w.\-]+):$")
_WITH_MESSAGE: Final = re.compile(r"Job (?P<job>\d+): ")
_ERROR: Final = re.compile(
    r"Error in (?:rule|checkpoint|group job) (?P<rule>[\w.\-]+):$|Error executing rule (?P<cluster>[\w.\-]+) on cluster"
)
_FINISHED: Final = re.compile(r"Finished job(?:id:)? (?P<job>\d+)\b")
_RESTART: Final = re.compile(r"Trying to restart job (?P<job>\d+)\.")
_PROGRESS: Final = re.compile(r"(?P<done>\d+) of (?P<all>\d+) steps \([\d.]+%\) done")
_INDENTED: Final = re.compile(r"(?: {4}|\t)(?P<key>[\w ]+): ?(?P<value>.*)$")
_HEADER: Final = re.compile(r"  (?P<key>[A-Z][\w ()]+): (?P<value>.*)$")
_RAISED: Final = re.compile(
    r"(?P<type>[A-Za-z_.]+(?:Exception|Error|Interrupt))(?: in (?:file|line|rule) .*)?:(?: (?P<message>.*))?$"
)
_LOG: Final = re.compile(r"Complete log(?:\(s\))?: .*?(?P<stamp>\d{4}-\d\d-\d\dT\d{6}\.\d+)\.snakemake\.log")
_ELAPSED: Final = re.compile(r"Elapsed time: (?:(?P<days>\d+) days?, )?(?P<h>\d+):(?P<m>\d+):(?P<s>[\d.]+)")
_LOCKED: Final = re.compile(r"(?:Error: )?Directory cannot be locked|LockException")
_SIGNAL: Final = re.compile(r"died with <Signals\.(\w+)")


@dataclass
class _Job:
    """One attempt of one job."""

    job: str
    attempt: int
    rule: str | None = None
    state: str = "running"
    started: str | None = None
    ended: str | None = None
    wildcards: dict[str, str] = field(default_factory=dict)
    output: str | None = None
    error_type: str | None = None
    error_message: str | None = None

    def record(self) -> dict[str, Any]:
        return {
            "job": self.job,
            "attempt": self.attempt,
            "rule": self.rule,
            "state": self.state,
            "started_at": self.started,
            "ended_at": self.ended,
            "wildcards": self.wildcards,
            "output": self.output,
            "error_type": self.error_type,
            "error_message": self.error_message,
        }


@dataclass
class Workflow:
    """One invocation of snakemake."""

    id: str | None = None
    stamp: str | None = None
    header: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, list[_Job]] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    started: str | None = None
    last: str | None = None
    done: int = 0
    total: int = 0
    duration_s: float | None = None
    raised: tuple[str | None, str | None] = (None, None)
    snakefile: str | None = None

    def attempt(self, job: str) -> _Job:
        """The attempt of a job that goes on, or a new one."""
        attempts = self.jobs.setdefault(job, [])
        if not attempts or attempts[-1].state != "running":
            attempts.append(_Job(job, len(attempts) + 1))
        return attempts[-1]

    def last_attempt(self, job: str) -> _Job | None:
        """The newest attempt of a job, over or not."""
        return self.jobs[job][-1] if job in self.jobs else None

    def record(self, word: str) -> dict[str, Any]:
        """The invocation as the export's columns."""
        jobs = [job for attempts in self.jobs.values() for job in attempts]
        failed = next(
            (attempts[-1] for attempts in self.jobs.values() if attempts[-1].state in ("error", "killed")), None
        )
        bad = word in ("error", "locked", "cancelled")
        return {
            "kind": "run",
            "id": self.id,
            "stamp": self.stamp,
            "word": word,
            "snakefile": self.header.get("Snakefile") or self.snakefile,
            "folder": self.header.get("Working directory"),
            "host": self.header.get("Host"),
            "command": self.header.get("Command"),
            "started_at": self.started,
            "ended_at": self.last if word not in ("running", "terminating", "no end", "none") else None,
            "updated_at": self.last or self.started,
            "duration_s": self.duration_s,
            "error_type": ((failed.error_type if failed else None) or self.raised[0]) if bad else None,
            "error_message": ((failed.error_message if failed else None) or self.raised[1]) if bad else None,
            "jobs": [job.record() for job in jobs],
        }


class _Text:
    """Reads a log, or what snakemake wrote to the terminal, line by line."""

    def __init__(self) -> None:
        self.workflow = Workflow()
        self.now: str | None = None
        self.block: str | None = None  # "job", "error", or none
        self.rule: str | None = None
        self.current: _Job | None = None
        self.raised: tuple[str | None, str | None] = (None, None)
        self.wants_message = False

    def feed(self, line: str) -> None:
        if self.wants_message and line.strip():
            self.raised = (self.raised[0], line.strip()[:1000])
            self.wants_message = False
            if not self.workflow.raised[1]:
                self.workflow.raised = self.raised
        indented = _INDENTED.match(line)
        if line.startswith((" ", "\t")):
            if indented and self.block:
                self._detail(indented["key"].strip(), indented["value"])
            header = _HEADER.match(line)
            if header and "header" in self.workflow.marks and not self.block:
                self._header(header["key"], header["value"])
            return
        if line:
            self._line(line)

    def _header(self, key: str, value: str) -> None:
        self.workflow.header[key] = value
        if key == "Workflow ID":
            self.workflow.id = value.strip()
        elif key == "Date":
            self._time(value.strip())

    def _time(self, time: str) -> None:
        self.now = time
        self.workflow.started = self.workflow.started or time
        self.workflow.last = time

    def _line(self, line: str) -> None:
        workflow, at = self.workflow, _AT.match(line)
        if at and at["month"] in _MONTHS:
            self._time(f"{at['year']}-{_MONTHS[at['month']]:02}-{int(at['day']):02} {at['clock']}")
            self.block = None
            return
        begins, error, finished = _BEGINS.match(line), _ERROR.match(line), _FINISHED.match(line)
        self.block = "job" if begins else "error" if error else None
        self.current = None
        progress, log, elapsed = _PROGRESS.match(line), _LOG.match(line), _ELAPSED.match(line)
        raised, restart = _RAISED.match(line), _RESTART.match(line)
        if begins:
            self.rule = begins["rule"]
        elif error:
            self.rule = error["rule"] or error["cluster"]
        elif finished:
            self._finish(finished["job"])
        elif _WITH_MESSAGE.match(line):
            self._start(_WITH_MESSAGE.match(line)["job"], None)  # type: ignore[index]
        elif restart:
            job = workflow.last_attempt(restart["job"])
            if job is not None and job.state == "running":  # the error itself was said without the job's number
                job.state, job.ended = "error", self.now
        elif progress:
            workflow.done, workflow.total = int(progress["done"]), int(progress["all"])
        elif log:
            workflow.stamp = log["stamp"]
            workflow.marks.add("complete")
        elif elapsed:
            days = int(elapsed["days"] or 0)
            workflow.duration_s = ((days * 24 + int(elapsed["h"])) * 60 + int(elapsed["m"])) * 60 + float(elapsed["s"])
            workflow.marks.add("complete")
        elif _LOCKED.match(line):
            workflow.marks.add("locked")
            workflow.raised = ("LockException", "Directory cannot be locked")
        elif raised and raised["type"] not in ("RuleException", "WorkflowError"):
            where = re.search(r" in (?:file|line \d+ of) \"?([^\",]+?)\"?[,:]", line)
            workflow.snakefile = workflow.snakefile or (where[1] if where else None)
            self.raised = (raised["type"], raised["message"])
            self.wants_message = not raised["message"]
            if not workflow.raised[0] or workflow.raised[0] == "WorkflowError":
                workflow.raised = self.raised
        elif raised and not workflow.jobs:
            workflow.raised, self.wants_message = (raised["type"], None), True
            workflow.marks.add("raised")
        self._mark(line)
        if raised and not workflow.jobs:
            workflow.marks.add("raised")

    def _mark(self, line: str) -> None:
        marks = self.workflow.marks
        if line == "SNAKEMAKE":
            marks.add("header")
        for beginning, mark in (
            ("Building DAG of jobs", "dag"),
            ("Nothing to be done", "nothing"),
            ("This was a dry-run", "dry"),
            ("Terminating processes on user request", "terminating"),
            ("Will exit after finishing currently running jobs", "terminating"),
            ("Exiting because a job execution failed", "failed"),
            ("At least one job did not complete successfully", "failed"),
            ("Job stats:", "work"),
            ("Job counts:", "work"),
            ("Provided cores:", "work"),
        ):
            if line.startswith(beginning):
                marks.add(mark)

    def _start(self, number: str, rule: str | None) -> _Job:
        job = self.workflow.attempt(number)
        job.rule, job.started = rule or job.rule, job.started or self.now
        return job

    def _finish(self, number: str) -> None:
        job = self.workflow.attempt(number)
        job.state, job.ended = "finished", self.now

    def _detail(self, key: str, value: str) -> None:
        if key == "jobid":
            if self.block == "job":
                self.current = self._start(value.strip(), self.rule)
            else:
                self._fail(value.strip())
        elif self.current is not None and key == "wildcards":
            pairs = (pair.partition("=") for pair in value.split(", "))
            self.current.wildcards = {name: text for name, _, text in pairs}
        elif key == "output" and self.current is not None:
            self.current.output = value[:1000]

    def _fail(self, number: str) -> None:
        job = self.workflow.last_attempt(number)
        if job is None:
            job = self._start(number, self.rule)
        if job.state != "running":  # one failure is told more than once
            return
        kind, message = self.raised
        signal = _SIGNAL.search(message or "")
        job.state = (
            "cancelled"
            if "terminating" in self.workflow.marks
            else "killed"
            if signal and signal[1] != "SIGINT"
            else "error"
        )
        job.rule, job.ended = job.rule or self.rule, self.now
        job.error_type = signal[1] if signal else kind
        job.error_message = message or f"Error in rule {job.rule}"
        self.raised = (None, None)

    def word(self) -> str:
        """What the log says became of the workflow."""
        workflow, marks = self.workflow, self.workflow.marks
        if "dry" in marks:
            return "dry-run"
        if "locked" in marks:
            return "locked"
        if "nothing" in marks:
            return "nothing to be done"
        if "terminating" in marks:
            return "cancelled" if marks & {"complete", "failed"} else "terminating"
        if "failed" in marks or "raised" in marks:
            return "error"
        if workflow.total and workflow.done == workflow.total:
            return "finished"
        if workflow.jobs or "work" in marks or workflow.id:
            return "running"
        return "none"


def text_workflows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The invocations in a `.snakemake/log` file or in a terminal's output, one after another."""
    reader, before = _Text(), 0
    has_any = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for raw in lines:
            line = _ESCAPES.sub("", raw.strip("\x00").rstrip("\r\n"))
            begins = line == "SNAKEMAKE" or line.startswith("Building DAG of jobs")
            if begins and reader.workflow.marks & ({"dag"} if line != "SNAKEMAKE" else {"dag", "header"}):
                yield from _told(reader)
                has_any, reader = True, _Text()
            if not reader.workflow.marks and line and not begins:
                before += 1
            reader.feed(line)
    if reader.workflow.marks or not has_any:
        yield from _told(reader)


def _told(reader: _Text) -> Iterator[Mapping[str, Any]]:
    word = reader.word()
    if word == "dry-run":
        yield {"kind": "aside", "reason": "a dry-run: planned, nothing ran"}
    elif word == "none":
        yield {"kind": "aside", "reason": "an invocation that asked for no jobs"}
    else:
        yield reader.workflow.record(word)


def event_workflows(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The invocations in the events of a logger plugin (snakesee). None of them says that a workflow has ended."""
    workflow, lost = None, 0
    for event in documents(path):
        if isinstance(event, RecordError):
            yield event
            continue
        kind = str(event.get("event_type"))
        if kind == "workflow_started":
            if workflow is not None:
                yield _of_events(workflow)
            workflow = Workflow(id=str(event.get("workflow_id") or "") or None, started=_epoch(event))
            workflow.last = workflow.started
        elif workflow is None:
            lost += 1
        else:
            _event(workflow, kind, event)
    if workflow is not None:
        yield _of_events(workflow)
    if lost:
        yield {"kind": "aside", "reason": f"events of a workflow whose start is not in the file ({lost})"}


def _event(workflow: Workflow, kind: str, event: Mapping[str, Any]) -> None:
    workflow.last = _epoch(event) or workflow.last
    if kind == "progress":
        workflow.done, workflow.total = count(event.get("completed_jobs")) or 0, count(event.get("total_jobs")) or 0
        return
    if not kind.startswith("job_") or event.get("job_id") is None:
        return
    job = workflow.last_attempt(str(event["job_id"]))
    # `job_started` and `job_submitted` come in either order, and only the first belongs to a new attempt
    if job is None or (job.state == "error" and kind in ("job_started", "job_submitted")):
        job = workflow.attempt(str(event["job_id"]))
        job.started = _epoch(event) if kind != "job_submitted" else None
    job.rule = str(event["rule_name"]) if event.get("rule_name") else job.rule
    if isinstance(event.get("wildcards"), dict):
        job.wildcards = {str(name): str(text) for name, text in event["wildcards"].items()}
    if kind == "job_submitted":
        workflow.marks.add("submitted")
        job.output = _listed(event.get("output_files")) or job.output
    elif kind == "job_started":
        workflow.marks.add("started")
        job.started = job.started or _epoch(event)
    elif kind in ("job_finished", "job_error"):
        job.state, job.ended = "finished" if kind == "job_finished" else "error", _epoch(event)
        if kind == "job_error":
            job.error_message = str(event.get("error_message") or f"Error in rule {job.rule}")


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))[:1000] if isinstance(names, list) else ""


def _of_events(workflow: Workflow) -> Mapping[str, Any]:
    if "submitted" in workflow.marks and "started" not in workflow.marks:
        return {"kind": "aside", "reason": "a dry-run: jobs were submitted, none started"}
    is_done = workflow.total > 0 and workflow.done >= workflow.total
    return workflow.record("finished" if is_done else "no end")


def _epoch(event: Mapping[str, Any]) -> str | None:
    value = event.get("timestamp")
    if not isinstance(value, (int, float)) or not 0 < value < 1e11:
        return None
    return datetime.fromtimestamp(value, UTC).isoformat()


def database_workflows(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The invocations in the database of the logger plugin snkmt."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("select * from workflows order by started_at"):
            try:
                yield _of_database(connection, dict(row))
            except (KeyError, ValueError, TypeError) as error:
                yield RecordError(f"cannot be read: {type(error).__name__}: {error}", str(dict(row))[:4000])


def _of_database(connection: sqlite3.Connection, row: Mapping[str, Any]) -> Mapping[str, Any]:
    if row.get("dryrun"):
        return {"kind": "aside", "reason": "a dry-run: planned, nothing ran"}
    workflow = Workflow(id=_dashed(str(row["id"])), started=_utc(row["started_at"]), last=_utc(row["updated_at"]))
    if not str(row.get("snakefile") or "").endswith("snakemake/workflow.py"):  # the plugin's error: its own caller
        workflow.snakefile = row.get("snakefile")
    jobs = connection.execute(
        "select jobs.*, rules.name as rule from jobs left join rules on rules.id = jobs.rule_id where jobs.workflow_id = ? order by jobs.id",
        (row["id"],),
    )
    for found in map(dict, jobs):
        earlier = workflow.last_attempt(str(found["snakemake_id"]))
        if earlier is not None and earlier.state == "running":
            earlier.state = "error"  # a job is only started again after it failed; the plugin leaves it RUNNING
        job = workflow.attempt(str(found["snakemake_id"]))
        job.rule, job.started, job.ended = found["rule"], _utc(found["started_at"]), _utc(found["end_time"])
        job.state = {"SUCCESS": "finished", "ERROR": "error", "RUNNING": "running"}.get(
            str(found["status"]), str(found["status"]).lower()
        )
        if job.ended and job.started and job.ended < job.started:
            job.started = None  # overwritten when the job was started again
        wildcards = json.loads(found["wildcards"] or "{}")
        job.wildcards = (
            {str(name): str(text) for name, text in wildcards.items()} if isinstance(wildcards, dict) else {}
        )
    word = str(row["status"]).lower()
    total, finished = int(row["total_job_count"] or 0), int(row["jobs_finished"] or 0)
    if word == "error" and total and finished >= total:
        word = "success"  # a failure that a retry saved stays ERROR for the plugin
    elif word == "unknown" and not total:
        word = "nothing to be done"
    return {**workflow.record(word), "ended_at": _utc(row["end_time"])}


def _dashed(hexadecimal: str) -> str:
    """The plugin stores the UUID without its dashes."""
    found = re.fullmatch(r"(\w{8})(\w{4})(\w{4})(\w{4})(\w{12})", hexadecimal)
    return "-".join(found.groups()) if found else hexadecimal


def _utc(time: Any) -> str | None:
    return str(time) if time else None


def merely(reason: str) -> Any:
    """A reader for files that tell of outputs, not of invocations: each record is set aside."""

    def read(path: Path) -> Iterable[Mapping[str, Any] | RecordError]:
        for found in documents(path):
            yield found if isinstance(found, RecordError) else {"kind": "aside", "reason": reason}

    return read
