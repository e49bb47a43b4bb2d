"""Reading XML that nobody vouches for: entities off, element by element, and what was whole before a file breaks off is kept.

A file may hold several documents, one behind another. Characters that XML does not know (colours of a terminal, zero bytes, bytes
that are not in the encoding) are replaced: a log is not given up for what a job printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TextIO
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLPullParser

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from aftershock.adapters.base import RecordError

MAX_DEPTH: Final = 400
"""No log nests deeper; what does is made to break readers."""

_CHUNK: Final = 1 << 20
_PIECE: Final = 1 << 14
_DECLARED: Final = re.compile(rb"""\A\s*<\?xml[^>]*?\sencoding=["']([A-Za-z0-9._-]+)["']""")
_ENCODINGS: Final = re.compile(
    r"(?i)iso-?8859-\d+|latin-?1|windows-125\d|cp125\d|shift_jis|euc-(jp|kr)|gb(2312|k|18030)|big5|koi8-r"
)
_NO_XML: Final = re.compile(
    r"[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
    r"|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01]|55296|6553[45])|[xX]0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[efEF]));"
)
_DOCUMENT: Final = re.compile(r"<\?xml\s")
_BLANK: Final = " \t\r\n\x00\ufeff"


class Seen(NamedTuple):
    """A step of the walk. `above`: the containers it lies in, outermost first; of these only the attributes are sure to be known."""

    event: Literal["open", "record", "close"]
    element: Element
    above: Sequence[Element]


def walk(path: Path, containers: frozenset[str], records: frozenset[str]) -> Iterator[Seen | RecordError]:
    """Containers as they open and close, and the outermost records in and outside of them, whole; namespaces are left out.

    A record is forgotten once the next step is asked for; what else a container holds is there when it closes. Where a document
    breaks off or is no XML from some place on, a `RecordError` names the record begun; what follows is read if it begins a new one.
    """
    open_containers: list[Element] = []
    path_down: list[Element] = []
    begun: list[Element] = []
    for event, element in _events(path):
        if isinstance(element, RecordError):
            within = f", within {begun[0].get('name') or begun[0].tag!r}" if begun else ""
            yield RecordError(element.reason.replace(" here on", f" here on{within}"), element.raw)
            continue
        if event == "begin":
            open_containers, path_down, begun = [], [], []
            continue
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
        elif begun or open_containers:
            continue
        element.clear()
        if path_down:
            path_down[-1].remove(element)


def elements(path: Path, *names: str) -> Iterator[Element | RecordError]:
    """Every outermost element of one of these names (namespaces left out), whole, in the order of the file.

    An element is forgotten once the next one is asked for, so a file of any size can be read.
    """
    for seen in walk(path, frozenset(), frozenset(names)):
        yield seen if isinstance(seen, RecordError) else seen.element


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


def local_name(tag: Any) -> str:
    """`testcase` of `{http://…}testcase`; empty for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def text_of(element: Element | None) -> str:
    """All text of an element, also that inside its children."""
    return "".join(element.itertext()) if element is not None else ""


def _events(path: Path) -> Iterator[tuple[str, Any]]:
    """`begin` of each document, `start` and `end` of its elements, and `error`s."""
    with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
        text = _Text(file)
        while text.goes_on():
            yield "begin", None
            document = _Document()
            at_end = False
            try:
                while piece := text.piece():
                    yield from document.events(piece)
                at_end = True
                document.parser.close()
                return
            except ParseError as error:
                rest = text.go_back(document.rest())
                if document.is_whole and rest.startswith("<"):
                    continue
                yield "error", RecordError(f"is no XML from here on: {error}", rest[:1000])
                if at_end:
                    return
                text.skip(1 if document.is_at_its_beginning else 0)
            except DefusedXmlException as refused:
                yield "error", RecordError(f"is refused: {type(refused).__name__}, which a log has no use for")
                return


class _Text:
    """The text of a file, piece by piece, in which one can go back a little."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._ahead = ""
        self._at = 0

    def piece(self) -> str:
        """The next piece, which ends within no reference to a character; empty at the end."""
        if self._at + _PIECE > len(self._ahead):
            self._ahead, self._at = self._ahead[self._at :] + self._file.read(_CHUNK), 0
        end = self._at + _PIECE
        if end < len(self._ahead):
            end = max(self._ahead.rfind("&", end - 10, end), 0) or end
        piece = self._ahead[self._at : end]
        self._at += len(piece)
        return piece

    def go_back(self, text: str) -> str:
        """Have this text ahead again; gives what is ahead then, so far as it has been read."""
        if self._at >= len(text) and self._ahead.endswith(text, 0, self._at):
            self._at -= len(text)
        else:
            self._ahead, self._at = text + self._ahead[self._at :], 0
        return self._ahead[self._at : self._at + _PIECE]

    def goes_on(self) -> bool:
        """Leave out blanks and zero bytes; whether anything follows."""
        while piece := self.piece():
            if kept := piece.lstrip(_BLANK):
                self.go_back(kept)
                return True
        return False

    def skip(self, characters: int) -> None:
        """Go on to where, so many characters from here, the next document begins: at an XML declaration."""
        before = self.piece()[characters:]
        while not (found := _DOCUMENT.search(before)):
            piece = self.piece()
            if not piece:
                return
            before = before[-10:] + piece
        self.go_back(before[found.start() :])


class _Document:
    """One document on its way through the parser, with the text that it was fed last."""

    def __init__(self) -> None:
        self.parser = DefusedXMLParser(target=TreeBuilder(), encoding="utf-8")
        self._pull = XMLPullParser(("start", "end"), _parser=self.parser)
        self._depth = self._elements = 0
        self._kept = b""
        self._begin = 0  # of what is kept, in what was fed

    @property
    def is_whole(self) -> bool:
        """Whether its root element has been closed."""
        return bool(self._elements) and not self._depth

    @property
    def is_at_its_beginning(self) -> bool:
        """Whether the error is in its first character."""
        return bool(self.parser.parser.ErrorByteIndex <= 0)

    def events(self, text: str) -> Iterator[tuple[str, Element]]:
        """Feed a text. Raises `ParseError` where it is no XML."""
        data = _NO_XML.sub("\ufffd", text.replace("\x00", " ")).encode()
        drop = max(len(self._kept) - 4 * _PIECE, 0)
        self._kept, self._begin = self._kept[drop:] + data, self._begin + drop
        self._pull.feed(data)
        found: Iterator[Any] = self._pull.read_events()
        for event, element in found:
            self._elements += event == "start"
            self._depth += 1 if event == "start" else -1
            yield event, element

    def rest(self) -> str:
        """What was fed from the place of the error on."""
        at = max(self.parser.parser.ErrorByteIndex - self._begin, 0)
        return self._kept[at:].decode(errors="replace")


def _encoding(path: Path) -> str:
    """The encoding a file declares, where it is one of the old ones; what came in UTF-16 is UTF-8 by now."""
    with path.open("rb") as file:
        declared = _DECLARED.match(file.read(200))
    name = declared[1].decode() if declared else ""
    return name if _ENCODINGS.fullmatch(name) else "utf-8"
