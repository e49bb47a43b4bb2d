"""What happened: orders, runs and their steps, before any tool writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aftershock.model import FINISHED
from aftershock.simulate.fleet import Automation, Client, Step

GOOD = ("succeeded", "partial")


@dataclass(frozen=True)
class Error:
    """What a step said when it failed."""

    kind: str
    message: str
    detail: str = ""
    code: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a run goes. `step` is where it goes wrong; `tries` how often that step is tried; `saved`: the last try works.

    `repair_after`: somebody (or the tool) runs it again that much later; `repairs`: and it works then.
    """

    status: str = "succeeded"
    fault: str = ""
    step: str = ""
    error: Error | None = None
    tries: int = 1
    saved: bool = False
    slow: float = 1.0
    repair_after: timedelta | None = None
    repairs: bool = True


@dataclass
class Order:
    """An order of a client's shop."""

    client: Client
    number: str
    at: datetime
    amount: float
    email: str


@dataclass
class Try:
    """One try of a step."""

    status: str
    started_at: datetime
    ended_at: datetime


@dataclass
class StepRun:
    """A step as it went: `succeeded`, `failed`, `skipped` (what it needs had failed) or `errored_item` (silently)."""

    step: Step
    status: str
    tries: list[Try] = field(default_factory=list)
    error: Error | None = None

    @property
    def started_at(self) -> datetime | None:
        """When its last try began."""
        return self.tries[-1].started_at if self.tries else None

    @property
    def ended_at(self) -> datetime | None:
        """When its last try was over."""
        return self.tries[-1].ended_at if self.tries else None


@dataclass
class Run:
    """One run. `status` is ours, and final; what an export shows before its end is the writer's to say."""

    automation: Automation
    client: str | None
    trigger: str
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    status: str
    steps: list[StepRun]
    order: Order | None = None
    lead: str = ""
    error: Error | None = None
    fault: str = ""
    attempt: int = 1
    retry_of: Run | None = None
    retried_by: Run | None = None
    about: Run | None = None
    native_id: str = ""
    number: int = 0
    serial: int = 0
    version: int = 1

    @property
    def root(self) -> Run:
        """The first of the chain of retries."""
        return self.retry_of.root if self.retry_of else self

    @property
    def run_id(self) -> str:
        """The id that the ledger gives this run."""
        tool = self.automation.tool
        scope = {"airflow": self.automation.native_id, "github_actions": self.automation.repository}.get(tool)
        attempt = f"#{self.attempt}" if self.attempt > 1 else ""
        return f"{tool}:{f'{scope}/' if scope else ''}{self.native_id}{attempt}"

    @property
    def role(self) -> str:
        """`error_handler` for what an error workflow does, else `work`."""
        return "error_handler" if self.about else "work"

    @property
    def at(self) -> datetime:
        """When it started, else when it was queued."""
        return self.started_at or self.queued_at

    def status_at(self, moment: datetime) -> str | None:
        """Its status as an export made at `moment` shows it; None before it exists."""
        if self.queued_at >= moment:
            return None
        if self.started_at is None or self.started_at >= moment:
            return "queued"
        if self.status not in FINISHED:
            return self.status
        if self.ended_at is not None and self.ended_at >= moment:
            return "running"
        return self.status
