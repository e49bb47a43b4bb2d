"""Reading XML that nobody vouches for: entities off, element by element, and what was whole before a file breaks off is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from aftershock.adapters.base import RecordError


def elements(path: Path, *names: str) -> Iterator[Element | RecordError]:
    """Every outermost element of one of these names (namespaces left out), whole, in the order of the file.

    An element is forgotten once the next one is asked for, so a file of any size can be read. Where the file breaks off or is
    no XML from some place on, the last thing given is a `RecordError`.
    """
    inside = 0
    above: list[Element] = []
    try:
        for event, element in iterparse(path, events=("start", "end")):
            wanted = local_name(element.tag) in names
            if event == "start":
                inside += wanted
                above.append(element)
                continue
            above.pop()
            inside -= wanted
            if wanted and not inside:
                yield element
            if not inside:
                element.clear()
                if above:
                    above[-1].remove(element)
    except ParseError as error:
        yield RecordError(f"is no XML from here on: {error}")
    except DefusedXmlException as error:
        yield RecordError(f"is refused: {type(error).__name__}, which a log has no use for")


def local_name(tag: Any) -> str:
    """`testcase` of `{http://…}testcase`; empty for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def each(
    path: Path, names: tuple[str, ...], record_of: Callable[[Element], Mapping[str, Any]]
) -> Iterator[Mapping[str, Any] | RecordError]:
    """`record_of` each element; one that cannot be read is a reject, the others go on."""
    for element in elements(path, *names):
        if isinstance(element, RecordError):
            yield element
            continue
        try:
            yield record_of(element)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield RecordError(f"cannot be read: {type(error).__name__}: {error}")
