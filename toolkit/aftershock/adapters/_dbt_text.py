"""Reading `logs/dbt.log` as dbt writes it by default: text, an invocation after the other, each under a line that names it.

A line has a time of day (in UTC), a level and a thread; what has none belongs to the message before. A worker thread says which
node it begins and ends, so a result that it tells in between is that node's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

HEADER: Final = re.compile(
    r"^={10,} (?:(?P<day>\d{4}-\d\d-\d\d) )?(?P<time>\d\d:\d\d:\d\d(?:\.\d+)?) \| (?P<id>[0-9A-Fa-f-]{8,64}) ={10,}\s*$"
)
_LINE: Final = re.compile(
    r"^(?:\x1b\[0m)?(?:\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d(?:\.\d+)?) \[(\w+) *\] ?(?:\[([^\]]*)\])?: ?(.*)$", re.S
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_RESULT: Final = re.compile(
    r"^\d+ of \d+ (OK|ERROR|SKIP|PASS|FAIL|WARN|PARTIAL SUCCESS|NO-OP|REUSED)\b.*\[[^\]]*?(?:in ([\d.]+)s)?\]$"
)
_RESULTS: Final = {
    "OK": "success",
    "ERROR": "error",
    "SKIP": "skipped",
    "PASS": "pass",
    "FAIL": "fail",
    "WARN": "warn",
    "PARTIAL SUCCESS": "partial success",
    "NO-OP": "no-op",
    "REUSED": "reused",
}
_NODE: Final = re.compile(r"^(Began|Finished) running node (\S+)$")
_COMPLETED: Final = re.compile(r"^Command `(?:cli|dbt) (.+?)` (succeeded|failed) at \S+ after ([\d.]+) seconds$")
_COUNTS: Final = re.compile(r"^Done\. PASS=\d+ WARN=\d+ ERROR=(\d+) SKIP=(\d+)")
_COMMAND: Final = re.compile(r"'invocation_command': '(?:\S*/)?dbt ([^']*)'|\bwhich='([\w-]+)'")
_ERROR: Final = re.compile(r"^[A-Z]\w+ Error in \w+ \S+ \(")
_SUMMARY: Final = re.compile(r"^(?:Failure|Warning) in (\w+) (\S+) \(")
_MOST_TEXT: Final = 16000  # of one message: a stack trace may be long, but not without end
_MOST_NODES: Final = 200_000


class _Invocation:
    """What is known so far of the invocation that is being read."""

    def __init__(self, header: re.Match[str]) -> None:
        self.id = header["id"]
        self.day = header["day"]
        self.began = self.last = _clock(header["time"])
        self.nodes: dict[str, dict[str, Any]] = {}
        self.at_work: dict[str, str] = {}  # thread -> node
        self.verdict: str | None = None
        self.said: bool | None = None
        self.has_errors = False
        self.command: str | None = None
        self.error: str | None = None
        self.seconds: str | None = None
        self.about: str | None = None  # the node that a summary at the end is about

    def take(self, time: str, thread: str, message: str) -> None:
        """One message."""
        clock = _clock(time)
        while clock < self.last - timedelta(hours=12):  # past midnight
            clock += timedelta(days=1)
        self.last = max(clock, self.last)
        head = message.split("\n", 1)[0].strip()
        if not head:
            return
        self._node(thread, head, message)
        self._ending(head, message)
        if self.about and self.about in self.nodes and not head.startswith(("compiled", "See test")):
            self.nodes[self.about].setdefault("error", message.strip())
        summary = _SUMMARY.match(head)
        self.about = self._named(*summary.groups()) if summary else None

    def _node(self, thread: str, head: str, message: str) -> None:
        if (found := _NODE.match(head)) and len(self.nodes) < _MOST_NODES:
            node = self.nodes.setdefault(found[2], {"unique_id": found[2], "status": "started"})
            if found[1] == "Began":
                node["started_at"] = self.last
                self.at_work[thread] = found[2]
            else:
                node["ended_at"] = self.last
                if node["status"] == "started":  # compiled: nothing is told but an error
                    node["status"] = "error" if node.get("error") else "success"
                self.at_work.pop(thread, None)
        elif (at_work := self.at_work.get(thread)) is not None:
            node = self.nodes[at_work]
            if found := _RESULT.match(head):
                node.update(status=_RESULTS[found[1]], duration=found[2])
                if node["status"] == "error" and node.get("is_cancelled"):
                    node["status"] = "cancelled"
            elif _ERROR.match(head):
                node["error"] = message.strip()
        elif head.startswith("CANCEL query "):
            node = self.nodes.get(head.split()[2], {})
            if node.get("status") == "started":
                node["is_cancelled"] = True

    def _ending(self, head: str, message: str) -> None:
        if found := _COMPLETED.match(head):
            self.command, self.said, self.seconds = found[1], found[2] == "succeeded", found[3]
        elif found := _COUNTS.match(head):
            self.has_errors = self.has_errors or found[1] != "0" or found[2] != "0"
            self.verdict = self.verdict or "exit 0"
        elif head == "Exited because of keyboard interrupt":
            self.verdict = "keyboard interrupt"
        elif head.startswith("Encountered an error while running operation:"):
            self.has_errors, self.error = True, message.partition(":")[2].strip() or None
        elif head == "Encountered an error:":
            self.error = message.partition("\n")[2].strip() or None
            self.verdict = "exit 2" if self.verdict != "keyboard interrupt" else self.verdict
        elif head.startswith("Nothing to do."):
            self.verdict = self.verdict or "exit 0"
        elif not self.command and "arguments" in head and (found := _COMMAND.search(message)):
            self.command = found[1] or found[2]

    def _named(self, kind: str, name: str) -> str | None:
        found = [key for key in self.nodes if key.startswith(f"{kind}.") and name in key.split(".")]
        return found[0] if len(found) == 1 else None

    def record(self) -> dict[str, Any]:
        """The invocation as it will be mapped; times only where the log names the day."""
        verdict = self.verdict
        if verdict in (None, "exit 0"):
            is_bad = self.has_errors or self.said is False
            verdict = "exit 1" if is_bad else "exit 0" if self.said or verdict else None
        nodes: list[dict[str, Any]] = [
            {
                **{name: node.get(name) for name in ("unique_id", "status", "duration", "error")},
                "started_at": self._at(node.get("started_at")) if node["status"] != "skipped" else None,
                "ended_at": self._at(node.get("ended_at")) if node["status"] != "skipped" else None,
            }
            for node in self.nodes.values()
        ]
        for node in nodes:
            if node["status"] == "started" and self.nodes[node["unique_id"]].get("is_cancelled"):
                node["status"] = "cancelled"
        return {
            "id": self.id,
            "verdict": verdict,
            "command": self.command,
            "error": self.error,
            "seconds": self.seconds,
            "began": self._at(self.began),
            "ended": self._at(self.last),
            "nodes": nodes,
        }

    def _at(self, clock: timedelta | None) -> str | None:
        if clock is None or self.day is None:
            return None
        try:
            return f"{(datetime.fromisoformat(self.day) + clock).isoformat()}Z"
        except ValueError:
            return None


def _clock(time: str) -> timedelta:
    hours, minutes, seconds = time.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def read(path: Path) -> Iterator[Mapping[str, Any]]:
    """A record for each invocation; and one, without an id, for what stands before the first."""
    invocation: _Invocation | None = None
    pending: tuple[str, str, str] | None = None
    before = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = _COLOUR.sub("", line.rstrip("\r\n"))
            header, begun = HEADER.match(line), _LINE.match(line)
            if pending and invocation and (header or begun):
                invocation.take(*pending)
                pending = None
            if header:
                if invocation:
                    yield invocation.record()
                invocation = _Invocation(header)
            elif invocation is None:
                before += bool(line.strip())
            elif begun:
                pending = (begun[1], begun[3] or "", begun[4])
            elif pending and len(pending[2]) < _MOST_TEXT:
                pending = (*pending[:2], f"{pending[2]}\n{line}")
    if invocation:
        if pending:
            invocation.take(*pending)
        yield invocation.record()
    if before:
        yield {"before": before}
