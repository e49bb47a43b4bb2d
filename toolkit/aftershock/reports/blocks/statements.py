"""Findings that are said in a sentence each, where there are any: no finding, no section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, join, section


@dataclass(frozen=True)
class Statement:
    """A sentence, what it rests on, and what is said at its side."""

    title: str | Markup
    detail: str | Markup
    side: str = ""


def statements(title: str, lead: str, items: Sequence[Statement], *, id: str, numbers: Mapping[str, Any]) -> Block:
    """The statements below a heading. Without any the block shows nothing; its `numbers` still say what was looked at."""
    html = Markup("")
    if items:
        rows = join(
            Markup(
                '<li><span class="dot partial" aria-hidden="true"></span><div><div class="t">{}</div><div class="d">{}</div></div>'
                '<div class="s">{}</div></li>'
            ).format(item.title, item.detail, item.side)
            for item in items
        )
        html = section(title, lead, [Markup('<ol class="needs">{}</ol>').format(rows)], id=id)
    return Block(id.replace("-", "_"), html, numbers)
