"""Finished pages in a real browser, from `file://`, with the network blocked."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aftershock.reports.render import Rendered

pytestmark = pytest.mark.browser

CONTRAST = """
(() => {
  const rgb = (text) => { const m = text.match(/[\\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m.slice(0, 3); };
  const part = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (colour) => colour.map((c) => part(c / 255)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let n = node; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c) return c; }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || node.closest('.chart, script, noscript, style') || !node.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${text.data.trim().slice(0, 40)}`);
  }
  return poor;
})()
"""


@pytest.fixture(params=["client", "fleet"])
def page(request: pytest.FixtureRequest, client_page: Rendered, fleet_page: Rendered) -> Rendered:
    return client_page if request.param == "client" else fleet_page


def test_charts_are_drawn_without_a_complaint_or_a_request(page: Rendered, tab: Any) -> None:
    tab.open(page.path)
    assert tab.js("document.querySelectorAll('.chart.drawn .scatterlayer .trace').length") > 0
    assert [address for address in tab.calls if not address.startswith(("file:", "data:", "about:"))] == []
    assert tab.complaints == []


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_makes_the_page_scroll_sideways(page: Rendered, tab: Any, width: int) -> None:
    tab.width(width)
    tab.open(page.path)
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.js(
        "[...document.querySelectorAll('.chart')].every((c) => c.getBoundingClientRect().right <= innerWidth + 4)"
    )


def test_with_scripts_off_the_tables_stand_in_for_the_charts(client_page: Rendered, tab: Any) -> None:
    tab("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(client_page.path, charts=False)
    tree = tab("DOMSnapshot.captureSnapshot", computedStyles=[])
    drawn = {tree["strings"][i] for i in tree["documents"][0]["layout"]["text"] if i >= 0}
    assert any("no log" in text for text in drawn)
    assert any("Range" in text for text in drawn)


def test_the_drawn_chart_folds_its_table_away(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    assert tab.js("document.querySelector('details.numbers').open") is False


def test_days_without_a_log_are_hatched_in_the_chart(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    assert tab.js("document.querySelectorAll('.chart pattern').length") > 0


def test_dark_mode_recolours_page_and_charts(client_page: Rendered, tab: Any) -> None:
    tab("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    tab.open(client_page.path)
    assert tab.js("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 29)"
    strokes = tab.js("[...document.querySelectorAll('.chart .js-line')].map((line) => line.style.stroke)")
    assert "rgb(240, 132, 103)" in strokes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(page: Rendered, tab: Any, scheme: str) -> None:
    tab("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.open(page.path)
    tab.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.js(CONTRAST) == []


def test_the_tab_key_reaches_everything_that_unfolds(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    reached = set()
    for _ in range(60):
        tab.press("Tab", 9)
        reached.add(tab.js("document.activeElement.tagName"))
    assert {"A", "SUMMARY", "DIV"} <= reached


def test_enter_unfolds_what_has_the_focus(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    tab.js("document.querySelector('details.numbers summary').focus()")
    tab("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    tab("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    assert tab.js("document.querySelector('details.numbers').open") is True


def test_focus_can_be_seen(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    tab.press("Tab", 9)
    assert tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_it_prints(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    pdf = base64.b64decode(tab("Page.printToPDF")["data"])
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 20_000


def test_hostile_text_of_a_log_stays_text(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    assert tab.js("document.querySelectorAll('main script:not([type]), main img').length") == 0
    assert "<script>alert(1)</script>" in tab.js("document.querySelector('main').textContent")


def test_only_our_own_script_may_run(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path)
    tab.js("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran = 1\">')")
    tab.js(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); })()"
    )
    assert tab.js("new Promise((done) => setTimeout(() => done(window.ran || 0), 200))") == 0


def test_the_index_leads_to_the_page(client_page: Rendered, tab: Any) -> None:
    tab.open(client_page.path.parents[3] / "index.html", charts=False)
    links = tab.js("[...document.querySelectorAll('main a')].map((a) => a.href)")
    assert client_page.path.as_uri() in links
    assert tab.complaints == []
