"""The ways in which things go wrong, one small class each.

A fault answers five questions, each by default with "nothing": how a run goes (`strike`), what becomes of an order on
its way to the next tool (`handover`), which orders come on top (`crowd`), which log is missing (`withheld`), whether an
automation has a newer version (`released`). Each fault
has its own random numbers, so that planting another one does not change what the others do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from math import exp
from random import Random

from aftershock.simulate.fleet import Automation
from aftershock.simulate.rhythm import local
from aftershock.simulate.world import Error, Order, Outcome, Run


@dataclass(frozen=True)
class Plan:
    """A run that is about to happen."""

    automation: Automation
    client: str | None
    at: datetime
    trigger: str
    order: Order | None = None
    lead: str = ""
    retry_of: Run | None = None

    @property
    def is_retry(self) -> bool:
        """Something like it went wrong before."""
        return self.retry_of is not None

    def fits(self, names: Sequence[str]) -> bool:
        """Whether the automation's name matches one of these patterns."""
        return any(fnmatchcase(self.automation.name, name) for name in names)


@dataclass(frozen=True)
class Passing:
    """An order about to be handed on."""

    order: Order
    to: Automation
    at: datetime


@dataclass(frozen=True)
class Handover:
    """What becomes of it: lost, handed on `delay` later than usual, or handed on once more `again` later."""

    fault: str
    lost: bool = False
    delay: timedelta = timedelta(0)
    again: timedelta | None = None


@dataclass(kw_only=True)
class Fault:
    """The base: nothing goes wrong. `days_ago` always counts back from the last day."""

    name: str
    what: str
    random: Random = field(default_factory=Random, repr=False)
    until: date = date.max

    def begin(self, seed: int, until: date) -> None:
        """Called once before the story starts."""
        self.random = Random(f"{seed}:{self.name}")
        self.until = until

    def moment(self, days_ago: int, at: time) -> datetime:
        """A local time of a day, in UTC."""
        return local(self.until - timedelta(days=days_ago), at)

    def strike(self, plan: Plan) -> Outcome | None:
        """How this run goes, if this fault has a say in it."""

    def handover(self, passing: Passing) -> Handover | None:
        """What becomes of an order on its way, if this fault has a say in it."""

    def crowd(self, client: str) -> list[datetime] | None:
        """When orders of this client come on top of the usual ones."""

    def withheld(self) -> tuple[str, date] | None:
        """A source and the day of its log that is missing."""

    def released(self, automation: Automation, at: datetime) -> bool | None:
        """Whether a newer version of this automation is in force by then."""


@dataclass(kw_only=True)
class Window(Fault):
    """Runs of some automations fail between two local times of one day."""

    automations: tuple[str, ...]
    days_ago: int
    start: time
    end: time
    outcome: Outcome
    share: float = 1.0

    def strike(self, plan: Plan) -> Outcome | None:
        inside = self.moment(self.days_ago, self.start) <= plan.at < self.moment(self.days_ago, self.end)
        if inside and plan.fits(self.automations) and self.random.random() < self.share:
            return replace(self.outcome, fault=self.name)
        return None


@dataclass(kw_only=True)
class ExpiredKey(Window):
    """One cause, many failed runs. Some are run again by hand the next morning, the rest never."""

    repaired_share: float

    def strike(self, plan: Plan) -> Outcome | None:
        outcome = super().strike(plan)
        if outcome is None or self.random.random() >= self.repaired_share:
            return outcome
        morning = self.moment(self.days_ago - 1, time(9, 4)) + timedelta(seconds=self.random.uniform(0, 2700))
        return replace(outcome, repair_after=morning - plan.at)


@dataclass(kw_only=True)
class Hiccup(Fault):
    """Now and then a run goes wrong. `repaired`: the share that is run again, `after` (shortest, longest) minutes."""

    automations: tuple[str, ...]
    rate: float
    outcome: Outcome
    repaired: float = 0.0
    after: tuple[float, float] = (5, 14)
    trigger: str = ""

    def strike(self, plan: Plan) -> Outcome | None:
        if not plan.fits(self.automations) or plan.is_retry or (self.trigger and plan.trigger != self.trigger):
            return None
        if self.random.random() >= self.rate:
            return None
        repaired = self.random.random() < self.repaired
        minutes = timedelta(minutes=self.random.uniform(*self.after))
        return replace(self.outcome, fault=self.name, repair_after=minutes if repaired else None)


@dataclass(kw_only=True)
class BadRelease(Fault):
    """From one moment on an automation has a new version, which fails more often."""

    automation: str
    days_ago: int
    at: time
    rate: float
    outcome: Outcome

    def released(self, automation: Automation, at: datetime) -> bool:
        return automation.name == self.automation and at >= self.moment(self.days_ago, self.at)

    def strike(self, plan: Plan) -> Outcome | None:
        if self.released(plan.automation, plan.at) and self.random.random() < self.rate:
            return replace(self.outcome, fault=self.name)
        return None


@dataclass(kw_only=True)
class Overload(Fault):
    """The more runs began within the last hour, the likelier the next one fails: even odds at `breaks_at`, `steep` a run.

    Asked in the order of time, as runs of one automation come.
    """

    automation: str
    breaks_at: float
    steep: float
    outcome: Outcome
    recent: list[datetime] = field(default_factory=list, repr=False)

    def begin(self, seed: int, until: date) -> None:
        super().begin(seed, until)
        self.recent = []

    def strike(self, plan: Plan) -> Outcome | None:
        if plan.automation.name != self.automation or plan.is_retry:
            return None
        self.recent = [at for at in self.recent if at > plan.at - timedelta(hours=1)] + [plan.at]
        if self.random.random() < 1 / (1 + exp(self.steep * (self.breaks_at - len(self.recent)))):
            minutes = timedelta(minutes=self.random.uniform(30, 240))
            return replace(self.outcome, fault=self.name, repair_after=minutes if self.random.random() < 0.5 else None)
        return None


@dataclass(kw_only=True)
class Once(Fault):
    """The first run after a local time of one day goes wrong in its own way: for texts that need care."""

    automation: str
    days_ago: int
    after: time
    step: str
    error: Error
    done: bool = False

    def strike(self, plan: Plan) -> Outcome | None:
        too_early = plan.at < self.moment(self.days_ago, self.after)
        if self.done or plan.is_retry or too_early or not plan.fits((self.automation,)):
            return None
        self.done = True
        return Outcome("failed", self.name, self.step, self.error)


@dataclass(kw_only=True)
class LostHandover(Fault):
    """An order is never handed on: no run fails, nobody is told."""

    to: str
    rate: float

    def handover(self, passing: Passing) -> Handover | None:
        if fnmatchcase(passing.to.name, self.to) and self.random.random() < self.rate:
            return Handover(self.name, lost=True)
        return None


@dataclass(kw_only=True)
class SlowHandover(Fault):
    """An order waits for hours (fewest, most) before it is handed on."""

    to: str
    rate: float
    hours: tuple[float, float]

    def handover(self, passing: Passing) -> Handover | None:
        if fnmatchcase(passing.to.name, self.to) and self.random.random() < self.rate:
            return Handover(self.name, delay=timedelta(hours=self.random.uniform(*self.hours)))
        return None


@dataclass(kw_only=True)
class DoubleDelivery(Fault):
    """An order is handed on twice within seconds, and everything after it happens twice."""

    to: str
    rate: float

    def handover(self, passing: Passing) -> Handover | None:
        if fnmatchcase(passing.to.name, self.to) and self.random.random() < self.rate:
            return Handover(self.name, again=timedelta(seconds=self.random.uniform(3, 25)))
        return None


@dataclass(kw_only=True)
class Crowd(Fault):
    """More orders than usual between two local times of one day: what a newsletter does."""

    client: str
    days_ago: int
    start: time
    end: time
    orders: int

    def crowd(self, client: str) -> list[datetime] | None:
        if client != self.client:
            return None
        start, end = self.moment(self.days_ago, self.start), self.moment(self.days_ago, self.end)
        return [start + (end - start) * self.random.random() for _ in range(self.orders)]


@dataclass(kw_only=True)
class MissingLog(Fault):
    """A day of a source's log was never exported: what happened then cannot be told."""

    source: str
    days_ago: int

    def withheld(self) -> tuple[str, date] | None:
        return self.source, self.until - timedelta(days=self.days_ago)


@dataclass(kw_only=True)
class Stuck(Fault):
    """Runs that begin within the last minutes are not done when the last export is made."""

    automations: tuple[str, ...]
    minutes: float
    status: str = "running"
    share: float = 1.0

    def strike(self, plan: Plan) -> Outcome | None:
        end = self.moment(-1, time(0))
        near = end - timedelta(minutes=self.minutes) <= plan.at < end
        if near and plan.fits(self.automations) and self.random.random() < self.share:
            return Outcome(self.status, self.name)
        return None
