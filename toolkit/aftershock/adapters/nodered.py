"""Node-RED: its log with metrics on, and its flows.

A custom log handler (`settings.logging`, `metrics: true`) that writes each event as JSON, a line each; or the console's log where
its `metrics` are on. Flows as `GET /flows` gives them in either version, or `flows.json` itself: an automation per node that starts
messages, named after its tab.

Node-RED keeps no history of runs and passes no verdict. A run here is a message id from the node that sent it first; the nodes
that it visits are steps. It failed where a catch node took it or an error was logged while it was the only message inside the node
that says so; a warning makes it partial; it was lost where Node-RED started anew while it was inside a node; else it succeeded when
every node that received it was done with it. An error that a catch node takes is not in the log at all: its words are unknown.

Not to be known: what went wrong without an error or a warning (an answer of `ok: false`); what a message carried; a run that goes
on under a new id. Before Node-RED 1.0 nodes do not say when they are done. Without metrics a log names no messages: its lines are
set aside, errors too, for a rate of failures alone would be none. Messages that status nodes make are no runs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import documents
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "nodered"
DOCS = "https://nodered.org/docs/user-guide/runtime/logging"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=True,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as long as the log files; Node-RED itself keeps nothing",
    inferred="every outcome: succeeded when all nodes are done, failed and partial from errors and warnings, crashed from a restart",
)
STATUS = StatusTable(
    {
        # Node-RED has no words for an outcome; these are what its log shows of a message, and of a node with it inside.
        "done": "succeeded",
        "warned": "partial",
        "caught": "failed",
        "error": "failed",
        "lost": "crashed",
        "open": "running",
        "no word of an end": "unknown",
    }
)

_FATAL: Final = 10
_ERROR: Final = 20
_WARN: Final = 30
_AUDIT: Final = 98
_METRIC: Final = 99
_LEVELS: Final = {"fatal": 10, "error": 20, "warn": 30, "info": 40, "debug": 50, "trace": 60, "audit": 98, "metric": 99}
_MOST_MESSAGES: Final = 200_000  # kept at a time; the oldest that are done go first
_MOST_VISITS: Final = 2_000  # of one message: a loop may never end
_MOST_TEXT: Final = 2_000
_NEVER_DONE: Final = ("switch",)


@dataclass(slots=True, eq=False)
class _Visit:
    """A message inside a node."""

    node: str
    kind: str
    number: int
    started: Any
    ended: Any = None
    sent: Any = None
    state: str = "open"
    said: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Done, or handed on by a node that does not say so; a switch without a way for the message says nothing at all."""
        return self.ended is not None or self.sent is not None or self.kind in _NEVER_DONE


@dataclass(slots=True)
class _Message:
    """What the log shows of a message id."""

    first: Any
    entry: str | None
    trigger: str | None
    last: Any = None
    caught: bool = False
    lost_at: Any = None
    visits: list[_Visit] = field(default_factory=list)


class _Fold:
    """Lines of a log, in their order, into messages."""

    def __init__(self) -> None:
        self.messages: dict[str, _Message] = {}
        self.inside: dict[str, dict[_Visit, None]] = {}  # a set that keeps its order
        self.kinds: dict[str, set[str]] = {}
        self.names: dict[str, str] = {}
        self.aside: Counter[str] = Counter()
        self.knows_done = False

    def take(self, row: Mapping[str, Any]) -> None:
        """One line."""
        level, event = _level(row.get("level")), row.get("event")
        if isinstance(row.get("id"), str) and isinstance(row.get("name"), str) and row["name"]:
            self.names[row["id"]] = row["name"]
        if isinstance(event, str) and event.startswith("node."):
            self._metric(row, event)
        elif level == _AUDIT:
            self.aside["audit of the editor and the API"] += 1
        elif level == _METRIC:
            self.aside["metrics of the runtime"] += 1
        elif "Welcome to Node-RED" in str(row.get("msg", ""))[:_MOST_TEXT]:
            self._started_anew(row.get("timestamp"))
            self.aside["of the runtime"] += 1
        elif level in (_FATAL, _ERROR, _WARN) and (row.get("id") or row.get("type")):
            self._said(row, is_error=level != _WARN)
        else:
            self.aside["of the runtime"] += 1

    def _metric(self, row: Mapping[str, Any], event: str) -> None:
        kind, _, verb = event.removeprefix("node.").rpartition(".")
        message_id, node, at = row.get("msgid"), row.get("nodeid"), row.get("timestamp")
        self.knows_done = self.knows_done or verb == "done"
        if not isinstance(message_id, str) or not message_id or not isinstance(node, str):
            self.aside["metric of no message"] += 1
            return
        message = self.messages.get(message_id)
        if message is None:
            is_entry = verb == "send" or kind in ("inject", "status", "catch", "complete")
            message = _Message(at, node if is_entry else None, kind if is_entry else None)
            self.messages[message_id] = message
        message.last = at
        if verb == "receive":
            self._enters(message, _Visit(node, kind, 0, at), is_inside=True)
        elif node == message.entry and not message.visits:
            self._enters(message, _Visit(node, kind, 0, at, at, at, "done"), is_inside=False)
        elif verb in ("send", "done"):
            self._leaves(message, node, kind, at, is_done=verb == "done")
        if verb == "receive" and kind == "catch":
            self._caught(message)

    def _enters(self, message: _Message, visit: _Visit, *, is_inside: bool) -> None:
        if len(message.visits) >= _MOST_VISITS:
            return
        visit.number = sum(other.node == visit.node for other in message.visits)
        message.visits.append(visit)
        if is_inside:
            self.inside.setdefault(visit.node, {})[visit] = None
            self.kinds.setdefault(visit.kind, set()).add(visit.node)

    def _leaves(self, message: _Message, node: str, kind: str, at: Any, *, is_done: bool) -> None:
        for visit in message.visits:
            if visit.node == node and visit.ended is None:
                if visit.sent is None:
                    self.inside.get(node, {}).pop(visit, None)
                visit.sent = at if visit.sent is None else visit.sent
                visit.ended = at if is_done else None
                return
        if message.entry is None and not any(visit.node == node for visit in message.visits):
            self._enters(
                message, _Visit(node, kind, 0, None, at if is_done else None, at, "done"), is_inside=False
            )  # in an earlier file

    def _caught(self, message: _Message) -> None:
        message.caught = message.trigger != "catch"
        raised = [visit for visit in message.visits if not visit.is_over and visit.kind != "catch"]
        if len(raised) == 1:  # of several it cannot be told which of them raised it
            raised[0].state = "error"

    def _said(self, row: Mapping[str, Any], *, is_error: bool) -> None:
        """An error or a warning is of the message inside the node, if there is but one."""
        node, kind = row.get("id"), row.get("type")
        nodes = [node] if node else self.kinds.get(str(kind), set())
        here = [visit for name in nodes for visit in self.inside.get(str(name), ())]
        if len(here) != 1:
            self.aside[
                "an error, of which message is not told" if is_error else "a warning, of which message is not told"
            ] += 1
            return
        visit = here[0]
        visit.said.append(_text(row.get("msg")))
        visit.state = "error" if is_error or visit.state == "error" else "warned"

    def _started_anew(self, at: Any) -> None:
        """Whatever was inside a node when Node-RED starts is lost: messages live in its memory alone."""
        for message in self.messages.values():
            for visit in message.visits:
                if not visit.is_over and visit.state in ("open", "warned"):
                    visit.state, message.lost_at = "lost", at or message.last
        self.inside.clear()

    def finished(self) -> Iterator[Mapping[str, Any]]:
        """Messages that have to go, because too many are kept."""
        if len(self.messages) <= _MOST_MESSAGES:
            return
        done = [key for key, message in self.messages.items() if all(visit.is_over for visit in message.visits)]
        few = (
            _MOST_MESSAGES // 10
        )  # hardly any is done: the oldest go as they are, lest all be looked at again for the next line
        for key in (done if len(done) > few else list(self.messages))[: _MOST_MESSAGES // 2]:
            message = self.messages.pop(key)
            for visit in message.visits:
                self.inside.get(visit.node, {}).pop(visit, None)
            yield from self._record(key, message)

    def records(self) -> Iterator[Mapping[str, Any]]:
        """A record a message, and one for each kind of line that is about none."""
        for key, message in self.messages.items():
            yield from self._record(key, message)
        for reason in sorted(self.aside):
            yield {"aside": reason}

    def _record(self, key: str, message: _Message) -> Iterator[Mapping[str, Any]]:
        if message.trigger == "status":
            self.aside["message of a status node"] += 1
            return
        if message.entry is None and all(visit.kind == "debug" for visit in message.visits):  # perhaps of a status node
            self.aside["end of a message that began in an earlier file"] += 1
            return
        state = self._state(message)
        said = [text for visit in message.visits for text in visit.said]
        raised = next((visit for visit in message.visits if visit.state in ("error", "warned")), None)
        yield {
            "msgid": key,
            "entry": message.entry,
            "trigger": message.trigger,
            "state": state,
            "started": message.first if message.entry else None,
            "ended": message.last if state in ("done", "warned", "caught", "error") else None,
            "changed": message.lost_at or message.last,
            "error_type": raised.kind if raised else None,
            "error_message": said[0] if said else _unsaid(state, raised),
            "said": "\n".join(said)[:_MOST_TEXT] or None,
            "visits": [self._visit(visit) for visit in message.visits],
        }

    def _state(self, message: _Message) -> str:
        states = {visit.state for visit in message.visits}
        if message.caught or "error" in states:
            return "caught" if message.caught else "error"
        if message.lost_at is not None:
            return "lost"
        if not self.knows_done:
            return "no word of an end"
        if not all(visit.is_over for visit in message.visits):
            return "open"
        return "warned" if "warned" in states else "done"

    def _visit(self, visit: _Visit) -> Mapping[str, Any]:
        state = visit.state
        if state == "open" and visit.is_over:
            state = "done"
        elif state == "open" and not self.knows_done:
            state = "no word of an end"
        return {
            "node": visit.node,
            "name": self.names.get(visit.node),
            "kind": visit.kind,
            "number": visit.number,
            "state": state,
            "started": _time(visit.started),
            "ended": _time(visit.sent if visit.ended is None else visit.ended),
            "said": visit.said[0] if visit.said else None,
        }


def _level(value: Any) -> int | None:
    """The number of a level, which a handler that wraps another logger may write as a word or as text."""
    if isinstance(value, str):
        value = _LEVELS.get(value.casefold(), int(value) if value.isdecimal() and len(value) < 4 else None)
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1000 else None


def _unsaid(state: str, raised: _Visit | None) -> str | None:
    if state == "caught":
        return "a catch node took the error" + (f" of {raised.node}" if raised else "")
    return "Node-RED was started anew while the message was inside a node" if state == "lost" else None


def _text(said: Any) -> str:
    """What a node said: a text, an error or any value."""
    if isinstance(said, dict) and isinstance(said.get("message"), str):
        said = said["message"]
    return (said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str))[:_MOST_TEXT]


def _time(at: Any) -> str | None:
    return None if at is None else str(at)


def _rows(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The objects of a log, a line each; or of an array, or written over several lines."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next((line.strip() for line in lines if line.strip(" \t\r\n\x00\ufeff")), "").lstrip("\ufeff")
        if first == "{" or first.startswith("["):
            yield from documents(path)
            return
        lines.seek(0)
        for line in lines:
            row = _row(line.lstrip("\ufeff"))
            if row is not None:
                yield row
            elif line.strip(" \t\r\n\x00"):
                yield RecordError("is no JSON object", line[:_MOST_TEXT].rstrip("\n"))


def _read_log(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    fold = _Fold()
    for row in _rows(path):
        if isinstance(row, RecordError):
            yield row
        else:
            fold.take(row)
            yield from fold.finished()
    yield from fold.records()


_CONSOLE_LINE: Final = re.compile(
    r"^(?:\[?\w{3,9} )?\d{1,2} \w{3,5}\.? \d\d:\d\d:\d\d - \[(fatal|error|warn|info|debug|trace|audit|metric)\] (.*)$"
)
_OF_NODE: Final = re.compile(r"^\[([^\]:]+):([^\]]*)\] (.*)$")


def _read_console(path: Path) -> Iterator[Mapping[str, Any]]:
    fold = _Fold()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = _CONSOLE_LINE.match(line[: 16 * _MOST_TEXT])
            told = found[2] if found else ""
            node = _OF_NODE.match(told)
            level = _LEVELS[found[1]] if found else None
            row = _row(told) if level in (_AUDIT, _METRIC) else None
            if row is not None:
                fold.take(row)
            elif node and level in (_FATAL, _ERROR, _WARN):
                fold.take({"level": level, "type": node[1], "msg": node[3]})
            elif line.strip() == "Welcome to Node-RED" or found:
                fold.take({"level": level, "msg": told or line})
            yield from fold.finished()
    yield from fold.records()


def _row(line: str) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


_TELLING: Final = re.compile(
    r'"event"\s*:\s*"(?:node\.[^"]+\.(?:receive|send|done|duration)|runtime\.memory\.)|Welcome to Node-RED|Node-RED version: v'
)


def _is_log(sample: Sample) -> bool:
    return _TELLING.search(sample.text) is not None


def _is_console(sample: Sample) -> bool:
    lines = sample.text.splitlines()[:400]
    return any(_CONSOLE_LINE.match(line) for line in lines) and (
        _TELLING.search(sample.text) is not None
        or any((found := _CONSOLE_LINE.match(line)) and _OF_NODE.match(found[2]) for line in lines)
    )


def _nodes(top: Any) -> Iterable[Any]:
    nodes = top.get("flows") if isinstance(top, dict) else top
    return nodes if isinstance(nodes, list) else [top]


def _are_flows(sample: Sample) -> bool:
    return any(
        isinstance(node, dict)
        and node.get("type") in ("tab", "subflow")
        and "id" in node
        and ("label" in node or "name" in node)
        for node in _nodes(sample.top)
    )


_VISIT: Final = "STRUCT(node VARCHAR, name VARCHAR, kind VARCHAR, number INTEGER, state VARCHAR, started VARCHAR, ended VARCHAR, said VARCHAR)[]"
_LOG: Final = {
    **dict.fromkeys(("msgid", "entry", "trigger", "state", "error_type", "error_message", "said", "aside"), "VARCHAR"),
    **dict.fromkeys(("started", "ended", "changed"), TIME),
    "visits": _VISIT,
}
_RUNS: Final = {
    "runs": """
select place, msgid as native_id, entry as automation_native_id, case when trigger = 'catch' then 'error_handler' end as role, state as status_raw,
       trigger, started as started_at, ended as ended_at, error_type, error_message, said as payload, changed as updated_at
from records where msgid is not null
""",
    "steps": """
select place, msgid as native_id, visit.node as key, coalesce(visit.name, visit.node) as name, visit.kind as kind, visit.number as map_index,
       visit.state as status_raw, as_time(visit.started) as started_at, as_time(visit.ended) as ended_at,
       case when visit.state in ('error', 'warned') then visit.kind end as error_type, visit.said as error_message, visit.said as payload,
       changed as updated_at
from (select place, msgid, changed, unnest(visits) as visit from records where msgid is not null)
""",
    "set_aside": "select place, aside as reason from records where msgid is null",
}

# What starts messages: nothing is wired to it, and it is wired to something.
_FLOW_SELECT: Final = {
    "automations": """
with wired as (select distinct unnest(flatten(from_json(wires, '[["VARCHAR"]]'))) as id from records where json_type(wires) = 'ARRAY'),
entries as (
    select place, id, z, type, coalesce(nullif(name, ''), type) as name, repeat, crontab, coalesce(d, false) as is_off,
           count(*) over (partition by z) as beside
    from records
    where json_type(wires) = 'ARRAY' and len(flatten(from_json(wires, '[["VARCHAR"]]'))) > 0 and id not in (from wired)
      and type not in ('tab', 'subflow', 'group', 'comment', 'catch', 'status', 'complete', 'link in') and type not like 'subflow:%'
)
select entries.place, entries.id as native_id,
       coalesce(nullif(tab.label, ''), entries.z) || case when beside > 1 then ': ' || entries.name else '' end as name,
       coalesce(nullif(crontab, ''), 'every ' || nullif(repeat, '') || ' s') as schedule, not (is_off or coalesce(tab.disabled, false)) as enabled
from entries left join (select id, label, disabled from records where type = 'tab') tab on tab.id = entries.z
""",
    "set_aside": "select place, case type when 'tab' then 'a tab of flows' else 'a node of flows' end as reason from records",
}
_NODE: Final = {
    **dict.fromkeys(("id", "type", "z", "name", "label", "repeat", "crontab"), "VARCHAR"),
    **dict.fromkeys(("disabled", "d"), "BOOLEAN"),
    "wires": "JSON",
}

EXPORTS = (
    Export(
        name="log",
        form="json",
        requires=frozenset({"level", "timestamp"}),
        one_of=frozenset({"msg", "event"}),
        claims=_is_log,
        reader=_read_log,
        columns=_LOG,
        select=_RUNS,
    ),
    Export(
        name="console log",
        form="text",
        claims=_is_console,
        reader=_read_console,
        columns=_LOG,
        select=_RUNS,
    ),
    Export(
        name="flows",
        form="json",
        requires=frozenset({"id", "type"}),
        claims=_are_flows,
        columns=_NODE,
        select=_FLOW_SELECT,
    ),
    Export(
        name="flows and revision",
        form="json",
        records="flows",
        requires=frozenset({"id", "type"}),
        claims=_are_flows,
        columns=_NODE,
        select=_FLOW_SELECT,
    ),
)
