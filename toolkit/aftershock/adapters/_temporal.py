"""Histories of Temporal and Cadence, event by event: the run, its steps and its child workflows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import as_dict, as_text, documents, documents_in
from aftershock.adapters.base import RecordError

_DEEPEST: Final = 20
_MOST: Final = 1_000_000
SCRIPT: Final = re.compile(r"\s*(?:module\.exports\s*=|export\s+default|(?:const|let|var)\s+\w+\s*=)\s*(?=[\[{])")
CLOSED: Final = {
    f"WorkflowExecution{word}": raw
    for word, raw in {
        "Completed": "COMPLETED",
        "Failed": "FAILED",
        "Canceled": "CANCELED",
        "Terminated": "TERMINATED",
        "TimedOut": "TIMED_OUT",
        "ContinuedAsNew": "CONTINUED_AS_NEW",
    }.items()
}
# What begins a step: its kind, and where its name stands.
_BEGINS: Final = {
    "ActivityTaskScheduled": ("activity", "activityType"),
    "StartChildWorkflowExecutionInitiated": ("child workflow", "workflowType"),
    "TimerStarted": ("timer", "timerId"),
    "SignalExternalWorkflowExecutionInitiated": ("signal", "signalName"),
    "RequestCancelExternalWorkflowExecutionInitiated": ("cancel request", "workflowId"),
    "NexusOperationScheduled": ("nexus operation", "operation"),
    "WorkflowExecutionSignaled": ("signal received", "signalName"),
}
# What goes on with it. It names the event that began it under one of these.
_OPENED_BY: Final = ("scheduledEventId", "initiatedEventId", "startedEventId")
_GOES_ON: Final = frozenset(
    {"ActivityTaskStarted", "ChildWorkflowExecutionStarted", "NexusOperationStarted", "ActivityTaskCancelRequested"}
)
ENDS: Final[Mapping[str | tuple[str | None, ...] | None, str]] = {
    "ActivityTaskCompleted": "succeeded",
    "ActivityTaskFailed": "failed",
    "ActivityTaskTimedOut": "timed_out",
    "ActivityTaskCanceled": "cancelled",
    "StartChildWorkflowExecutionFailed": "failed",
    "ChildWorkflowExecutionCompleted": "succeeded",
    "ChildWorkflowExecutionFailed": "failed",
    "ChildWorkflowExecutionTimedOut": "timed_out",
    "ChildWorkflowExecutionCanceled": "cancelled",
    "ChildWorkflowExecutionTerminated": "cancelled",
    "TimerFired": "succeeded",
    "TimerCanceled": "cancelled",
    "ExternalWorkflowExecutionSignaled": "succeeded",
    "SignalExternalWorkflowExecutionFailed": "failed",
    "ExternalWorkflowExecutionCancelRequested": "succeeded",
    "RequestCancelExternalWorkflowExecutionFailed": "failed",
    "NexusOperationCompleted": "succeeded",
    "NexusOperationFailed": "failed",
    "NexusOperationTimedOut": "timed_out",
    "NexusOperationCanceled": "cancelled",
    "WorkflowExecutionSignaled": "succeeded",
}


@dataclass
class _History:
    """The events of one run, as they stand in the file."""

    events: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    is_whole: bool = True

    def record(self) -> Mapping[str, Any] | RecordError:
        first = self.events.get(1)
        if first is None or first["type"] != "WorkflowExecutionStarted":
            return RecordError(
                "a history without its beginning names no run", str(list(self.events.values())[:2])[:16000]
            )
        try:
            record = _Run([self.events[number] for number in sorted(self.events)]).record()
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            return RecordError(f"cannot be followed: {type(error).__name__}: {error}", str(first)[:16000])
        if record["raw"] == "RUNNING" and not self.is_whole:
            return {**record, "raw": None}  # its end may stand in what cannot be read
        return record


class _Run:
    def __init__(self, events: list[Mapping[str, Any]]) -> None:
        self.steps: dict[int, dict[str, Any]] = {}
        self.children: dict[str, dict[str, Any]] = {}
        self.counted: dict[str, int] = {}
        self.events = events
        self.counts_from = 1 if events[0]["is_cadence"] else 0
        self.facts: dict[str, Any] = self._begun(events[0])
        self.payload: list[str] = [_told(events[0]["about"].get("input"))]

    def record(self) -> Mapping[str, Any]:
        for event in self.events[1:]:
            self._take(event)
        if self.facts["raw"] != "RUNNING":
            for step in self.steps.values():
                if step["raw"] not in ENDS:
                    policy = str(step.pop("policy", "")).casefold()
                    step["status"] = "unknown" if policy.endswith("abandon") else "cancelled"
                    step["changed_at"] = self.events[-1]["at"]
        rows = [row for step in self.steps.values() for row in self._tries(step)]
        return {
            **self.facts,
            "changed_at": self.events[-1]["at"],
            "payload": "\n".join(part for part in self.payload if part) or None,
            "steps": rows,
            "children": list(self.children.values()),
        }

    def _begun(self, event: Mapping[str, Any]) -> dict[str, Any]:
        about, parent = event["about"], as_dict(event["about"].get("parentWorkflowExecution"))
        initiator = _short(about.get("initiator"), "CONTINUE_AS_NEW_INITIATOR_") or ""
        is_cron = "cron" in initiator.casefold() or (not initiator and bool(about.get("cronSchedule")))
        fields = as_dict(as_dict(about.get("searchAttributes")).get("indexedFields"))
        by = "schedule" if "TemporalScheduledById" in fields else "cron" if about.get("cronSchedule") else None
        digest = hashlib.sha256(str(event).encode()).hexdigest()[:12]
        return {
            "id": about.get("originalExecutionRunId") or None,
            "otherwise": about.get("firstExecutionRunId") or f"history@{event['at']}/{digest}",
            "workflow_id": about.get("workflowId"),
            "automation": as_dict(about.get("workflowType")).get("name"),
            "raw": "RUNNING",
            "trigger": by or ("parent workflow" if parent else initiator or None),
            "started_at": event["at"],
            "parent": parent.get("runId"),
            "retry_of": None if is_cron else about.get("continuedExecutionRunId") or None,
        }

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, about, at = event["type"], event["about"], event["at"]
        if kind in CLOSED:
            self.facts.update(raw=CLOSED[kind], ended_at=at)
            self.facts.update(_error(about))
            if kind == "WorkflowExecutionContinuedAsNew" and (about.get("failure") or about.get("failureReason")):
                # how older servers end a run that failed and is tried again, or is due again by cron
                self.facts.update(status="failed", **_error({"reason": about.get("failureReason"), **about}))
            if kind == "WorkflowExecutionTerminated":
                self.facts.update(error_type="Terminated", error_message=about.get("reason"))
            self.payload.append(_told(about.get("result")))
        elif kind in ("WorkflowTaskFailed", "DecisionTaskFailed"):
            self._task_failed(about)
        elif kind in ("WorkflowTaskCompleted", "DecisionTaskCompleted"):
            version = as_dict(about.get("workerVersion")).get("buildId") or about.get("binaryChecksum")
            version = version or as_dict(about.get("workerVersioningId")).get("workerBuildId")
            self.facts.update({"version": version} if version else {}, error_type=None, error_message=None)
        elif kind in _BEGINS:
            self._begin(event, *_BEGINS[kind])
        elif kind in ENDS or kind in _GOES_ON:
            self._go_on(event)

    def _task_failed(self, about: Mapping[str, Any]) -> None:
        """The workflow's own code failed, and is tried again; or the run was reset, and is a new one from here on."""
        cause = _short(about.get("cause"), "WORKFLOW_TASK_FAILED_CAUSE_") or ""
        if cause.replace("_", "").casefold() == "resetworkflow" and about.get("newRunId"):
            self.facts.update(id=about["newRunId"], retry_of=about.get("baseRunId"))
        else:
            self.facts.update(_error(about))
            self.facts["error_type"] = cause or self.facts.get("error_type")

    def _begin(self, event: Mapping[str, Any], kind: str, where: str) -> None:
        about = event["about"]
        named = about.get(where)
        if where == "workflowId":
            named = as_dict(about.get("workflowExecution")).get("workflowId") or named
        name = str(as_dict(named).get("name") or named or kind) if not isinstance(named, str) else named
        name = f"timer {name}" if kind == "timer" else name
        index = self.counted.get(f"{kind}:{name}", 0)
        self.counted[f"{kind}:{name}"] = index + 1
        has_ended = event["type"] in ENDS
        self.steps[event["id"]] = {
            "key": name if kind in ("activity", "timer") else f"{kind}: {name}",
            "name": name,
            "kind": kind,
            "map_index": index,
            "attempt": 1,
            "raw": event["type"],
            "started_at": event["at"] if kind != "activity" else None,
            "ended_at": event["at"] if has_ended else None,
            "changed_at": event["at"],
            "policy": about.get("parentClosePolicy"),
            "payload": [_told(about.get("input"))],
        }

    def _go_on(self, event: Mapping[str, Any]) -> None:
        about = event["about"]
        opened = next((number for name in _OPENED_BY if (number := _whole(about.get(name))) in self.steps), None)
        step = self.steps.get(opened) if opened is not None else None
        if step is None:
            return
        if event["type"] == "ActivityTaskStarted":
            step["attempt"] = max((_whole(about.get("attempt")) or 0) + self.counts_from, 1)
            step["started_at"] = event["at"]
            if about.get("lastFailure") or about.get("lastFailureReason"):
                step["last_failure"] = _error({"failure": about.get("lastFailure"), "reason": about.get("lastFailureReason"),
                                               "details": about.get("lastFailureDetails")})  # fmt: skip
        if event["type"] != "ActivityTaskCancelRequested":
            step["raw"], step["changed_at"] = event["type"], event["at"]
        if event["type"] in ENDS:
            step["ended_at"] = event["at"]
            step.update(_error(about) if ENDS[event["type"]] != "succeeded" else {})
        step["payload"].append(_told(about.get("result")))
        if event["type"].startswith("ChildWorkflowExecution"):
            self._child(event, step)

    def _child(self, event: Mapping[str, Any], step: dict[str, Any]) -> None:
        about = event["about"]
        named = as_dict(about.get("workflowExecution"))
        run = named.get("runId")
        if not isinstance(run, str) or not run:
            return
        before = step.get("child")
        if before and before != run:  # it went on, or was tried again, as another run
            self.children[before]["raw"] = None
        child = self.children.setdefault(run, {"id": run, "retry_of": before if before != run else None})
        step["child"] = run
        child.update(
            workflow_id=named.get("workflowId"),
            automation=as_dict(about.get("workflowType")).get("name"),
            changed_at=event["at"],
        )
        if event["type"] == "ChildWorkflowExecutionStarted":
            child.update(raw="RUNNING", started_at=event["at"])
        else:
            child.update(raw=CLOSED[event["type"].removeprefix("Child")], ended_at=event["at"])
            child.update(_error(about))

    def _tries(self, step: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The last try; and what the one before it failed of, which is all a history keeps of earlier ones."""
        payload = "\n".join(part for part in step.pop("payload") if part) or None
        failure = step.pop("last_failure", None)
        if failure and step["attempt"] > 1:
            told = {name: step[name] for name in ("key", "name", "kind", "map_index", "changed_at")}
            yield {**told, "attempt": step["attempt"] - 1, "raw": "ActivityTaskFailed", **failure}
        yield {**step, "payload": payload}


def _error(about: Mapping[str, Any]) -> dict[str, Any]:
    """What failed in the end: the innermost of nested failures."""
    failure = as_dict(about.get("failure"))
    for _ in range(_DEEPEST):
        if not (inner := as_dict(failure.get("cause"))):
            break
        failure = inner
    if failure:
        kind = as_dict(failure.get("applicationFailureInfo")).get("type")
        timeout = as_dict(failure.get("timeoutFailureInfo"))
        if timeout:
            kind = f"Timeout.{_short(timeout.get('timeoutType'), 'TIMEOUT_TYPE_') or ''}".rstrip(".")
        kind = kind or next(
            (name.removesuffix("FailureInfo") for name in failure if name.endswith("FailureInfo")), None
        )
        return {"error_type": as_text(kind), "error_message": as_text(failure.get("message"))}
    reason = as_text(about.get("reason") or _short(about.get("timeoutType"), "TIMEOUT_TYPE_") or about.get("cause"))
    details = _told(about.get("details"))
    exception = as_dict(details)  # as Cadence's Java client writes it
    for _ in range(_DEEPEST):
        if not (inner := as_dict(exception.get("cause"))):
            break
        exception, reason = inner, as_text(inner.get("class")) or reason
    message = exception.get("detailMessage") or details or None
    return {"error_type": reason, "error_message": as_text(message)} if reason else {}


def _told(payloads: Any) -> str:
    """The text inside payloads (base64), as far as it is text. Cadence has one, Temporal a list."""
    several = payloads.get("payloads") or [] if isinstance(payloads, dict) else [{"data": payloads}]
    parts = [as_dict(part).get("data") for part in several if isinstance(part, dict)]
    texts = []
    for part in parts[:100]:
        try:
            texts.append(base64.b64decode(str(part or "")[:_MOST], validate=True).decode())
        except (binascii.Error, ValueError):
            texts.append(str(part)[:_MOST])
    return "\n".join(text for text in texts if text)


def _short(word: Any, prefix: str) -> str | None:
    """A value of an enumeration without its prefix: `RESET_WORKFLOW`, `ResetWorkflow`."""
    return word.removeprefix(prefix) if isinstance(word, str) and word else None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def event_of(told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """One event of either encoding, `EVENT_TYPE_TIMER_FIRED` and `TimerFired`; None where it is none."""
    number, kind = _whole(told.get("eventId")), told.get("eventType")
    if number is None or not isinstance(kind, str):
        return None
    if kind.startswith("EVENT_TYPE_"):
        kind = "".join(word.capitalize() for word in kind.removeprefix("EVENT_TYPE_").split("_"))
    at = told.get("eventTime", told.get("timestamp"))
    about = next((value for name, value in told.items() if name.endswith("EventAttributes")), told.get("attributes"))
    return {
        "id": number,
        "type": kind,
        "at": str(at) if isinstance(at, (str, int, float)) else None,
        "about": as_dict(about),
        "is_cadence": "eventTime" not in told,
    }


def pages(value: Mapping[str, Any]) -> list[Any]:
    """The events in one document: a page of a history, also inside `history`, or an event by itself."""
    events = value.get("events", as_dict(value.get("history")).get("events"))
    return events if isinstance(events, list) else [value]


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each history; a page goes on with the one before it."""
    yield from _histories(documents(path, "events"))


def read_script(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The same of a dump that somebody made a script of."""
    text = path.read_text(encoding="utf-8", errors="replace")
    begin = SCRIPT.match(text)
    yield from _histories(documents_in(text[begin.end() if begin else 0 :].rstrip("; \t\r\n"), "events"))


def _histories(found: Iterator[Mapping[str, Any] | RecordError]) -> Iterator[Mapping[str, Any] | RecordError]:
    history = _History()
    for document in found:
        if isinstance(document, RecordError):
            history.is_whole = False
            yield document
            continue
        for told in pages(document):
            event = event_of(as_dict(told))
            if event is None:
                yield RecordError("is no event of a history", str(told)[:16000])
                continue
            if event["id"] in history.events:
                yield history.record()
                history = _History()
            history.events[event["id"]] = event
    if history.events:
        yield history.record()
