"""rclone: its log as JSON (`--use-json-log`) or text (`-v`, `--log-file`), one invocation or many.

rclone names no run. One ends with a wrapper's `exit=N` line, with `Failed to …`, or where the next statistics count from zero again; it goes
by the moment of its first line. Without `-v` there are no statistics, and a log that complains of nothing says nothing either. An attempt
that failed and was retried inside the same invocation is no failure if the last one succeeded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._invocations import LOG, LOG_NAME, count, exit_code, lines_of, number
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "rclone"
DOCS = "https://rclone.org/docs/#exit-code"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=True,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as the log files are kept",
    inferred="where one invocation ends and the next begins; success from statistics without errors",
)

STATUS = StatusTable(
    {
        # rclone's exit codes. All others (1 to 8) are failures.
        "exit 0": "succeeded",
        "exit 9": "succeeded",  # no files transferred
        "exit 10": "timed_out",  # --max-duration
        "exit 130": "cancelled",
        "exit 137": "crashed",
        "exit 143": "cancelled",
        "failed to": "failed",
        "errors": "failed",
        "no errors": "succeeded",
        "no end": "unknown",
    }
)

_TEXT: Final = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?:(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY) *: )?(?P<message>.*)$"
)
_LEVELED: Final = re.compile(
    r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:DEBUG |INFO  |NOTICE|WARNING|ERROR |CRITICAL): "
)
_FAILED: Final = re.compile(r"(?:Fatal error: )?(?:Failed to |failed to )|Command \S+ needs |Error: unknown command")
_BEGINS: Final = re.compile(r'Config file "[^"]*" not found - using defaults|rclone: Version ')
_COUNTED: Final = re.compile(
    r"(?P<what>Transferred|Checks|Errors|Deleted|Elapsed time): +(?P<first>[\d.,]*\d)(?: ?(?P<unit>[A-Za-z]+))?(?: / (?P<all>[\d,]+),)?"
)


@dataclass
class _Invocation:
    """What a log tells of one run of rclone. `later` holds lines after the last statistics, which may be the next run's."""

    first: str | None = None
    last: str | None = None
    elapsed: float | None = None
    transfers: int | None = None
    total: int | None = None
    checks: int | None = None
    errors: int | None = None
    exit: int | None = None
    fatal: str | None = None
    complaint: str | None = None
    lines: list[str] = field(default_factory=list)
    later: list[tuple[str | None, str, str]] = field(default_factory=list)

    def take(self, time: str | None, level: str, message: str) -> None:
        self.first, self.last = self.first or time, time or self.last
        if message and len(self.lines) < 300:
            self.lines.append(message[:500])
        if level in ("error", "critical", "alert", "emergency"):
            self.complaint = message
        if _FAILED.match(message) and level in ("", "critical", "fatal"):
            self.fatal = message

    def word(self) -> str:
        if self.exit is not None:
            return f"exit {self.exit}"
        if self.fatal:
            return "failed to"
        if self.errors is not None:
            return "errors" if self.errors else "no errors"
        return "no end"

    def record(self) -> dict[str, Any]:
        for time, level, message in self.later:
            self.take(time, level, message)
        word = self.word()
        status = "failed" if word.startswith("exit ") and STATUS[word] == "unknown" else STATUS[word]
        bad = status not in ("succeeded", "unknown")
        return {
            "kind": "run",
            "word": word,
            "status": status,
            "started_at": self.first,
            "ended_at": self.last if status != "unknown" else None,
            "updated_at": self.last,
            "duration_s": self.elapsed,
            "items_in": max(self.total or 0, self.checks or 0)
            if self.total is not None or self.checks is not None
            else None,
            "items_out": self.transfers,
            "error_type": word if bad and word.startswith("exit ") else None,
            "error_message": (self.fatal or self.complaint) if bad else None,
            "payload": {"log": self.lines},
        }


class _Log:
    def __init__(self) -> None:
        self.now: _Invocation | None = None
        self.block: dict[str, float] = {}

    def line(
        self, time: str | None, level: str, message: str, stats: Mapping[str, Any] | None
    ) -> Iterator[Mapping[str, Any]]:
        now = self.now
        if now is not None and (_BEGINS.search(message) or (now.fatal and not _FAILED.match(message))):
            yield now.record()
            now = None
        elapsed = stats.get("elapsedTime") if stats else None
        if now is not None and now.elapsed is not None and isinstance(elapsed, (int, float)) and elapsed < now.elapsed:
            later, now.later = (
                now.later,
                [],
            )  # statistics from zero again: what came after the last ones is the next run's
            yield now.record()
            now = _Invocation()
            for item in later:
                now.take(*item)
        self.now = now = now or _Invocation()
        if stats:
            for item in now.later:
                now.take(*item)
            now.later = []
            now.elapsed = float(elapsed) if isinstance(elapsed, (int, float)) else now.elapsed
            now.transfers, now.total, now.checks, now.errors = (
                old if (found := count(stats.get(name))) is None else found
                for name, old in (
                    ("transfers", now.transfers), ("totalTransfers", now.total), ("checks", now.checks), ("errors", now.errors or 0),
                )
            )  # fmt: skip
            now.take(time, level, message.strip())
        elif now.elapsed is not None and not _FAILED.match(message):
            now.later.append((time, level, message))
        else:
            now.take(time, level, message)

    def counted(self, text: str) -> Iterator[Mapping[str, Any]]:
        """A line of the block of statistics in a text log; its last one is the elapsed time."""
        found = _COUNTED.match(text.strip())
        if not found:
            return
        what, first = found["what"], float(found["first"].replace(",", ""))
        if what == "Transferred" and found["all"] and not found["unit"]:
            self.block |= {"transfers": first, "totalTransfers": float(number(found["all"]) or 0)}
        elif what in ("Checks", "Errors"):
            self.block[what.lower()] = first
        elif what == "Elapsed time":
            stats = {"errors": 0.0, **self.block, "elapsedTime": _seconds(text)}
            self.block = {}
            yield from self.line(None, "", "", stats)

    def exit(self, code: int) -> Iterator[Mapping[str, Any]]:
        if self.now is None:
            yield {"kind": "aside", "reason": "an exit code without a log"}
            return
        self.now.exit = code
        yield self.now.record()
        self.now = None


def _seconds(text: str) -> float:
    """`Elapsed time:  1m2.5s`."""
    parts = re.findall(r"([\d.]+)(ms|d|h|m|s)", text.partition(":")[2])
    return round(
        sum(float(value) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for value, unit in parts), 6
    )


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The invocations in a log, whether its lines are JSON, text or both."""
    log, strange = _Log(), 0
    for raw in lines_of(path):
        line = raw.strip()
        if not line:
            continue
        code = exit_code(line)
        text = _TEXT.match(line)
        if code is not None:
            yield from log.exit(code)
        elif line.startswith("{"):
            try:
                value = json.loads(line, parse_constant=str)
            except (ValueError, RecursionError) as error:
                yield RecordError(f"is no JSON or cut off: {error}", line[:16000])
                continue
            stats = value.get("stats") if isinstance(value.get("stats"), dict) else None
            message = ": ".join(str(value[name]) for name in ("object", "msg") if value.get(name))
            yield from log.line(value.get("time"), str(value.get("level") or "").lower(), message, stats)
        elif text:
            time = text["time"].replace("/", "-", 2)
            yield from log.line(time, (text["level"] or "").lower(), text["message"], None)
            yield from log.counted(text["message"])
        elif _COUNTED.match(line):
            yield from log.counted(line)
        else:
            strange += 1
    if log.now is not None:
        yield log.now.record()
    if strange:
        yield {"kind": "aside", "reason": f"lines without a time ({strange})"}


_SOURCE: Final = re.compile(
    r"(?:accounting|operations|sync|march|cmd|config|check|fs|vfs|backend|lib|walk|filter|log|slog|bisync|\w+)/[\w\-]+\.go:\d+$"
)


def _is_json_log(sample: Sample) -> bool:
    objects = sample.top if isinstance(sample.top, list) else [sample.top]
    return any(
        isinstance(item, dict)
        and {"level", "msg", "source", "time"} <= item.keys()
        and _SOURCE.search(str(item["source"]))
        for item in objects
    )


def _is_text_log(sample: Sample) -> bool:
    return not sample.text.lstrip().startswith("{") and any(
        _LEVELED.match(line) for line in sample.text.splitlines()[:200]
    )


_COLUMNS: Final = {
    "kind": "VARCHAR", "reason": "VARCHAR", "word": "VARCHAR", "status": "VARCHAR", "started_at": TIME, "ended_at": TIME, "updated_at": TIME,
    "duration_s": "DOUBLE", "items_in": "BIGINT", "items_out": "BIGINT", "error_type": "VARCHAR", "error_message": "VARCHAR", "payload": "JSON",
}  # fmt: skip
_RUNS: Final = f"""
select place, {LOG} as scope, coalesce(strftime(started_at, '%Y-%m-%dT%H:%M:%S.%fZ'), file_name || ':' || place) as native_id,
       {LOG_NAME} as automation, status, word as status_raw, started_at, ended_at, duration_s, items_in, items_out, error_type, error_message,
       payload, updated_at
from records where kind = 'run'
"""
_SELECT: Final = {"runs": _RUNS, "set_aside": "select place, reason from records where kind = 'aside'"}

EXPORTS = (
    Export(name="JSON log", form="json", claims=_is_json_log, reader=read, columns=_COLUMNS, select=_SELECT),
    Export(name="text log", form="text", claims=_is_text_log, reader=read, columns=_COLUMNS, select=_SELECT),
)
