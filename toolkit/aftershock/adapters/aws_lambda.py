"""AWS Lambda: invocations, from what Lambda writes to CloudWatch Logs.

The `START`, `END` and `REPORT` lines and what stands between them; or, where the function's log format is JSON,
`platform.start`, `platform.runtimeDone` and `platform.report`. Taken as plain text (also with the prefixes of `aws logs tail`,
`sam logs` and exports to S3), as the console's CSV, and as JSON from `aws logs get-log-events`, `filter-log-events` and
`get-query-results` (Logs Insights: ask for `@timestamp`, `@message`, `@logStream`, `@log`).

A request id that comes again is a retry of an asynchronous event: the next attempt, counted within a file. In different files
the tries fold into one run, and the last one's word counts. REPORT names an error only since 2023: before that, and in logs
without the lines in between, a function that raised an error looks like any other.

No line names the function. Its name is taken from `platform.initStart`, from Powertools' `function_name`, from `@log`, else from
a file named after the log group (`aws_lambda_orders.log`); else it stays unknown.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import as_dict, documents
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "aws_lambda"
DOCS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=False,
    items=False,
    trigger=False,
    versions=True,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="as the log group says; for ever unless somebody set it",
    inferred="errors of REPORT lines without a status, from the lines before them; the start, where START has no time, from the"
    " first line that has one",
)
STATUS = StatusTable(
    {
        # The status of REPORT, platform.report and platform.runtimeDone; none at all is what a success has.
        "no status": "succeeded",
        "success": "succeeded",
        "error": "failed",
        "failure": "failed",
        "timeout": "timed_out",
        # The error types of a process that ended without saying so.
        "Runtime.ExitError": "crashed",
        "Runtime.OutOfMemory": "crashed",
        "Extension.Crash": "crashed",
        "Sandbox.Failure": "crashed",
        "Sandbox.Timedout": "timed_out",
        # What is not over, as far as the log goes.
        "START": "running",
        "platform.start": "running",
    }
)

_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_MARK: Final = re.compile(
    rf"(?m)(?:^|[\s\"])(?:START RequestId: {_UUID}\s+Version: |REPORT RequestId: {_UUID}\s.*?Duration: |END RequestId: {_UUID})"
)
_PLATFORM: Final = re.compile(
    r"\\?\"type\\?\"\s*:\s*\\?\"platform\.(?:start|report|runtimeDone|initStart|initReport)\\?\""
)
_IS_JSON: Final = re.compile(r"\s*(?:\{|\[\s*[\[{\]])")
_TIME: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_STREAM: Final = r"\d{4}/\d\d/\d\d/\S*\[[^\]\s]+\]\S+"
_PREFIXES: Final = (
    re.compile(rf"(?P<at>{_TIME})\s+(?P<stream>{_STREAM})\s+(?P<rest>.*)", re.S),
    re.compile(rf"(?P<stream>{_STREAM})\s+(?P<at>{_TIME})\s+(?P<rest>.*)", re.S),
    re.compile(rf"(?P<at>{_TIME})\s+(?P<rest>.*)", re.S),
)
_ABOUT: Final = re.compile(rf"(?P<what>START|END|REPORT) RequestId: (?P<id>{_UUID})(?P<rest>.*)", re.S)
_EARLY_ID: Final = re.compile(rf"(?:^|[\s:])({_UUID})(?=[\s:])")
_EARLY_TIME: Final = re.compile(rf"^(?:\[\w+\]\s+)?({_TIME})\s")
_DURATION: Final = re.compile(r"(?<!Billed )(?<!Init )(?<!Restore )\bDuration: (\d+(?:\.\d+)?)")
_TIMEOUT: Final = re.compile(r"Task timed out after [\d.]+ seconds")
_CRASH: Final = re.compile(
    r"Runtime exited (?:with error: |without providing a reason)|Process exited before completing request|signal: killed"
)
_RAISED: Final = (
    re.compile(r"ERROR\s+(?:Invoke Error|Uncaught Exception|Unhandled Promise Rejection)\s+(?P<json>\{.*\})", re.S),
    re.compile(r"^(?P<message>.*): (?P<type>java\.[\w.$]+(?:Exception|Error))$", re.M),
)
_PYTHON: Final = re.compile(
    r"\[ERROR\] (?P<type>[\w.]+)(?:: (?P<message>[^\n]*))?"
)  # and a traceback; a logger's own lines have tabs
_MOST: Final = 1_000_000


@dataclass
class _Try:
    """One invocation, as its lines come in."""

    id: str
    number: int
    raw: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    last_at: str | None = None
    has_start: bool = False
    is_over: bool = False
    duration: float | None = None
    status: str | None = None
    evidence: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    version: str | None = None
    trace: str | None = None
    report: str | None = None
    lines: list[str] = field(default_factory=list)
    size: int = 0

    def record(self, function: str | None) -> Mapping[str, Any]:
        word = self.raw
        if self.is_over or self.evidence:
            kind = self.error_type or ""
            said = self.status or self.evidence
            word = kind if said not in (None, "success", "timeout") and STATUS[kind] == "crashed" else said
            word = word or ("no status" if self.report else "END")  # its REPORT is missing, and with it the verdict
        failed = STATUS[word] not in ("succeeded", "running")
        return {
            "request": self.id,
            "attempt": self.number,
            "function": function,
            "status": word,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "updated_at": self.last_at,
            "duration": self.duration,
            "version": self.version,
            "trace": self.trace,
            "error_type": self.error_type if failed else None,
            "error_message": self.error_message if failed else None,
            "payload": "\n".join(self.lines) or None,
        }

    def saw(self, at: str | None, line: str) -> None:
        """A line about it."""
        if at is not None:
            self.started_at = self.started_at or at
            self.last_at = at
        if self.size < _MOST:
            self.lines.append(line[: _MOST - self.size])
            self.size += len(line)


class _Log:
    """Lines in their order, sorted to the invocations they belong to."""

    def __init__(self) -> None:
        self.tries: dict[str, list[_Try]] = {}
        self.current: dict[str | None, _Try] = {}
        self.function: str | None = None
        self.others = 0

    def take(self, at: str | None, stream: str | None, line: str) -> None:
        found = _ABOUT.match(line)
        told = as_dict(line)
        if found:
            self._mark(found["what"], found["id"], at, stream, found["rest"], line)
        elif isinstance(told.get("type"), str) and told["type"].startswith("platform."):
            self._platform(told["type"], _text(told.get("time")) or at, stream, as_dict(told.get("record")), line)
        else:
            self._line(at, stream, line, told)

    def _mark(self, what: str, request: str, at: str | None, stream: str | None, rest: str, line: str) -> None:
        one = self._try_of(request, what, at, line)
        one.saw(at, line)
        if what == "START":
            one.has_start, one.raw = True, one.raw or "START"
            one.started_at = at or one.started_at
            one.version = _field(rest, "Version", r"\S+")
            self.current[stream] = one
            return
        one.is_over = True
        one.ended_at = at or one.ended_at
        if what == "REPORT":
            one.report = line
            duration = _DURATION.search(rest)
            one.duration = float(duration[1]) if duration else None
            one.status = (_field(rest, "Status", r"\w+") or "").lower() or None
            one.error_type = _field(rest, "Error Type", r"\S+") or one.error_type
            one.trace = _field(rest, "XRAY TraceId", r"\S+") or one.trace

    def _platform(self, kind: str, at: str | None, stream: str | None, record: Mapping[str, Any], line: str) -> None:
        self.function = self.function or _text(record.get("functionName"))
        request = _text(record.get("requestId"))
        if request is None:
            self.others += 1
            return
        one = self._try_of(request, {"platform.start": "START", "platform.report": "REPORT"}.get(kind, ""), at, line)
        one.saw(at, line)
        one.trace = _root(as_dict(record.get("tracing")).get("value")) or one.trace
        if kind == "platform.start":
            one.has_start, one.raw = True, one.raw or kind
            one.started_at = at or one.started_at
            one.version = _text(record.get("version")) or one.version
            self.current[stream] = one
        elif kind in ("platform.report", "platform.runtimeDone"):
            one.is_over = True
            one.ended_at = at or one.ended_at
            one.report = line if kind == "platform.report" else one.report
            one.duration = _number(as_dict(record.get("metrics")).get("durationMs")) or one.duration
            one.status = _text(record.get("status")) or one.status
            one.error_type = _text(record.get("errorType")) or one.error_type

    def _line(self, at: str | None, stream: str | None, line: str, told: Mapping[str, Any]) -> None:
        """What the function printed, or Lambda about how it ended."""
        named = _EARLY_ID.search(line[:200])
        request = _text(told.get("requestId") or told.get("AWSRequestId") or told.get("function_request_id")) or (
            named[1] if named else None
        )
        self.function = self.function or _text(told.get("function_name"))
        own_time = _EARLY_TIME.match(line)
        at = at or _text(told.get("timestamp")) or (own_time[1] if own_time else None)
        one = (
            self._try_of(request, "", at, line)
            if request and self._is_known(request, line, told)
            else self.current.get(stream)
        )
        if one is None or (request is None and one.report and not line.startswith("XRAY")):
            self.others += 1
            return
        one.saw(at, line)
        if line.startswith("XRAY"):
            one.trace = _field(line, "XRAY TraceId", r"\S+") or one.trace
        elif timeout := _TIMEOUT.search(line):
            one.evidence, one.error_type, one.error_message = "timeout", one.error_type or "Task.TimedOut", timeout[0]
        elif crash := _CRASH.search(line):
            one.evidence, one.error_type = "error", "Runtime.ExitError"
            one.error_message = " ".join(line[crash.start() :].split())
        else:
            self._raised(one, line, told)

    def _is_known(self, request: str, line: str, told: Mapping[str, Any]) -> bool:
        """Whether an id in a line of the function's is that of a request: other ids look alike."""
        is_logger = bool(told) or bool(
            re.match(rf"(?:\[\w+\]\s+)?{_TIME}\s+{_UUID}\s|{_UUID}\s|RequestId: {_UUID}", line)
        )
        return request in self.tries or is_logger

    def _raised(self, one: _Try, line: str, told: Mapping[str, Any]) -> None:
        if one.evidence:
            return
        kind, message = told.get("errorType"), told.get("errorMessage")
        if told and not (kind and ("stackTrace" in told or "stackTrace" in str(told.get("message", "")) or message)):
            return
        if "Traceback (most recent call last)" in line:
            found = _PYTHON.match(line) or _PYTHON.match(one.lines[-2] if len(one.lines) > 1 else "")
            kind, message = (found["type"], found["message"]) if found else (None, None)
        for pattern in () if told or kind else _RAISED:
            if found := pattern.search(line):
                inside = as_dict(found.groupdict().get("json"))
                kind = inside.get("errorType") or found.groupdict().get("type")
                message = inside.get("errorMessage") or found.groupdict().get("message")
                break
        if kind:
            one.evidence, one.error_type, one.error_message = "error", one.error_type or _text(kind), _text(message)

    def _try_of(self, request: str, what: str, at: str | None, line: str) -> _Try:
        """The try that a line is about: a new one where the id starts or ends a second time."""
        tries = self.tries.setdefault(request, [])
        for number, one in enumerate(tries, start=1):  # told before: a log that stands in the file twice
            if what == "START" and at is not None and one.started_at == at:
                return one
            if what == "REPORT" and one.report == line:
                if all(
                    later.report is None for later in tries[number:]
                ):  # without times only the end tells that it is the same
                    self.current = {
                        stream: one if now in tries[number:] else now for stream, now in self.current.items()
                    }
                    del tries[number:]
                return one
        last = tries[-1] if tries else None
        is_new = last is None
        if last is not None and what == "START":
            is_new = last.is_over or (last.has_start and at is not None and last.started_at != at)
        elif last is not None and what == "REPORT":
            is_new = last.report is not None
        if is_new or last is None:
            last = _Try(request, len(tries) + 1)
            tries.append(last)
        return last

    def records(self) -> Iterator[Mapping[str, Any]]:
        for tries in self.tries.values():
            for one in tries:
                yield one.record(self.function)
        if self.others:
            yield {"reason": "lines of the log outside any invocation"}


def _field(text: str, name: str, value: str) -> str | None:
    found = re.search(rf"(?:^|\s){name}: ({value})", text)
    return found[1] if found else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and value != "" else None


def _root(trace: Any) -> str | None:
    found = re.search(r"Root=([\w-]+)", str(trace))
    return found[1] if found else _text(trace)


def read_text(path: Path) -> Iterator[Mapping[str, Any]]:
    """The invocations of a plain log, or of the console's CSV with `timestamp,message`."""
    log = _Log()
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = file.readline(1000)
        file.seek(0)
        if re.match(r"\"?timestamp\"?,\"?message\"?\s*$", header.strip()):
            csv.field_size_limit(1 << 30)
            rows = csv.reader(line.replace("\x00", "") for line in file)
            next(rows, None)
            for shown, message in _in_order([(row[0], row[1]) for row in rows if len(row) > 1]):
                log.take(shown, None, message.strip("\r\n"))
        else:
            for at, stream, message in _messages(file):
                log.take(at, stream, message)
    yield from log.records()


def _messages(lines: Any) -> Iterator[tuple[str | None, str | None, str]]:
    """Lines without their prefixes."""
    for line in lines:
        rest = line.rstrip("\r\n\t ")
        if not rest:
            continue
        at = stream = None
        for prefix in _PREFIXES:
            if found := prefix.match(rest):
                after = found["rest"]
                # a time that a logger wrote, before an id, belongs to the message
                if "stream" in found.groupdict() or not re.match(rf"{_UUID}\s", after):
                    at, rest = found["at"], after
                    stream = found.groupdict().get("stream")
                break
        yield at, stream, rest


def _in_order(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Oldest first, whichever way they were shown."""
    if len(lines) > 1 and lines[0][0] > lines[-1][0]:
        lines.reverse()
    return sorted(lines, key=lambda line: line[0])


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The invocations in what the logs API answered, or in lines of the JSON format."""
    log, seen = _Log(), set()
    for document in documents(path, "events"):
        if isinstance(document, RecordError):
            yield document
            continue
        if isinstance(document.get("results"), list):
            for at, stream, message in _queried(log, document["results"]):
                log.take(at, stream, message)
            continue
        events = document.get("events")
        for event in events if isinstance(events, list) else [document]:
            inside = as_dict(event)
            if "message" not in inside or "level" in inside:
                log.take(None, None, json.dumps(inside, ensure_ascii=False))
                continue
            stream, told = _text(inside.get("logStreamName")), inside.get("message")
            if inside.get("eventId") is not None and (inside["eventId"], stream) in seen:
                continue  # pages that overlap
            seen.add((inside.get("eventId"), stream))
            message = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
            log.take(_text(inside.get("timestamp")), stream, message.strip("\r\n\t "))
    yield from log.records()


def _queried(log: _Log, results: list[Any]) -> Iterator[tuple[str | None, str | None, str]]:
    """The lines that Logs Insights found, oldest first."""
    rows = []
    for result in results:
        fields = (
            {cell.get("field"): cell.get("value") for cell in result if isinstance(cell, dict)}
            if isinstance(result, list)
            else {}
        )
        group = _text(fields.get("@log"))
        if group and "/aws/lambda/" in group:
            log.function = group.rpartition("/aws/lambda/")[2]
        message = fields.get("@message")
        if isinstance(message, str):
            rows.append((_text(fields.get("@timestamp")), _text(fields.get("@logStream")), message.strip("\r\n\t ")))
    if len(rows) > 1 and (rows[0][0] or "") > (rows[-1][0] or ""):
        rows.reverse()
    yield from sorted(rows, key=lambda row: row[0] or "")


def _is_text(sample: Sample) -> bool:
    return not _IS_JSON.match(sample.text) and bool(_MARK.search(sample.text))


def _values(sample: Sample) -> list[Mapping[str, Any]]:
    values = sample.top if isinstance(sample.top, list) else [sample.top]
    return [value for value in values if isinstance(value, dict)]


def _is_page(value: Mapping[str, Any]) -> bool:
    """A page of the logs API."""
    events, results = value.get("events"), value.get("results")
    lines = [event for event in events[:5] if isinstance(event, dict)] if isinstance(events, list) else []
    if lines:
        return all("message" in event and ("timestamp" in event or "ingestionTime" in event) for event in lines)
    return isinstance(results, list) and '"@message"' in json.dumps(results[:5], default=str)


def _has_lines(sample: Sample) -> bool:
    return any(_is_page(value) for value in _values(sample))


def _is_json(sample: Sample) -> bool:
    """A page, or lines of the JSON format, that tell of invocations."""
    is_line = any(str(value.get("type")).startswith("platform.") and "record" in value for value in _values(sample))
    is_logger = any(
        {"level", "message"} <= value.keys() and {"requestId", "AWSRequestId"} & value.keys()
        for value in _values(sample)
    )
    return (_has_lines(sample) and bool(_MARK.search(sample.text) or _PLATFORM.search(sample.text))) or (
        is_line or (is_logger and bool(_PLATFORM.search(sample.text)))
    )


_COLUMNS: Final = {
    "request": "VARCHAR",
    "attempt": "INTEGER",
    "function": "VARCHAR",
    "status": "VARCHAR",
    "started_at": TIME,
    "ended_at": TIME,
    "updated_at": TIME,
    "duration": "DOUBLE",
    "version": "VARCHAR",
    "trace": "VARCHAR",
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "payload": "VARCHAR",
    "reason": "VARCHAR",
}
_SELECT: Final = {
    "runs": r"""
select place, request as native_id, attempt, function as automation, status as status_raw, started_at, ended_at, duration / 1000 as duration_s,
       version, trace as correlation_id, error_type, error_message, case when attempt > 1 then request end as retry_of,
       case when attempt > 1 then attempt - 1 end as retry_of_attempt, payload, updated_at
from (select * replace (coalesce(function, nullif(regexp_extract(file_name, 'aws[^a-zA-Z0-9]lambda[^a-zA-Z0-9]([\w-]+)', 1), '')) as function)
      from records where reason is null)
""",
    "set_aside": "select place, reason from records where reason is not null",
}

EXPORTS = (
    Export(name="log", form="text", claims=_is_text, reader=read_text, columns=_COLUMNS, select=_SELECT),
    Export(name="log events", form="json", claims=_is_json, reader=read_json, columns=_COLUMNS, select=_SELECT),
    Export(
        name="log events of anything",  # any service writes such pages: nobody else's, and perhaps no invocation in them
        form="json",
        claims=lambda sample: _has_lines(sample) and not _is_json(sample),
        reader=read_json,
        columns=_COLUMNS,
        select=_SELECT,
        generic=True,
    ),
)
