"""At what volume an automation begins to fail, and when its volume will be there: only where the logs bear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, day, name, number, percent
from aftershock.reports.blocks.statements import Statement, statements


@dataclass(frozen=True, kw_only=True)
class Knee:
    """From `at` runs an hour on (95%: `low` to `high`) an automation fails at least twice as often as at `light`, where `rate` fail.

    `today`: the busiest hour of a typical day. `arrival`: reached, already beyond, never at this trend, cannot tell; the dates only
    for reached, `latest` null where it may also never be. `q_value`: p-value of the slope, adjusted for all that were looked at.
    """

    automation: str
    client: str | None
    n: int
    at: float
    low: float
    high: float
    light: float
    rate: float
    today: float | None
    arrival: str
    on: date | None = None
    earliest: date | None = None
    latest: date | None = None
    q_value: float


def at_what_volume(knees: Sequence[Knee], *, looked: int, too_few: int, stretch: str) -> Block:
    """A statement per knee; nothing where there is none. Of `looked` automations, `too_few` have too few failures to tell."""
    lead = f"Failures against runs an hour in {stretch}: {count(looked, 'automation')} looked at" + (
        f"; of {number(too_few)} nobody can tell, for want of failures." if too_few else "."
    )
    items = [
        Statement(
            Markup("{} fails more from about {} runs an hour on").format(name(knee.automation), number(knee.at)),
            f"From {number(knee.at)} an hour on (95%: {number(knee.low)} to {number(knee.high)}) it fails at least twice as often as at "
            f"{number(knee.light)} ({percent(knee.rate)}); n = {number(knee.n)} runs.{_when(knee)}",
            _side(knee),
        )
        for knee in knees
    ]
    numbers = {"knees": list(knees), "looked_at": looked, "too_few_failures": too_few}
    return statements("At what volume", lead, items, id="at-what-volume", numbers=numbers)


def _when(knee: Knee) -> str:
    if knee.arrival == "already beyond" and knee.today is not None:
        return f" The busiest hour of a typical day has about {number(knee.today)} already."
    if knee.arrival == "reached" and knee.on:
        first = f"{_date(knee.earliest)}" if knee.earliest else "now"
        span = f"{first} to {_date(knee.latest)}" if knee.latest else f"{first} at the earliest, perhaps never"
        return f" If volume grows on as now, the busiest hour of a typical day is there about {_date(knee.on)} (95%: {span})."
    if knee.arrival == "never at this trend":
        return " Its volume does not grow towards that."
    return " When its volume will be there, nobody can tell yet: too few days."


def _side(knee: Knee) -> str:
    if knee.arrival == "already beyond":
        return "its busiest hours are beyond it"
    return f"reached about {_date(knee.on)}" if knee.on else ""


def _date(at: date | None) -> str:
    return f"{day(at)} {at.year}" if at else ""
