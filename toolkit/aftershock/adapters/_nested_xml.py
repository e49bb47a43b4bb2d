"""Reading XML whose records stand inside containers (test cases in suites in suites): each record with what it lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from aftershock.adapters._xml import local_name
from aftershock.adapters.base import RecordError

MAX_DEPTH: Final = 400
"""No log nests deeper; what does is made to break readers."""


class Seen(NamedTuple):
    """A step of the walk. `above`: the containers it lies in, outermost first; of these only the attributes are sure to be known."""

    event: Literal["open", "record", "close"]
    element: Element
    above: Sequence[Element]


def walk(path: Path, containers: frozenset[str], records: frozenset[str]) -> Iterator[Seen | RecordError]:
    """Containers as they open and close, and the outermost records in them, whole; namespaces are left out.

    A record is forgotten once the next step is asked for; what else a container holds is there when it closes. Where the file
    breaks off or is no XML from some place on, the last thing given is a `RecordError` that names the record begun.
    """
    open_containers: list[Element] = []
    path_down: list[Element] = []
    begun: list[Element] = []
    try:
        for event, element in iterparse(path, events=("start", "end")):
            name = local_name(element.tag)
            if event == "start":
                path_down.append(element)
                if len(path_down) > MAX_DEPTH:
                    yield RecordError(f"is nested more than {MAX_DEPTH} deep, from here on it is not read")
                    return
                if name in records:
                    begun.append(element)
                elif name in containers and not begun:
                    yield Seen("open", element, tuple(open_containers))
                    open_containers.append(element)
                continue
            path_down.pop()
            if begun and begun[-1] is element:
                begun.pop()
                if begun:
                    continue
                yield Seen("record", element, tuple(open_containers))
            elif open_containers and open_containers[-1] is element:
                open_containers.pop()
                yield Seen("close", element, tuple(open_containers))
            else:
                continue
            element.clear()
            if path_down:
                path_down[-1].remove(element)
    except ParseError as error:
        within = f", within {begun[0].get('name') or begun[0].tag!r}" if begun else ""
        yield RecordError(f"is no XML from here on{within}: {error}")
    except DefusedXmlException as error:
        yield RecordError(f"is refused: {type(error).__name__}, which a log has no use for")


def text_of(element: Element | None) -> str:
    """All text of an element, also that inside its children."""
    return "".join(element.itertext()) if element is not None else ""
