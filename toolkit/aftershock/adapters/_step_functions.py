"""Histories of AWS Step Functions, event by event: which state each belongs to, and what became of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import as_dict, as_text, documents
from aftershock.adapters.base import RecordError, StatusTable

_ENDS: Final = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed_out",
    "Aborted": "cancelled",
    "Exited": "succeeded",
    "ScheduleFailed": "failed",
    "StartFailed": "failed",
    "SubmitFailed": "failed",
}
_KINDS: Final = ("Task", "LambdaFunction", "Activity", "Map", "Parallel", "Pass", "Choice", "Wait", "Succeed", "Fail")
WORDS: Final[Mapping[str | tuple[str | None, ...] | None, str]] = {
    # Executions and map runs.
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "cancelled",
    "PENDING_REDRIVE": "queued",
    # Steps: the event that ended them, or else the last one about them.
    **{f"{kind}{how}": ours for kind in (*_KINDS, "MapRun") for how, ours in _ENDS.items()},
    **{f"{kind}State{how}": ours for kind in _KINDS for how, ours in _ENDS.items()},
    **{f"{kind}State{how}": "running" for kind in _KINDS for how in ("Entered", "Started")},
    **{f"{kind}{how}": "running" for kind in _KINDS for how in ("Scheduled", "Started", "Submitted")},
    "MapRunStarted": "running",
    "MapRunRedriven": "running",
    "FailStateEntered": "failed",
    "EvaluationFailed": "failed",
}
_STATUS: Final = StatusTable(WORDS)

_OF_RUN: Final = {
    "ExecutionStarted": "RUNNING",
    "ExecutionRedriven": "RUNNING",
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
_BEGINS: Final = frozenset(
    {"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled", "MapStateStarted", "ParallelStateStarted"}
)
_OPERATIONS: Final = {
    "publish": "send",
    "sendMessage": "send",
    "sendEmail": "send",
    "putEvents": "send",
    "putItem": "upsert",
    "putObject": "upsert",
    "updateItem": "update",
    "deleteItem": "delete",
    "deleteObject": "delete",
    "getItem": "read",
    "getObject": "read",
    "query": "read",
}
_ARN: Final = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:(?:execution|express):.+")
STARTED_BY: Final = "AWS_STEP_FUNCTIONSSTARTED_BY_EXECUTION_ID"


@dataclass
class _Attempt:
    """One try of a state."""

    segment: int
    started_at: str | None
    raw: str
    ended_at: str | None = None
    status: str | None = None
    error: str | None = None
    cause: Any = None
    system: str | None = None
    operation: str | None = None
    payload: list[Any] = field(default_factory=list)
    changed_at: str | None = None


@dataclass
class _Visit:
    """One time that an execution was in a state."""

    name: str
    kind: str
    container: _Visit | None
    container_try: int
    index: int
    segment: int
    tries: list[_Attempt]
    key: str = ""
    before: int = 0
    begun: bool = False
    exited: bool = False

    @property
    def now(self) -> _Attempt:
        return self.tries[-1]


@dataclass
class _Execution:
    """What one history, or the lines of one execution in a log, tell."""

    arn: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    events: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def has_end(self) -> bool:
        return any(event["type"] in _OF_RUN and event["id"] > 1 for event in self.events.values())

    def record(self) -> Mapping[str, Any] | RecordError:
        """The record: runs (one, and one more for each redrive), their steps and the executions they started."""
        try:
            return _Walk(self).record()
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return RecordError(f"cannot be followed: {type(error).__name__}: {error}", str(self.events)[:16000])


class _Walk:
    """From event to event, each joined to the state it belongs to by the event before it."""

    def __init__(self, execution: _Execution) -> None:
        self.execution = execution
        self.about = execution.about
        self.visits: list[_Visit] = []
        self.named: dict[tuple[str, int, int], list[_Visit]] = {}
        self.keys: Counter[tuple[str, int, int]] = Counter()
        self.of_event: dict[int, _Visit | None] = {}
        self.segments: list[dict[str, Any]] = [{}]
        self.children: dict[str, dict[str, Any]] = {}
        self.map_runs: list[dict[str, Any]] = []
        self.own_arn: str | None = None

    def record(self) -> Mapping[str, Any]:
        events = [self.execution.events[number] for number in sorted(self.execution.events)]
        for event in events:
            self._take(event)
        self._close()
        first = events[0] if events else {}
        # without events, the description's last attempt is all there is
        redriven = 0 if events else _whole(self.about.get("redriveCount")) or 0
        began = first.get("timestamp") if first.get("type") == "ExecutionStarted" else None
        return {
            "arn": self.execution.arn or self.about.get("executionArn") or self.own_arn,
            "otherwise": _fallback(events, began),
            "machine": self.about.get("stateMachineArn"),
            "version": self.about.get("stateMachineVersionArn"),
            "items_in": self.about.get("itemCount"),
            "map_run": self.about.get("mapRunArn"),
            "runs": [self._run(number + redriven, segment) for number, segment in enumerate(self.segments, start=1)],
            "steps": [step for visit in self.visits for step in _steps(visit, len(self.segments))] + self.map_runs,
            "children": list(self.children.values()),
        }

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, at, details = event["type"], event["timestamp"], event["details"]
        before = self.of_event.get(event["previous"])
        self.of_event[event["id"]] = before
        if kind in _OF_RUN:
            self._of_run(kind, at, details, before)
        elif kind.endswith("StateEntered"):
            self.of_event[event["id"]] = self._enter(event, before)
        elif kind.startswith("MapIteration"):
            self.of_event[event["id"]] = _container(before, details.get("name"))
        elif kind.startswith("MapRun"):
            self._map_run(kind, at, details)
        elif before is not None:
            self.of_event[event["id"]] = self._of_state(kind, at, details, before)

    def _of_run(self, kind: str, at: str | None, details: Mapping[str, Any], before: _Visit | None) -> None:
        if kind == "ExecutionRedriven":
            self.segments.append({})
        segment = self.segments[-1]
        segment.update(raw=_OF_RUN[kind], changed_at=at)
        if kind in ("ExecutionStarted", "ExecutionRedriven"):
            segment["started_at"] = at
            segment["input"] = details.get("input")
            return
        segment.update(
            ended_at=at, error=details.get("error"), cause=details.get("cause"), output=details.get("output")
        )
        for visit in self.visits:  # what no event has ended
            if not visit.exited and _STATUS[visit.now.raw] == "running":
                visit.now.status = "timed_out" if kind == "ExecutionTimedOut" else "cancelled"
                visit.now.ended_at = visit.now.changed_at = at
        if kind == "ExecutionFailed" and before is not None and not before.exited:
            last = before.now
            if _STATUS[last.raw] not in (
                "failed",
                "timed_out",
            ):  # it may have ended well, but its result could not be used
                last.status, last.ended_at = "failed", at
            last.error, last.cause = last.error or details.get("error"), last.cause or details.get("cause")

    def _enter(self, event: Mapping[str, Any], before: _Visit | None) -> _Visit:
        """A state begins: beside the one before it, or inside the map or parallel that started it."""
        came_from = self.execution.events.get(event["previous"], {})
        origin = str(came_from.get("type", ""))
        container, index = (before.container, before.index) if before else (None, 0)
        if origin in ("MapStateStarted", "ParallelStateStarted") or origin.startswith("MapIteration"):
            container = before
            index = _whole(came_from["details"].get("index")) or 0
        kind = event["type"].removesuffix("StateEntered")
        began = _Attempt(len(self.segments), event["timestamp"], event["type"], changed_at=event["timestamp"])
        began.payload.append(event["details"].get("input"))
        if kind == "Fail":
            began.ended_at = event["timestamp"]
        name = str(event["details"].get("name") or kind)
        tries = len(container.tries) if container else 0
        visit = _Visit(name, kind, container, tries, index, len(self.segments), [began])
        self._name(visit)
        self.visits.append(visit)
        return visit

    def _name(self, visit: _Visit) -> None:
        """Its key: a state seen again after its map was tried again goes on counting, one in a loop is another step."""
        same = self.named.setdefault((visit.name, visit.index, visit.segment), [])
        inside = same if visit.container is not None else []
        again = [v for v in inside if v.container is visit.container and v.container_try < visit.container_try]
        visit.key = (
            visit.name if not same else f"{visit.name} ({self.keys[visit.name, visit.index, visit.segment] + 1})"
        )
        if again:
            visit.key, visit.before = again[-1].key, again[-1].before + len(again[-1].tries)
        else:
            self.keys[visit.name, visit.index, visit.segment] += 1
        same.append(visit)

    def _of_state(self, kind: str, at: str | None, details: Mapping[str, Any], before: _Visit) -> _Visit:
        visit: _Visit | None = before
        if kind.startswith(("MapState", "ParallelState")) or kind.endswith("StateExited"):
            sort = kind.removesuffix("StateExited") if kind.endswith("StateExited") else re.sub("State.*", "", kind)
            name = details.get("name")
            while visit is not None and (visit.kind != sort or visit.exited or (name and visit.name != name)):
                visit = visit.container
        if visit is None:
            return before
        if kind in _BEGINS:
            self._begin(visit, kind, at, details)
        elif kind.endswith("StateExited"):
            visit.exited = True
            if _STATUS[visit.now.raw] == "running":
                visit.now.raw, visit.now.ended_at = kind, at
        elif _STATUS[visit.now.raw] == "running" or kind == "EvaluationFailed":
            visit.now.raw = kind
            if _STATUS[kind] not in ("running", "unknown"):
                visit.now.ended_at = at
                visit.now.error, visit.now.cause = details.get("error"), details.get("cause")
        visit.now.changed_at = at
        visit.now.payload.append(details.get("output"))
        self._child(visit.now, details)
        return visit

    def _begin(self, visit: _Visit, kind: str, at: str | None, details: Mapping[str, Any]) -> None:
        """The first try of a state is there since it was entered; any other is a retry, or the redrive of a try."""
        if visit.begun:
            visit.tries.append(_Attempt(len(self.segments), at, kind))
        visit.begun = True
        now = visit.now
        now.raw, now.started_at = kind, at
        kinds = {"LambdaFunctionScheduled": "lambda", "ActivityScheduled": "activity"}
        now.system = details.get("resourceType") or kinds.get(kind)
        now.operation = _OPERATIONS.get(str(details.get("resource") or "").partition(".")[0])
        now.payload += [details.get("parameters"), details.get("input"), details.get("resource")]
        if now.system == "states":
            own = as_dict(as_dict(details.get("parameters")).get("Input")).get(STARTED_BY)
            self.own_arn = self.own_arn or (own if isinstance(own, str) and _ARN.fullmatch(own) else None)

    def _child(self, attempt: _Attempt, details: Mapping[str, Any]) -> None:
        """An execution that was started, and what became of it where the task waited for that."""
        if attempt.system not in ("states", None):
            return
        for told in (as_dict(details.get("output")), as_dict(details.get("cause"))):
            arn = told.get("ExecutionArn")
            if not isinstance(arn, str) or not arn:
                continue
            known = {
                "arn": arn,
                "raw": told.get("Status"),
                "started_at": _time(told.get("StartDate")),
                "ended_at": _time(told.get("StopDate")),
                "error": told.get("Error"),
                "cause": as_text(told.get("Cause")),
                "payload": as_text([told.get("Input"), told.get("Output")]) if "Input" in told else None,
                "changed_at": attempt.changed_at,
            }
            self.children[arn] = {**self.children.get(arn, {}), **{k: v for k, v in known.items() if v is not None}}

    def _map_run(self, kind: str, at: str | None, details: Mapping[str, Any]) -> None:
        arn = details.get("mapRunArn")
        if arn:
            step = {
                "key": _tail(str(arn)),
                "name": _tail(str(arn)).partition(":")[0],
                "kind": "MapRun",
                "attempt": 1,
                "map_index": 0,
            }
            self.map_runs.append(
                step | {"segment": len(self.segments), "raw": kind, "started_at": at, "changed_at": at}
            )
        elif self.map_runs:
            self.map_runs[-1].update(
                raw=kind, ended_at=at, changed_at=at, error=details.get("error"), cause=as_text(details.get("cause"))
            )

    def _close(self) -> None:
        """What happened inside a map or parallel that has ended is over too."""
        for visit in self.visits:
            above = visit.container
            while (
                above is not None
                and not visit.exited
                and _STATUS[visit.now.raw] == "running"
                and visit.now.status is None
            ):
                if _STATUS[above.now.raw] != "running":
                    visit.now.status, visit.now.ended_at = "cancelled", above.now.ended_at
                above = above.container

    def _run(self, number: int, segment: Mapping[str, Any]) -> Mapping[str, Any]:
        last = number >= len(self.segments)
        given = segment.get("input")
        raw = segment.get("raw")
        if raw == "RUNNING" and not self.execution.is_whole:
            raw = None  # its end may stand on a page that is not here
        about = self.about if last else {}
        return {
            "attempt": number,
            "raw": about.get("status") or raw,
            "started_at": segment.get("started_at")
            or _time(self.about.get("startDate" if number == 1 else "redriveDate")),
            "ended_at": segment.get("ended_at") or _time(about.get("stopDate")),
            "error": as_text(segment.get("error") or about.get("error")),
            "cause": _message(segment.get("cause") or about.get("cause")),
            "parent": _parent(given) or _parent(self.about.get("input")),
            "payload": as_text(
                [self.about.get("name"), given or self.about.get("input"), segment.get("output") or about.get("output")]
            ),
            "changed_at": segment.get("changed_at") or _changed(about),
        }


def _steps(visit: _Visit, segments: int) -> Iterator[Mapping[str, Any]]:
    """The tries of one visit. A failure that was caught before a redrive is one of the redriven execution too: it is not run again."""
    counted: dict[int, int] = {}
    kept = visit.exited and _STATUS[visit.now.raw] in ("failed", "timed_out")
    later = [(visit.now, segment) for segment in range(visit.now.segment + 1, segments + 1)] if kept else []
    for one, segment in [(one, one.segment) for one in visit.tries] + later:
        counted[segment] = counted.get(segment, 0) + 1
        yield {
            "segment": segment,
            "key": visit.key,
            "name": visit.name,
            "kind": visit.kind,
            "system": one.system,
            "operation": one.operation,
            "attempt": visit.before + counted[segment],
            "map_index": visit.index,
            "raw": one.raw,
            "status": one.status,
            "started_at": one.started_at,
            "ended_at": one.ended_at,
            "error": as_text(one.error),
            "cause": _message(one.cause),
            "payload": as_text([part for part in one.payload if part is not None]),
            "changed_at": one.ended_at or one.changed_at,
        }


def _changed(about: Mapping[str, Any]) -> str | None:
    return next((_time(about[name]) for name in ("stopDate", "redriveDate", "startDate") if about.get(name)), None)


def _container(visit: _Visit | None, name: Any) -> _Visit | None:
    """The map that an iteration belongs to."""
    while visit is not None and (visit.kind != "Map" or (name and visit.name != name)):
        visit = visit.container
    return visit


def _message(cause: Any) -> str | None:
    """What a cause says: the message inside where it is a function's error or a child execution."""
    inside = as_dict(cause)
    return as_text(inside.get("errorMessage") or inside.get("Cause") or cause)


def _parent(given: Any) -> str | None:
    started_by = as_dict(given).get(STARTED_BY)
    return started_by if isinstance(started_by, str) and _ARN.fullmatch(started_by) else None


def _time(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _utc(time: Any) -> str:
    """The same text for one time, however the CLI, boto3 and the API write it."""
    try:
        seconds = re.fullmatch(r"\d{9,10}(\.\d+)?", str(time))
        told = datetime.fromtimestamp(float(str(time)), UTC) if seconds else datetime.fromisoformat(str(time))
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(time)


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _tail(arn: str) -> str:
    """`Label:uuid` of a map run, which is its step's key."""
    return arn.rpartition("/")[2]


def _fallback(events: list[Mapping[str, Any]], began: Any) -> str | None:
    """What stands for the ARN of a history that nobody named: the same for an early and a late copy of it."""
    if not events or events[0].get("type") != "ExecutionStarted":
        return None
    has_time = bool(re.match(r"\d", str(began)))
    began = _utc(began) if has_time else began
    told = events[0]["details"] if has_time else [dict(event) for event in events]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return f"history@{began}/{digest}" if has_time else f"history@{digest}"


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each execution that histories, log events and descriptions tell of; one for all that is about none."""
    gathered = _Gathered()
    for document in documents(path, "events"):
        if isinstance(document, RecordError):
            gathered.cut_off()
            yield document
        else:
            for answer in answers(document):
                gathered.take(answer)
    yield from gathered.records()


def read_lines(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The same of a log as text: an event a line, behind the time and stream that `aws logs tail` or an export puts there."""
    gathered = _Gathered()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip():
                gathered.line(line[max(line.find("{"), 0) :].strip())
    yield from gathered.records()


def answers(document: Mapping[str, Any], depth: int = 3) -> Iterator[Mapping[str, Any]]:
    """What the API or a log said; several answers may stand in one object under names of somebody's own."""
    is_answer = (
        isinstance(document.get("events"), list) or {"type", "message", "executionArn", "detail"} & document.keys()
    )
    if is_answer or not depth:
        yield document
        return
    parts = [part for value in document.values() for part in (value if isinstance(value, list) else [value])]
    inner = [part for part in parts if isinstance(part, dict)]
    for part in inner:
        yield from answers(part, depth - 1)
    if not inner:
        yield document


class _Gathered:
    """Everything of one file, sorted to executions."""

    def __init__(self) -> None:
        self.named: dict[str, _Execution] = {}
        self.unnamed: list[_Execution] = []
        self.described: list[Mapping[str, Any]] = []
        self.alone: list[_Execution] = []
        self.others = 0

    def take(self, answer: Mapping[str, Any]) -> None:
        if is_log_page(answer):
            for event in answer["events"]:
                self.line(as_dict(event).get("message"))
        elif isinstance(answer.get("events"), list):
            _add_page(self.unnamed, answer)
        elif "previousEventId" in answer:  # of a bare array of events
            _add_page(self.unnamed, {"events": [answer]})
        elif "stateMachineArn" in answer and "executionArn" in answer:
            self.described.append(answer)
        else:
            self.line(answer.get("message", answer))

    def line(self, message: Any) -> None:
        """One line of a log: an event of an execution, or of EventBridge, which can write to a log too."""
        event = as_dict(message)
        about, arn, taken = as_dict(event.get("detail")), event.get("execution_arn"), _event(event)
        if isinstance(about.get("executionArn"), str) and "status" in about:
            self.alone.append(_Execution(about["executionArn"], about))
        elif isinstance(arn, str) and arn and taken is not None:
            self.named.setdefault(arn, _Execution(arn)).events[taken["id"]] = taken
        else:
            self.others += 1

    def cut_off(self) -> None:
        """Something cannot be read: perhaps how the last history went on."""
        for history in self.unnamed[-1:]:
            history.is_whole = history.has_end

    def records(self) -> Iterator[Mapping[str, Any] | RecordError]:
        unnamed = self.unnamed + _describe(self.unnamed, self.named, self.described)
        is_alone = len(unnamed) == 1 and not self.named
        for execution in (*unnamed, *self.alone, *self.named.values()):
            record = execution.record()
            yield record if isinstance(record, RecordError) else {**record, "alone": is_alone}
        if self.others:
            yield {"reason": "what belongs to no execution"}


def _add_page(histories: list[_Execution], page: Mapping[str, Any]) -> None:
    """A page goes on where the one before it stopped, in either direction, if they share no event."""
    events = {event["id"]: event for event in map(_event, map(as_dict, page["events"])) if event is not None}
    is_more = bool(histories) and not histories[-1].events.keys() & events.keys()
    if not is_more or (1 in events and 1 in histories[-1].events):
        histories.append(_Execution(arn=page.get("executionArn")))
    history = histories[-1]
    history.events |= events
    history.is_whole = not page.get("nextToken") or history.has_end


def _event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """An event, as the API writes it or as the log does; None where it is none."""
    number, kind = _whole(event.get("id")), event.get("type")
    if number is None or not isinstance(kind, str):
        return None
    details = next((value for name, value in event.items() if name.endswith("EventDetails")), event.get("details"))
    return {
        "id": number,
        "previous": _whole(event.get("previousEventId", event.get("previous_event_id"))),
        "type": kind,
        "timestamp": _time(event.get("timestamp", event.get("event_timestamp"))),
        "details": as_dict(details),
    }


def _describe(
    histories: list[_Execution], named: dict[str, _Execution], described: list[Mapping[str, Any]]
) -> list[_Execution]:
    """Give each history its description, by the moment they began; descriptions without a history are executions too."""
    alone = []
    for about in described:
        began = _utc(about.get("startDate"))
        fits = [h for h in histories if not h.arn and began == _utc(h.events.get(1, {}).get("timestamp"))]
        if not fits and len(histories) == len(described) == 1:
            fits = [h for h in histories if not h.arn]
        if len(fits) == 1:
            fits[0].arn, fits[0].about = about["executionArn"], about
        elif about["executionArn"] in named:
            named[about["executionArn"]].about = about
        else:
            alone.append(_Execution(about["executionArn"], about))
    return alone


def is_log_page(document: Mapping[str, Any]) -> bool:
    """A page of CloudWatch's, its lines as text inside."""
    events = document.get("events")
    return isinstance(events, list) and any(isinstance(event, dict) and "message" in event for event in events[:5])
