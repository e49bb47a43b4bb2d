"""Entries of the system log in whatever form somebody saved them: RFC 3164 and 5424 text, rsyslog's JSON, journalctl's outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError, Sample

_MONTHS: Final = {
    name: at
    for at, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_TAG: Final = r"(?:(?P<host>[\w.:%-]+) )?(?P<app>[^\s:\[\]]{1,64})(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)$"
_OLD: Final = re.compile(
    rf"(?:<\d{{1,3}}>)?(?P<month>{'|'.join(_MONTHS)}) +(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?) {_TAG}",
    re.S,
)
_ISO: Final = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:[A-Z][a-z]{{2}} )?(?P<time>\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?) {_TAG}",
    re.S,
)
_NEW: Final = re.compile(
    r"<\d{1,3}>1 (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<msgid>\S+) (?P<sd>-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*\"|\\.)*\])+)"
    r"(?: (?P<message>.*))?$",
    re.S,
)
_FRAME: Final = re.compile(rb"(\d{1,7}) (?=<\d{1,3}>1 )")
_FIELDS: Final = re.compile(r'([^\s=\]"]+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Entry:
    """One message. `time` is ISO text, or `11-23 02:18:01` where the year is unknown; then `wraps` counts the New Years passed."""

    time: str
    app: str
    message: str
    host: str | None = None
    pid: str | None = None
    wraps: int | None = None
    session: str | None = None
    unit: str | None = None
    invocation: str | None = None
    priority: int | None = None
    is_journal: bool = False
    fields: dict[str, str] = field(default_factory=dict)


def syslog_line(text: str) -> Entry | None:
    """A line of a system log, else None."""
    new = _NEW.match(text)
    if new:
        part = {key: None if value in (None, "-") else value for key, value in new.groupdict().items()}
        fields = {key: re.sub(r"\\(.)", r"\1", value) for key, value in _FIELDS.findall(part["sd"] or "")}
        return Entry(
            (part["time"] or "").replace("+0000", "+00:00"), part["app"] or "", (part["message"] or "").lstrip("\ufeff").lstrip(),
            part["host"], part["pid"], fields=fields,
        )  # fmt: skip
    old = _OLD.match(text)
    if old:
        time = f"{_MONTHS[old['month']]:02}-{int(old['day']):02} {old['clock']}"
        return Entry(time, old["app"], old["message"], old["host"], old["pid"], wraps=0)
    iso = _ISO.match(text)
    if iso:
        time = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", iso["time"].replace(",", "."))
        return Entry(time, iso["app"], iso["message"], iso["host"], iso["pid"])
    return None


def text_entries(path: Path) -> Iterator[Entry | str]:
    """The entries of a text log; lines that are none come as they are. Octet-counted frames may hold line ends."""
    with path.open("rb") as handle:
        framed = bool(_FRAME.match(handle.read(64)))
    wraps, month = 0, 0
    for text in _frames(path) if framed else _lines(path):
        entry = syslog_line(text)
        if entry is None:
            if text.strip():
                yield text
            continue
        if entry.wraps is not None:  # no year: December and then January is a New Year; the other way round a late line
            new = int(entry.time[:2])
            wraps += (month >= 11 and new <= 2) - (month != 0 and month <= 2 and new >= 11)
            month, entry.wraps = new, wraps
        yield entry


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield line.strip("\x00").rstrip("\r\n")


def _frames(path: Path) -> Iterator[str]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        frame = _FRAME.match(data, at)
        if not frame:  # out of step: on to the next frame
            following = _FRAME.search(data, at)
            end = following.start() if following else len(data)
            yield data[at:end].decode("utf-8", errors="replace")
        else:
            end = frame.end() + int(frame[1])
            yield data[frame.end() : end].decode("utf-8", errors="replace").rstrip("\r\n")
        at = end
        while data[at : at + 1] in (b"\n", b"\r"):
            at += 1


def json_entry(value: Mapping[str, Any]) -> Entry | None:
    """An object of journald or of rsyslog's `jsonmesg`, else None."""
    if "__REALTIME_TIMESTAMP" in value:
        return _journal_entry(value)
    if "timereported" in value and "msg" in value:
        pid = value.get("procid")
        return Entry(
            str(value["timereported"]), str(value.get("app-name") or value.get("programname") or ""), str(value["msg"]).lstrip(),
            value.get("hostname"), None if pid in (None, "-") else str(pid),
        )  # fmt: skip
    return None


def _journal_entry(value: Mapping[str, Any]) -> Entry:
    get = {key: _text(item) for key, item in value.items()}.get
    return Entry(
        get("__REALTIME_TIMESTAMP") or "",
        get("SYSLOG_IDENTIFIER") or get("_COMM") or "",
        (get("MESSAGE") or "").strip(),
        get("_HOSTNAME"),
        get("SYSLOG_PID") or get("_PID"),
        session=f"{get('_BOOT_ID')}/{get('_AUDIT_SESSION')}" if get("_AUDIT_SESSION") else None,
        unit=get("UNIT") or get("USER_UNIT") or get("_SYSTEMD_UNIT"),
        invocation=get("INVOCATION_ID") or get("USER_INVOCATION_ID") or get("_SYSTEMD_INVOCATION_ID"),
        priority=int(get("PRIORITY") or "") if re.fullmatch("[0-7]", get("PRIORITY") or "") else None,
        is_journal=True,
        fields={"result": get("UNIT_RESULT") or ""} if get("UNIT_RESULT") else {},
    )


def _text(value: Any) -> str | None:
    """A field of the journal: text, null where it was too long, a list of bytes where it is no UTF-8, or a list of several values."""
    if isinstance(value, list):
        if value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode("utf-8", errors="replace")
        return _text(value[0]) if value else None
    return None if value is None else str(value)


def journal_export(path: Path) -> Iterator[Entry | str]:
    """`journalctl -o export`: blocks of `NAME=value` lines; a value with line ends comes as its name, its length and its bytes."""
    block: dict[str, str] = {}
    with path.open("rb") as handle:
        while line := handle.readline(1 << 24):
            name, equals, value = line.rstrip(b"\n").partition(b"=")
            if not name and not equals:
                yield from [_journal_entry(block)] if "__REALTIME_TIMESTAMP" in block else []
                block = {}
            elif equals:
                block[name.decode("utf-8", errors="replace")] = value.decode("utf-8", errors="replace")
            else:
                size = int.from_bytes(handle.read(8), "little")
                if size > 1 << 26:
                    yield name.decode("utf-8", errors="replace")
                    return
                block[name.decode("utf-8", errors="replace")] = handle.read(size).decode("utf-8", errors="replace")
                handle.readline()
    if "__REALTIME_TIMESTAMP" in block:
        yield _journal_entry(block)


def framed_json(path: Path) -> Iterator[Entry | str | RecordError]:
    """`journalctl -o json-sse` and `json-seq`: an object a line, after `data: ` or a record separator."""
    for line in _lines(path):
        text = line.removeprefix("data:").strip(" \x1e")
        if not text:
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield RecordError(f"is no JSON or cut off: {error}", text[:16000])
            continue
        entry = json_entry(value) if isinstance(value, dict) else None
        yield entry or text


def is_syslog(sample: Sample) -> bool:
    """Most of the first lines are a system log's."""
    if _FRAME.match(sample.text[:64].encode()):
        return True
    lines = [line for line in sample.text.splitlines()[:50] if line.strip("\x00 ")]
    return bool(lines) and 2 * sum(syslog_line(line.strip("\x00")) is not None for line in lines) >= len(lines)
