"""The text that Ansible's default callback prints and `log_path` keeps, folded into playbooks.

A line of `log_path` begins with a local time and the process (`p=`): lines of processes that write into one log at a time are told
apart by it. What follows without a prefix belongs to the line before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._ansible import INTERRUPTED, MOST_TEXT, Playbook, Result, base_name

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PREFIX: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) p=(?P<process>\d+) u=\S+ (?:n=\S+ )?(?:[A-Z]+)?\s?\| ?(?P<text>.*)"
)
_STAMPED: Final = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)) (?P<text>.*)")
_PROFILED: Final = re.compile(
    r"[A-Z][a-z]+day (?P<day>\d\d) (?P<month>[A-Z][a-z]+) (?P<year>\d{4})  ?(?P<clock>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4}) \("
)
_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip

_PLAYBOOK: Final = re.compile(r"PLAYBOOK: (?P<name>.+?) \*{3,}$")
_PLAY: Final = re.compile(r"PLAY(?: \[(?P<name>.*?)\])?(?P<check> \[CHECK MODE\])? \*{3,}$")
_TASK: Final = re.compile(
    r"(?:TASK|RUNNING HANDLER|HANDLER|CLEANUP TASK) \[(?P<name>.*?)\](?P<check> \[CHECK MODE\])? \*{3,}$"
)
_RESULT: Final = re.compile(
    r"(?P<word>ok|changed|skipping|fatal|failed|unreachable): \[(?P<host>[^\]]+)\](?P<bad>: (?:FAILED|UNREACHABLE)!)?"
    r"(?: =>)?(?P<item> \((?:item|[\w.]+)=.*?\))?(?: =>)?(?P<rest> .*)?$"
)
_INCLUDED: Final = re.compile(r"included: (?P<file>.+?) for (?P<hosts>.+)$")
_RETRYING: Final = re.compile(r"FAILED - RETRYING: (?:\[(?P<host>[^\]]+)\]: )?(?P<task>.*) \(\d+ retries left\)\.")
_COUNTS: Final = re.compile(r"(?P<host>\S+)\s+: ok=\d+\s+changed=\d+\s+unreachable=\d+\s+failed=\d+")
_COUNT: Final = re.compile(r"(\w+)=(\d+)")
_BANNER: Final = re.compile(r"ansible-playbook (?:\[core )?\d")
_ERROR: Final = re.compile(r"(?:\[ERROR\]:|ERROR!) (?P<text>.*)")
_ORIGIN: Final = re.compile(
    r"(?:Origin: (?P<new>\S+\.ya?ml):\d+:\d+|The error appears to (?:be|have been) in '(?P<old>[^']+\.ya?ml)')"
)
_INTERRUPTED: Final = re.compile(r"(?:\[ERROR\]:|ERROR!) User interrupted execution|.*KeyboardInterrupt")
_CHECKED: Final = re.compile(r"DRY RUN \*{3,}|CHECK MODE \*{3,}")
_MARKS: Final = re.compile(
    r"(?m)^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} p=\d+ u=.*?\| ?|\d{4}-\d\d-\d\dT\S+ )?(?:\x1b\[[0-9;]*m)*"
    r"(?:PLAY \[.*\].* \*{3,}\s*$|PLAYBOOK: .+ \*{3,}\s*$|PLAY RECAP \*{3,}\s*$|TASK \[.*\].* \*{3,}\s*$)"
)
_EARLY: Final = re.compile(
    r"\A\s*(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} p=\d+ u=.*?\| ?)?(?:\[ERROR\]:|ERROR!) [^\n]*\n(?:(?!PLAY)[^\n]*\n){0,4}?"
    r"(?:Origin: \S+\.ya?ml:\d+:\d+|The error appears to (?:be|have been) in '[^']+\.ya?ml')"
)


def is_text(text: str) -> bool:
    """Plays or tasks with their rows of stars; or nothing but why no play began."""
    return bool(_MARKS.search(text) or _EARLY.match(text))


@dataclass
class _Process:
    """What one process has told so far."""

    number: str | None
    book: Playbook = field(default_factory=Playbook)
    lines: list[str] = field(default_factory=list)
    task: str | None = None
    task_started: str | None = None
    loops: dict[str, Result] = field(default_factory=dict)  # of the task now told, by host
    retries: dict[tuple[str, str], list[str | None]] = field(default_factory=dict)
    told_no_host: Result | None = None  # took up retries of the task now told that named no host
    last_host: str | None = None
    is_recap: bool = False
    origin: str | None = None


class Reader:
    """Playbooks out of lines. `outside` counts the lines that belong to none."""

    def __init__(self) -> None:
        self.outside = 0
        self._processes: dict[str | None, _Process] = {}
        self._now: str | None = None
        self._is_stamped = False
        self._taken: dict[str, int] = {}

    def read(self, path: Path) -> Iterator[Playbook]:
        """Every playbook of the text, when its last line is known."""
        process = self._processes.setdefault(None, _Process(None))
        with path.open(encoding="utf-8", errors="replace") as lines:
            for raw in lines:
                line = _COLOURS.sub("", raw.rstrip("\r\n"))
                prefixed = _PREFIX.match(line) or _STAMPED.match(line)
                if prefixed:
                    self._now, line = prefixed["time"].replace(",", "."), prefixed["text"]
                    number = prefixed.groupdict().get("process")
                    process = self._processes.setdefault(number, _Process(number))
                process.lines.append(line)
                yield from self._line(process, line.rstrip())
        for process in self._processes.values():
            yield from self._done(process)

    def _line(self, process: _Process, line: str) -> Iterator[Playbook]:
        """Take up one line; gives the playbook before where a new one begins."""
        is_over = process.is_recap or process.book.is_interrupted
        begins = _PLAYBOOK.match(line) or _BANNER.match(line) or (is_over and _play(line))
        if begins and (process.book.plays or process.book.error):
            mine = process.lines.pop()
            yield from self._done(process)
            process.lines.append(mine)
        book = process.book
        if self._now:
            book.started = book.started or self._now
            book.last = self._now
        if found := _PROFILED.match(line):
            self._profiled(process, found)
        elif found := _PLAYBOOK.match(line):
            book.name = base_name(found["name"])
        elif line.startswith("PLAY RECAP"):
            process.is_recap, book.stats = True, book.stats or {}
            book.ended = self._now or book.ended
        elif found := _play(line):
            book.plays.append(found["name"] or "unnamed")
            book.is_check = book.is_check or bool(found["check"])
        elif found := _TASK.match(line):
            process.task, process.task_started, process.last_host = found["name"], self._now, None
            process.loops, process.told_no_host = {}, None
            book.is_check = book.is_check or bool(found["check"])
        elif process.is_recap and (found := _COUNTS.match(line)):
            counts = {name: int(number) for name, number in _COUNT.findall(line[found.end("host") :])}
            book.stats = {**(book.stats or {}), found["host"]: {**counts, "failures": counts.pop("failed", 0)}}
            book.ended = self._now or book.ended
        elif _INTERRUPTED.match(line):
            book.is_interrupted, book.error, book.ended = True, INTERRUPTED, self._now
        elif not self._result(process, line):
            self._other(process, line)

    def _result(self, process: _Process, line: str) -> bool:
        """Whether the line tells what became of a task on a host."""
        book = process.book
        if found := _RETRYING.match(line):
            process.retries.setdefault((found["task"], _host(found["host"] or "")), []).append(self._now)
            return True
        if line == "...ignoring":
            return True  # the step has failed all the same; whether the run has, its recap says
        if found := _INCLUDED.match(line):
            for host in found["hosts"].split(", "):
                self._add(process, host, "ok", "")
            return True
        found = _RESULT.match(line)
        if not found or process.task is None:
            return False
        word = {"skipping": "skipped", "fatal": "failed"}.get(found["word"], found["word"])
        if "UNREACHABLE" in (found["bad"] or ""):
            word = "unreachable"
        self._add(process, _host(found["host"]), word, (found["rest"] or "").strip(), item=found["item"])
        book.is_check = book.is_check or "if not in check mode" in (found["rest"] or "")
        return True

    def _add(self, process: _Process, host: str, word: str, told: str, item: str | None = None) -> None:
        results, task = process.book.results, process.task or ""
        process.last_host = host
        if known := process.loops.get(host):  # a further round of a loop, or the line that sums it up
            if item:
                known.items.append(word)
            known.ended, known.payload = self._now, f"{known.payload}\n{item or ''} {told}"[:MOST_TEXT]
            if word in ("failed", "unreachable") and not known.has_failed:
                known.word = word
                _explain(known, told)
            elif (known.word, word) in (("ok", "changed"), ("skipped", "changed"), ("skipped", "ok")):
                known.word = word
            return
        result = Result(
            task, host, word, started=process.task_started, ended=self._now, payload=f"{item or ''} {told}"[:MOST_TEXT]
        )
        retried = process.retries.pop((task, host), None)
        if retried is None and process.retries.get((task, "")):  # before Ansible 2.11 no host is told
            retried, process.told_no_host = process.retries.pop((task, "")), result
        elif (
            process.told_no_host is not None and process.told_no_host.task == task and process.told_no_host.host != host
        ):
            process.told_no_host.retried_at, process.told_no_host.attempts = (
                [],
                1,
            )  # of several hosts: whose it was is not known
        result.retried_at = retried or []
        result.attempts = len(result.retried_at) + 1
        result.items = [word] if item else []
        if item:
            process.loops[host] = result
        _explain(result, told)
        results.append(result)

    def _other(self, process: _Process, line: str) -> None:
        """What belongs to the result before, or to no run at all."""
        book = process.book
        if found := _ORIGIN.match(line):
            process.origin = process.origin or base_name(found["new"] or found["old"])
        elif line == "skipping: no hosts matched" or not line.strip():
            return
        elif found := _ERROR.match(line):
            if not book.plays:
                book.error = book.error or found["text"]
        elif _CHECKED.match(line):
            book.is_check = True
        elif book.results and process.last_host and not process.is_recap:
            result = book.results[-1]
            result.payload = f"{result.payload}\n{line}"[:MOST_TEXT]
            if result.has_failed and result.message is None and (told := re.match(r"\s+\"?msg\"?: (.*)", line)):
                result.message = told[1].strip().strip("'\",").replace("''", "'")
            elif result.message in ("|-", "|", ">-", ">"):  # a block of YAML: its first line
                result.message = line.strip()

    def _profiled(self, process: _Process, found: re.Match[str]) -> None:
        """profile_tasks says when a task began: the only time there is in what goes to the screen."""
        if found["month"] not in _MONTHS:
            return
        month = _MONTHS.index(found["month"]) + 1
        at = f"{found['year']}-{month:02}-{found['day']}T{found['clock']}{found['zone']}"
        book = process.book
        if process.number is None and not self._is_stamped:
            book.started = book.started or at
            book.last = at
            if process.is_recap:
                book.ended = book.ended or at
            elif process.task_started is None:
                process.task_started = at

    def _done(self, process: _Process) -> Iterator[Playbook]:
        """Close the playbook of a process and make it ready for its next one."""
        book, text = process.book, "\n".join(process.lines)
        if (
            book.plays
            or book.results
            or book.stats is not None
            or (book.error and process.origin)
            or book.is_interrupted
        ):
            if book.error and not book.plays:
                book.name = book.name or process.origin
                book.ended = book.last
            at = book.started or f"#{hashlib.sha256(text.encode()).hexdigest()[:12]}"
            native = f"p{process.number}@{at}" if process.number else at
            self._taken[native] = self._taken.get(native, 0) + 1
            # a process that began at the same moment is the same one, copied twice into the file
            is_same = process.number or self._taken[native] == 1
            book.native_id = native if is_same else f"{native} ({self._taken[native]})"
            yield book
        else:
            self.outside += sum(bool(line.strip()) for line in process.lines)
        process.book = Playbook(before=book.stats or {}, is_same_process=process.number is not None)
        process.lines, process.task, process.task_started, process.last_host = [], None, None, None
        process.is_recap, process.origin, process.retries, process.loops = False, None, {}, {}
        process.told_no_host = None


def _play(line: str) -> re.Match[str] | None:
    return _PLAY.match(line) if line.startswith("PLAY ") and not line.startswith("PLAY RECAP") else None


def _host(text: str) -> str:
    """`web1` of `web1 -> localhost`: whose task it was, not who did it."""
    return text.partition(" -> ")[0].strip()


def _explain(result: Result, told: str) -> None:
    """What the JSON or text behind a result says of it."""
    try:
        value: Any = json.loads(told)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        explain(result, value)
    elif result.has_failed and told and not told.startswith(("{", "changed=")):
        result.message = told


def explain(result: Result, value: dict[str, Any]) -> None:
    """Message, attempts and time-out out of a result as Ansible gives it."""
    attempts = value.get("attempts")
    if isinstance(attempts, int) and attempts > 0:
        result.attempts = attempts
    if not result.has_failed:
        return
    message = value.get("msg")
    message = "\n".join(str(line) for line in message) if isinstance(message, list) else message
    stderr = value.get("stderr") or value.get("module_stderr")
    parts = [
        str(part).strip()
        for part in (message, stderr if message in ("non-zero return code", "MODULE FAILURE") else None)
        if part
    ]
    result.message = ": ".join(parts) or result.message
    result.is_timeout = "timedout" in value or ("ansible_job_id" in value and message == "Timeout exceeded")
