"""JUnit XML as suites, cases and their tries: what stands in the file, put together by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from aftershock.adapters._xml import Seen, local_name, text_of, walk
from aftershock.adapters.base import RecordError

ATTRIBUTE_WORDS: Final[Mapping[str | tuple[str | None, ...] | None, str]] = {
    "failed": "failed",
    "fail": "failed",
    "failure": "failed",
    "errored": "failed",
    "error": "failed",
    "notrun": "skipped",
    "suppressed": "skipped",
    "skipped": "skipped",
    "skip": "skipped",
    "ignored": "skipped",
    "disabled": "skipped",
    "pending": "skipped",
    "todo": "skipped",
    "crashed": "crashed",
    "timed_out": "timed_out",
    "timeout": "timed_out",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "interrupted": "cancelled",
}
"""Words in the attributes `status` and `result` that say something where no element does; of the others a case has passed."""

_RESULTS: Final = ("error", "failure", "ignored", "disabled", "skipped")  # the strongest first
RERUNS: Final = ("rerunFailure", "rerunError")
FLAKES: Final = ("flakyFailure", "flakyError")
_FAILED: Final = frozenset(
    {"failure", "error", "rerun", "failed", "fail", "errored", "crashed", "timed_out", "timeout", *RERUNS, *FLAKES}
)
_ERROR_TYPE: Final = re.compile(
    r"(?:failed on \w+ with \")?((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Timeout|Interrupt|Exit|Failed|Warning))(?::|\"?$)"
)
_PHASE: Final = re.compile(
    r"failed on (setup|teardown) with |test (setup|teardown) failure$"
)  # before pytest 6 the second
_OLD_XFAIL: Final = "expected test failure"  # before pytest 5 the only word of it
# Of the runner, which gave up the case; not of what the case waited for.
_TIMEOUT: Final = re.compile(
    r"(?:Failed: )?Timeout [>(]|(?:Test|Task) timeout .{1,60} exceeded\.|TimeoutExpired\b"  # pytest, Robot Framework, Playwright
    r"|(?:Error: )?Timeout of \d+ ?ms exceeded|(?:Error: )?Test timed out in \d+ms|(?:thrown: \")?Exceeded timeout of \d+ ms"  # Mocha, Vitest, Jest
    r"|(?:[\w.]+: )?test timed out after \d+|(?:[\w.]+TimeoutException: )\S+\(.*?\) timed out after|Timeout$"  # JUnit 4 and 5, CTest
)
_TIMEOUT_BELOW: Final = re.compile(r"(?m)^\s*Test timeout of \d+ms exceeded")  # Playwright puts the place first
_CRASH: Final = re.compile(r"worker '[^']*' crashed while running|The forked VM terminated|segmentation fault", re.I)
_NEVER_RUN: Final = re.compile(
    r"Failure occurred and exit-on-failure mode is in use\.|(?:Test|Task) execution stopped due to a fatal error\."
)
_MACHINE: Final = (
    "java.",
    "sun.",
    "os.",
    "user.",
    "file.",
    "path.",
    "line.",
    "jdk.",
    "awt.",
    "basedir",
    "surefire.",
    "env.PATH",
)
_MOST_TEXT: Final = 100_000


@dataclass
class Suite:
    """An open or closed suite: what its cases need of it."""

    number: int
    names: tuple[str, ...]
    timestamp: str | None
    above: Suite | None = None
    own_properties: dict[str, str] = field(default_factory=dict)
    printed: str = ""
    cases: int = 0
    suites: int = 0

    @property
    def root(self) -> Suite:
        """The outermost suite it lies in: the report it belongs to, of several in one file."""
        return self.above.root if self.above else self

    @property
    def properties(self) -> dict[str, str]:
        """Its own and those of the suites around it, once all are closed."""
        return {**(self.above.properties if self.above else {}), **self.own_properties}


@dataclass
class Try:
    """One execution of a case."""

    word: str
    raw: list[str]
    results: list[dict[str, Any]]
    seconds: float | None
    printed: str
    properties: dict[str, str]

    @property
    def has_failed(self) -> bool:
        return self.word in _FAILED


@dataclass
class Case:
    """Everything that a file says under one name: one run with its tries."""

    suite: Suite
    classname: str
    name: str
    file: str | None
    timestamp: str | None
    tries: list[Try]


@dataclass
class Report:
    """A whole report: its cases in order, the suites that name none, and why it breaks off."""

    cases: list[Case] = field(default_factory=list)
    empty: list[dict[str, Any]] = field(default_factory=list)
    broken: list[RecordError] = field(default_factory=list)


def report_of(path: Path, tool: str) -> Report:
    """Read a report. Properties of a suite may stand behind its cases, so all of it is read before any of it is given."""
    report = Report()
    known: dict[object, Case] = {}
    suites: list[Suite] = []
    opened = 0
    for seen in walk(path, frozenset({"testsuites", "testsuite"}), frozenset({"testcase"})):
        if isinstance(seen, RecordError):
            report.broken.append(seen)
        elif seen.event == "open":
            suites = suites[: len(seen.above)]  # of a report that broke off some are left
            opened += 1
            suites.append(_opened(seen.element, opened, suites[-1] if suites else None))
        elif seen.event == "record" and not suites:
            report.broken.append(RecordError("is a case outside of any suite", seen.element.get("name") or ""))
        elif seen.event == "record":
            for suite in suites:
                suite.cases += 1
            case = _case(known, seen.element, suites[-1], tool)
            if case:
                report.cases.append(case)
        else:
            suite = suites.pop()
            _closed(seen, suite)
            if not suite.cases and not suite.suites:
                counts = {name: _count(seen.element.get(name)) for name in ("tests", "failures", "errors")}
                report.empty.append({"empty": ".".join(suite.names) or "a suite", "counts": counts})
    return report


def digest_of(cases: Sequence[Case]) -> str:
    """A name for a report that has none: the same for the same report, however it is encoded and whatever stands beside it."""
    digest = hashlib.sha256()
    for case in cases:
        tries = [
            (one.raw, one.seconds, one.printed, [(bad["kind"], bad["message"], bad["text"]) for bad in one.results])
            for one in case.tries
        ]
        digest.update(
            repr((case.suite.names, case.classname, case.name, case.timestamp, tries))
            .replace("\\r\\n", "\\n")
            .encode(errors="replace")
        )
    return digest.hexdigest()[:12]


def _opened(element: Element, number: int, above: Suite | None) -> Suite:
    name = (element.get("name") or "").strip()
    is_outside = local_name(element.tag) == "testsuites"  # "pytest tests", "Test results": the report's name, no suite
    names = above.names if above else ()
    suite = Suite(
        number,
        names if is_outside or not name else (*names, name),
        _time(element.get("timestamp")) or (above.timestamp if above else None),
        above,
    )
    if above:
        above.suites += 1
    return suite


def _closed(seen: Seen, suite: Suite) -> None:
    """What stands beside the cases, perhaps behind them: properties and what the suite printed."""
    found = _properties(seen.element)
    suite.own_properties = {name: value for name, value in found.items() if not name.startswith(_MACHINE)}
    suite.printed = _printed(seen.element)


def _case(known: dict[object, Case], element: Element, suite: Suite, tool: str) -> Case | None:
    """A new case; none where the element is a further attempt or result of the last case of its name, which takes it up."""
    classname, name = (element.get("classname") or "").strip(), (element.get("name") or "").strip()
    tries = _tries(element, tool)
    case = Case(suite, classname, name, element.get("file"), _time(element.get("timestamp")), tries)
    if not name and not classname:
        if tool == "pytest" and tries[-1].word == "passed":
            tries[-1].word, tries[-1].raw = "interrupted", ["interrupted"]
        return case
    key = (suite.number, classname, name)  # a suite of the same name is another one: the same cases in another browser
    before = known.get(key)
    if before:
        last = before.tries[-1]
        if tool == "pytest" and (last.results or _is_old_teardown(tries)) and _phases(tries) == {"teardown"}:
            _merge(last, tries[-1])
            return None
        if tool == "pytest" and last.word == "passed":
            last.word, last.raw = "rerun", ["rerun"]
        if last.has_failed:
            told_twice = sum(one.word in FLAKES for one in tries)  # as elements of their own, and in the last one
            if told_twice and all(one.word == "rerun" for one in before.tries[-told_twice:]):
                del before.tries[-told_twice:]
            before.tries += tries
            return None
    known[key] = case
    return case


def _phases(tries: Sequence[Try]) -> set[str]:
    return {result["phase"] for result in tries[-1].results}


def _is_old_teardown(tries: Sequence[Try]) -> bool:
    return any(result["message"] == "test teardown failure" for result in tries[-1].results)


def _merge(last: Try, further: Try) -> None:
    """pytest tells of a failure and of an error in the teardown after it in two elements of one name."""
    if not last.results:
        last.word, last.raw = further.word, further.raw
    last.results += further.results
    last.printed += further.printed
    last.properties.update(further.properties)


def _tries(element: Element, tool: str) -> list[Try]:
    """The executions that one `<testcase>` tells of: one, or with surefire also its reruns."""
    by_name: dict[str, list[Element]] = {}
    for child in element:
        by_name.setdefault(local_name(child.tag), []).append(child)
    results = [_result(child, name, tool) for name in _RESULTS for child in by_name.get(name, [])]
    printed, properties = _printed(element), _properties(element)
    word, raw = _word(element, results, tool)
    own = Try(word, raw, results, _seconds(element.get("time")), printed, properties)

    def again(names: tuple[str, ...]) -> list[Try]:
        found = ((name, child) for child in element for name in [local_name(child.tag)] if name in names)
        return [
            Try(name, [name], [_result(child, name, tool)], _seconds(child.get("time")), "", properties)
            for name, child in found
        ]

    return [*again(FLAKES), own, *again(RERUNS)]


def _result(element: Element, name: str, tool: str) -> dict[str, Any]:
    text = text_of(element).strip()
    message = element.get("message") or text or None
    kind = element.get("type") or None
    named = _ERROR_TYPE.match(message or "")
    if named and (not kind or tool == "robot"):  # Robot Framework calls everything an AssertionError
        kind = named[1]
    phase = _PHASE.match(message or "")
    return {
        "kind": name,
        "phase": (phase[1] or phase[2]) if phase else "call",
        "type": kind,
        "message": message,
        "text": "" if message == text else text,
    }


def _word(element: Element, results: Sequence[Mapping[str, Any]], tool: str) -> tuple[str, list[str]]:
    """The word that decides, and the words as the file has them."""
    if results:
        first = results[0]
        message = first["message"] or ""
        if first["kind"] in ("error", "failure"):
            if tool == "robot" and _NEVER_RUN.match(message):
                return "robot:exit", ["robot:exit"]
            if tool == "robot" and message == "Execution terminated by signal":
                return "interrupted", ["interrupted"]
            word = (
                "timed_out"
                if _TIMEOUT.match(message) or (tool == "playwright" and _TIMEOUT_BELOW.search(first["text"][:4000]))
                else "crashed"
                if _CRASH.match(_inner(message))
                else first["kind"]
            )
            return word, [first["kind"]]
        is_xfail = first["type"] == "pytest.xfail" or message == _OLD_XFAIL
        if tool == "pytest" and is_xfail and not message.startswith("[NOTRUN]"):
            return "pytest.xfail", ["skipped", "pytest.xfail"]
        return first["kind"], [first["kind"]]
    for told in (element.get("result"), element.get("status")):
        if told and told.casefold() in ATTRIBUTE_WORDS:
            return told.casefold(), [told]
    return "passed", ["passed"]


def _inner(message: str) -> str:
    """`worker …` of `failed on setup with "worker …"`."""
    phase = _PHASE.match(message)
    return message[phase.end() :].lstrip('"') if phase and phase[1] else message


def _properties(element: Element) -> dict[str, str]:
    found = {}
    for child in element:
        if local_name(child.tag) == "properties":
            for one in child:
                if one.get("name"):
                    found[one.get("name", "")] = (one.get("value") or text_of(one).strip())[:_MOST_TEXT]
    return found


def _printed(element: Element) -> str:
    parts = [text_of(child).strip() for child in element if local_name(child.tag) in ("system-out", "system-err")]
    return "\n".join(part for part in parts if part)[:_MOST_TEXT]


def _seconds(text: str | None) -> float | None:
    """`1.5`, `1,234.5`, `0,25`, `PT1.5S`: anything else is no duration."""
    text = (text or "").strip().removeprefix("PT").removesuffix("S").removesuffix("s")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d*)?", text):
        text = text.replace(",", "")
    try:
        seconds = float(text.replace(",", "."))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e9 else None


def _count(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\s*\d{1,9}\s*", text) else 0


def _time(text: str | None) -> str | None:
    """A timestamp as the file has it; mail's and C's forms (`Sat, 03 Dec 2022 23:10:07 GMT`) and `… +0100` as ISO."""
    text = (text or "").strip()
    if re.match(r"[A-Z][a-z]{2},? [A-Z\d]", text):
        try:
            return parsedate_to_datetime(text).isoformat()
        except ValueError:
            return text
    return re.sub(r"(?<=\d) (?=[+-]\d\d:?\d\d$)", "", text) or None
