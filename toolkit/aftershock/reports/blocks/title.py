"""Who, when, and how much of it the logs cover."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

from aftershock.metrics.periods import Period
from aftershock.reports.blocks.markup import Block, moment, name, percent


def title_strip(
    who: str, *, brand: str, period: Period, covered: float | None, as_of: datetime | None, snapshot: int
) -> Block:
    """The head of a page. `covered`: share of the period that the logs cover, None where no source has any.

    `as_of`: up to when the logs tell. The bar's hatched part is the time without a log.
    """
    zone = period.time_zone
    bounds = f"from {moment(period.start, zone, year=True)} up to {moment(period.end, zone, year=True)}, {zone}"
    html = Markup(
        '<header class="strip"><div class="id"><div class="logo" aria-hidden="true">{logo}</div><div><div class="who">{who}</div>'
        '<div class="when">{label}<br><span class="quiet">{bounds}</span></div></div></div>'
        '<div class="cover">{cover}<div class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></div>data as of {as_of}</div></header>'
    ).format(
        logo=brand.strip()[:1].upper() or "A",
        who=name(who),
        label=period.label,
        bounds=bounds,
        cover="No log covers this time" if not covered else f"Logs cover {percent(covered)} of the {_word(period)}",
        width=100 * (covered or 0),
        as_of=moment(as_of, zone) if as_of else "never",
    )
    numbers = {
        "who": who,
        "period": period.name,
        "start": period.start,
        "end": period.end,
        "time_zone": zone,
        "covered": covered,
        "data_as_of": as_of,
        "snapshot": snapshot,
    }
    return Block("title", html, numbers)


def _word(period: Period) -> str:
    return "days" if period.kind == "range" else period.kind
