"""From an executed notebook to one offline page, and all its numbers.

The page asks the network for nothing, and its policy forbids it to: only our own script, named by its hash, may run, so even
a script that got into an output would stay text. plotly.js, as the plotly package carries it, is packed in once, only where a
chart is; beside each chart stands a table, which is open where scripts are off.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from markupsafe import Markup

from aftershock.charts.palette import COLOURS, DARK, LIGHT, css_variables
from aftershock.reports.blocks.markup import NUMBERS_MIME, PLOTLY_MIME, folded, table

_IMAGES: Final = ("image/png", "image/jpeg", "image/svg+xml")
_MAX_ROWS: Final = 500
_TEMPLATE: Final = Path(__file__).parent / "template"


@dataclass(frozen=True)
class Page:
    """What a finished page consists of."""

    html: str
    numbers: dict[str, Any]


def to_page(notebook: Any, *, title: str, audience: Literal["client", "fleet"] = "client", footer: str = "") -> Page:
    """The page of an executed notebook (an nbformat node); code is not on it."""
    charts = _Charts()
    exporter = _exporter(charts)
    facts = {
        "title": title,
        "lang": "en",
        "audience": audience,
        "footer": footer,
        "style": style(),
        "script": _asset("charts.js"),
        "policy": _policy(),
        "palette": _json({colour.light.lower(): colour.dark for colour in COLOURS}),
        "plotly": _packed_plotly,
        "has_charts": lambda: charts.count > 0,
    }
    html, _ = exporter.from_notebook_node(notebook, resources={"page": facts})
    return Page(html, _numbers(notebook))


def still_page(body: Markup, *, title: str, audience: str = "fleet") -> str:
    """A page without a notebook behind it and without scripts, in the same style."""
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{}</title><style>{}</style></head>'
            '<body class="{}"><a class="skip" href="#main">Skip to the content</a><main id="main">{}</main></body></html>\n'
        ).format(title, Markup(style()), audience, body)  # noqa: S704  our own style sheet
    )


def style() -> str:
    """The style sheet: colours from the palette, then the rules."""
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"@media print{{:root{{color-scheme:light}}}}\n{_asset('style.css')}"
    )


class _Charts:
    """Numbers the charts of a page."""

    def __init__(self) -> None:
        self.count = 0

    def next_id(self) -> str:
        self.count += 1
        return f"figure-{self.count}"


def _exporter(charts: _Charts) -> Any:
    from nbconvert.exporters.templateexporter import TemplateExporter
    from traitlets.config import Config

    ours = {"template_name": "template", "extra_template_basedirs": [str(_TEMPLATE.parent)]}
    settings = Config({"TemplateExporter": {**ours, "template_file": "page.html.j2", "file_extension": ".html"}})
    exporter: Any = TemplateExporter(config=settings)  # type: ignore[no-untyped-call]
    exporter.register_filter("best", lambda output: _best(output, charts))
    exporter.register_filter("words", _words)
    return exporter


def _best(output: Any, charts: _Charts) -> dict[str, Any]:
    """How an output is shown: the richest form that works offline."""
    if output.output_type == "stream":
        # What a library says on stderr is for the operator, who has the notebook.
        return {"kind": "text", "text": _text(output.text)} if output.name == "stdout" else {"kind": "nothing"}
    if output.output_type == "error":
        return {"kind": "text", "text": f"{output.ename}: {output.evalue}"}
    data = output.get("data", {})
    if PLOTLY_MIME in data:
        return _chart(data, charts)
    if "text/html" in data:
        html = _text(data["text/html"])
        return {"kind": "frame" if "<table" in html and NUMBERS_MIME not in data else "html", "text": html}
    for mime in _IMAGES:
        if mime in data:
            return {"kind": "image", "text": _data_uri(mime, _text(data[mime]))}
    if "text/markdown" in data:
        return {"kind": "markdown", "text": _text(data["text/markdown"])}
    if "text/plain" in data:
        return {"kind": "text", "text": _text(data["text/plain"])}
    return {"kind": "nothing"}


def _chart(data: Any, charts: _Charts) -> dict[str, Any]:
    figure = data[PLOTLY_MIME]
    title = figure.get("layout", {}).get("title", {})
    label = figure.get("layout", {}).get("meta") or (title.get("text") if isinstance(title, dict) else title) or "Chart"
    given = _text(data["text/html"]) if NUMBERS_MIME in data and "text/html" in data else ""
    return {
        "kind": "chart",
        "id": charts.next_id(),
        "label": str(label),
        "json": _json({"data": figure.get("data", []), "layout": figure.get("layout", {})}),
        "table": given or folded("The numbers of this chart", _table_of(figure), open=True, cls="numbers"),
    }


def _table_of(figure: Any) -> Markup:
    """A table of a chart that came without one: the points of each of its traces."""
    rows = []
    for number, trace in enumerate(figure.get("data", []), start=1):
        name = trace.get("name") or f"series {number}"
        xs, ys = _values(trace.get("x", trace.get("labels"))), _values(trace.get("y", trace.get("values")))
        rows += [(name, _cell(x), _cell(y)) for x, y in zip(xs, ys, strict=False)]
    more = len(rows) - _MAX_ROWS
    shown = table(("Series", "At", "Value"), rows[:_MAX_ROWS], caption="The numbers of this chart", numeric=(2,))
    return shown + Markup("<p class=note>And {} more.</p>").format(more) if more > 0 else shown


def _values(packed: Any) -> list[Any]:
    """Plotly's arrays, which may come packed as base64."""
    if isinstance(packed, dict) and "bdata" in packed:
        import numpy

        return list(numpy.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"]).tolist())
    return list(packed) if isinstance(packed, list | tuple) else []


def _cell(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _numbers(notebook: Any) -> dict[str, Any]:
    """The numbers of all blocks, by block; a name that comes twice gets `-2`."""
    found: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            part = output.get("data", {}).get(NUMBERS_MIME)
            if part:
                name, n = part["name"], 2
                while name in found:
                    name, n = f"{part['name']}-{n}", n + 1
                found[name] = part["numbers"]
    return found


def _words(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    return str(MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(source))


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _data_uri(mime: str, content: str) -> str:
    packed = base64.b64encode(content.encode()).decode() if mime.endswith("+xml") else "".join(content.split())
    return f"data:{mime};base64,{packed}"


def _json(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


@cache
def _asset(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8").strip()


@cache
def _policy() -> str:
    own = base64.b64encode(hashlib.sha256(_asset("charts.js").encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        f"script-src 'sha256-{own}' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
    )


@cache
def _packed_plotly() -> str:
    """plotly.js, gzipped and in base64. The same bytes each time, so that equal pages are equal files."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()
