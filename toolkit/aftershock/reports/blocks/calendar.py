"""Every automation, day by day: one cell a day, the same days under one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, day, folded, join, name, section, table

STATES: Final = {
    "ok": "ok",
    "retried": "ok after a retry",
    "partial": "success with a failed step",
    "failed": "failed",
    "unknown": "not finished, or cannot tell",
    "idle": "log there, no run",
    "none": "no log",
}


@dataclass(frozen=True)
class Cell:
    """A day of an automation: its state and the runs (after retries) behind it."""

    day: date
    state: str
    n: int = 0
    failed: int = 0
    partial: int = 0
    retried: int = 0

    def words(self) -> str:
        """`Thu 19 Nov: failed · 12 runs, 2 failed`."""
        parts = [count(self.n, "run")] if self.n else []
        parts += [f"{amount} {word}" for word, amount in self._parts() if amount]
        return f"{self.day:%a} {day(self.day)}: {STATES[self.state]}{' · ' if parts else ''}{', '.join(parts)}"

    def _parts(self) -> tuple[tuple[str, int], ...]:
        return ("failed", self.failed), ("with a failed step", self.partial), ("saved by a retry", self.retried)


@dataclass(frozen=True)
class Strip:
    """An automation's days and what to say at their end."""

    name: str
    cells: Sequence[Cell]
    summary: str = ""


def day_by_day(strips: Sequence[Strip], *, most: int = 30) -> Block:
    """A row of cells for each automation; those after `most` are folded away. Every day but the fine ones is in a table below."""
    if not strips:
        html = section("Every automation, day by day", "No log names an automation of these days.", [], id="days")
        return Block("day_by_day", html, {"automations": {}})
    days = [cell.day for cell in strips[0].cells]
    used = {cell.state for strip in strips for cell in strip.cells}
    body = [_grid(strips[:most], days)]
    if strips[most:]:
        body.append(folded(count(len(strips) - most, "more automation"), _grid(strips[most:], days)))
    body += [_legend(used), _in_words(strips)]
    lead = f"{len(days)} days to {day(days[-1])}. A day shows the worst that remained after retries."
    numbers = {
        strip.name: {"days": {cell.day.isoformat(): cell for cell in strip.cells}, "said": strip.summary}
        for strip in strips
    }
    return Block("day_by_day", section("Every automation, day by day", lead, body, id="days"), {"automations": numbers})


def _grid(strips: Sequence[Strip], days: Sequence[date]) -> Markup:
    mondays = join(Markup("<span>{}</span>").format(day(at) if at.weekday() == 0 else "") for at in days)
    head = Markup(
        '<div class="blank"></div><div class="cells head" aria-hidden="true">{}</div><div class="blank"></div>'
    ).format(mondays)
    rows = join(
        Markup('<div>{}</div><div class="cells" role="img" aria-label="{}">{}</div><div class="r">{}</div>').format(
            name(strip.name), _summary(strip), join(_cell(cell) for cell in strip.cells), strip.summary
        )
        for strip in strips
    )
    return Markup('<div class="days">{}{}</div>').format(head, rows)


def _cell(cell: Cell) -> Markup:
    return Markup('<i class="c {}" title="{}"></i>').format(cell.state, cell.words())


def _summary(strip: Strip) -> str:
    counted = Counter(cell.state for cell in strip.cells)
    return f"{strip.name}: " + ", ".join(
        f"{counted[state]} days {words}" for state, words in STATES.items() if counted[state]
    )


def _legend(used: set[str]) -> Markup:
    entries = (
        Markup('<span><i class="c {}"></i>{}</span>').format(state, words)
        for state, words in STATES.items()
        if state in used
    )
    return Markup('<div class="legend">{}</div>').format(join(entries))


def _in_words(strips: Sequence[Strip]) -> Markup:
    rows = [
        (name(strip.name), join((cell.words() for cell in strip.cells if cell.state == state), "<br>"))
        for strip in strips
        for state in ("failed", "partial", "retried", "unknown")
        if any(cell.state == state for cell in strip.cells)
    ]
    if not rows:
        return Markup("")
    return folded(
        "These days in words", table(("Automation", "Days that were not simply fine"), rows, caption="Days in words")
    )
