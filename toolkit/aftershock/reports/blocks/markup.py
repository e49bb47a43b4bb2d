"""What all blocks are made of: escaped markup, and words for numbers, times and intervals.

Text from a log is hostile. `Markup.format` escapes whatever it puts in, so no block ever joins strings by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

NUMBERS_MIME: Final = "application/vnd.aftershock+json"
PLOTLY_MIME: Final = "application/vnd.plotly.v1+json"


@dataclass(frozen=True)
class Block:
    """A part of a page: its markup, the numbers that stand in it, and a chart where it has one.

    A notebook cell that ends with a block shows it; the rendered page collects `numbers` under `name` into report.json.
    """

    name: str
    html: Markup
    numbers: Mapping[str, Any] = field(default_factory=dict)
    figure: Any = None

    def _repr_html_(self) -> str:
        return str(self.html)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002  Jupyter passes them
        """What Jupyter stores in the notebook."""
        bundle: dict[str, Any] = {
            "text/html": str(self.html),
            "text/plain": f"<{self.name}>",
            NUMBERS_MIME: {"name": self.name, "numbers": plain(self.numbers)},
        }
        if self.figure is not None:
            bundle[PLOTLY_MIME] = json.loads(self.figure.to_json())
        return bundle


def plain(value: Any) -> Any:
    """The same as JSON knows it: times as ISO text, durations as seconds, NaN as null."""
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return None if value != value else value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "item"):  # a number of numpy
        return plain(value.item())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def join(parts: Iterable[Markup | str], between: str = "") -> Markup:
    """The parts one after another; plain strings among them are escaped."""
    return Markup(between).join(parts)  # noqa: S704  a separator of ours


def key(text: object) -> Markup:
    """A record's key or a run's id: set apart, kept in one direction, and known to the leak test."""
    return Markup('<bdi class="key">{}</bdi>').format(text)


def name(text: object) -> Markup:
    """A name out of a log: an automation's, a client's, a system's."""
    return Markup('<bdi class="name">{}</bdi>').format(text)


def section(title: str, lead: str | Markup, body: Iterable[Markup | str], *, id: str) -> Markup:
    """A section with its heading, one sentence below it, and what follows."""
    below = Markup("<p>{}</p>").format(lead) if lead else ""
    return Markup('<section aria-labelledby="{0}"><h2 id="{0}">{1}</h2>{2}{3}</section>').format(
        id, title, below, join(body)
    )


def folded(summary: str | Markup, body: Markup | str, *, open: bool = False, cls: str = "") -> Markup:
    """Something to unfold."""
    return Markup("<details{}{}><summary>{}</summary>{}</details>").format(
        Markup(' class="{}"').format(cls) if cls else "", Markup(" open") if open else "", summary, body
    )


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Markup | str | int]],
    *,
    caption: str,
    numeric: Sequence[int] = (),
    stack: bool = False,
) -> Markup:
    """A table with a caption for screen readers; the first column names its row; columns in `numeric` align right.

    On a narrow screen it scrolls in its own frame, or, with `stack`, each row becomes a small list.
    """
    right = [Markup(' class="num"') if i in numeric else Markup("") for i in range(len(head))]
    top = join(Markup('<th scope="col"{}>{}</th>').format(right[i], text) for i, text in enumerate(head))
    cell = Markup("<td{}{}>{}</td>")
    labels = [Markup(' data-label="{}"').format(text) if stack else Markup("") for text in head]
    body = join(
        Markup("<tr>{}</tr>").format(
            join(
                Markup('<th scope="row">{}</th>').format(item) if i == 0 else cell.format(right[i], labels[i], item)
                for i, item in enumerate(row)
            )
        )
        for row in rows
    )
    return Markup(
        '<div class="wide{2}" role="region" aria-label="{0}" tabindex="0"><table><caption>{0}</caption>'
        "<thead><tr>{1}</tr></thead><tbody>{3}</tbody></table></div>"
    ).format(caption, top, " stack" if stack else "", body)


def count(n: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`, `1,204 runs`."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"


def number(value: float) -> str:
    """With a comma for thousands."""
    return f"{value:,.0f}"


def percent(share: float | None, *, unit: bool = True) -> str:
    """A share as a percentage with one digit; it never rounds up to 100 or down to 0."""
    if share is None:
        return "–"
    value = 100 * share
    text = f"{value:.1f}"
    if text == "100.0":
        text = "100" if share >= 1 else "99.9"
    elif text == "0.0":
        text = "0" if share <= 0 else "<0.1"
    return text + ("%" if unit else "")


def interval(low: float | None, high: float | None) -> str:
    """`95%: 95.2 to 99.3`."""
    if low is None or high is None:
        return "no interval"
    return f"95%: {percent(low, unit=False)} to {percent(high, unit=False)}"


def lasting(seconds: float | None) -> str:
    """A length of time in at most two units: `47 min`, `2 h 10 min`, `3 d 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    left = max(0, round(seconds))
    if left < 1:
        return "under 1 s"
    if left < 60:
        return f"{left} s"
    units = [(text, left // size % limit) for text, size, limit in _UNITS]
    first = next(i for i, (_, amount) in enumerate(units) if amount)
    return " ".join(f"{amount} {text}" for text, amount in units[first : first + 2] if amount)


_UNITS: Final = (("d", 86400, 10**9), ("h", 3600, 24), ("min", 60, 60))


def moment(at: datetime | None, zone: str, *, year: bool = False) -> str:
    """`Thu 19 Nov, 09:14` on the wall clock of `zone`."""
    if at is None or at != at:
        return "unknown"
    there = at.astimezone(ZoneInfo(zone))
    return f"{there:%a} {day(there.date())}{f' {there.year}' if year else ''}, {there:%H:%M}"


def day(at: date) -> str:
    """`19 Nov`."""
    return f"{at.day} {at:%b}"
