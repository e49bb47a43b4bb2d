"""Logs that scripts write about themselves: Python `logging` text, logfmt and JSON lines (structlog, pino, winston, bunyan, ECS…).

A generic format: it gives way to every adapter that knows the program. A run is what shares a run id (`run_id`, `execution_id`,
`correlation_id`, `job_id`, as a field or as `key=value` in the message), through all rotated files. Where no line of a file has
one, it is what lies between the start and the end that a logger announces in one process; such a run that straddles two files
cannot be joined (its end knows neither its start nor an id): its end stands as a run of its own, its start as unfinished.

The verdict is the script's: its word (`status=failed`), its exit code, else how it puts its end. An ERROR line is none: a
swallowed exception is not a failed run. A start without an end is running for all the log can tell: a killed process says
nothing. What was logged between is searched for clients and keys. `LEVEL:logger:message` has no times: its runs have none either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._invocations import LOG, LOG_NAME
from aftershock.adapters._lines import (
    KEPT,
    Line,
    error_of,
    json_line,
    json_lines,
    logfmt_line,
    logfmt_lines,
    plain_lines,
    text_line,
    text_lines,
)
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "script"
DOCS = "https://docs.python.org/3/library/logging.html"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=True,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="as long as the log files are kept: rotation overwrites them",
    inferred="runs from start and end messages where lines carry no run id; the status from the words of the end",
)

STATUS = StatusTable(
    {
        # What scripts write into `status`, `outcome`, `result`, `state`, or say in the message that ends a run.
        "success": "succeeded",
        "succeeded": "succeeded",
        "successful": "succeeded",
        "ok": "succeeded",
        "okay": "succeeded",
        "pass": "succeeded",
        "passed": "succeeded",
        "true": "succeeded",
        "complete": "succeeded",
        "completed": "succeeded",
        "done": "succeeded",
        "finished": "succeeded",
        "ended": "succeeded",
        "partial": "partial",
        "partially succeeded": "partial",
        "partial success": "partial",
        "warning": "partial",
        "warnings": "partial",
        "completed with errors": "partial",
        "completed with warnings": "partial",
        "failed": "failed",
        "failure": "failed",
        "fail": "failed",
        "false": "failed",
        "error": "failed",
        "errored": "failed",
        "exception": "failed",
        "timeout": "timed_out",
        "timedout": "timed_out",
        "deadline exceeded": "timed_out",
        "cancelled": "cancelled",
        "canceled": "cancelled",
        "aborted": "cancelled",
        "interrupted": "cancelled",
        "stopped": "cancelled",
        "skipped": "skipped",
        "skip": "skipped",
        "noop": "skipped",
        "crashed": "crashed",
        "killed": "crashed",
        "oom": "crashed",
        "start": "running",
        "started": "running",
        "running": "running",
        "in progress": "running",
        "queued": "queued",
        "pending": "queued",
        "waiting": "waiting",
        # Exit codes of shells: 124 by `timeout`, 130 by Ctrl-C, 137 and 143 by a signal.
        "exit 0": "succeeded",
        "exit 124": "timed_out",
        "exit 130": "cancelled",
        "exit 137": "crashed",
        "exit 139": "crashed",
        "exit 143": "crashed",
        # Ours, where the log says nothing.
        "no end": "running",
        "begun again without an end": "unknown",
        "begun again in the same process": "crashed",
        "uncaught exception": "failed",
    }
)

_IDS: Final = ("run_id", "runid", "run.id", "job_run_id", "execution_id", "executionid", "run", "correlation_id", "correlationid",
               "correlation.id", "invocation_id", "job_id", "jobid", "task_id", "batch_id")  # fmt: skip
_MAY_BE_NAMES: Final = ("run", "job_id", "jobid", "task_id", "batch_id")
_ID_PAIR: Final = re.compile(rf"\s*\b(?:{'|'.join(map(re.escape, _IDS))})=\S+", re.I)
_JOBS: Final = ("job", "job_name", "jobname", "job.name", "automation", "workflow", "pipeline", "flow", "task", "task_name", "script",
                "service.name", "service", "app", "program")  # fmt: skip
_OUTCOMES: Final = (
    "status",
    "outcome",
    "event.outcome",
    "result",
    "state",
    "job_status",
    "final_status",
    "run_status",
    "success",
)
_EXITS: Final = ("exit", "exit_code", "exitcode", "exit_status", "rc", "returncode", "return_code")
_ITEMS_IN: Final = ("items_in", "rows_in", "records_in", "rows_read", "records_read", "fetched")
_ITEMS_OUT: Final = (
    "items_out",
    "rows_out",
    "records_out",
    "rows_written",
    "records_written",
    "items",
    "rows",
    "records",
    "processed",
)
_DURATIONS: Final[Mapping[str, float]] = {
    "duration_ms": 1e-3, "durationms": 1e-3, "elapsed_ms": 1e-3, "took_ms": 1e-3, "responsetime": 1e-3, "event.duration": 1e-9,
    "duration_s": 1, "duration_seconds": 1, "elapsed_s": 1, "duration": 1, "elapsed": 1, "took": 1,
}  # fmt: skip
_UNITS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
}

_NOUN: Final = r"job|task|run|script|sync|synchroni[sz]ation|backup|import|export|pipeline|workflow|batch|etl|flow|execution|digest|report|cron"
_STARTS: Final = re.compile(
    rf"\W*(?:(?:[\w.\-']+ ){{0,4}}?(?:{_NOUN})\b(?: [\w.\-'\"]+){{0,2}}? (?:has |is |was )?(?:start(?:ed|ing|s)?|beg[iau]n(?:s|ning)?|launched)\b"
    rf"|(?:start(?:ed|ing)?|begin(?:ning)?|began|launch(?:ed|ing)|running)\b(?=\W*$|.*\b(?:{_NOUN})|\s+\w+=))",
    re.I,
)
_END: Final = (
    r"finished|completed?|succeeded|done|ended|exited|exiting|failed|failure|aborted|cancell?ed|crashed|terminated|stopped|interrupted"
    r"|timed out|skipped|successful(?:ly)?|killed"
)
_ENDS: Final = re.compile(
    rf"\W*(?:(?:[\w.\-']+ ){{0,4}}?(?:{_NOUN})\b(?: [\w.\-'\"]+){{0,2}}? (?:has |is |was |been )*(?:{_END})\b|(?:all )?(?:{_END})\b)",
    re.I,
)
_NO_END: Final = re.compile(r"\b(?:retry|retrying|ignor\w+|attempts? \d|(?:re)?try \d|will be|continuing)\b", re.I)
_VERDICTS: Final = (
    (re.compile(r"\bwith (?!0 |no )(?:\d+ )?(?:\w+ )?(?:error|failure)s?\b|\bpartial", re.I), "completed with errors"),
    (re.compile(r"\bwith (?!0 |no )(?:\d+ )?(?:\w+ )?warnings?\b", re.I), "completed with warnings"),
    (re.compile(r"\btimed[ -]?out\b|\btimeout\b|\bdeadline\b", re.I), "timeout"),
    (re.compile(r"\bcancel|\babort|\binterrupt", re.I), "cancelled"),
    (re.compile(r"\bskipp", re.I), "skipped"),
    (re.compile(r"\bcrash|\bkilled\b|\bterminated\b", re.I), "crashed"),
    (re.compile(r"\bfail|\bunsuccessful|\bexception\b", re.I), "failed"),
    (re.compile(r"\b(?:finish|complet|succe|done|ended)", re.I), "completed"),
)
_BAD: Final = ("error", "erro", "err", "critical", "crit", "fatal", "exception", "panic", "alert", "emerg")


@dataclass
class _Run:
    """What a file tells of one run."""

    id: str
    is_pair: bool = False
    attempt: int = 1
    automation: str | None = None
    first: str | None = None
    started: str | None = None
    ended: str | None = None
    last: str | None = None
    word: str | None = None
    is_started: bool = False
    is_ended: bool = False
    end_message: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    raised: tuple[str | None, str | None] = (None, None)
    complaint: str | None = None
    is_uncaught: bool = False
    messages: list[str] = field(default_factory=list)
    size: int = 0
    lines: int = 0
    is_telling: bool = False

    def add(self, line: Line) -> None:
        """Take in a line of this run, in the file's order."""
        self.lines += 1
        self.first = self.first or line.time
        self.last = line.time or self.last
        self.automation = self.automation or _first(line.fields, _JOBS)
        for key, value in line.fields.items():
            if self.size < KEPT and key not in self.fields:
                self.fields[key] = value if isinstance(value, (int, float)) else str(value)[:2000]
                self.size += len(str(self.fields[key]))
        for text in (line.message, *line.more):
            if self.size < 2 * KEPT:
                self.messages.append(text[:1000])
                self.size += len(self.messages[-1])
        raised = error_of(line)
        self.raised = raised if any(raised) else self.raised
        self.is_uncaught = bool(line.more) and any(raised) and line.level not in _BAD
        if is_start(line):
            self.is_started, self.started = True, line.time
        elif is_end(line):
            if self.is_ended:  # `timed out: deadline of 30s exceeded`, and then `job finished status=timeout`
                self.complaint = self.end_message
            self.is_ended, self.ended, self.end_message = True, line.time, line.message
            self.word = verdict(line)
            self.result = {**self.result, **line.fields}
        elif line.level in _BAD:
            self.complaint = line.message

    def record(self) -> dict[str, Any]:
        """The run as the export's columns."""
        word = self.word if self.is_ended else "uncaught exception" if self.is_uncaught else self.word
        if word is None and self.is_started:
            word = "no end"  # lines without a start say nothing: the run may have ended in an older file
        status = _status(word) if word else None
        is_bad = status in ("failed", "timed_out", "crashed", "cancelled", "partial")
        message = _ID_PAIR.sub("", self.raised[1] or self.complaint or self.end_message).strip() or None
        return {
            "kind": "run",
            "id": self.id,
            "is_unique": not self.is_pair
            and ((bool(re.search(r"\D", self.id)) and len(self.id) >= 8) or len(self.id) >= 16),
            "attempt": self.attempt,
            "automation": self.automation,
            "status": status,
            "word": word,
            "started_at": self.started,
            "ended_at": (self.ended or self.last) if self.is_ended or self.is_uncaught else None,
            "duration_s": _duration(self.result),
            "items_in": _number(_first(self.result, _ITEMS_IN)),
            "items_out": _number(_first(self.result, _ITEMS_OUT)),
            "error_type": self.raised[0] if is_bad else None,
            "error_message": message if is_bad else None,
            "correlation_id": _first(self.fields, ("correlation_id", "correlationid", "correlation.id")),
            "parent": _first(self.fields, ("parent_run_id", "parent_id", "parentrunid")),
            "retry_of": _first(self.fields, ("retry_of", "retried_run_id")),
            "trigger": _first(self.fields, ("trigger", "triggered_by", "trigger_type")),
            "version": _first(self.fields, ("version", "app_version", "service.version", "git_sha", "release")),
            "payload": {**self.fields, "log": self.messages},
            "updated_at": self.last,
        }


def is_start(line: Line) -> bool:
    """Whether a line says that its run begins."""
    event = str(line.fields.get("event", line.fields.get("event.action", ""))).lower()
    if re.fullmatch(r"(?:\w+[_.\- ])?(?:start(?:ed|ing)?|begin|began|begun)", event):
        return True
    return bool(_STARTS.match(line.message[:300])) and not is_end(line)


def is_end(line: Line) -> bool:
    """Whether a line says that its run is over. `attempt 2 failed, retrying` does not."""
    event = str(line.fields.get("event", line.fields.get("event.action", ""))).lower()
    if re.fullmatch(r"(?:\w+[_.\- ])?(?:end(?:ed)?|finish(?:ed)?|stop(?:ped)?|complete[d]?|done|failed|exit)", event):
        return True
    return bool(_ENDS.match(line.message[:300])) and not _NO_END.search(line.message[:300])


def verdict(line: Line) -> str | None:
    """The word for how a run ended: from a field, an exit code, or the words of the message."""
    for key in _OUTCOMES:
        value = line.fields.get(key)
        if value is not None and not re.fullmatch(r"-?[\d.]+", str(value)):  # `status=200` is an HTTP status
            return str(value)[:80].lower()
    for key in _EXITS:
        value = str(line.fields.get(key, "")).strip()
        if re.fullmatch(r"-?\d{1,3}", value):
            return f"exit {int(value)}"
    exited = re.search(r"\bexit(?:ed)?(?: with)?(?: (?:status|code))*[ :=]+(-?\d{1,3})\b", line.message, re.I)
    if exited:
        return f"exit {int(exited[1])}"
    for pattern, word in _VERDICTS:
        if pattern.search(line.message[:300]):
            return "failed" if word == "completed" and line.level in _BAD else word
    return "failed" if line.level in _BAD else "ended"


def _status(word: str) -> str:
    """A shell's exit code that has no meaning of its own is a failure."""
    return "failed" if word.startswith("exit ") and STATUS[word] == "unknown" else STATUS[word]


def _first(fields: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    for key in keys:
        value = fields.get(key)
        if (
            isinstance(value, (str, int, float))
            and not isinstance(value, bool)
            and str(value).strip() not in ("", "-", "None", "null")
        ):
            return str(value)[:300]
    return None


def _number(value: str | None) -> int | None:
    return int(float(value)) if value is not None and re.fullmatch(r"\d{1,15}(?:\.\d+)?", value) else None


def _duration(fields: Mapping[str, Any]) -> float | None:
    for key, factor in _DURATIONS.items():
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zµ]*)", str(fields.get(key, "")).lower())
        if found and (not found[2] or found[2] in _UNITS):
            return round(float(found[1]) * (_UNITS[found[2]] if found[2] else factor), 9)
    return None


def run_id(line: Line) -> str | None:
    """The id that lines of one run share. A `job_id` without a digit is a job's name (APScheduler), not a run's."""
    for key in _IDS:
        value = line.fields.get(key)
        if not isinstance(value, (str, int)) or isinstance(value, bool) or str(value) in ("", "-", "None", "null"):
            continue
        if key not in _MAY_BE_NAMES or re.search(r"\d", str(value)):
            return str(value)[:200]
    return None


def folded(lines: Iterable[Line | str | RecordError]) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs that lines tell of, and what belongs to none."""
    by_id: dict[str, list[_Run]] = {}
    pairs: list[_Run] = []
    going_on: dict[tuple[str | None, str | None, str | None], _Run] = {}
    outside = 0
    for line in lines:
        if isinstance(line, RecordError):
            yield line
            continue
        if isinstance(line, str):
            outside += 1
            continue
        found = run_id(line)
        if found is not None:
            runs = by_id.setdefault(found, [])
            if not runs or (
                runs[-1].is_ended and is_start(line)
            ):  # an id that starts again after its end: the next attempt
                runs.append(_Run(found, attempt=len(runs) + 1))
            if runs[-1].automation is None and _first(line.fields, _JOBS) is None and _is_name(line.logger):
                runs[-1].automation = line.logger
            runs[-1].add(line)
        elif by_id or not _in_pair(line, pairs, going_on):
            outside += 1
    has_starts = any(run.is_started for runs in by_id.values() for run in runs)
    for runs in by_id.values():
        for run in runs:
            if not has_starts:  # a log whose runs never say that they start: they start with their first line
                run.started = run.first
            yield run.record()
    if by_id or not any(run.is_ended or run.is_telling for run in pairs):
        outside += sum(run.lines for run in pairs)
        pairs = []
    for run in pairs:
        yield run.record()
    if outside:
        yield {"kind": "outside", "lines": outside}


def _in_pair(line: Line, pairs: list[_Run], going_on: dict[tuple[str | None, str | None, str | None], _Run]) -> bool:
    """Fold a line without a run id into the run that its process has going on; false where there is none."""
    key = (line.logger, line.pid, line.thread)
    run = going_on.get(key)
    if is_start(line):
        if run is not None and not run.is_ended:
            run.word = "begun again in the same process" if line.pid else "begun again without an end"
        run = _Run(_joined(line.logger, line.pid, line.thread, line.time or f"start {len(pairs) + 1}"), is_pair=True)
        run.automation = line.logger if _is_name(line.logger) else None
        run.is_telling = bool(re.search(rf"\b(?:{_NOUN})\b", line.message, re.I))
        pairs.append(run)
        going_on[key] = run
    elif run is None:
        if not is_end(line) or not re.search(rf"\b(?:{_NOUN})\b", line.message, re.I):
            return False
        run = _Run(
            _joined(line.logger, line.pid, line.thread, "until", line.time or f"end {len(pairs) + 1}"), is_pair=True
        )
        run.automation = line.logger if _is_name(line.logger) else None
        pairs.append(run)
    run.add(line)
    if run.is_ended and not _says_failed_first(line):
        going_on.pop(key, None)
    return True


def _joined(*parts: str | None) -> str:
    return ":".join(part for part in parts if part)


def _says_failed_first(line: Line) -> bool:
    """`job failed` with its traceback, after which `job finished status=failed` may still come."""
    return bool(line.more) and line.level in _BAD


def _is_name(logger: str | None) -> bool:
    """Whether a logger's name says whose it is."""
    return logger is not None and logger.lower() not in ("root", "__main__", "main", "log", "logger", "app")


def read_text(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs of a log of plain lines."""
    return folded(text_lines(plain_lines(path)))


def read_logfmt(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs of a logfmt log."""
    return folded(logfmt_lines(plain_lines(path)))


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs of a log of JSON lines."""
    return folded(json_lines(plain_lines(path)))


def _tells_of_runs(lines: list[Line]) -> bool:
    """Runs in the beginning, by an id or by announcing their start or end: other logs are not ours."""
    return any(run_id(line) or is_start(line) or is_end(line) for line in lines)


def _claims(line_of: Callable[[str], Line | None]) -> Callable[[Sample], bool]:
    def claims(sample: Sample) -> bool:
        texts = [text.strip("\x00") for text in sample.text.splitlines()[:400]]
        texts = [text for text in texts if text.strip()]
        lines = [line for line in map(line_of, texts) if line and (line.time or line.level)]
        begins = any(line_of(text) for text in texts[:5]) or (texts and texts[0].startswith((" ", "\t", "Traceback")))
        return bool(begins and 5 * len(lines) >= len(texts) and _tells_of_runs(lines))

    return claims


def _is_json_log(sample: Sample) -> bool:
    """Objects with a time, a message, and a level or a run's id, a line each."""
    objects = sample.top if isinstance(sample.top, list) else [sample.top]
    lines = [json_line(item) for item in objects if isinstance(item, dict)]
    if not lines or not all(line.time and line.message and (line.level or run_id(line)) for line in lines):
        return False
    return _tells_of_runs([line for line in json_lines(sample.text.splitlines()[:400]) if isinstance(line, Line)])


def _logfmt_only(text: str) -> Line | None:
    line = logfmt_line(text)
    return line if line and line.message and (line.level or line.time) else None


_COLUMNS: Final = {
    "kind": "VARCHAR", "lines": "BIGINT", "id": "VARCHAR", "is_unique": "BOOLEAN", "attempt": "INTEGER", "automation": "VARCHAR",
    "status": "VARCHAR", "word": "VARCHAR", "started_at": TIME, "ended_at": TIME, "updated_at": TIME, "duration_s": "DOUBLE",
    "items_in": "BIGINT", "items_out": "BIGINT", "error_type": "VARCHAR", "error_message": "VARCHAR", "correlation_id": "VARCHAR",
    "parent": "VARCHAR", "retry_of": "VARCHAR", "trigger": "VARCHAR", "version": "VARCHAR", "payload": "JSON",
}  # fmt: skip

_SELECT: Final = {
    "runs": f"""
select place, case when not is_unique then {LOG} end as scope, id as native_id, attempt,
       coalesce(automation, {LOG_NAME}) as automation,
       status, word as status_raw, "trigger", started_at, ended_at, duration_s, items_in, items_out, version, correlation_id,
       error_type, error_message, retry_of, parent as parent_native_id, payload, updated_at
from records where kind = 'run'
""",
    "set_aside": "select place, lines || ' lines outside any run' as reason from records where kind = 'outside'",
}


def _export(name: str, form: str, claims: Callable[[Sample], bool], reader: Callable[[Path], Any]) -> Export:
    return Export(
        name=name,
        form="json" if form == "json" else "text",
        claims=claims,
        reader=reader,
        columns=_COLUMNS,
        select=_SELECT,
        generic=True,
    )


EXPORTS = (
    _export("log lines", "text", _claims(text_line), read_text),
    _export("logfmt", "text", _claims(_logfmt_only), read_logfmt),
    _export("JSON lines", "json", _is_json_log, read_json),
)
