"""Robot Framework's results, XML of any schema and JSON, as the same plain nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from xml.etree.ElementTree import Element

from aftershock.adapters._xml import local_name, text_of
from aftershock.adapters.base import RecordError

_BODY: Final = frozenset(
    {"kw", "for", "while", "if", "try", "group", "iter", "branch", "return", "break", "continue", "error", "variable"}
)
_KINDS: Final = {
    "kw": "keyword", "": "keyword", "iteration": "iter", "if/else root": "if", "try/except root": "try", "var": "variable",
    "foritem": "iter", "else if": "branch", "else": "branch", "except": "branch", "finally": "branch",
}  # fmt: skip
_MOST_NODES: Final = 20_000  # of a task that are searched
_MOST_TEXT: Final = 50_000


@dataclass
class Node:
    """A keyword or control structure: what it did, and what is in it."""

    kind: str
    name: str
    owner: str | None
    status: str
    message: str | None
    start: str | None
    seconds: float | None
    end: str | None
    texts: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def below(self) -> Iterator[Node]:
        """It and all that is in it, without recursion; bounded."""
        waiting, seen = [self], 0
        while waiting and seen < _MOST_NODES:
            node = waiting.pop()
            seen += 1
            yield node
            waiting += reversed(node.children)

    def searched(self) -> str:
        """Arguments and messages of it and all that is in it."""
        found: list[str] = []
        size = 0
        for node in self.below():
            for text in node.texts:
                found.append(text)
                size += len(text)
                if size > _MOST_TEXT:
                    return "\n".join(found)[:_MOST_TEXT]
        return "\n".join(found)


@dataclass
class Task:
    """A task or test with the suites it lies in."""

    suites: Sequence[str]
    name: str
    tags: list[str]
    metadata: dict[str, str]
    source: str | None
    status: str
    message: str | None
    start: str | None
    seconds: float | None
    end: str | None
    nodes: list[Node] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return ".".join((*self.suites, self.name))


def task_of_xml(element: Element, suites: Sequence[str], source: str | None) -> Task:
    """A `<test>` or `<task>`."""
    status, message, start, seconds, end = _xml_status(element)
    tags = [text_of(child) for child in element if local_name(child.tag) == "tag"]
    tags += [text_of(tag) for child in element if local_name(child.tag) == "tags" for tag in child]
    nodes = [_xml_node(child) for child in element if local_name(child.tag) in _BODY]
    return Task(suites, element.get("name") or "", tags, {}, source, status, message, start, seconds, end, nodes)


def metadata_of_xml(element: Element) -> dict[str, str]:
    """`<meta name="owner">` of a suite, and the older `<metadata><item name="owner">`."""
    found = [child for child in element if local_name(child.tag) == "meta"]
    found += [item for child in element if local_name(child.tag) == "metadata" for item in child]
    return {one.get("name") or "": text_of(one) for one in found}


def _xml_node(element: Element) -> Node:
    status, message, start, seconds, end = _xml_status(element)
    kind = (element.get("type") or "").casefold() or local_name(element.tag)
    node = Node(
        kind=_KINDS.get(kind, kind),
        name=element.get("name") or "",
        owner=element.get("owner") or element.get("library") or None,
        status=status, message=message, start=start, seconds=seconds, end=end,
    )  # fmt: skip
    for child in element:
        name = local_name(child.tag)
        if name in _BODY:
            node.children.append(_xml_node(child))
        elif name in ("arg", "msg", "value") or (name == "var" and child.get("name")):
            node.texts.append(text_of(child))
        elif name in ("arguments", "assign"):
            node.texts += [text_of(one) for one in child]
    return node


def _xml_status(element: Element) -> tuple[str, str | None, str | None, float | None, str | None]:
    found = [child for child in element if local_name(child.tag) == "status"]
    if not found:
        return "NOT SET", None, None, None, None
    status = found[-1]
    start, end = time_of(status.get("start") or status.get("starttime")), time_of(status.get("endtime"))
    seconds = _seconds(status.get("elapsed"))
    if seconds is None and start and end:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return (
        status.get("status") or "NOT SET",
        text_of(status).strip() or None,
        start,
        seconds,
        end or _later(start, seconds),
    )


def tasks_of_json(result: Mapping[str, Any]) -> Iterator[Task | RecordError]:
    """Every task of the suites of an output.json."""
    waiting: list[tuple[Any, tuple[str, ...], dict[str, Any]]] = [(result.get("suite"), (), {})]
    while waiting:
        suite, above, metadata = waiting.pop()
        if not isinstance(suite, dict):
            yield RecordError("is no suite", str(suite)[:2000], field="suite")
            continue
        names = (*above, str(suite.get("name") or ""))
        own = suite.get("metadata")
        metadata = {**metadata, **own} if isinstance(own, dict) else metadata
        for test in _list(suite.get("tests")):
            try:
                yield _task_of_json(test, names, metadata, suite.get("source"))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                yield RecordError(f"is no task: {error}", str(test)[:2000], field="tests")
        waiting += [(one, names, metadata) for one in reversed(_list(suite.get("suites")))]


def _task_of_json(test: Mapping[str, Any], suites: Sequence[str], metadata: Mapping[str, Any], source: Any) -> Task:
    status, message, start, seconds, end = _json_status(test)
    tags = [str(tag) for tag in _list(test.get("tags"))]
    setup, teardown = test.get("setup"), test.get("teardown")
    nodes = [_json_node({"type": "SETUP", **setup})] if setup else []
    nodes += [_json_node(part) for part in _list(test.get("body")) if _is_node(part)]
    nodes += [_json_node({"type": "TEARDOWN", **teardown})] if teardown else []
    return Task(
        suites, str(test.get("name") or ""), tags, dict(metadata), source, status, message, start, seconds, end, nodes
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_node(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") != "MESSAGE"


def _json_node(part: Mapping[str, Any]) -> Node:
    status, message, start, seconds, end = _json_status(part)
    kind = str(part.get("type") or "").casefold()
    node = Node(
        kind=_KINDS.get(kind, kind),
        name=str(part.get("name") or ""),
        owner=part.get("owner") or part.get("libname"),
        status=status, message=message, start=start, seconds=seconds, end=end,
    )  # fmt: skip
    assigned = part.get("assign")
    node.texts = [str(one) for one in (*_list(part.get("args")), *_list(part.get("values")))]
    if isinstance(assigned, dict):
        node.texts += [str(value) for value in assigned.values()]
    inside = [part["setup"]] if part.get("setup") else []
    for one in (*inside, *_list(part.get("body")), *([part["teardown"]] if part.get("teardown") else [])):
        if _is_node(one):
            node.children.append(_json_node(one))
        elif isinstance(one, dict):
            node.texts.append(str(one.get("message") or ""))
    return node


def _json_status(part: Mapping[str, Any]) -> tuple[str, str | None, str | None, float | None, str | None]:
    start, seconds = time_of(part.get("start_time")), _seconds(part.get("elapsed_time"))
    return (
        str(part.get("status") or "NOT SET"),
        str(part.get("message") or "") or None,
        start,
        seconds,
        _later(start, seconds),
    )


def time_of(text: Any) -> str | None:
    """`2026-11-23T02:25:47.688778`, or as before Robot Framework 7 `20261123 02:25:47.688`; `N/A` is none."""
    if not text or text == "N/A":
        return None
    old = re.fullmatch(r"(\d{4})(\d\d)(\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)", str(text))
    told = f"{old[1]}-{old[2]}-{old[3]}T{old[4]}" if old else str(text)
    return datetime.fromisoformat(told).isoformat(timespec="microseconds")


def _later(start: str | None, seconds: float | None) -> str | None:
    if start is None or seconds is None or seconds > 1e9:
        return None
    return (datetime.fromisoformat(start) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < 1e9 else None
