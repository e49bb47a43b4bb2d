"""What needs attention, worst first; at most five stand open, the rest is folded away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, folded, join, section

MOST = 5
_WORD = {"bad": "failed", "partial": "silent", "none": "cannot tell"}


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One thing that needs attention: one cause, with everything it hit.

    `tone`: bad (it did damage), partial (a success that was none), none (cannot tell). `weight`: more is worse.
    `since` and `next_step` are said at the side.
    """

    title: str | Markup
    detail: str | Markup
    tone: Literal["bad", "partial", "none"]
    weight: float
    tags: Sequence[str] = ()
    since: str = ""
    next_step: str = ""
    runs: Sequence[str] = field(default=())
    records: Sequence[str] = field(default=())


def needs_attention(items: Sequence[Attention], *, fine: Sequence[str] = (), lead: str = "", blind: str = "") -> Block:
    """The list. `fine`: names of automations that did well in the period, folded away.

    `blind` says why an empty list means nothing (no log); without it an empty list says that nothing needs attention.
    """
    ranked = sorted(items, key=lambda item: -item.weight)
    body: list[Markup] = []
    if ranked:
        body.append(_list(ranked[:MOST]))
    else:
        body.append(
            Markup('<p class="fine">{}</p>').format(blind or "Nothing in the logs of this period needs attention.")
        )
    if ranked[MOST:]:
        body.append(folded(f"{count(len(ranked) - MOST, 'smaller thing')}", _list(ranked[MOST:])))
    if fine:
        names = join((Markup('<bdi class="name">{}</bdi>').format(name) for name in fine), ", ")
        summary = f"{count(len(fine), 'automation')} succeeded every time, as far as the logs reach"
        body.append(folded(summary, Markup('<p class="note">{}</p>').format(names)))
    html = section("Needs attention", lead or "Worst first. What is fine is folded away.", body, id="needs-attention")
    return Block("needs_attention", html, {"items": [_plain(item) for item in ranked], "fine": list(fine)})


def _list(items: Sequence[Attention]) -> Markup:
    return Markup('<ol class="needs">{}</ol>').format(join(_item(item) for item in items))


def _item(item: Attention) -> Markup:
    tags = join(Markup('<span class="tag">{}</span>').format(tag) for tag in item.tags)
    side = join((Markup("<span>{}</span>").format(text) for text in (item.since, item.next_step) if text), "<br>")
    return Markup(
        '<li><span class="dot {}" role="img" aria-label="{}"></span><div><div class="t">{}</div><div class="d">{}</div>{}</div>'
        '<div class="s">{}</div></li>'
    ).format(
        item.tone,
        _WORD[item.tone],
        item.title,
        item.detail,
        Markup('<div class="tags">{}</div>').format(tags) if tags else "",
        side,
    )


def _plain(item: Attention) -> dict[str, object]:
    return {
        "title": _words(item.title),
        "detail": _words(item.detail),
        "tone": item.tone,
        "since": item.since,
        "next_step": item.next_step,
        "runs": list(item.runs),
        "records": list(item.records),
    }


def _words(text: str | Markup) -> str:
    return text.striptags() if isinstance(text, Markup) else text
