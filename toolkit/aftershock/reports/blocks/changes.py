"""Since when an automation fails more often, or less: the day with the days that it may have been, before and since, and what began then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, day, folded, join, key, name, number, percent, section, table

MOST = 3  # sentences on a client's page
_HEAD = ("Automation", "Since", "Before", "Since then", "What began then")


@dataclass(frozen=True)
class Rate:
    """Failures of n as a share, with its interval."""

    share: float
    low: float
    high: float
    n: int

    def words(self, when: str) -> str:
        """`18.3% of 120 runs since (95%: 12.4 to 26.2)`."""
        return f"{percent(self.share)} of {count(self.n, 'run')} {when} (95%: {self.span()})"

    def span(self) -> str:
        """`12.4 to 26.2`."""
        return f"{percent(self.low, unit=False)} to {percent(self.high, unit=False)}"


@dataclass(frozen=True)
class Began:
    """What began on a day on which a rate may have changed: a version that ran for the first time, or a change on record."""

    what: Literal["version", "change"]
    text: str
    on: date


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A failure rate that is another since `on` (at 95% from `first` to `last`), until `until`, since when it is `then`.

    `p_value`: of its rate being that of all other days; `q_value`: adjusted for all automations looked at.
    `began`: what began from `first` to `last`, nearest first; `versioned`: whether its logs name versions at all.
    """

    automation: str
    automation_id: str = ""
    client: str | None = None
    tool: str = ""
    direction: Literal["rose", "fell"]
    on: date
    first: date
    last: date
    before: Rate
    since: Rate
    until: date | None = None
    then: Rate | None = None
    p_value: float = 1.0
    q_value: float = 1.0
    versioned: bool = True
    began: Sequence[Began] = field(default=())

    @property
    def stands(self) -> bool:
        """Whether the rate is still what it became."""
        return self.until is None


def since_when(shifts: Sequence[Shift], unsure: Sequence[Shift], *, n: int, left_out: int, stretch: str) -> Block:
    """The fleet's table. `unsure` may be chance (q above 5%) and are folded away.

    `n` automations were looked at, `left_out` have too few days with runs to have a change.
    """
    blind = f" Of {count(left_out, 'automation')} nobody can tell: too few days with runs." if left_out else ""
    looked = f"{count(n, 'automation')} looked at, retries taken together.{blind}"
    lead = (
        f"When failure rates changed in {stretch}, with the days that it may have been at 95%. {looked} "
        "What began in those days may be the reason, or not."
    )
    body: list[Markup] = []
    if shifts:
        body.append(_table(shifts, "Since when"))
    elif n:
        body.append(Markup('<p class="fine">No failure rate changed beyond chance.</p>'))
    else:
        body.append(Markup('<p class="fine">Cannot tell: too few days with runs.</p>'))
    if unsure:
        body.append(folded(_more(len(unsure)), _table(unsure, "More that may be chance")))
    numbers = {"shifts": list(shifts), "unsure": list(unsure), "n": n, "left_out": left_out}
    return Block("since_when", section("Since when", lead, body, id="since-when"), numbers)


def of_all(shifts: Sequence[Shift]) -> list[Markup]:
    """What the lines in the chart of all runs mean."""
    return [Markup("The line in the chart: all work together {}").format(sentence(shift)) for shift in shifts]


def in_words(shifts: Sequence[Shift], *, n: int, left_out: int, whole: bool = False) -> list[Markup]:
    """A client's lines below the chart: one sentence each, the standing ones first; what nobody can tell is said.

    `whole`: the rate of all of them together has changed.
    """
    said = [Markup("{} {}").format(name(shift.automation), sentence(shift)) for shift in shifts[:MOST]]
    if shifts[MOST:]:
        said.append(Markup("{}.").format(count(len(shifts) - MOST, "more change")))
    if n and not shifts:
        looked = f"{count(n, 'automation')} looked at"
        of_one, of_any = (
            "Of no single automation can a change be told from chance",
            "No failure rate of an automation changed beyond chance in these weeks",
        )
        said.append(Markup("{}; {}.").format(of_one if whole else of_any, looked))
    if left_out:
        said.append(
            Markup("Whether {} changed, nobody can tell: too few days with runs.").format(count(left_out, "automation"))
        )
    return said


def sentence(shift: Shift) -> str:
    """What a client reads behind the automation's name. The number of a version tells a client nothing; other intervals stand in report.json."""
    word = "more" if shift.direction == "rose" else "less"
    before = f"{percent(shift.before.share)} of {number(shift.before.n)} before"
    if shift.until is None:
        text = f"fails {word} often since {when(shift)}: {shift.since.words('since')}, {before}."
    elif (shift.until - shift.on).days == 1:
        on = "on" if shift.first == shift.last else "for a day,"
        text = f"failed {word} often {on} {when(shift)}: {shift.since.words('that day')}, {before}."
    else:
        last = day(shift.until - timedelta(days=1))
        text = f"failed {word} often from {when(shift)} to {last}: {shift.since.words('then')}, {before}."
    versions = [one for one in shift.began if one.what == "version"]
    if len(versions) == 1:
        text += f" A new version of it began on {day(versions[0].on)}."
    return text


def briefly(shift: Shift) -> str:
    """`It fails more often since about 5 Nov (1 to 9 Nov): 18.3% of 120 runs since, 2.0% of 202 before.`"""
    since, before = (f"{percent(rate.share)} of {number(rate.n)}" for rate in (shift.since, shift.before))
    return f"It fails more often since {when(shift)}: {since} runs since, {before} before."


def when(shift: Shift) -> str:
    """`about 5 Nov (1 to 9 Nov)`, or the day alone where it can be no other."""
    if shift.first == shift.last:
        return day(shift.on)
    first = str(shift.first.day) if shift.first.month == shift.last.month else day(shift.first)
    return f"about {day(shift.on)} ({first} to {day(shift.last)})"


def _table(shifts: Sequence[Shift], caption: str) -> Markup:
    rows = [
        (
            Markup("{}<br><small>{} · {}</small>").format(
                name(shift.automation), shift.client or "no client", shift.tool
            ),
            _since(shift),
            _rate(shift.before),
            _became(shift),
            _began(shift),
        )
        for shift in shifts
    ]
    return table(_HEAD, rows, caption=caption, stack=True)


def _since(shift: Shift) -> Markup:
    about, _, may = when(shift).partition(" (")
    span = Markup("<br><small>{}</small>").format(may.rstrip(")")) if may else Markup("")
    until = Markup("<br><small>until {}</small>").format(day(shift.until)) if shift.until else Markup("")
    return Markup("{}{}{}").format(about.removeprefix("about "), span, until)


def _became(shift: Shift) -> Markup:
    arrow = "▲ " if shift.direction == "rose" else "▼ "
    after = (
        Markup("<br><small>then {} of {}</small>").format(percent(shift.then.share), number(shift.then.n))
        if shift.then
        else Markup("")
    )
    return Markup("{}{}{}").format(arrow, _rate(shift.since), after)


def _rate(rate: Rate) -> Markup:
    return Markup("{} of {}<br><small>95%: {}</small>").format(percent(rate.share), number(rate.n), rate.span())


def _began(shift: Shift) -> Markup:
    began = shift.began
    if not began:
        words = "nothing on record" if shift.versioned else "cannot tell: its logs name no versions"
        return Markup('<span class="quiet">{}</span>').format(words)
    if len(began) > 2:
        kind = "versions" if all(one.what == "version" for one in began) else "versions and changes"
        return Markup("one of {} {}, {} the nearest").format(len(began), kind, key(began[0].text))
    return join(
        (Markup("{} {}<br><small>{}</small>").format(one.what, key(one.text), day(one.on)) for one in began), "<br>"
    )


def _more(n: int) -> str:
    return f"{n:,} more that may be chance (q above 5%)"
