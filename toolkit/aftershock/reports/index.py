"""`reports/index.html`: all pages there are, newest first, made from the report.json beside each."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import join, name
from aftershock.reports.html import still_page


def write_index(folder: Path, *, brand: str) -> Path:
    """Write the list of all finished pages under `folder`; gives its path."""
    entries = [
        (path.parent.relative_to(folder), json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*/*/*/report.json"))
        if (path.parent / "index.html").is_file()
    ]
    groups: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for place, content in sorted(entries, key=lambda entry: (entry[1]["client"] or "", entry[1]["report"])):
        groups.setdefault(content["who"], []).append((place, content))
    head = Markup('<header class="strip"><div class="id"><div class="logo" aria-hidden="true">{}</div><div><div class="who">{}</div>'
                  '<div class="when">Reports</div></div></div></header>').format(brand.strip()[:1].upper() or "A", brand)  # fmt: skip
    body = join(_group(who, pages) for who, pages in groups.items()) or Markup(
        "<p class=fine>No report has been rendered yet.</p>"
    )
    page = folder / "index.html"
    fresh = folder / f".index.html.{uuid.uuid4().hex}"  # two pages may be done at once
    folder.mkdir(parents=True, exist_ok=True)
    fresh.write_text(still_page(head + body, title=f"{brand} · reports"), encoding="utf-8")
    fresh.replace(page)
    return page


def _group(who: str, pages: list[tuple[Path, dict[str, Any]]]) -> Markup:
    rows = join(
        Markup('<tr><th scope="row"><a href="{}/index.html">{}</a></th><td>{}</td><td>{}</td></tr>').format(
            place.as_posix(), content["period"]["label"], content["report"], _says(content)
        )
        for place, content in sorted(pages, key=lambda entry: entry[1]["period"]["start"], reverse=True)
    )
    return Markup(
        '<section><h2>{}</h2><div class="wide stack" tabindex="0" role="region" aria-label="Reports"><table><caption>Reports</caption><thead><tr>'
        '<th scope="col">Period</th><th scope="col">Report</th><th scope="col">The answer</th></tr></thead><tbody>{}</tbody></table></div></section>'
    ).format(name(who), rows)


def _says(content: dict[str, Any]) -> str:
    return " ".join(content.get("blocks", {}).get("answer", {}).get("headline", [])) or "–"
