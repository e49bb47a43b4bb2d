"""What a report's notebook works with: the rows of one client (or all) in one period, and the parts of a page.

A notebook opens a page, asks a metric, and shows the answer:

    page = open_page(project, client=client, period=period, snapshot=snapshot)
    after_retries = failure_rate(page.runs, by=(), unit="root", period=page.period, compare=True)
    page.four_numbers(after_retries, silent, records)
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aftershock
from aftershock.charts.failure_rate import failure_rate_by_day
from aftershock.reports import blocks
from aftershock.reports.blocks.changes import briefly, in_words, of_all
from aftershock.reports.blocks.markup import Block, day, interval, percent
from aftershock.reports.views.attention import attention_of
from aftershock.reports.views.calendar import strips_of
from aftershock.reports.views.changes import Shifts, marks_of, shifts_of, shifts_of_all
from aftershock.reports.views.errors import errors_of
from aftershock.reports.views.fleet import clients_of_fleet, runs_of_nobody, worst_automations
from aftershock.reports.views.numbers import arrived_number, silent_number, succeeded_number, told_number
from aftershock.reports.views.pictures import calendar_of, days_of, picture_of, rate_of, table_of, within
from aftershock.reports.views.records import Arrived, arrived_of, out_of_step_of, pairs_of
from aftershock.reports.views.recovery import lasting_of, recoveries_of
from aftershock.reports.views.scope import Scope, open_scope
from aftershock.reports.views.sources import files_of, refused_of, sources_of_page
from aftershock.reports.views.summary import sentences_of
from aftershock.reports.views.together import together_of
from aftershock.reports.views.volume import knees_of
from aftershock.reports.views.work import became, sources_with_notices, work_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.expectations import Reconciliation
    from aftershock.metrics.periods import Period
    from aftershock.metrics.proportions.failure_rates import FailureRates
    from aftershock.metrics.proportions.silent import SilentFailures

_WHY_LEFT_OUT = {
    "cancelled or skipped": "Somebody or something decided that they need not run, or stopped them on purpose.",
    "not ended yet": "The newest log still shows them queued, running or waiting.",
    "without a known end": "Their record cannot say how they ended.",
    "tests, manual runs and error handlers": "They are not the work itself.",
    "without any time": "Their record carries no time, so they belong to no period.",
    "log records set aside": "They hold no run: planned runs, heartbeats, duplicate rows.",
    "log records refused": "They could not be read; `aftershock rejects` says why.",
}


_WEEKS_OF_CHANGES = 6


class ReportPage(Scope):
    """A scope, and the blocks of its page."""

    def title(self) -> Block:
        """Who, when, coverage, freshness."""
        return blocks.title_strip(
            self.who,
            brand=self.project.name,
            period=self.period,
            covered=self.coverage.share,
            as_of=self.as_of,
            snapshot=self.ledger.snapshot,
        )

    def answer(self, after_retries: FailureRates, silent: SilentFailures, records: Reconciliation) -> Block:
        """The answer in sentences."""
        headline, lead = sentences_of(
            after_retries,
            silent,
            self._arrived(records),
            hollow=int((self.work(self.period).status == "partial").sum()),
            covered=self.coverage.share,
            word="time" if self.period.kind == "range" else self.period.kind,
            things=len(self._attention(records)),
        )
        return blocks.answer(headline, lead)

    def four_numbers(self, after_retries: FailureRates, silent: SilentFailures, records: Reconciliation) -> Block:
        """Records in step, runs that did not fail, silent failures, failures that somebody was told of."""
        last = self.period.previous()
        before = (
            "the time before" if self.period.kind == "range" else last.label.partition(" · ")[0].replace("Week", "week")
        )
        earlier = self._arrived(self.records(last))
        return blocks.four_numbers(
            [
                arrived_number(self._arrived(records), earlier, before),
                succeeded_number(after_retries, before),
                silent_number(silent, before),
                told_number(self.work(self.period), self.work(last), self._notifying, before),
            ]
        )

    def needs_attention(self, records: Reconciliation) -> Block:
        """What needs attention, worst first."""
        work = self.work(self.period)
        states = work.assign(became=[became(row) for row in work.itertuples()])
        fine = [str(name) for name, rows in states.groupby("automation") if set(rows.became) <= {"ok", "retried"}]
        blind = "" if self.coverage.share else "Cannot tell: no log covers this time."
        return blocks.needs_attention(self._attention(records), fine=fine, blind=blind)

    def in_step(self, records: Reconciliation) -> Block:
        """The matrix of expectations, and the records that are not in step."""
        found = out_of_step_of(records, self.period.time_zone, with_client=self.client is None)
        return blocks.in_step(pairs_of(records), found)

    def failure_rate_by_day(self, days: int = 42) -> Block:
        """The chart of the failure rate by day, gaps in the log hatched, with its changes; for a client also whose they are."""
        stretch = self.stretch(days)
        shown = days_of(self, self.runs, stretch)
        shifts = self._shifts(stretch)
        whole = shifts_of_all(self, stretch)
        marks = marks_of(whole, shifts, versions=self.client is not None)
        rows = [
            (
                f"{at.day:%a} {day(at.day)}",
                at.failures,
                at.n,
                percent(at.rate) if at.log else "no log",
                interval(at.low, at.high) if at.n else "–",
            )
            for at in shown
        ]
        head = ("Day", "Failed", "n", "Share", "Range")
        return blocks.chart(
            "failure_rate_by_day",
            failure_rate_by_day(shown, marks),
            head=head,
            rows=rows,
            numbers={"days": shown, "marks": marks, "changes_of_all": whole, "changes": shifts.sure},
            numeric=(1, 2, 3, 4),
            said=of_all(whole)
            + (in_words(shifts.sure, n=shifts.n, left_out=shifts.left_out, whole=bool(whole)) if self.client else []),
        )

    def day_by_day(self, days: int = 28) -> Block:
        """The strip of days of each automation."""
        stretch = self.stretch(days)
        return blocks.day_by_day(strips_of(self, self.work(stretch), stretch))

    def if_a_step_fails(self, days: int = 28) -> Block:
        """What happened when it failed, who was told, how it recovered."""
        stretch = self.stretch(days)
        rows = recoveries_of(self.work(stretch), self._notifying)
        return blocks.if_a_step_fails(rows, stretch=_days_to(stretch, days), incidents=lasting_of(self, stretch))

    def at_what_volume(self, days: int = 42) -> Block:
        """From which volume on an automation fails more; nothing where the logs do not bear it."""
        stretch = self.stretch(days)
        knees = knees_of(self, stretch)
        return blocks.at_what_volume(
            knees.found, looked=knees.looked, too_few=knees.too_few, stretch=_days_to(stretch, days)
        )

    def since_when(self, days: int = 42) -> Block:
        """Since when which automation fails more, or less, and what began then."""
        stretch = self.stretch(days)
        found = self._shifts(stretch)
        return blocks.since_when(
            found.sure,
            found.unsure,
            n=found.n,
            left_out=found.left_out,
            stretch=_days_to(stretch, days),
        )

    def errors(self, days_before: int = 42) -> Block:
        """The failures of the period by error family, and which of them the days before did not know."""
        found = errors_of(self, days_before)
        return blocks.errors(
            found.families,
            found.figure,
            n=found.n,
            silent=found.silent,
            days_before=found.days_before,
            zone=self.period.time_zone,
            blind="" if self.coverage.share else "Cannot tell: no log.",
        )

    def fail_together(self, days: int = 42) -> Block:
        """Automations that fail in the same hours; nothing where that is no more than chance."""
        stretch = self.stretch(days)
        found = together_of(self, stretch)
        return blocks.fail_together(
            found.groups, tested=found.tested, verdict=found.verdict, stretch=_days_to(stretch, days)
        )

    def clients(self, rates: FailureRates, silent: SilentFailures, records: Reconciliation) -> Block:
        """All clients side by side. `rates` and `silent` are grouped by client."""
        rows, numbers = clients_of_fleet(self, rates, silent, records)
        head = ("Client", "n", "Failed after retries", "Change", "Silent", "Hand-overs in step", "Logs cover")
        lead = "Work that ended in the period, retries taken together. Silent: the tool said success, a step inside had failed."
        nothing = "No client is named yet: add [[clients]] to aftershock.toml."
        return blocks.listing(
            "Clients", lead, head, rows, id="clients", numbers=numbers, numeric=(1, 2, 3, 4, 5, 6), nothing=nothing
        )

    def worst_automations(self, rates: FailureRates) -> Block:
        """Automations with most failures. `rates` is grouped by client, automation and tool."""
        worst = worst_automations(rates)
        head = ("Automation", "Failed", "n", "Raw share", "Likely share", "Change, points")
        nothing = (
            "No automation has a failed run in the logs of this period."
            if self.coverage.share
            else "Cannot tell: no log."
        )
        return blocks.listing(
            "Worst automations",
            worst.order,
            head,
            worst.rows,
            id="worst-automations",
            numbers=worst.numbers,
            numeric=(1, 2, 3, 4, 5),
            nothing=nothing,
        )

    def sources_and_freshness(self) -> Block:
        """Each source's coverage of the period, its newest record and its rejects."""
        found = sources_of_page(self)
        refused = refused_of(self)
        rows = [
            (
                item["name"],
                item["tool"],
                item["covered"],
                item["last"],
                *(f"{amount:,}" for amount in refused.get(item["name"], (0, 0, 0))),
            )
            for item in found
        ]
        head = ("Source", "Tool", "Log covers", "Newest record", "Read", "Set aside", "Refused")
        lead = "What the logs cover of the period; records read, set aside (no run in them) and refused over all time."
        return blocks.listing(
            "Sources and freshness", lead, head, rows, id="sources", numbers=found, numeric=(2, 4, 5, 6)
        )

    def belonging_to_nobody(self) -> Block:
        """Runs that fit no client or several: on no client's page."""
        rows, numbers = runs_of_nobody(self)
        head = ("Automation", "Source", "Belongs to", "Runs", "Failed")
        lead = "These runs stand on no client's page."
        logged = "Every run in the logs of this period belongs to one client."
        nothing = logged if self.coverage.share else "Cannot tell: no log."
        return blocks.listing(
            "Shared and unassigned", lead, head, rows, id="nobody", numbers=numbers, numeric=(3, 4), nothing=nothing
        )

    def left_out(self, after_retries: FailureRates) -> Block:
        """What no share on the page counts."""
        files = files_of(self)
        amounts = [
            after_retries.left_out,
            after_retries.unfinished,
            after_retries.unknown,
            after_retries.other_roles,
            after_retries.undated,
        ]
        amounts += [files["set_aside"], files["rejects"]] if files else []
        return blocks.left_out(dict(zip(_WHY_LEFT_OUT, amounts, strict=False)), reasons=_WHY_LEFT_OUT)

    def how_to_read(self) -> Block:
        """Definitions, sources with their limits, what could not be read."""
        return blocks.how_to_read(
            sources=sources_of_page(self),
            files=files_of(self),
            snapshot=self.ledger.snapshot,
            version=aftershock.__version__,
            brand=self.project.name,
        )

    def over(self, days: int) -> ReportPage:
        """The same page over that many days up to the period's last one."""
        return ReportPage(self.ledger, self.client_id, self.stretch(days))

    def within(self, span: Period) -> ir.Table:
        """The runs of a stretch of time, for metrics that take no period."""
        return within(self.runs, span)

    def picture(self, result: Any, name: str = "", **options: Any) -> Block:
        """A metric's chart with its numbers beside it. `options` go to the chart (see `charts.draw`)."""
        return picture_of(result, name or type(result).__name__, **options)

    def table(self, frame: pd.DataFrame, name: str) -> Block:
        """A data frame as a table of the page, under `name` in report.json."""
        return table_of(frame, name)

    def failure_rate_of(self, automation: str, days: int = 42) -> Block:
        """One automation's failure rate by day, with its changes and the versions that began."""
        return rate_of(self, automation, self.stretch(days))

    def calendar(self, days: int = 42) -> Block:
        """The strip of days of each automation, as a chart to take apart."""
        stretch = self.stretch(days)
        return calendar_of(strips_of(self, self.work(stretch), stretch))

    def work(self, period: Any) -> Any:
        """Work of a period, retries taken together: a data frame (see `views.work.work_of`)."""
        if period.name not in self._work:
            self._work[period.name] = work_of(self, period)
        return self._work[period.name]

    @cached_property
    def _work(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _notifying(self) -> frozenset[str]:
        return sources_with_notices(self)

    def _attention(self, records: Reconciliation) -> list[blocks.Attention]:
        """What needs attention: worked out once, since the answer counts it and the list shows it."""
        if self._found is None or self._found[0] is not records:
            shifts = self._shifts(self.stretch(_WEEKS_OF_CHANGES * 7)).sure if self.client else []
            rises = {one.automation: briefly(one) for one in shifts if one.stands and one.direction == "rose"}
            self._found = (records, attention_of(self, records, rises))
        return self._found[1]

    _found: tuple[Reconciliation, list[blocks.Attention]] | None = None

    def _shifts(self, stretch: Period) -> Shifts:
        """Worked out once: the list of what needs attention, the chart and the table of changes say the same."""
        if stretch.name not in self._shifts_of:
            self._shifts_of[stretch.name] = shifts_of(self, stretch)
        return self._shifts_of[stretch.name]

    @cached_property
    def _shifts_of(self) -> dict[str, Shifts]:
        return {}

    def _arrived(self, records: Reconciliation) -> Arrived | None:
        return arrived_of(records) if records.expectations else None


def open_page(project: str | Path = ".", *, client: str = "", period: str = "", snapshot: int = 0) -> ReportPage:
    """The page of a client (empty: of all clients) for a period (empty: the newest whole week that the logs cover).

    `snapshot` 0 is the newest. Raises: `NoSnapshotError`, `UnknownNameError`, `PeriodError`.
    """
    scope = open_scope(project, client=client, period=period, snapshot=snapshot)
    return ReportPage(scope.ledger, scope.client_id, scope.period)


def _days_to(stretch: Period, days: int) -> str:
    return f"the {days} days to {day(stretch.last)}"
