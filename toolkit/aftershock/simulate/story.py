"""Plays the story: orders arrive, travel from tool to tool, and the faults have their say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from random import Random

from aftershock.simulate import fleet, numbering
from aftershock.simulate.faults import Fault, Handover, Passing, Plan
from aftershock.simulate.fleet import Automation, Client
from aftershock.simulate.play import play_steps
from aftershock.simulate.rhythm import BERLIN, arrivals, bunches, local, midnight, schedule
from aftershock.simulate.world import GOOD, Order, Outcome, Run

_UNENDED = ("queued", "running", "waiting")
_TRIGGERS = {"n8n": "webhook", "airflow": "manual", "github_actions": "pull_request", "ledgerline": "api"}


@dataclass
class Story:
    """What happened from `first` to `until`: runs, orders, and which orders the faults hit outside of runs."""

    seed: int
    first: date
    until: date
    faults: tuple[Fault, ...]
    runs: list[Run] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    handovers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def end(self) -> datetime:
        """When the last export is made: the midnight after the last day."""
        return midnight(self.until + timedelta(days=1))

    def play(self) -> None:
        """From the first day to the last. Each client and automation has random numbers of its own."""
        for fault in self.faults:
            fault.begin(self.seed, self.until)
        for client in fleet.CLIENTS:
            self._orders_of(client)
        for automation in fleet.AUTOMATIONS:
            self._scheduled(automation)
            self._by_itself(automation)
        self.runs = [run for run in self.runs if run.queued_at < self.end]
        numbering.number(self.runs, self.seed)

    def _orders_of(self, client: Client) -> None:
        random = Random(f"{self.seed}:{client.id}")
        extra = {at: fault.name for fault in self.faults for at in fault.crowd(client.id) or ()}
        times = [*arrivals(random, self.first, self.until, client.orders_a_day), *extra]
        for number, at in enumerate(sorted(times), start=client.first_order):
            amount = round(random.lognormvariate(4.3, 0.7), 2)
            email = f"buyer{number}@mail.{client.id}.example"
            order = Order(client, f"{client.order_prefix}-{number}", at, amount, email)
            self.orders.append(order)
            if at in extra:
                self.handovers[extra[at]].append(order.number)
            arrival = self._handover(Passing(order, fleet.INTAKE[client.id], at))
            self._travel(random, order, at)
            if arrival and arrival.again:
                self._travel(random, order, at + arrival.again)

    def _travel(self, random: Random, order: Order, at: datetime) -> None:
        """Shop intake -> CRM sync -> invoice export -> booking, as far as it gets."""
        chain = (
            (fleet.INTAKE[order.client.id], (0.0, 0.0)),
            (fleet.CRM[order.client.id], (0.3, 20.0)),
            (fleet.INVOICE_EXPORT, (60.0, 1500.0)),
            (fleet.BOOKING, (240.0, 4200.0)),
        )
        for i, (automation, pause_s) in enumerate(chain):
            at += timedelta(seconds=random.uniform(*pause_s))
            handover = self._handover(Passing(order, automation, at)) if i else None
            if handover and handover.lost:
                return
            at += handover.delay if handover else timedelta(0)
            if automation is fleet.BOOKING:
                at = _booking_hours(at)
            run = self._run(random, Plan(automation, order.client.id, at, _TRIGGERS[automation.tool], order))
            if run.status not in GOOD or run.ended_at is None:
                return
            at = run.ended_at

    def _handover(self, passing: Passing) -> Handover | None:
        for fault in self.faults:
            handover = fault.handover(passing)
            if handover and passing.at < self.end:
                self.handovers[fault.name].append(passing.order.number)
                return handover
        return None

    def _scheduled(self, automation: Automation) -> None:
        random = Random(f"{self.seed}:{automation.name}:schedule")
        lateness_s = (60, 900) if automation.tool == "github_actions" else (0.02, 6)
        for at in schedule(self.first, self.until, automation.at):
            begins = at + timedelta(seconds=random.uniform(*lateness_s))
            self._run(random, Plan(automation, automation.client, begins, "schedule"))

    def _by_itself(self, automation: Automation) -> None:
        random = Random(f"{self.seed}:{automation.name}")
        if automation.a_day:
            workdays = automation.weekdays_only
            often = (self.first, self.until, automation.a_day)
            times = (
                bunches(random, *often, automation.bunch, automation.grows)
                if automation.bunch
                else arrivals(random, *often, weekdays_only=workdays)
            )
            for n, at in enumerate(times, start=4000):
                plan = Plan(automation, automation.client, at, _TRIGGERS[automation.tool], lead=f"LEAD-{n}")
                self._run(random, plan)

    def _run(self, random: Random, plan: Plan) -> Run:
        """One run, its alert, and the run that repairs it. Gives the last of them."""
        struck = (fault.strike(plan) for fault in self.faults)
        outcome = next((outcome for outcome in struck if outcome), Outcome())
        started = plan.at + timedelta(seconds=_wait_s(random, plan.automation))
        steps, ended = play_steps(random, plan.automation, outcome, started)
        queued = outcome.status == "queued"
        run = Run(
            automation=plan.automation,
            client=plan.client,
            trigger=plan.trigger,
            queued_at=plan.at,
            started_at=None if queued else started,
            ended_at=None if outcome.status in _UNENDED else ended,
            status=outcome.status,
            steps=[] if queued else steps,
            order=plan.order,
            lead=plan.lead,
            error=outcome.error if outcome.status in ("failed", "crashed") else None,
            fault=outcome.fault,
            version=1 + sum(bool(fault.released(plan.automation, plan.at)) for fault in self.faults),
        )
        self.runs.append(run)
        if plan.retry_of:
            _link(run, plan.retry_of)
        if run.status in ("failed", "crashed") and plan.automation.tool == "n8n":
            self._alert(random, run, ended)
        again = max(ended, plan.at + outcome.repair_after) if outcome.repair_after else self.end
        if again >= self.end:
            return run
        trigger = "manual" if plan.automation.tool == "airflow" else "retry"
        return self._run(random, replace(plan, at=again, trigger=trigger, retry_of=run))

    def _alert(self, random: Random, about: Run, at: datetime) -> None:
        """What n8n's error workflow does about a failed run."""
        started = at + timedelta(milliseconds=random.randint(12, 60))
        steps, ended = play_steps(random, fleet.ALERTS, Outcome(), started)
        self.runs.append(Run(fleet.ALERTS, None, "error", started, started, ended, "succeeded", steps, about=about))


def _link(run: Run, before: Run) -> None:
    """How a run shows that it repairs another: n8n links them, GitHub counts attempts of one id, Airflow is silent."""
    if run.automation.tool == "airflow":
        return
    run.retry_of, before.retried_by = before, run
    if run.automation.tool == "github_actions":
        run.attempt, run.trigger = before.attempt + 1, before.trigger


def _wait_s(random: Random, automation: Automation) -> float:
    """How long a run waits before it starts."""
    return {"n8n": random.uniform(0.01, 0.06), "airflow": random.uniform(0.2, 4.0)}.get(automation.tool, 0.0)


def _booking_hours(at: datetime) -> datetime:
    """ledgerline books from 05:00 to midnight; its times carry no zone, and so none of them is ever in doubt."""
    there = at.astimezone(BERLIN)
    return local(there.date(), time(5)) + timedelta(seconds=at.microsecond % 900) if there.hour < 5 else at
