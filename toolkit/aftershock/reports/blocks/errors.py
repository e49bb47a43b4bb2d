"""Errors by family: the failures that say the same once ids, numbers and times are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, folded, interval, moment, number, percent, table

MOST = 8
_LONGEST = 140
_HEAD = ("Error", "Failures", "Share", "Automations", "Clients", "Last seen")


@dataclass(frozen=True, kw_only=True)
class Family:
    """Failed runs with the same error. `is_new`: not in the logs of the time before; None where that cannot be told."""

    fingerprint: str
    tool: str
    error_type: str
    template: str
    n: int
    share: float
    low: float
    high: float
    automations: int
    clients: int
    first_seen: datetime | None
    last_seen: datetime | None
    is_new: bool | None
    returned: bool | None


def errors(
    families: Sequence[Family], figure: Any, *, n: int, silent: int, days_before: int, zone: str, blind: str = ""
) -> Block:
    """The table of families, with the chart above it. `n` failures, `silent` of them without any message.

    `blind` says why an empty table means nothing; `days_before` is 0 where no log tells of the time before.
    """
    new = [family for family in families if family.is_new]
    known = (
        f"New: not in the logs of the {days_before} days before ({number(len(new))} here)."
        if days_before
        else "Which are new, nobody can tell: no log of the time before."
    )
    numbers = {"families": list(families), "n": n, "without_message": silent, "days_before": days_before}
    if not families:
        words = blind or (
            "No failure in the logs of this period says what went wrong."
            if n
            else "No failure in the logs of this period."
        )
        body = Markup('<p class="fine">{}</p>').format(words)
        return Block("errors", body, numbers)
    quiet = f" {count(silent, 'failure')} gave no message: counted in the shares, in no row." if silent else ""
    html = _table(families[:MOST], "Errors", zone)
    if families[MOST:]:
        html += folded(f"{len(families) - MOST:,} rarer", _table(families[MOST:], "Rarer errors", zone))
    html += Markup('<p class="note">{}{}</p>').format(known, quiet)
    return Block("errors", html, numbers, figure)


def _table(families: Sequence[Family], caption: str, zone: str) -> Markup:
    rows = [
        (
            _what(family),
            number(family.n),
            Markup("{}<br><small>{}</small>").format(percent(family.share), interval(family.low, family.high)),
            number(family.automations),
            number(family.clients),
            Markup("{}<br><small>first {}</small>").format(
                _seen(family.last_seen, zone), _seen(family.first_seen, zone)
            ),
        )
        for family in families
    ]
    return table(_HEAD, rows, caption=caption, numeric=(1, 2, 3, 4))


def _what(family: Family) -> Markup:
    text = " ".join(family.template.split()) or "no text"
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    word = "new" if family.is_new else "back" if family.returned else ""
    tag = Markup(' <span class="tag">{}</span>').format(word) if word else ""
    below = " · ".join(part for part in (family.error_type, family.tool) if part)
    return Markup("{}{}<br><small>{}</small>").format(text, tag, below)


def _seen(at: datetime | None, zone: str) -> str:
    return moment(at, zone).split(" ", 1)[1] if at is not None and at == at else "unknown"
