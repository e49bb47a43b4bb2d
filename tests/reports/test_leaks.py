"""The leak test finds what belongs only to others, and cries wolf over nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from reports_shop import SHOP, shop_log
from support import ingested

import aftershock
from aftershock.errors import LeakError
from aftershock.project import Project
from aftershock.reports.leak import Foreign, check_leaks, find_leaks, foreign_to, is_distinctive

FOREIGN = Foreign(
    always=frozenset({"globex", "Globex Home"}),
    words=frozenset(
        {"GLX-1001", "n8n:157", "globex / Order intake", "invoice_export_glx", "Orders", "1001", "a@b.example"}
    ),
)


@pytest.mark.parametrize(
    ("content", "leak"),
    [
        ("<p>order GLX-1001 is late</p>", "GLX-1001"),
        ("<p>order glx-1001</p>", "GLX-1001"),
        ("<td>n8n:157</td>", "n8n:157"),
        ("<p>for Globex Home, as agreed</p>", "Globex Home"),
        ("<p>globex / Order intake failed</p>", "globex / Order intake"),
        ("<p>globex &#47; Order intake failed</p>", "globex / Order intake"),
        ('<bdi class="key">1001</bdi>', "1001"),
        ('<bdi class="name">Orders</bdi>', "Orders"),
        (r'<script type="application/json">{"text":["GLX\u002d1001"]}</script>', "GLX-1001"),
        ("<p>write to a@b.example.</p>", "a@b.example"),
        ('<i title="invoice_export_glx: 2 failed"></i>', "invoice_export_glx"),
    ],
)
def test_what_belongs_only_to_others_is_found(content: str, leak: str) -> None:
    assert leak in find_leaks(content, FOREIGN)


@pytest.mark.parametrize(
    "content",
    [
        "<p>Orders in step: 1,001 of 1001</p>",
        "<p>GLX-10012 and XGLX-1001 are other keys</p>",
        "<p>n8n:1570</p>",
        "<p>globexes</p>",
        '<script type="text/plain" id="plotly-gz">GLX-1001 n8n:157</script>',
        '<bdi class="key">10010</bdi>',
    ],
)
def test_ordinary_words_and_longer_keys_raise_no_alarm(content: str) -> None:
    assert find_leaks(content, FOREIGN) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("GLX-1001", True),
        ("sync", False),
        ("Orders", False),
        ("2026-11-18", False),
        ("12345", False),
        ("1234567", True),
        ("CrmSync", True),
    ],
)
def test_only_words_that_cannot_stand_there_by_chance_count_in_free_text(word: str, expected: bool) -> None:
    assert is_distinctive(word) is expected


def test_a_page_with_a_leak_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>GLX-1001</p>", encoding="utf-8")
    with pytest.raises(LeakError, match="made for acme, but it holds 1 thing"):
        check_leaks(page, "acme", FOREIGN)


def test_the_numbers_beside_a_page_are_read_too(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>fine</p>", encoding="utf-8")
    (tmp_path / "report.json").write_text(json.dumps({"records": [{"record": "1001"}]}), encoding="utf-8")
    with pytest.raises(LeakError):
        check_leaks(page, "acme", FOREIGN)


def test_every_file_beside_a_page_is_read(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>fine</p>", encoding="utf-8")
    (tmp_path / "more.csv").write_text("order\nGLX-1001\n", encoding="utf-8")
    with pytest.raises(LeakError, match="GLX-1001"):
        check_leaks(page, "acme", FOREIGN)


@pytest.mark.parametrize("where", ["source", "text", "html", "traceback"])
def test_what_a_notebook_says_is_read(tmp_path: Path, where: str) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>fine</p>", encoding="utf-8")
    cell = new_code_cell("'GLX-1001'" if where == "source" else "1", execution_count=1)
    cell.outputs = {
        "source": [],
        "text": [new_output("stream", name="stderr", text="about\nGLX-1001\n")],
        "html": [new_output("display_data", {"text/html": "<td>GLX&#45;1001</td>"})],
        "traceback": [new_output("error", ename="E", evalue="", traceback=["in", "GLX-1001"])],
    }[where]
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "notebook.ipynb")
    with pytest.raises(LeakError, match="GLX-1001"):
        check_leaks(page, "acme", FOREIGN)


def test_how_a_notebook_file_is_built_raises_no_alarm(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>fine</p>", encoding="utf-8")
    outputs = [new_output("stream", name="stdout", text="fine")]
    cell = new_code_cell("1", execution_count=1, outputs=outputs)
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "notebook.ipynb")
    check_leaks(page, "acme", Foreign(always=frozenset({"Stream", "Metadata"}), words=frozenset({"cells", "code"})))


@pytest.mark.parametrize(("other", "counts"), [("week", False), ("report", False), ("globex-eu", True)])
def test_the_id_of_another_client_counts_where_it_is_no_ordinary_word(tmp_path: Path, other: str, counts: bool) -> None:
    clients = f'[[clients]]\nid = "acme"\nname = "Acme Outdoor"\n[[clients]]\nid = "{other}"\nname = "Somebody Else"\n'
    with ingested(tmp_path, shop_log(tmp_path), SHOP + clients) as ledger:
        foreign = foreign_to(ledger, "acme")
    assert bool(find_leaks(f"<h1>This {other} all runs of the report succeeded.</h1>", foreign)) is counts
    assert foreign.always == {"Somebody Else"}


def test_the_foreign_words_come_from_the_ledger(project: Project) -> None:
    with aftershock.open(project.folder) as ledger:
        foreign = foreign_to(ledger, "acme")
    assert foreign.always == {"Globex Home"}
    assert {"GLX-1090", "globex intake", "shop:globex-in-9-0"} <= foreign.words
    assert not any("acme" in word.casefold() for word in foreign.words)


def test_two_hundred_thousand_foreign_words_take_a_moment() -> None:
    foreign = Foreign(words=frozenset(f"GLX-{i}" for i in range(200_000)))
    page = "<p>ACME-1001 is late</p>" * 5000 + "<p>GLX- 77</p><p>GLX-199999</p>" + "<p>GLX</p>" * 5000
    began = time.monotonic()
    assert find_leaks(page, foreign) == ["GLX-199999"]
    assert time.monotonic() - began < 10
