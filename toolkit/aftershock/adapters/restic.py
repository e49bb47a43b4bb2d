"""restic: what its commands print (`--json` or plain text), one invocation or many in a log, and `restic snapshots --json`.

restic prints no times (since 0.17 a backup's summary has them) and no exit code; a wrapper's `exit=N` line is read where there is one. A
backup that could not read everything still saves its snapshot and, before 0.17 for a missing path, exits with 0: it is `partial`. The id
of a backup is that of its snapshot, so a log and the list of snapshots tell of the same run; a snapshot in the list is a backup that
reached its end, no more is known of it. An invocation that made no snapshot goes by its place in the log: take such logs in under one name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._invocations import LOG_NAME, count, exit_code, lines_of, number
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "restic"
DOCS = "https://restic.readthedocs.io/en/stable/075_scripting.html"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=True,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="logs: as they are kept; snapshots: until `restic forget`",
    inferred="where one invocation ends and the next begins; partial from paths that were skipped or could not be read",
)

STATUS = StatusTable(
    {
        # Exit codes as restic documents them.
        "exit 0": "succeeded",
        "exit 1": "failed",
        "exit 2": "failed",
        "exit 3": "partial",  # a backup could not read some of its source
        "exit 10": "failed",
        "exit 11": "failed",
        "exit 12": "failed",
        "exit 130": "cancelled",
        "exit 137": "crashed",
        "exit 143": "crashed",
        # What it says itself, where no exit code is logged.
        "done": "succeeded",
        "snapshot": "succeeded",
        "with errors": "partial",
        "fatal": "failed",
        "interrupted": "cancelled",
        "no end": "unknown",
    }
)

_COMMANDS: Final = (
    ("init", r"created restic repository|\"message_type\":\s*\"initialized\""),
    (
        "backup",
        r"using parent snapshot|no parent snapshot|snapshot [0-9a-f]{8,64} saved|Added to the repo|files_new|processed \d+ files,|percent_done",
    ),
    ("check", r"check all packs|check snapshots, trees and blobs|no errors were found|num_errors"),
    ("prune", r"total prune|repacking packs|this removes|finding data that is still in use"),
    ("forget", r"Applying Policy|keep \d+ snapshots|remove \d+ snapshots|\"keep\":"),
    ("restore", r"^restoring |files_restored|Summary: Restored"),
    ("snapshots", r"^\d+ snapshots$|^ID +Time +Host"),
)
_COMMAND: Final = tuple((name, re.compile(pattern)) for name, pattern in _COMMANDS)
_SAVED: Final = re.compile(r"snapshot ([0-9a-f]{8,64}) saved")
_FILES: Final = re.compile(r"Files: +([\d,]+) new, +([\d,]+) changed, +([\d,]+) unmodified")
_PROCESSED: Final = re.compile(r"processed ([\d,]+) files?, .* in (?:(\d+):)?(\d+):(\d+)")
_WARNED: Final = re.compile(
    r"does not exist, skipping|^error: |could not be read|^Warning: at least|^Warning: failed|permission denied|^error for |unable to",
    re.I,
)
_OVER: Final = re.compile(
    r"snapshot [0-9a-f]{8,64} saved|no errors were found|^Fatal: |irrecoverably lost\.|^Summary: Restored|^\d+ snapshots$"
)
_AFTER: Final = re.compile(r"^Warning: |^Fatal: |^snapshot [0-9a-f]{8,64} saved|could not be read")


@dataclass
class _Invocation:
    """What a log tells of one run of restic."""

    begun: bool = False
    over: bool = False
    command: str | None = None
    exit: int | None = None
    snapshot: str | None = None
    warnings: list[str] = field(default_factory=list)
    fatal: str | None = None
    interrupted: bool = False
    started: str | None = None
    ended: str | None = None
    duration_s: float | None = None
    items_in: int | None = None
    items_out: int | None = None
    lines: list[str] = field(default_factory=list)

    def goes_on(self, message: Mapping[str, Any]) -> bool:
        """Whether a message after the end is still about it: the exit code, said once."""
        return message.get("message_type") == "exit_error" and self.exit is None

    def take(self, line: str) -> None:
        self.begun = True
        if len(self.lines) < 200:
            self.lines.append(line[:1000])
        for name, pattern in _COMMAND:
            if self.command is None and pattern.search(line):
                self.command = name
        self.over = self.over or bool(_OVER.search(line))
        saved, files, processed = _SAVED.search(line), _FILES.match(line), _PROCESSED.match(line)
        self.snapshot = saved[1][:8] if saved else self.snapshot
        if files:
            self.items_out = (number(files[1]) or 0) + (number(files[2]) or 0)
        if processed:
            self.items_in = number(processed[1])
            self.duration_s = float((int(processed[2] or 0) * 60 + int(processed[3])) * 60 + int(processed[4]))
        if line.startswith("Fatal: "):
            self.fatal = line.removeprefix("Fatal: ")
        elif _WARNED.search(line):
            self.warnings.append(line)
        if re.match(r"signal interrupt received|Interrupted|\^C", line):
            self.interrupted = True

    def take_json(self, message: Mapping[str, Any]) -> None:
        kind = message.get("message_type")
        if kind == "summary":
            self.over, self.command = True, self.command or ("check" if "num_errors" in message else "backup")
            self.snapshot = str(message["snapshot_id"])[:8] if message.get("snapshot_id") else self.snapshot
            self.items_in = count(message.get("total_files_processed", message.get("total_files")))
            if "files_new" in message:
                self.items_out = (count(message.get("files_new")) or 0) + (count(message.get("files_changed")) or 0)
            self.duration_s = (
                float(message["total_duration"]) if isinstance(message.get("total_duration"), (int, float)) else None
            )
            self.started, self.ended = message.get("backup_start"), message.get("backup_end")
            if count(message.get("num_errors")):
                self.fatal = f"{message['num_errors']} errors in the repository"
        elif kind == "error":
            error = message.get("error")
            text = error.get("message") if isinstance(error, dict) else error
            self.warnings.append(f"{message.get('item', '')}: {text or message.get('during') or 'error'}")
        elif kind == "exit_error":
            self.over, self.exit = True, count(message.get("code"))
            self.fatal = str(message.get("message") or "").removeprefix("Fatal: ")
        elif kind == "initialized":
            self.over = True

    def word(self) -> str:
        """How it ended: its exit code, else what it said."""
        if self.interrupted:
            return "interrupted"
        if self.exit:
            return f"exit {self.exit}"
        if self.fatal is not None:
            return "fatal"
        if self.warnings and self.command == "backup" and (self.over or self.exit == 0):
            return "with errors"
        return "exit 0" if self.exit == 0 else "done" if self.over else "no end"

    def record(self) -> dict[str, Any]:
        word = self.word()
        status = "failed" if word.startswith("exit ") and STATUS[word] == "unknown" else STATUS[word]
        bad = status in ("failed", "partial", "crashed", "cancelled")
        return {
            "kind": "run",
            "command": self.command or "restic",
            "id": self.snapshot,
            "word": word,
            "status": status,
            "started_at": self.started,
            "ended_at": self.ended,
            "duration_s": self.duration_s,
            "items_in": self.items_in,
            "items_out": self.items_out,
            "error_message": (self.fatal or (self.warnings[0] if self.warnings else None)) if bad else None,
            "payload": {"log": self.lines},
        }


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The invocations in a log, and the snapshots that they listed."""
    now = _Invocation()
    for raw in lines_of(path):
        line = raw.strip()
        if not line:
            continue
        code = exit_code(line)
        if code is not None:
            if now.begun:
                now.exit = code
                yield now.record()
            else:
                yield {"kind": "aside", "reason": "an exit code without a log"}
            now = _Invocation()
            continue
        message = _json(line)
        if isinstance(message, RecordError):
            yield message
            continue
        begins = message is None and not _AFTER.search(line)
        if now.over and (
            begins or isinstance(message, list) or (isinstance(message, dict) and not now.goes_on(message))
        ):
            yield now.record()
            now = _Invocation()
        now.take(line)
        if isinstance(message, dict):
            now.take_json(message)
        elif isinstance(message, list):
            snapshots = [item for item in message if isinstance(item, dict) and "short_id" in item]
            now.command, now.over = now.command or ("snapshots" if snapshots or not message else "forget"), True
            now.lines = now.lines[:-1]  # they are records of their own
            yield from ({**_snapshot(item), "kind": "snapshot"} for item in snapshots)
    if now.begun:
        yield now.record()


def _json(line: str) -> Any:
    """The JSON of a line; None for plain text."""
    if not line.startswith(("{", "[{", "[]")):
        return None
    try:
        return json.loads(line, parse_constant=str)
    except (ValueError, RecursionError) as error:
        return RecordError(f"is no JSON or cut off: {error}", line[:16000])


def _snapshot(item: Mapping[str, Any]) -> dict[str, Any]:
    summary = item.get("summary") if isinstance(item.get("summary"), dict) else {}
    assert isinstance(summary, dict)  # noqa: S101  for the type checker
    return {
        "id": str(item.get("short_id") or item.get("id") or "")[:8],
        "started_at": summary.get("backup_start") or item.get("time"),
        "ended_at": summary.get("backup_end"),
        "items_in": count(summary.get("total_files_processed")),
        "items_out": (count(summary.get("files_new")) or 0) + (count(summary.get("files_changed")) or 0)
        if summary
        else None,
        "tags": [str(tag) for tag in item["tags"]] if isinstance(item.get("tags"), list) else [],
        "payload": {key: item.get(key) for key in ("paths", "hostname", "username", "tags")},
    }


def read_snapshots(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The snapshots of `restic snapshots --json`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"), parse_constant=str)
    except (ValueError, RecursionError) as error:
        yield RecordError(f"is no JSON or cut off: {error}")
        return
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict) and item.get("snapshots") is not None:  # --group-by
            yield from ({**_snapshot(one), "kind": "snapshot"} for one in item["snapshots"])
        else:
            yield (
                {**_snapshot(item), "kind": "snapshot"}
                if isinstance(item, dict)
                else RecordError("is no object", str(item)[:16000])
            )


_MESSAGES: Final = re.compile(
    r'^[ \t]*\{.*"message_type":\s*"(?:status|verbose_status|summary|error|initialized|exit_error)"'
    r"|^created restic repository [0-9a-f]+ at |^using parent snapshot [0-9a-f]+$|^snapshot [0-9a-f]{8,64} saved$|^repository [0-9a-f]+ opened"
    r"|^Fatal: (?:wrong password or no key found|unable to open (?:config file|repository)|repository does not exist)|^check all packs$",
    re.M,
)


def _is_log(sample: Sample) -> bool:
    return bool(_MESSAGES.search(sample.text))


_COLUMNS: Final = {
    "kind": "VARCHAR", "reason": "VARCHAR", "command": "VARCHAR", "id": "VARCHAR", "word": "VARCHAR", "status": "VARCHAR",
    "started_at": TIME, "ended_at": TIME, "duration_s": "DOUBLE", "items_in": "BIGINT", "items_out": "BIGINT", "error_message": "VARCHAR",
    "tags": "VARCHAR[]", "payload": "JSON",
}  # fmt: skip

# A snapshot is older news than any log of the backup that made it, and gives way to it.
_RUNS: Final = f"""
select place, coalesce(id, file_name || ':' || place) as native_id,
       if(kind = 'snapshot', 'backup', {LOG_NAME} || ':' || command) as automation_native_id,
       if(kind = 'snapshot', 'restic backup', {LOG_NAME} || ': ' || command) as automation,
       coalesce(status, 'succeeded') as status, coalesce(word, 'snapshot') as status_raw, started_at, ended_at, duration_s,
       items_in, items_out, error_message, tags, payload, if(kind = 'snapshot', started_at, ended_at) as updated_at
from records where kind in ('run', 'snapshot')
"""
_SELECT: Final = {"runs": _RUNS, "set_aside": "select place, reason from records where kind = 'aside'"}

EXPORTS = (
    Export(name="log", form="text", claims=_is_log, reader=read, columns=_COLUMNS, select=_SELECT),
    Export(
        name="list of snapshots",
        form="json",
        requires=frozenset({"time", "tree", "paths", "id", "short_id"}),
        reader=read_snapshots,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)
