"""Four numbers, each with what it was counted on, the range that fits the data, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, interval, join, number, percent

_FLOORS = (0.95, 0.9, 0.8, 0.5, 0.0)


@dataclass(frozen=True, kw_only=True)
class Number:
    """A share with its evidence.

    `hits` of `n`; `low` and `high` bound the share. `missing` names the input without which the number cannot be told.
    `change`: the difference since `before` (a period in words), with `verdict` in the words of `failure_rate`.
    """

    id: str
    label: str
    meaning: str
    hits: int = 0
    n: int = 0
    low: float | None = None
    high: float | None = None
    tone: Literal["ok", "partial", "bad"] = "ok"
    missing: str = ""
    previous: float | None = None
    change: float | None = None
    verdict: str = ""
    before: str = ""

    @property
    def share(self) -> float | None:
        """hits / n; None where nothing counts."""
        return self.hits / self.n if self.n else None


def four_numbers(numbers: Sequence[Number]) -> Block:
    """The numbers side by side."""
    html = Markup('<dl class="four">{}</dl>').format(join(_one(item) for item in numbers))
    return Block("four_numbers", html, {item.id: _plain(item) for item in numbers})


def _one(item: Number) -> Markup:
    return Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(item.label, _value(item))


def _value(item: Number) -> Markup:
    share = item.share
    meaning = Markup('<div class="m">{}</div>').format(item.meaning)
    if share is None or item.low is None or item.high is None:
        word = "cannot tell" if item.missing else "nothing to count"
        return Markup('<div class="v words">{}</div><div class="n">{}</div>{}').format(
            word, item.missing or "n = 0", meaning
        )
    return Markup('<div class="v">{}<small>%</small></div>{}<div class="n">{} of {} · {}<br>{}</div>{}').format(
        percent(share, unit=False),
        _bar(item, share),
        number(item.hits),
        number(item.n),
        interval(item.low, item.high),
        _change(item),
        meaning,
    )


def _bar(item: Number, share: float) -> Markup:
    """The interval as a bar, the share as a stroke, the period before as a thin one, on a scale that says its ends."""
    shown = [value for value in (item.low, item.high, share, item.previous) if value is not None]
    if share >= 0.5:
        left, right = next(floor for floor in _FLOORS if floor <= min(shown)), 1.0
    else:
        left, right = 0.0, next(1 - floor for floor in _FLOORS if 1 - floor >= max(shown) - 1e-9)
    span = right - left

    def place(value: float) -> str:
        return f"{100 * (value - left) / span:.1f}%"

    low, high = item.low or 0.0, item.high or 0.0
    before = Markup('<u style="left:{}"></u>').format(place(item.previous)) if item.previous is not None else ""
    return Markup(
        '<div class="ci {}" aria-hidden="true"><i style="left:{};width:{}"></i>{}<b style="left:{}"></b></div>'
        '<div class="ends" aria-hidden="true"><span>{:.0f}%</span><span>{:.0f}%</span></div>'
    ).format(item.tone, place(low), f"{100 * (high - low) / span:.1f}%", before, place(share), 100 * left, 100 * right)


def _change(item: Number) -> str:
    if item.change is None:
        return f"nothing to compare with in {item.before}" if item.before else "no earlier period to compare with"
    if item.verdict == "too few to compare":
        return item.verdict
    if abs(item.change) < 0.0005:
        return f"no change since {item.before}"
    arrow = "▲" if item.change > 0 else "▼"
    moved = f"{arrow} {abs(100 * item.change):.1f} points since {item.before}"
    return moved if item.verdict == "beyond chance" else f"{moved}, not beyond chance"


def _plain(item: Number) -> dict[str, object]:
    fields = ("label", "hits", "n", "low", "high", "previous", "change", "verdict", "missing")
    return {"share": item.share} | {field: getattr(item, field) for field in fields}
