"""What a message of several lines says: the line that names the error, and the frame of our own code nearest to it."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

_PYTHON: Final = re.compile(r'^\s*(?:[|+]\s*)?File "([^"\n]+)", line \d+(?:, in ([^\n]+))?', re.MULTILINE)
_JAVASCRIPT: Final = re.compile(
    r"^\s*at (?:async )?(?:(.+?) \()?((?:file://|node:|[A-Za-z]:\\|/|\.|webpack)?[^\s():]+):\d+:\d+\)?", re.MULTILINE
)
_JAVA: Final = re.compile(r"^\s*at (?:[\w.-]+/)?([\w.$]+)\.([\w$<>]+)\(([\w.$ ]+)(?::\d+)?\)", re.MULTILINE)
_FOREIGN: Final = re.compile(
    r"site-packages|dist-packages|[/\\]lib[/\\]python\d|^<|[/\\]importlib[/\\]|node_modules|^node:|^internal/|^(?:java|javax|jdk|sun|kotlin|scala)\."
)
_FRAME: Final = re.compile(r'^\s+at .+[:(]|^\s*File ".+", line \d+|^\s+\.\.\. \d+ more|^\s*~*\^+~*\s*$')
_PYTHON_START: Final = "Traceback (most recent call last)"
_CAUSE: Final = re.compile(r"^\s*(?:Caused by:|\[cause\]:)\s*", re.MULTILINE)
_KIND: Final = re.compile(
    r"^((?:[\w$]+\.)*[\w$]*(?:Error|Exception|Fault|Failure|Timeout|Interrupt|Exit))(?::\s|$)", re.ASCII
)
_INDENTED: Final = re.compile(r"\s")
_TOO_LONG: Final = 2_000


def headline(text: str) -> str:
    """The line that names the error: of a traceback the last exception (for Java and JavaScript the last cause); else all, in one line."""
    if "\n" not in text:
        return text[:_TOO_LONG]
    if _PYTHON_START in text:
        return _after_python(text)
    if _JAVA.search(text) or _JAVASCRIPT.search(text):
        last = _CAUSE.split(text)[-1]
        named = next((line for line in last.splitlines() if line.strip()), "")
        return named.strip()[:_TOO_LONG]
    return " ".join(text.split())[:_TOO_LONG]


def _after_python(text: str) -> str:
    """What follows the frames of the last traceback: its first line at the margin, with what is indented below it."""
    before, _, last = text.rpartition(_PYTHON_START)
    lines = last.splitlines()[1:]
    for at, line in enumerate(lines):
        if line and not line[0].isspace() and not _FRAME.match(line) and not line.startswith(("|", "+", "[")):
            below = lines[at + 1 : at + 4]
            said = [line, *(below if line.endswith(":") else takewhile(_INDENTED.match, below))]
            return " ".join(" ".join(said).split())[:_TOO_LONG]
    return (before.strip().splitlines() or [""])[-1].strip()[:_TOO_LONG]  # cut off before its end


def frame(text: str) -> str | None:
    """`file:function` of the innermost frame of own code, else of the innermost at all; null where no traceback stands."""
    if _PYTHON_START in text or _PYTHON.search(text):
        part = text.rpartition(_PYTHON_START)[2]
        frames = [(path, function) for path, function in _PYTHON.findall(part)][::-1]
    else:
        part = _CAUSE.split(text)[-1]
        frames = [(f"{owner}.{function}", f"{file}:{function}") for owner, function, file in _JAVA.findall(part)]
        if frames:
            own: str = next((name for owner, name in frames if not _FOREIGN.search(owner)), frames[0][1])
            return own
        frames = [(path, function) for function, path in _JAVASCRIPT.findall(part)]
    if not frames:
        return None
    path: str
    function: str
    path, function = next((one for one in frames if not _FOREIGN.search(one[0])), frames[0])
    return ":".join(part for part in (re.split(r"[/\\]", path)[-1], function.strip()) if part)


def kind(line: str) -> str | None:
    """The exception's name at the head of a line: `ValueError` of `ValueError: no such day`."""
    match = _KIND.match(line)
    return str(match.group(1)) if match else None
