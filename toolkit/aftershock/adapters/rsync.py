"""rsync: its own log (`--log-file`, or a daemon's), and what it prints (`--stats`, `-v`), one invocation or many.

In the log every line has a local time and the process: a run is what one process says from its file list on. Printed output has
neither: there a run ends with a wrapper's `exit=N` line, with its totals or with `rsync error`, and goes by its place in the log. The two
cannot be joined, so take in one of them. Code 23 and 24 are partial transfers, unless nothing at all was there to transfer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._invocations import LOG, LOG_NAME, exit_code, lines_of, number
from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "rsync"
DOCS = "https://download.samba.org/pub/rsync/rsync.1"
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
    inferred="success from totals without an error; where one printed output ends and the next begins",
)

STATUS = StatusTable(
    {
        # rsync's exit values. Not named here: 1 to 6, 10 to 14, 21, 22 and 25, which are failures.
        "code 0": "succeeded",
        "code 19": "cancelled",  # SIGUSR1
        "code 20": "cancelled",  # SIGINT, SIGTERM, SIGHUP
        "code 23": "partial",
        "code 24": "partial",  # source files vanished
        "code 30": "timed_out",
        "code 35": "timed_out",
        "code 130": "cancelled",
        "code 137": "crashed",
        "code 143": "crashed",
        "nothing transferred": "failed",
        "totals": "succeeded",
        "no end": "running",
        "no verdict": "unknown",
    }
)

_LOGGED: Final = re.compile(r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<pid>\d+)\] ?(?P<text>.*)$")
_ERROR: Final = re.compile(
    r"rsync (?:error|warning): (?P<message>.*) \(code (?P<code>\d+)\) at (?:\S+ \[(?P<role>\w+))?"
)
_COMPLAINT: Final = re.compile(r"rsync: |@ERROR|IO error|file has vanished|cannot delete|skipping ")
_BEGINS: Final = re.compile(
    r"(?:building|receiving|sending incremental) file list|rsync (?:to|on|allowed|denied) |connect from "
)
_TOTALS: Final = re.compile(r"sent [\d,.KMGT]+ bytes +received [\d,.KMGT]+ bytes")
_SIZE: Final = re.compile(r"(?:.*  )?total size (?:is )?([\d,.]+)")
_FILES: Final = re.compile(r"Number of (?:(regular files transferred|files transferred)|files): ([\d,.]+)")
_ITEM: Final = re.compile(r"[<>ch.*][fdLDS][.+?cstTpoguaxbn]{6,9} |\*deleting |(?:send|recv|del\.) ")


@dataclass
class _Transfer:
    """What a log tells of one run of rsync."""

    pid: str | None = None
    started: str | None = None
    last: str | None = None
    code: int | None = None
    exit: int | None = None
    message: str | None = None
    roles: set[str | None] = field(default_factory=set)
    complaint: str | None = None
    totals: bool = False
    size: int | None = None
    items: int = 0
    items_in: int | None = None
    items_out: int | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.totals or self.code is not None

    def take(self, text: str, time: str | None = None) -> None:
        self.started, self.last = self.started or time, time or self.last
        if len(self.lines) < 300:
            self.lines.append(text[:500])
        error, files, size = _ERROR.search(text), _FILES.match(text), _SIZE.match(text)
        if error:
            self.code, self.message = int(error["code"]), error["message"]
            self.roles.add(error["role"])
        elif _COMPLAINT.match(text):
            self.complaint = self.complaint or text.removeprefix("rsync: ")
        elif _TOTALS.match(text):
            self.totals = True
        elif _ITEM.match(text):
            self.items += 1
        if files and files[1]:
            self.items_out = number(files[2])
        elif files:
            self.items_in = number(files[2])
        if size and (self.totals or text.startswith("total size")):
            self.size = number(size[1])

    def record(self) -> dict[str, Any]:
        code = self.exit if self.exit is not None else self.code
        if code == 23 and self.size == 0 and not self.items:
            word = "nothing transferred"
        elif code is not None:
            word = f"code {code}"
        else:
            word = "totals" if self.totals else "no end" if self.started else "no verdict"
        status = "failed" if word.startswith("code ") and STATUS[word] == "unknown" else STATUS[word]
        bad = status not in ("succeeded", "running", "unknown")
        return {
            "kind": "run",
            "pid": self.pid,
            "word": word,
            "status": status,
            "started_at": self.started,
            "ended_at": self.last if code is not None or self.totals else None,
            "updated_at": self.last,
            "items_in": self.items_in,
            "items_out": self.items_out,
            "error_type": f"code {code}" if bad else None,
            "error_message": (self.complaint or self.message) if bad else None,
            "payload": {"log": self.lines},
        }


def read_log(path: Path) -> Iterator[Mapping[str, Any]]:
    """The runs in a log file of rsync's own, each process by itself."""
    going_on: dict[str, _Transfer] = {}
    strange = 0
    for line in lines_of(path):
        found = _LOGGED.match(line)
        if not found:
            strange += bool(line.strip())
            continue
        pid, text = found["pid"], found["text"]
        now = going_on.get(pid)
        if now is not None and now.is_over and _BEGINS.match(text):
            yield now.record()
            now = None
        if now is None:
            now = going_on[pid] = _Transfer(pid)
        now.take(text, found["time"].replace("/", "-"))
    for now in going_on.values():
        yield now.record()
    if strange:
        yield {"kind": "aside", "reason": f"lines without a time and a process ({strange})"}


def read_output(path: Path) -> Iterator[Mapping[str, Any]]:
    """The runs in what rsync printed, one after another."""
    now: _Transfer | None = None
    for line in lines_of(path):
        if not line.strip():
            continue
        code = exit_code(line)
        if code is not None and now is None:
            yield {"kind": "aside", "reason": "an exit code without a log"}
            continue
        if now is not None and code is not None:
            now.exit = code
            yield now.record()
            now = None
            continue
        verdict = _ERROR.match(line)
        role = verdict["role"] if verdict else None
        # sender and receiver each say once how the same transfer ended
        ends_on = line.startswith("total size is") or bool(verdict and now and role not in now.roles)
        if now is not None and now.is_over and not ends_on and (now.size is not None or now.code is not None):
            yield now.record()
            now = None
        now = now or _Transfer()
        now.take(line)
    if now is not None:
        yield now.record()


def _is_log(sample: Sample) -> bool:
    lines = [found["text"] for found in map(_LOGGED.match, sample.text.splitlines()) if found]
    return any(
        _BEGINS.match(text) or _TOTALS.match(text) or _ERROR.search(text) or text.startswith("rsync: ")
        for text in lines
    )


def _is_output(sample: Sample) -> bool:
    return any(
        re.match(r"sent [\d,.KMGT]+ bytes  received [\d,.KMGT]+ bytes  [\d,.KMGT]+ bytes/sec$", line)
        or (line.startswith("rsync ") and _ERROR.match(line))
        for line in sample.text.splitlines()
    )


_COLUMNS: Final = {
    "kind": "VARCHAR", "reason": "VARCHAR", "pid": "VARCHAR", "word": "VARCHAR", "status": "VARCHAR", "started_at": TIME, "ended_at": TIME,
    "updated_at": TIME, "items_in": "BIGINT", "items_out": "BIGINT", "error_type": "VARCHAR", "error_message": "VARCHAR", "payload": "JSON",
}  # fmt: skip
_RUNS: Final = f"""
select place, {LOG} as scope, if(pid is null, file_name || ':' || place, strftime(started_at, '%Y-%m-%dT%H:%M:%SZ') || ':' || pid) as native_id,
       {LOG_NAME} as automation, status, word as status_raw, started_at, ended_at, items_in, items_out, error_type, error_message, payload,
       updated_at
from records where kind = 'run'
"""
_SELECT: Final = {"runs": _RUNS, "set_aside": "select place, reason from records where kind = 'aside'"}

EXPORTS = (
    Export(name="log file", form="text", claims=_is_log, reader=read_log, columns=_COLUMNS, select=_SELECT),
    Export(name="printed output", form="text", claims=_is_output, reader=read_output, columns=_COLUMNS, select=_SELECT),
)
