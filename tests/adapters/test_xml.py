"""The reader of all XML: several documents, what breaks off, and characters that XML does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftershock.adapters._xml import MAX_DEPTH, elements, walk
from aftershock.adapters.base import RecordError

DOCUMENT = '<?xml version="1.0" encoding="utf-8"?>\n<suite n="1"><case n="a"/><about/><case n="b">x</case></suite>\n'
WHOLE = ["open 1", "record a", "record b", "close 1"]


def told(file: Path, text: str | bytes) -> list[str]:
    """The steps of a walk through this text."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [
        "error" if isinstance(seen, RecordError) else f"{seen.event} {seen.element.get('n')}"
        for seen in walk(file, frozenset({"suite"}), frozenset({"case"}))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DOCUMENT * 3, WHOLE * 3),
        (DOCUMENT + '<suite n="2"><case n="c"/></suite>', [*WHOLE, "open 2", "record c", "close 2"]),
        ("\n \n" + DOCUMENT + "\x00" * 100, WHOLE),
        (DOCUMENT + "done in 5 s\n" + DOCUMENT, [*WHOLE, "error", *WHOLE]),
        (DOCUMENT[:69] + DOCUMENT, ["open 1", "record a", "error", *WHOLE]),
        (DOCUMENT.replace("</suite>", "") + DOCUMENT, [*WHOLE[:3], "error", *WHOLE]),
        (DOCUMENT.replace(">x<", '><![CDATA[\n<?xml version="1.0"?><suite n="printed"/>]]><'), WHOLE),
        ('<suite n="1"><case n="a"><case n="inner"/></case></suite>', ["open 1", "record a", "close 1"]),
        ("<", ["error"]),
    ],
    ids=[
        "three",
        "no declaration",
        "zero bytes",
        "a log line",
        "cut",
        "not closed",
        "printed XML",
        "nested",
        "nothing",
    ],
)
def test_documents_behind_one_another_are_read_and_what_breaks_off_is_told(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert told(tmp_path / "x.xml", text) == expected


@pytest.mark.parametrize("printed", ["\x1b[31mred", "&#27;&#x1B;&#0;", "a\x00b", "\uffff"])
def test_what_a_job_printed_does_not_end_its_report(tmp_path: Path, printed: str) -> None:
    assert told(tmp_path / "x.xml", DOCUMENT.replace(">x<", f">{printed}<")) == WHOLE
    assert told(tmp_path / "x.xml", DOCUMENT.replace(">x<", f">{printed * 20_000}<")) == WHOLE


def test_bytes_of_another_encoding_are_read_as_declared_else_replaced(tmp_path: Path) -> None:
    text = DOCUMENT.replace(">x<", ">Zürich<")
    file = tmp_path / "x.xml"
    found = []
    for raw in (text.encode("latin-1"), text.replace("utf-8", "windows-1252").encode("cp1252")):
        file.write_bytes(raw)
        found.append([None if isinstance(one, RecordError) else one.text for one in elements(file, "case")])
    assert found == [[None, "Z\ufffdrich"], [None, "Zürich"]]


@pytest.mark.parametrize(
    "text",
    ["<suite>" * (MAX_DEPTH + 1), '<!DOCTYPE s [<!ENTITY a "aaaa">]><suite n="&a;"/>', '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><suite/>'],
)  # fmt: skip
def test_what_is_made_to_break_readers_is_refused(tmp_path: Path, text: str) -> None:
    assert told(tmp_path / "x.xml", text)[-1] == "error"
