"""Lines of logs that programs write about themselves, taken apart: text as Python's logging writes it, logfmt, JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

KEPT: Final = 16000
_LEVELS: Final = "TRACE|DEBUG|DBG|INFO|INF|NOTICE|SUCCESS|WARNING|WARN|WRN|ERROR|ERRO|ERR|EXCEPTION|CRITICAL|CRIT|FATAL|ALERT|EMERG|PANIC"
_TIME: Final = r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)(?!\w))?"
_TEXT: Final = re.compile(
    rf"(?:[\[(]?(?P<level>{_LEVELS})[\])]?:?\s+)?\W?(?P<time>{_TIME})\]?(?P<rest>(?:[\s:|,\]-].*)?)$", re.S
)
_LEVEL_FIRST: Final = re.compile(rf"(?P<level>{_LEVELS}):(?P<logger>[\w.\-]+):(?P<message>.*)$", re.S)
_LEVEL: Final = re.compile(rf"(?i:[\[(<|\s:-]|^)(?P<level>{_LEVELS}|{_LEVELS.lower()})(?=[\])>|\s:/,-]|$)")
_BEFORE: Final = re.compile(r"[\[\](){}<>|\s]+|(?<=\s)-+(?=\s|$)|:(?=\s|$)")
_BRACKET: Final = re.compile(r"[\[(<](?P<inside>[^\[\]()<>]{1,120})[\])>]:?\s*")
_NAMED: Final = re.compile(r"(?P<logger>[A-Za-z_][\w.\-/]*)(?:\[(?P<pid>\d+)\])?(?::[\w<>.]+)*(?:\s*:|\s+-+)\s+")
_SEPARATOR: Final = re.compile(r"(?:[-|:]+|---)\s+|\s+")
_THREAD: Final = re.compile(r"main|MainThread|MainProcess|[\w.\-]*(?:[Tt]hread|[Pp]ool|[Ww]orker|exec)[\w.]*-\d[\w\-]*")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX: Final = re.compile(r"[0-9a-f]{8,64}")
_PAIR: Final = re.compile(r'(?:^|[\s,;([{])(?P<key>[A-Za-z_@][\w.\-@]*)=(?P<value>"(?:[^"\\]|\\.)*"?|[^\s"]*)')
_LOGFMT: Final = re.compile(r'(?P<key>[^\s="]+)(?:=(?P<value>"(?:[^"\\]|\\.)*"?|\S*))?')
_NUMBERS: Final = {10: "trace", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "critical"}  # pino, bunyan
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("@timestamp", "timestamp", "time", "ts", "asctime", "datetime", "eventtime", "t", "date"),
    "level": ("log.level", "level", "levelname", "severity", "lvl", "loglevel", "log_level", "severitytext"),
    "message": ("message", "msg", "@message", "short_message", "event", "body"),
    "logger": ("log.logger", "logger", "logger_name", "loggername", "name", "module", "component"),
    "pid": ("process.pid", "process", "pid", "process_id"),
    "thread": ("process.thread.name", "threadname", "thread", "thread_name"),
}


@dataclass
class Line:
    """One entry of a log, with what continued it on further lines (`more`)."""

    message: str
    time: str | None = None
    level: str = ""
    logger: str | None = None
    pid: str | None = None
    thread: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    more: list[str] = field(default_factory=list)


def text_line(text: str) -> Line | None:
    """A line that begins with a time (and may name level, logger, process) or as `LEVEL:logger:message`; else None."""
    first = _LEVEL_FIRST.match(text)
    if first:
        return _with_pairs(Line(first["message"], level=first["level"].lower(), logger=first["logger"]))
    timed = _TEXT.match(text)
    if not timed:
        return None
    line = Line("", time=iso(timed["time"]))
    rest = timed["rest"]
    line.level = (timed["level"] or "").lower()
    named = None if line.level else _LEVEL.search(rest[:160])
    if named:
        line.level = named["level"].lower()
        for word in _BEFORE.sub(" ", rest[: named.start()]).split():
            _place(line, word.strip(",:"))
        rest = rest[named.end() :]
        inside = re.match(r"/([\w\-]+)\]", rest)  # `[time: LEVEL/MainProcess] message`
        if inside:
            line.thread, rest = inside[1], rest[inside.end() :]
        rest = rest.lstrip("]>)/:,|")
    line.message = _head(line, rest.lstrip(" \t|") if named else rest.lstrip(" \t|-:,]"))
    return _with_pairs(line)


def _head(line: Line, rest: str) -> str:
    """Take logger, process and thread off the beginning of what follows the level; what is left is the message."""
    for _ in range(6):
        bracket = _BRACKET.match(rest)
        if bracket:
            for word in re.split(r"[:,\s]+", bracket["inside"]):
                _place(line, word)
            rest = rest[bracket.end() :]
            continue
        named = _NAMED.match(rest)
        if named and line.logger is None and not named["logger"].endswith(("Error", "Exception")):
            line.logger = named["logger"]
            line.pid = line.pid or named["pid"]
            return rest[named.end() :]
        separator = _SEPARATOR.match(rest)
        if not separator:
            number = re.match(r"(\d+)\s+---\s+", rest)  # Spring: `INFO 123 --- [main] logger : message`
            if not number:
                break
            line.pid, separator = number[1], number
        rest = rest[separator.end() :]
    return rest


def _place(line: Line, word: str) -> None:
    """A word of the prefix is a process id, the logger, else the thread; an UUID or a long hexadecimal word stands for the run."""
    pid = re.fullmatch(r"(?:pid[ =:]?)?(\d+)", word)
    tagged = re.fullmatch(r"([\w.\-/]+)\[(\d+)\]", word)
    if _UUID.fullmatch(word) or (_HEX.fullmatch(word) and re.search(r"\d", word) and re.search(r"[a-f]", word)):
        line.fields.setdefault("correlation_id", word)
    elif "=" in word:
        key, _, value = word.partition("=")
        line.fields[key.lower()] = value
    elif pid:
        line.pid = line.pid or pid[1]
    elif tagged:
        line.logger, line.pid = tagged[1], tagged[2]
    elif word and line.logger is None and not _THREAD.fullmatch(word):
        line.logger = word
    elif word:
        line.thread = word


def _with_pairs(line: Line) -> Line:
    """`run_id=c684ac19 client=acme` in a message are its fields."""
    for pair in _PAIR.finditer(line.message[:KEPT]):
        line.fields.setdefault(pair["key"].lower(), unquoted(pair["value"]).rstrip(",;)]}"))
    return line


def logfmt_line(text: str) -> Line | None:
    """`ts=… level=… msg="…" key=value`; None for what is no logfmt."""
    if not re.match(r"\s*[A-Za-z_@][\w.\-@]*=", text):
        return None
    found = {
        pair["key"]: unquoted(pair["value"]) if pair["value"] is not None else True for pair in _LOGFMT.finditer(text)
    }
    return json_line(found)


def unquoted(value: str) -> str:
    """The text of a value as logfmt quotes it; one cut off in the middle loses its quote only."""
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value.strip('"')


def json_line(value: Mapping[str, Any]) -> Line:
    """An object of a JSON log, whatever its library calls the time, the level and the message."""
    flat = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            flat.update({f"{key}.{name}".lower(): item for name, item in inner.items()})
        flat[key.lower()] = inner
    taken = {part: next((key for key in keys if _is_plain(flat.get(key))), None) for part, keys in _KEYS.items()}
    found = {part: flat[key] for part, key in taken.items() if key is not None}
    own = {taken["time"], taken["level"], taken["message"]}
    pid = found.get("pid")
    line = Line(
        str(found.get("message", "")),
        time=iso(str(found["time"])) if "time" in found else None,
        level=_level(found.get("level", "")),
        logger=str(found["logger"]) if "logger" in found else None,
        pid=str(pid) if pid is not None else None,
        thread=str(found["thread"]) if "thread" in found else None,
        fields={key: item for key, item in flat.items() if key not in own and item is not None},
    )
    if not line.fields.keys() & {"run_id"}:
        for key, item in _with_pairs(Line(line.message)).fields.items():
            line.fields.setdefault(key, item)
    return line


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def _level(value: Any) -> str:
    if re.fullmatch(r"[0-9]{1,3}", str(value)):
        return _NUMBERS.get(int(value) // 10 * 10, "")
    return str(value).lower()


def iso(time: str) -> str:
    """A time as the ledger reads it: `2026-11-23 02:19:10,250` has a comma, Go's `2026/11/23` strokes."""
    if re.match(r"\d{4}/\d\d/\d\d", time):
        time = time.replace("/", "-", 2)
    time = re.sub(r"(?<=:\d\d),(?=\d)", ".", time)
    return re.sub(r"(?<=\d) ?([+-]\d\d):?(\d\d)$", r"\1:\2", time) if len(time) > 19 else time


def plain_lines(path: Path) -> Iterator[str]:
    """The lines of a text without line ends; zero bytes, which a copied-and-truncated log begins with, left out."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield line.strip("\x00").rstrip("\r\n").lstrip("\ufeff")


def text_lines(lines: Iterable[str]) -> Iterator[Line | str | RecordError]:
    """Entries with what continued them (a traceback); text before the first entry comes as it is."""
    yield from _continued((text_line(line) or line) for line in lines)


def logfmt_lines(lines: Iterable[str]) -> Iterator[Line | str | RecordError]:
    """The same for logfmt."""
    yield from _continued((logfmt_line(line) or line) for line in lines)


def json_lines(lines: Iterable[str]) -> Iterator[Line | str | RecordError]:
    """The same for JSON lines. A line that is broken JSON is a `RecordError`; plain text in between continues an entry."""
    yield from _continued(item for line in lines for item in _objects(line))


def _objects(text: str) -> Iterator[Line | str | RecordError]:
    stripped = text.strip(" \t,\x1e")
    if not stripped.startswith(("{", "[{")):
        if stripped not in ("[", "]"):
            yield text
        return
    try:
        value = json.loads(stripped, parse_constant=str)
    except (ValueError, RecursionError) as error:
        yield RecordError(f"is no JSON or cut off: {error}", text[:KEPT])
        return
    for item in value if isinstance(value, list) else [value]:
        yield json_line(item) if isinstance(item, dict) else RecordError("is no object", str(item)[:KEPT])


def _continued(items: Iterable[Line | str | RecordError]) -> Iterator[Line | str | RecordError]:
    last: Line | None = None
    for item in items:
        if isinstance(item, str):
            if last is None:
                if item.strip():
                    yield item
            elif len(last.more) < 400:
                last.more.append(item[:1000])
            continue
        if last is not None:
            yield last
        last = item if isinstance(item, Line) else None
        if last is None:
            yield item
    if last is not None:
        yield last


def error_of(line: Line) -> tuple[str | None, str | None]:
    """The exception an entry carries: its type and message, from fields of its own or from the last line of a traceback."""
    get = line.fields.get
    kind = (
        get("error.type")
        or get("err.type")
        or get("error.name")
        or get("err.name")
        or get("exception.type")
        or get("error_type")
    )
    text = get("error.message") or get("err.message") or get("exception.message") or get("error_message")
    if kind or text:
        return (str(kind) if kind else None), (str(text) if text else None)
    for key in ("exc_info", "exception", "stack", "stacktrace", "error.stack_trace", "err.stack", "traceback"):
        if isinstance(get(key), str):
            found = _raised(str(get(key)).splitlines())
            if found[0]:
                return found
    found = _raised(line.more)
    if found[0]:
        return found
    for key in ("err", "error"):
        if isinstance(get(key), str) and get(key):
            called = re.fullmatch(r"([A-Za-z_][\w.]*)\((['\"])(.*)\2,?\)", str(get(key)), re.S)  # Python's repr
            return (called[1], called[3]) if called else (None, str(get(key)))
    return None, None


_RAISED: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$", re.S)


def _raised(lines: list[str]) -> tuple[str | None, str | None]:
    """What a traceback ends with (Python), or begins with (JavaScript, Java)."""
    if not lines:
        return None, None
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        last = max(i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)"))
        tail = [line for line in lines[last + 1 :] if line.strip() and not line[0].isspace()]
        found = _RAISED.match(tail[0]) if tail else None
        return (found["type"], found["message"]) if found else (None, None)
    if len(lines) > 1 and any(re.match(r"\s+at ", line) for line in lines):
        found = _RAISED.match(lines[0].removeprefix('Exception in thread "main" '))
        return (found["type"], found["message"]) if found else (None, None)
    return None, None
