"""cron and systemd units as the system log tells of them: syslog text (RFC 3164, RFC 5424, rsyslog's forms) and the journal.

A run of cron is a `CMD` line to the `END` line of the same process. By default cron logs no end (`cron -L 15` does), and cronie,
whose `CMDEND` comes from the parent process, never the exit status: such runs are `unknown`, not green. Where Debian's cron logs
failures (`grandchild #N failed with exit status 3`), an end without one is a success, unless the log has holes: journald's
forwarding drops bursts of lines, which shows in ends without beginnings, and then an end alone is no proof.

Neither `CMD` nor `END` names the other, but for host and process id, so a run's id is made of these and the day (from 12:15 to 12:15
UTC, since logs are rotated at midnight): a run that straddles two files is one. RFC 3164 knows no year and no zone: the year is that
of the file's own time, one less for what would lie in the future; the zone is the source's `time_zone`.

A unit of systemd is a run from `Starting` or `Started` to `Finished`, `Deactivated successfully`, or `Failed with result`. Its id is the
invocation's in the journal; text logs do not have it, so take in a unit's runs from one of them only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from aftershock.adapters._documents import documents
from aftershock.adapters._syslog import (
    Entry,
    framed_json,
    is_syslog,
    journal_export,
    json_entry,
    syslog_line,
    text_entries,
)
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "cron"
DOCS = "https://manpages.debian.org/bookworm/cron/cron.8.en.html"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=True,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as logrotate or journald keep it; forwarding to syslog drops bursts",
    inferred="succeeded from an end without a failure, where failures are logged; the year of RFC 3164 from the file's time",
)

STATUS = StatusTable(
    {
        # cron: the exit status as cron logs it, else how much of the run is there.
        "exit 0": "succeeded",
        "exit 124": "timed_out",  # of timeout(1)
        "exit 130": "cancelled",
        "exit 137": "crashed",
        "exit 139": "crashed",
        "exit 143": "crashed",
        "signal": "crashed",
        "end": "succeeded",
        "end without its status": "unknown",
        "end is not logged": "unknown",
        "start": "running",
        # systemd: `Failed with result '…'`, or what the manager said last.
        "success": "succeeded",
        "finished": "succeeded",
        "deactivated successfully": "succeeded",
        "exit-code": "failed",
        "resources": "failed",
        "protocol": "failed",
        "start-limit-hit": "failed",
        "dependency": "failed",
        "exec-condition": "skipped",
        "condition": "skipped",
        "timeout": "timed_out",
        "watchdog": "timed_out",
        "signal-kill": "crashed",
        "core-dump": "crashed",
        "oom-kill": "crashed",
        "starting": "running",
        "started": "running",
        "stopping": "running",
        "stopped": "cancelled",
        "failed": "failed",
    }
)

_CRONS: Final = ("cron", "crond", "anacron", "fcron")
_JOB: Final = re.compile(
    r"\((?P<user>[^)]*)\) (?P<what>CMD|END|CMDEND) \((?:\[(?P<child>\d+)\] )?(?P<command>.*)\)$", re.S
)
_BUSYBOX: Final = re.compile(r"USER (?P<user>\S+) pid +(?P<pid>\d+) cmd (?P<command>.*)$", re.S)
_EXITED: Final = re.compile(
    r"grandchild #\d+ (?:failed with exit status (?P<exit>\d+)|terminated by signal (?P<signal>\d+))"
)
_ANACRON: Final = re.compile(
    r"Job [`'](?P<job>[^']+)' (?P<what>started|terminated)(?: \((?:exit status: (?P<exit>\d+)|.*signal.*)\))?"
)
_HOLES: Final = re.compile(r"imuxsock.* lost \d+ messages|begin to drop messages|Suppressed \d+ messages")
_UNIT: Final = r"[\w@.\\:\-]+\.service"
_NAMED: Final = re.compile(rf"(?:(?P<unit>{_UNIT}) - )?(?P<about>.*?)(?:\.\.\.|…|\.)?$", re.S)
_SYSTEMD: Final = re.compile(
    rf"(?P<begun>Starting|Started|Finished|Stopping|Stopped|Failed to start) (?P<about>.*)$"
    rf"|(?P<unit>{_UNIT}): (?:Failed with result '(?P<result>[\w-]+)'|(?P<good>Deactivated successfully|Succeeded)\b"
    rf"|Main process exited, (?P<exited>.*)|(?P<other>.*))"
    rf"|Condition check resulted in (?P<unmet>.*) being skipped|(?P<skipped>.*) was skipped because",
    re.S,
)
_NO_WORK: Final = re.compile(
    r"(?:systemd-|user@|user-runtime-dir@|dbus|getty@|serial-getty@|session-)|Session \w+ of |User (?:Manager|Runtime)|.*\.(?:timer|socket|target|mount"
    r"|automount|slice|scope|path|device|swap)\b|Reached target|.* - .*(?:[Tt]imer|[Ss]ocket)$"
)


@dataclass
class _Run:
    """What a file tells of one run of cron or of a unit."""

    key: str
    host: str | None
    command: str
    user: str | None = None
    kind: str = "cron"
    started: Entry | None = None
    ended: Entry | None = None
    exit: str | None = None
    logs_end: bool = False
    invocation: str | None = None
    said: list[str] = field(default_factory=list)
    complaint: str | None = None
    word: str | None = None
    last: Entry | None = None
    again: int = 1


class _Log:
    """Folds the entries of one file into runs."""

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.open: dict[tuple[str | None, ...], _Run] = {}
        self.by_session: dict[str, _Run] = {}
        self.early: dict[str, _Run] = {}
        self.by_unit: dict[tuple[str | None, str | None], _Run] = {}
        self.first_minute = ""
        self.later_pid: dict[str | None, int] = {}  # the smallest of those that began in a later minute than the file
        self.logs_failures: set[str | None] = set()
        self.has_holes: set[str | None] = set()
        self.waiting_result: dict[str | None, tuple[str, str, str]] = {}
        self.aside: dict[str, int] = {}
        self.last: Entry | None = None

    def add(self, entry: Entry) -> None:
        self.last = entry if entry.wraps is not None else self.last
        self.first_minute = self.first_minute or _minute(entry)
        if _HOLES.search(entry.message):
            self.has_holes.add(entry.host)
        app = entry.app.rpartition("/")[2].lower()
        if app in _CRONS and self._cron(entry):
            return
        if app == "systemd" and self._systemd(entry):
            return
        if app not in _CRONS and app != "systemd":
            self._from_inside(entry)
        self._aside(
            "cron's own affairs"
            if app in _CRONS
            else "a unit's affairs"
            if app == "systemd"
            else "another program's line"
        )

    def _from_inside(self, entry: Entry) -> None:
        """What a job said itself: the journal tells by the session or the invocation whose it is. It may come before cron's CMD."""
        run = self.by_unit.get((entry.host, entry.invocation)) if entry.invocation else None
        run = run or self.by_session.get(entry.session or "")
        if run is None and entry.session and len(self.early) < 1000:
            run = self.early.setdefault(entry.session, _Run("", entry.host, ""))
        if run is not None:
            if len(run.said) < 200:
                run.said.append(entry.message[:1000])
            if entry.priority is not None and entry.priority <= 3:
                run.complaint = entry.message

    def _aside(self, reason: str) -> None:
        self.aside[reason] = self.aside.get(reason, 0) + 1

    # cron -----------------------------------------------------------------------------------------------------------------

    def _cron(self, entry: Entry) -> bool:
        job = _JOB.match(entry.message)
        busybox = _BUSYBOX.match(entry.message)
        anacron = _ANACRON.match(entry.message)
        if busybox:
            self._start(entry, busybox["pid"], busybox["command"], busybox["user"], None)
        elif job and job["what"] == "CMD":
            self._start(entry, entry.pid, job["command"], job["user"], job["child"])
        elif anacron and anacron["what"] == "started":
            self._start(entry, entry.pid, anacron["job"], None, None).logs_end = True
        elif job:
            self._end(
                entry, self._ending(entry, job["command"], job["user"], job["child"], is_cronie=job["what"] == "CMDEND")
            )
        elif anacron:
            run = self._ending(entry, anacron["job"], None, None, is_cronie=False)
            run.exit = f"exit {anacron['exit'] or 0}"
            self._end(entry, run)
        else:
            return self._about_a_run(entry)
        return True

    def _start(self, entry: Entry, pid: str | None, command: str, user: str | None, child: str | None) -> _Run:
        run = _Run(
            "-".join(part for part in (pid, child) if part), entry.host, command, user, started=entry, last=entry
        )
        run.logs_end = child is not None  # `[pid]` in the line: a log level that also logs ends
        self.runs.append(run)
        self.open[(entry.host, pid)] = run
        if entry.session:
            self.by_session[entry.session] = run
            early = self.early.pop(entry.session, None)
            run.said, run.complaint = (early.said, early.complaint) if early else ([], None)
        if _number(pid) and _minute(entry) != self.first_minute:
            self.later_pid[entry.host] = min(_number(pid), self.later_pid.get(entry.host, _number(pid)))
        return run

    def _ending(self, entry: Entry, command: str, user: str | None, child: str | None, *, is_cronie: bool) -> _Run:
        """The run that an END line is of; one without a beginning if the file does not have it."""
        run = self.open.get((entry.host, entry.pid))
        if run is not None and run.command == command:
            return run
        pid = _number(entry.pid)
        if is_cronie:  # CMD is logged by the child, CMDEND by its parent, whose id is a little smaller
            near = [
                (other.key, other)
                for key, other in self.open.items()
                if key[0] == entry.host
                and other.kind == "cron"
                and (other.command, other.user) == (command, user)
                and pid < _number(other.key) <= pid + 50
            ]
            if near:
                return min(near, key=lambda found: _number(found[0]))[1]
        elif entry.host in self.later_pid and pid > self.later_pid[entry.host]:
            self.has_holes.add(entry.host)  # it began well after the file did, and its beginning is not there
        own = str(pid + 1) if is_cronie else entry.pid
        run = _Run("-".join(part for part in (own, child) if part), entry.host, command, user)
        waiting = self.open.get((entry.host, entry.pid))
        if waiting is not None and not waiting.command:  # its failure was told of before
            run.exit, run.said = waiting.exit, waiting.said
        self.runs.append(run)
        return run

    def _end(self, entry: Entry, run: _Run) -> None:
        run.ended = run.last = entry
        run.logs_end = True
        run.word = "end"
        self.open.pop((entry.host, entry.pid), None)
        self.open.pop((run.host, run.key.partition("-")[0]), None)  # cronie's CMD came from another process

    def _about_a_run(self, entry: Entry) -> bool:
        exited = _EXITED.search(entry.message)
        # without `[pid]` in it, CMD is logged by the job's own process: only the journal's session joins it with cron's
        run = self.open.get((entry.host, entry.pid)) or self.by_session.get(entry.session or "")
        if exited:
            self.logs_failures.add(entry.host)
            if run is None:  # its beginning is in another file; the END line will say what it was
                run = self.open[(entry.host, entry.pid)] = _Run("", entry.host, "")
            run.exit = "signal" if exited["signal"] else f"exit {int(exited['exit'])}"
        if run is None:
            return False
        if (
            "session closed" in entry.message and run.ended is None
        ):  # PAM: the process of the run ends, whatever cron logs
            run.ended = run.last = entry
        if len(run.said) < 200:
            run.said.append(entry.message[:1000])
        self._aside("a detail of a run")
        return True

    # systemd --------------------------------------------------------------------------------------------------------------

    def _systemd(self, entry: Entry) -> bool:
        found = _SYSTEMD.match(entry.message)
        if not found:
            return False
        about = found["about"] or found["unmet"] or found["skipped"] or ""
        named = _NAMED.match(about)
        unit = (
            found["unit"]
            or (named["unit"] if named and named["unit"] else None)
            or (entry.unit if entry.is_journal else None)
        )
        name = unit or (named["about"] if named else about)
        if not name or _NO_WORK.match(name) or _NO_WORK.match(about) or (unit and not unit.endswith(".service")):
            return False
        run = self._unit(entry, name)
        what = found["begun"]
        if found["unmet"] or found["skipped"]:
            run = self._begin(entry, name)
            run.word, run.ended = "condition", entry
            self._close(entry, name)
        elif what in ("Starting", "Started"):
            said = self._waiting(entry) if run is not None and what == "Started" else None
            if run is None and what == "Started" and not (named and named["unit"]) and self._just_ended(entry, name):
                return False  # an end in other words, see below
            run = run or self._begin(entry, name)
            run.word, run.last = what.lower(), entry
            if (
                said and said[1] != name
            ):  # before systemd 246 a oneshot unit ends with `x.service: Succeeded.` and `Started Its Name.`
                run.word, run.ended = said[0], entry
                self._drop_twin(entry.host, said[1])
                self._close(entry, name)
        elif found["result"] or found["good"]:
            result = (found["result"] or "deactivated successfully").replace("signal", "signal-kill")
            if run is None and not entry.is_journal:
                self.waiting_result[entry.host] = (result, name, _second(entry))
            if run is None:
                run = self._begin(entry, name, is_known=False)
            run.word = "stopped" if run.word == "stopping" and found["good"] else result
            run.ended = run.last = entry
            self._close(entry, name)
        elif what in ("Finished", "Failed to start"):
            if run is None and self._just_ended(entry, name):
                return False  # it said so already, by its result
            run = run or self._begin(entry, name, is_known=False)
            said = self._waiting(entry)
            if run.ended is None or run.word in ("starting", "started"):
                run.word = "finished" if what == "Finished" else said[0] if said else "failed"
            run.ended = run.last = entry
            if said and said[1] != name:
                self._drop_twin(entry.host, said[1])
            self._close(entry, name)
        elif run is not None and what == "Stopping":
            run.word, run.last = "stopping", entry
        elif run is not None and what == "Stopped":
            run.word, run.ended, run.last = "stopped", entry, entry
            self._close(entry, name)
        else:
            if run is not None and found["exited"]:
                run.complaint = f"main process exited, {found['exited']}"
            return False
        return True

    def _unit(self, entry: Entry, name: str) -> _Run | None:
        return (
            self.by_unit.get((entry.host, entry.invocation))
            if entry.invocation
            else self.open.get((entry.host, "unit", name))
        )

    def _begin(self, entry: Entry, name: str, *, is_known: bool = True) -> _Run:
        run = _Run(name, entry.host, name, kind="unit", invocation=entry.invocation, last=entry)
        run.started = entry if is_known else None
        self.runs.append(run)
        self.open[(entry.host, "unit", name)] = run
        if entry.invocation:
            self.by_unit[(entry.host, entry.invocation)] = run
        return run

    def _close(self, entry: Entry, name: str) -> None:
        self.open.pop((entry.host, "unit", name), None)

    def _just_ended(self, entry: Entry, name: str) -> bool:
        """Whether the unit's last run ended within the same second: the same end in other words."""
        mine = [run for run in self.runs[-20:] if run.host == entry.host and run.command == name and run.ended]
        return any(run.ended is not None and _second(run.ended) == _second(entry) for run in mine[-1:])

    def _waiting(self, entry: Entry) -> tuple[str, str, str] | None:
        """What a unit without a run said of its end in this very second: the next line gives the name its run goes by."""
        said = self.waiting_result.pop(entry.host, None)
        return said if said and said[2] == _second(entry) else None

    def _drop_twin(self, host: str | None, unit: str) -> None:
        """Older systemd says `x.service: Failed with result` and `Failed to start Description`: one run, known by its description."""
        self.runs = [run for run in self.runs if not (run.host == host and run.command == unit and run.started is None)]

    # records --------------------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[Mapping[str, Any]]:
        seen: dict[tuple[str | None, ...], int] = {}
        for run in self.runs:
            if run.kind == "cron":
                key = (run.host, run.key, run.command, (run.started or run.last or Entry("", "", "")).time[:10])
                seen[key] = run.again = seen.get(key, 0) + 1
            yield self._record(run)
        for run in self.open.values():
            if run.kind == "cron" and not run.command:  # a failure whose END line never came
                self._aside("a detail of a run that is not there")
        for reason, lines in sorted(self.aside.items()):
            yield {"kind": "aside", "reason": f"{reason} ({lines} lines)"}

    def _record(self, run: _Run) -> dict[str, Any]:
        word, weight = self._word(run)
        failed = STATUS[word] in ("failed", "crashed", "timed_out") or (word.startswith("exit ") and word != "exit 0")
        says = (run.exit and run.exit.replace("exit", "exit status")) or (word if run.kind == "unit" else None)
        unique = hashlib.sha256(run.command.encode()).hexdigest()[:8]
        return {
            "kind": run.kind,
            "host": run.host,
            "key": run.invocation or run.key,
            "again": run.again,
            "is_invocation": run.invocation is not None,
            "command": run.command,
            "user": run.user,
            "automation_id": run.command if run.kind == "unit" else f"{run.user or ''}:{unique}",
            "status": "failed" if word.startswith("exit ") and STATUS[word] == "unknown" else STATUS[word],
            "word": word,
            "weight": weight,
            **_times(run, self.last),
            "error_type": says if failed else None,
            "error_message": (run.complaint or says) if failed else None,
            "payload": {"command": run.command, "user": run.user, "host": run.host, "log": run.said[:200]},
        }

    def _word(self, run: _Run) -> tuple[str, int]:
        """The word for what the log knows of a run's end, and how much that word weighs against another file's."""
        if run.kind == "unit":
            return run.word or "starting", 0
        if run.exit:
            return run.exit, 2
        if run.ended is None:
            return ("start" if run.logs_end and run.host not in self.has_holes else "end is not logged"), 0
        is_told = run.word == "end" and (run.host in self.logs_failures or "-" in run.key)
        return ("end", 1) if is_told and run.host not in self.has_holes else ("end without its status", 0)


def _number(pid: str | None) -> int:
    """A process id to compare; an RFC 5424 log may hold any word in its place."""
    return int(pid) if pid and pid.isascii() and pid.isdigit() and len(pid) < 20 else 0


def _minute(entry: Entry) -> str:
    return (
        str(_number(entry.time) // 60_000_000)
        if entry.time.isdigit()
        else entry.time[: 11 if entry.wraps is not None else 16]
    )


def _second(entry: Entry) -> str:
    return (
        str(_number(entry.time) // 1_000_000)
        if entry.time.isdigit()
        else entry.time[: 14 if entry.wraps is not None else 19]
    )


def _times(run: _Run, last: Entry | None) -> dict[str, Any]:
    """Times with a year in TIME columns; those without one as text, for the SELECT to find the year."""
    times: dict[str, Any] = {}
    for name, entry in (("started", run.started), ("ended", run.ended), ("told", run.last)):
        if entry is not None and entry.wraps is None:
            times[f"{name}_at"] = entry.time
        elif entry is not None and last is not None and last.wraps is not None:
            times[f"{name}_text"] = entry.time
            times[f"{name}_back"] = last.wraps - (entry.wraps or 0)
            times["last_text"] = last.time
            times["zoneless"] = f"2000-{entry.time}"
    return times


def _folded(entries: Iterable[Entry | str | RecordError]) -> Iterator[Mapping[str, Any] | RecordError]:
    log = _Log()
    strange = 0
    for entry in entries:
        if isinstance(entry, RecordError):
            yield entry
        elif isinstance(entry, str):
            strange += 1
        else:
            log.add(entry)
    yield from log.records()
    if strange:
        yield {"kind": "aside", "reason": f"lines without a time and a program ({strange} lines)"}


def read_text(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs in a syslog text file."""
    return _folded(text_entries(path))


def read_export(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs in `journalctl -o export`."""
    return _folded(journal_export(path))


def read_framed(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs in `journalctl -o json-sse` and `json-seq`."""
    return _folded(framed_json(path))


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs in `journalctl -o json`, `json-pretty`, and rsyslog's JSON."""
    return _folded(
        found if isinstance(found, RecordError) else json_entry(found) or "an object of something else"
        for found in documents(path)
    )


def _is_journal_json(sample: Sample) -> bool:
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    if not isinstance(first, dict):
        return False
    return {"__REALTIME_TIMESTAMP", "__CURSOR"} <= first.keys() or {"timereported", "msg", "hostname"} <= first.keys()


def _is_journal_export(sample: Sample) -> bool:
    return bool(re.match(r"\s*__CURSOR=.*\n__REALTIME_TIMESTAMP=\d+\n", sample.text))


def _is_framed_json(sample: Sample) -> bool:
    return bool(re.match(r"(?:data: |\x1e)\s*\{.{0,4000}\"__(?:REALTIME_TIMESTAMP|CURSOR)\"", sample.text, re.S))


def _is_text(sample: Sample) -> bool:
    """A system log in which cron or systemd speaks; any other program's log is not ours."""
    if not is_syslog(sample):
        return False
    entries = (syslog_line(re.sub(r"^\d{1,7} (?=<)", "", line.strip("\x00"))) for line in sample.text.splitlines())
    return any(entry.app.rpartition("/")[2].lower() in (*_CRONS, "systemd") for entry in entries if entry)


_COLUMNS: Final = {
    "kind": "VARCHAR", "reason": "VARCHAR", "host": "VARCHAR", "key": "VARCHAR", "again": "INTEGER", "is_invocation": "BOOLEAN",
    "command": "VARCHAR", "user": "VARCHAR", "automation_id": "VARCHAR", "status": "VARCHAR", "word": "VARCHAR", "weight": "INTEGER",
    "started_at": TIME, "ended_at": TIME, "told_at": TIME, "zoneless": TIME, "started_text": "VARCHAR", "ended_text": "VARCHAR",
    "told_text": "VARCHAR", "last_text": "VARCHAR", "started_back": "INTEGER", "ended_back": "INTEGER", "told_back": "INTEGER",
    "error_type": "VARCHAR", "error_message": "VARCHAR", "payload": "JSON",
}  # fmt: skip


def _dated(name: str) -> str:
    """A time without a year: the file's last line is not of the future, and lines before a New Year are of the year before."""
    return f"coalesce({name}_at, as_time((year_of_last - {name}_back) || '-' || {name}_text))"


# A day and a half of leave for zones and clocks; 29 February may also be that of the year before.
_RECORDS: Final = f"""
with years as (
    select *, year(file_time) - case when as_time(year(file_time) || '-' || last_text) <= file_time + interval 36 hours then 0 else 1 end as year_of_last
    from records where kind in ('cron', 'unit')
), dated as (
    select *, {_dated("started")} as began, {_dated("ended")} as finished, {_dated("told")} as told from years
)
"""
_RUN: Final = f"""
{_RECORDS}
select place, host as scope,
       case when kind = 'unit' then if(is_invocation, key, key || '@' || coalesce(strftime(date_trunc('second', began), '%Y-%m-%dT%H:%M:%SZ'),
                 'until ' || strftime(date_trunc('second', finished), '%Y-%m-%dT%H:%M:%SZ')))
            else strftime(coalesce(began, finished) - interval '12 hours 15 minutes', '%Y-%m-%d') || ':' || key
                 || if(again > 1, ':' || again, '') end as native_id,
       concat_ws(':', host, automation_id) as automation_native_id, command as automation,
       status, word as status_raw, if(kind = 'cron', 'schedule', null) as "trigger",
       began as started_at, finished as ended_at, error_type, error_message, payload, told + to_seconds(weight) as updated_at
from dated
"""
_SELECT: Final = {
    "runs": _RUN,
    "set_aside": "select place, reason from records where kind = 'aside'",
}


def _export(
    name: str,
    form: Literal["json", "text"],
    claims: Callable[[Sample], bool],
    reader: Callable[[Path], Iterator[Mapping[str, Any] | RecordError]],
) -> Export:
    return Export(name=name, form=form, claims=claims, reader=reader, columns=_COLUMNS, select=_SELECT)


EXPORTS = (
    _export("system log", "text", _is_text, read_text),
    _export("journal", "json", _is_journal_json, read_json),
    _export("journal export", "text", _is_journal_export, read_export),
    _export("journal as events", "text", _is_framed_json, read_framed),
)
