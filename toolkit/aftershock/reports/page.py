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
from aftershock.charts.failure_rate import Day, failure_rate_by_day
from aftershock.metrics import covered_days, failure_rate
from aftershock.reports import blocks
from aftershock.reports.blocks.markup import Block, day, interval, percent
from aftershock.reports.views.attention import attention_of
from aftershock.reports.views.calendar import strips_of
from aftershock.reports.views.fleet import clients_of_fleet, runs_of_nobody, worst_automations
from aftershock.reports.views.numbers import arrived_number, silent_number, succeeded_number, told_number
from aftershock.reports.views.records import Arrived, arrived_of, out_of_step_of, pairs_of
from aftershock.reports.views.recovery import recoveries_of
from aftershock.reports.views.scope import Scope, open_scope
from aftershock.reports.views.sources import files_of, refused_of, sources_of_page
from aftershock.reports.views.summary import sentences_of
from aftershock.reports.views.work import became, sources_with_notices, work_of

if TYPE_CHECKING:
    from aftershock.expectations import Reconciliation
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
        """The chart of the failure rate by day, gaps in the log hatched."""
        shown = self._days(days)
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
            failure_rate_by_day(shown),
            head=head,
            rows=rows,
            numbers={"days": shown},
            numeric=(1, 2, 3, 4),
        )

    def day_by_day(self, days: int = 28) -> Block:
        """The strip of days of each automation."""
        stretch = self.stretch(days)
        return blocks.day_by_day(strips_of(self, self.work(stretch), stretch))

    def if_a_step_fails(self, days: int = 28) -> Block:
        """What happened when it failed, who was told, how it recovered."""
        stretch = self.stretch(days)
        rows = recoveries_of(self.work(stretch), self._notifying)
        return blocks.if_a_step_fails(rows, stretch=f"the {days} days to {day(stretch.last)}")

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
        rows, numbers = worst_automations(rates)
        head = ("Automation", "Failed", "n", "Share", "95%", "Change, points")
        lead = "By the lower end of the interval, so that a few runs do not make an automation the worst."
        nothing = (
            "No automation has a failed run in the logs of this period."
            if self.coverage.share
            else "Cannot tell: no log."
        )
        return blocks.listing(
            "Worst automations",
            lead,
            head,
            rows,
            id="worst-automations",
            numbers=numbers,
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
            self._found = (records, attention_of(self, records))
        return self._found[1]

    _found: tuple[Reconciliation, list[blocks.Attention]] | None = None

    def _arrived(self, records: Reconciliation) -> Arrived | None:
        return arrived_of(records) if records.expectations else None

    def _days(self, days: int) -> list[Day]:
        stretch = self.stretch(days)
        rates = failure_rate(self.runs, by=("day",), period=stretch).to_pandas()
        by_day = {_date(row.day): row for row in rates.itertuples()}
        covered = covered_days(self.ledger.coverage, stretch, sources=self.sources).execute()
        shares = covered.groupby("day")["share"].max() if len(covered) else {}
        logged = {_date(at) for at, share in dict(shares).items() if share > 0}
        return [_day(period.first, by_day.get(period.first), period.first in logged) for period in stretch.days()]


def open_page(project: str | Path = ".", *, client: str = "", period: str = "", snapshot: int = 0) -> ReportPage:
    """The page of a client (empty: of all clients) for a period (empty: the newest whole week that the logs cover).

    `snapshot` 0 is the newest. Raises: `NoSnapshotError`, `UnknownNameError`, `PeriodError`.
    """
    scope = open_scope(project, client=client, period=period, snapshot=snapshot)
    return ReportPage(scope.ledger, scope.client_id, scope.period)


def _day(at: Any, row: Any, log: bool) -> Day:
    if row is None or not int(row.n):
        return Day(at, 0, 0, None, None, None, log=log or row is not None)
    return Day(at, int(row.n), int(row.failures), float(row.rate), float(row.low), float(row.high))


def _date(value: Any) -> Any:
    return value.date() if hasattr(value, "date") else value
