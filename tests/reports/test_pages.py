"""From an executed notebook to one offline file."""

from __future__ import annotations

import re
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from aftershock.reports.blocks.markup import Block
from aftershock.reports.html import Page, to_page

FIGURE = go.Figure(go.Scatter(x=[1, 2], y=[0.25, 0.5], name="rate </script><script>alert(1)</script>"))


def page(*outputs: dict[str, Any]) -> Page:
    """The page of a notebook with one code cell that has these outputs."""
    shown = [new_output("display_data", bundle) for bundle in outputs]
    cells = [new_markdown_cell("## A heading"), new_code_cell("secret = 'code'", execution_count=1, outputs=shown)]
    return to_page(new_notebook(cells=cells), title="Acme <week 47>")


def figure_bundle() -> dict[str, Any]:
    return {"application/vnd.plotly.v1+json": FIGURE.to_plotly_json()}


def test_code_is_hidden_and_words_are_shown() -> None:
    html = page({"text/plain": "42"}).html
    assert "secret" not in html
    assert "A heading</h2>" in html
    assert "<pre>42</pre>" in html


def test_plain_text_is_escaped() -> None:
    assert "<pre>&lt;script&gt;alert(1)&lt;/script&gt;</pre>" in page({"text/plain": "<script>alert(1)</script>"}).html


def test_the_title_is_escaped() -> None:
    assert "<title>Acme &lt;week 47&gt;</title>" in page().html


def test_nothing_is_fetched_from_anywhere() -> None:
    html = page(figure_bundle()).html.replace("http://www.w3.org/2000/svg", "")
    outside = re.sub(r'<script type="text/plain" id="plotly-gz">.*?</script>', "", html, flags=re.DOTALL)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|@import|url\(", outside)
    assert "MathJax" not in outside
    assert "require" not in outside


def test_the_policy_forbids_the_network_and_foreign_scripts() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page().html)
    assert policy
    assert policy[1].startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy[1]
    assert "script-src 'unsafe-inline'" not in policy[1]


def test_plotly_is_packed_in_once_and_only_with_a_chart() -> None:
    assert "plotly-gz" not in page().html
    assert page(figure_bundle(), figure_bundle()).html.count('id="plotly-gz"') == 1


def test_a_figure_cannot_end_its_script_element() -> None:
    html = page(figure_bundle()).html
    assert "<script>alert(1)" not in html
    assert "\\u003cscript\\u003ealert(1)" in html


def test_a_chart_without_a_table_gets_one_made_of_its_points() -> None:
    html = page(figure_bundle()).html
    assert '<details class="numbers" open>' in html
    assert '<td class="num">0.25</td>' in html


def test_packed_arrays_of_plotly_stand_in_the_table_as_numbers() -> None:
    packed = {
        "application/vnd.plotly.v1+json": {
            "data": [{"x": ["a"], "y": {"dtype": "f8", "bdata": "AAAAAAAA4D8="}}],
            "layout": {},
        }
    }
    assert '<td class="num">0.5</td>' in page(packed).html


def test_the_numbers_of_blocks_are_collected() -> None:
    one = Block("one", Markup("<p>1</p>"), {"n": 1})._repr_mimebundle_()
    two = Block("one", Markup("<p>2</p>"), {"n": 2})._repr_mimebundle_()
    assert page(one, two).numbers == {"one": {"n": 1}, "one-2": {"n": 2}}


def test_equal_notebooks_give_equal_pages() -> None:
    assert page(figure_bundle()).html == page(figure_bundle()).html


def test_pictures_are_packed_in() -> None:
    assert '<img src="data:image/png;base64,aGk=" alt="">' in page({"image/png": "aGk=\n"}).html


def test_what_a_library_says_on_stderr_is_not_for_the_reader() -> None:
    cell = new_code_cell("x", outputs=[new_output("stream", name="stderr", text="FutureWarning")])
    assert "FutureWarning" not in to_page(new_notebook(cells=[cell]), title="x").html


def test_the_page_says_its_language_and_lets_the_keyboard_skip() -> None:
    html = page().html
    assert '<html lang="en">' in html
    assert '<a class="skip" href="#main">' in html
