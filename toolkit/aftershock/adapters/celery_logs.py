"""Celery's text: `celery events --dump` and the log of a worker (`celery worker -l INFO`), in the default log format.

The dump holds what the events hold, with names and arguments at each of them. A worker's log knows its own share alone: a retry
often goes on in another worker's log, so attempts are not told from here, and a process that was lost is not named with its
task. It alone knows that a task raised `Ignore`, and what tasks log themselves. Its times are the machine's own, without a zone.
A log of `celery beat` names no task ids: it is taken in and set aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._celery import EVENT, EVENTS
from aftershock.adapters._celery import STATUS as STATUS
from aftershock.adapters.base import Export, Fidelity, Sample

TOOL = "celery"
DOCS = "https://docs.celeryq.dev/en/stable/userguide/monitoring.html#celery-events-curses-monitor"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=True,
    keys=True,
    evidence="captured",
    retention="as long as the log files",
    inferred="from a worker's log: queued at its receipt; how long a task took is its last execution there",
)

_MOST_LINES: Final = 400  # of one traceback or one printed result
_MOST_TEXT: Final = 200_000

_DUMPED: Final = re.compile(
    r"^(?P<hostname>\S+) \[(?P<timestamp>\d{4}-\d\d-\d\d[ T][\d:.]+(?:[+-]\d\d:?\d\d|Z)?)\] "
    r"(?:task (?P<word>[\w-]+): (?P<name>[^\s()]*)\((?P<uuid>[^()\s]+)\) args=(?P<args>.*?) kwargs=(?P<kwargs>.*?) (?=[a-z_]+=)|(?P<worker>[\w-]+): )"
    r"(?P<rest>.*)$"
)
# Fields of a dumped event stand in the order of their names, so each ends where a later one begins.
_FIELDS: Final = {
    name: re.compile(rf"(?s)(?:^|, ){name}=({value})(?:, (?:{after})=|\Z)")
    for name, value, after in (
        ("clock", r"\d+", r"\w+"),
        ("exception", r".*?", "local_received"),
        ("parent_id", r"[^,\s]+", r"\w+"),
        ("result", r".*?", "runtime"),
        ("retries", r"\d+", r"\w+"),
        ("root_id", r"[^,\s]+", r"\w+"),
        ("runtime", r"[\d.eE+-]+", r"\w+"),
        ("traceback", r".*?", "utcoffset"),
        ("requeue", r"\w+", r"\w+"),
        ("terminated", r"\w+", r"\w+"),
        ("expired", r"\w+", r"\w+"),
        ("signum", r"\d+", r"\w+"),
    )
}
_STRAYS: Final = {"type": "none", "note": "lines outside any task"}
_BOOLEANS: Final = {"True": True, "False": False}

_LOGGED: Final = re.compile(
    r"^\[(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[,.](?P<ms>\d+): (?P<level>[A-Z]+)/(?P<process>[\w-]+)\] (?P<text>.*)$"
)
_TASK: Final = r"(?P<name>[^\s\[\]]+)\[(?P<uuid>[^\s\[\]]+)\]"
_SAYINGS: Final = tuple(
    (word, re.compile(pattern, re.DOTALL))
    for word, pattern in (
        ("received", rf"^Task {_TASK} received"),
        ("received", rf"^Received task: {_TASK}"),  # Celery 4
        ("started", rf"^Task accepted: {_TASK}"),
        ("succeeded", rf"^Task {_TASK} succeeded in (?P<runtime>[\d.eE+-]+)s: (?P<result>.*)$"),
        ("failed", rf"^Task {_TASK} (?:raised (?:un)?expected|INTERNAL ERROR): (?P<exception>.*)$"),
        ("retried", rf"^Task {_TASK} retry: (?:Retry (?:in|at) .{{1,60}}?: (?=[\w.]+\())?(?P<exception>.*)$"),
        ("rejected", rf"^Task {_TASK} (?P<exception>reject requeue=(?P<requeue>\w+): .*)$"),
        ("ignored", rf"^Task {_TASK} ignored"),
        ("revoked", rf"^(?:Discarding revoked task|Skipping revoked task|Revoked task): {_TASK}"),
        ("terminated", r"^Terminating (?P<uuid>\S+) \("),
        ("timed out", rf"^Hard time limit \((?P<limit>[\d.]+)s\) exceeded for {_TASK}"),
        ("log", rf"^(?:Soft time limit \([\d.]+s\) exceeded for )?{_TASK}"),
    )
)
_UNREGISTERED: Final = re.compile(r"^Received unregistered task of type '(?P<name>[^']+)'")
_ID: Final = re.compile(r"'id': '([^']+)'")


def _read_dump(path: Path) -> Iterator[Mapping[str, Any]]:
    """A record an event; what stands before the first or is no event is one record each."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        found: re.Match[str] | None = None
        more: list[str] = []
        strays = False
        for line in lines:
            head = _DUMPED.match(line[:_MOST_TEXT])
            if head is None and found is not None and len(more) < _MOST_LINES:
                more.append(line)
            elif head is None:
                strays = strays or bool(line.strip())
            else:
                if found is not None:
                    yield _dumped(found, more)
                found, more = head, []
        if found is not None:
            yield _dumped(found, more)
        if strays:
            yield _STRAYS


def _dumped(head: re.Match[str], more: list[str]) -> Mapping[str, Any]:
    record: dict[str, Any] = {name: head[name] for name in ("hostname", "timestamp", "name", "uuid", "args", "kwargs")}
    record["type"] = f"task-{head['word']}" if head["word"] else f"worker-{head['worker']}"
    rest = "\n".join([head["rest"], *(line.rstrip("\n") for line in more)])[:_MOST_TEXT].strip()
    for name, pattern in _FIELDS.items():
        found = pattern.search(rest)
        if found and found[1] != "None":
            record[name] = _BOOLEANS.get(found[1], found[1])
    return record


def _read_log(path: Path) -> Iterator[Mapping[str, Any]]:
    """A record a line that is about a task, with what was printed below it; the other lines together are one."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        strays = False
        block: list[str] = []
        for line in lines:
            if _LOGGED.match(line[:_MOST_TEXT]):
                record = _logged(block)
                strays = strays or bool(block and not record)
                if record:
                    yield record
                block = [line]
            elif block and len(block) < _MOST_LINES:
                block.append(line)
            else:
                strays = strays or bool(line.strip())
        record = _logged(block)
        if record:
            yield record
        strays = strays or bool(block and not record)
    if strays:
        yield _STRAYS


def _logged(block: list[str]) -> Mapping[str, Any] | None:
    """What a line of the log and the lines below it say of a task, as an event; None where they name none."""
    head = _LOGGED.match(block[0][:_MOST_TEXT]) if block else None
    if head is None:
        return None
    below = "".join(block[1:]).strip()
    record: dict[str, Any] = {"timestamp": f"{head['time']}.{head['ms']}", "hostname": head["process"]}
    unknown = _UNREGISTERED.match(head["text"])
    if unknown:
        uuid = _ID.search(below)
        if uuid is None:
            return None
        return record | {
            "type": "task-failed", "name": unknown["name"], "uuid": uuid[1], "exception": f"NotRegistered('{unknown['name']}')",
        }  # fmt: skip
    for word, pattern in _SAYINGS:
        said = pattern.match(head["text"])
        if said is None:
            continue
        named = {name: value for name, value in said.groupdict().items() if value is not None}
        limit = named.pop("limit", None)
        if "requeue" in named:
            named["requeue"] = _BOOLEANS.get(named["requeue"])
        record |= {"type": f"task-{word}", "traceback": below if word in ("failed", "rejected") else None, **named}
        if word == "terminated":
            record |= {"type": "task-revoked", "terminated": True}
        if word == "timed out":
            record |= {"type": "task-failed", "exception": f"TimeLimitExceeded({limit})"}
        if word == "log":
            record["note"] = "\n".join([head["text"], below]).strip()
        return record
    return None


def _is_dump(sample: Sample) -> bool:
    lines = (_DUMPED.match(line) for line in sample.text.splitlines()[:200])
    return any(
        found and (found["word"] or "sw_ident=" in found["rest"] or "local_received=" in found["rest"])
        for found in lines
    )


_TELLING_LINE: Final = re.compile(
    r"(?m)^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+: [A-Z]+/[\w-]+\] (?:Task \S+\[[^\s\]]+\] (?:received|succeeded in|raised|retry:|ignored|reject )"
    r"|Received task: \S+\[[^\s\]]+\]|Task accepted: \S+\[|mingle: |\S+@\S+ ready\.$|beat: Starting\.\.\.|Scheduler: Sending due task )"
)


def _is_worker_log(sample: Sample) -> bool:
    return _TELLING_LINE.search(sample.text) is not None


EXPORTS = (
    Export(
        name="events dump",
        form="text",
        claims=_is_dump,
        reader=_read_dump,
        columns=EVENT,
        select=EVENTS,
    ),
    Export(
        name="worker log",
        form="text",
        claims=_is_worker_log,
        reader=_read_log,
        columns=EVENT,
        select=EVENTS,
        rank=1,
    ),
)
