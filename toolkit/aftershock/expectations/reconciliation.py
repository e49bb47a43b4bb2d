"""`reconcile`: which records that one automation touched were touched by another in time, and what kept the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import ibis

from aftershock.errors import UnknownColumnError
from aftershock.expectations import matching
from aftershock.expectations.causes import explained, hole_text
from aftershock.metrics.proportions.intervals import wilson_expr

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.periods import Period
    from aftershock.project import Expectation

VERDICTS: Final = ("in_step", "late", "missing", "pending", "cannot_tell")
JUDGED: Final = ("in_step", "late", "missing")
_MOMENT: Final = "timestamp('UTC')"
_COLUMNS: Final = {
    "expectation": "string",
    "client": "string",
    "entity_type": "string",
    "entity_key": "string",
    "activated_at": _MOMENT,
    "deadline": _MOMENT,
    "arrived_at": _MOMENT,
    "delay_s": "float64",
    "verdict": "string",
    "cause_run_id": "string",
    "cause": "string",
    "missing_input": "string",
    "after_run_id": "string",
    "then_run_id": "string",
    "missing_source": "string",
    "missing_from": _MOMENT,
    "missing_to": _MOMENT,
    "cause_key": "string",
}


@dataclass(frozen=True)
class Reconciliation:
    """What `reconcile` gives: `table` has a row per expectation and record, already fetched.

    `unmatched`: (expectation, `after` or `then`, pattern) for each pattern that names no automation of the ledger.
    """

    table: ir.Table
    expectations: tuple[Expectation, ...]
    as_of: datetime
    period: Period | None
    unmatched: tuple[tuple[str, str, str], ...]
    runs: ir.Table = field(repr=False)
    sides: dict[str, matching.Sides] = field(repr=False)

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()

    def summary(self, by: Sequence[str] = ("expectation", "client")) -> ir.Table:
        """Counts by verdict per expectation (and client), with the share in step of those that can be judged.

        Columns: `by`, n (in_step, late and missing), the five verdicts, rate, low, high (Wilson, 95 %).
        An expectation of which no record was seen has a row with n = 0 and no rate.
        """
        for name in by:
            if name not in ("expectation", "client"):
                raise UnknownColumnError(name, ("expectation", "client"))
        rows = self.table
        counts = {verdict: rows.count(where=rows.verdict == verdict) for verdict in VERDICTS}
        counted = rows.group_by(list(by)).aggregate(**counts) if by else rows.aggregate(**counts)
        if "expectation" in by and self.expectations:
            wanted = [expectation.name for expectation in self.expectations]
            names = ibis.memtable({"wanted": wanted}, schema={"wanted": "string"})
            counted = names.left_join(counted, names.wanted == counted.expectation)
            counted = counted.mutate(
                expectation=counted.wanted, **{verdict: counted[verdict].fill_null(0) for verdict in VERDICTS}
            )
        counted = counted.mutate(n=counted.in_step + counted.late + counted.missing)
        rate, low, high = wilson_expr(counted.in_step, counted.n)
        table = counted.select(*by, "n", *VERDICTS, rate=rate, low=low, high=high)
        return table.order_by(list(by)) if by else table

    def findings(self) -> ir.Table:
        """One row per cause: records of one expectation that the same thing kept, most first.

        The same error of the same automation, the same stretch without a run, the same hole in a log. Columns:
        expectation, severe, verdict (`certain` or `cannot tell`), cause, records, missing, late, cannot_tell, clients,
        first_at, last_at (activations), example_key, example_client, run_id (the first run to blame), cause_key.
        """
        rows = self.table.filter(self.table.verdict.isin(["missing", "late", "cannot_tell"]))
        severe = [expectation.name for expectation in self.expectations if expectation.severe]
        rows = rows.mutate(known=rows.verdict != "cannot_tell", severe=rows.expectation.isin(severe))
        oldest = ibis.window(
            group_by=["expectation", "known", "cause_key"], order_by=[rows.activated_at, rows.client, rows.entity_key]
        )
        rows = rows.mutate(place=ibis.row_number().over(oldest))
        head = rows.place == 0
        groups = rows.group_by(["expectation", "severe", "known", "cause_key"]).aggregate(
            cause=ibis.coalesce(rows.cause, rows.missing_input).max(where=head),
            missing_source=rows.missing_source.max(where=head),
            missing_from=rows.missing_from.min(),
            missing_to=rows.missing_to.max(),
            records=rows.count(),
            missing=rows.count(where=rows.verdict == "missing"),
            late=rows.count(where=rows.verdict == "late"),
            cannot_tell=rows.count(where=rows.verdict == "cannot_tell"),
            clients=rows.client.nunique(),
            first_at=rows.activated_at.min(),
            last_at=rows.activated_at.max(),
            example_key=rows.entity_key.max(where=head),
            example_client=rows.client.max(where=head),
            run_id=rows.cause_run_id.max(where=head),
        )
        hole = groups.missing_source.notnull() & ~groups.known
        groups = groups.mutate(
            verdict=groups.known.ifelse("certain", "cannot tell"),
            cause=hole.ifelse(hole_text(groups.missing_source, groups.missing_from, groups.missing_to), groups.cause),
        )
        return groups.select(
            *("expectation", "severe", "verdict", "cause", "records", "missing", "late", "cannot_tell", "clients"),
            *("first_at", "last_at", "example_key", "example_client", "run_id", "cause_key"),
        ).order_by(
            ibis.desc("severe"), ibis.asc("verdict"), ibis.desc("records"), "first_at", "expectation", "cause_key"
        )


def reconcile(
    runs: ir.Table,
    touches: ir.Table,
    coverage: ir.Table,
    expectations: Sequence[Expectation],
    *,
    as_of: datetime,
    period: Period | None = None,
    client: str | None = None,
    clock_slack_s: int = 0,
) -> Reconciliation:
    """What became of each record that an expectation's `after` touched: a row per expectation and record.

    A record is a client, an entity type and a key.

    The clock starts with the record's first touch by a run of `after` (role work), whether that run went well or not.
    It arrived when a successful run of `then` touched it at or after that moment, less `clock_slack_s`. Verdicts:
    `in_step`: by the deadline. `late`: after it. `missing`: not at all, and the logs are there to show it.
    `pending`: not yet, and the deadline had not passed at `as_of`. `cannot_tell`: a log of `then` has a hole between
    activation and deadline, or the only run that touched the record does not show whether it arrived; `missing_input`
    names what is missing.

    `cause_run_id` and `cause`: the newest run of `then` that touched the record and did not deliver it; else the run
    on which it was stuck at the deadline, of `after` or of any other automation that touched it; else no run, and the
    words say whether `then` ran at all. `delay_s` is in seconds. `period` is about activations. `client` keeps one
    client's records. Touches may be repeated, runs retried and replayed. A verdict in step needs no coverage, the others
    do: show the rate beside the coverage.

    Raises: ValueError for an `as_of` without a time zone or a negative `clock_slack_s`.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"as_of: {as_of.isoformat()}: give it a time zone")
    if clock_slack_s < 0:
        raise ValueError(f"clock_slack_s: {clock_slack_s}: write 0 or more seconds")
    names = sorted(runs.select("automation").distinct().execute()["automation"].dropna())
    both = {expectation.name: matching.sides(expectation, names) for expectation in expectations}
    unmatched = tuple(
        (expectation.name, side, getattr(expectation, side))
        for expectation in expectations
        for side in ("after", "then")
        if not getattr(both[expectation.name], side)
    )
    after, then = matching.promised(expectations, both)
    handled = matching.handlings(runs, touches)
    begun = matching.activations(handled, after)
    if client:
        begun = begun.filter(begun.client == client)
    if period:
        begun = begun.filter(period.holds(begun.activated_at))
    rows = _traced(matching.numbered(begun), handled, runs, coverage, then, clock_slack_s)
    known = [name for name, side in both.items() if side.then]
    rows = explained(_judged(_with_runs(rows, runs), as_of, known))
    rows = rows.select(**{name: rows[name].cast(type_) for name, type_ in _COLUMNS.items()})
    # Fetched once: the query takes longer to compile than to run, and summary, findings and effective rate start from it.
    with _quick_to_compile():
        table = ibis.memtable(rows.to_pyarrow(), schema=_COLUMNS)
    table = table.order_by("expectation", ibis.asc("client", nulls_first=True), "entity_key")
    return Reconciliation(table, tuple(expectations), as_of, period, unmatched, runs, both)


@contextmanager
def _quick_to_compile() -> Iterator[None]:
    """Let DuckDB merge the steps of a long query, which it does well, and not Ibis, which takes half of the time for it."""
    before = ibis.options.sql.fuse_selects
    ibis.options.sql.fuse_selects = False
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = before


def _traced(
    begun: ir.Table, handled: ir.Table, runs: ir.Table, coverage: ir.Table, then: ir.Table, slack_s: int
) -> ir.Table:
    """What the logs know of each record: its arrival, and for those not in step what may have kept them."""
    tried = matching.attempts(begun, handled, then, slack_s)
    arrived = matching.first_arrivals(tried)
    rows = begun.left_join(arrived, "record").drop("record_right")
    late = rows.filter(rows.arrived_at.isnull() | (rows.arrived_at > rows.deadline))
    unsettled = late.select("record", "expectation", "client", "entity_type", "entity_key", "activated_at", "deadline")
    for more in (
        matching.troubles(tried, arrived),
        matching.stops(unsettled, handled, then),
        matching.blind_spots(unsettled, runs, coverage, then),
        matching.next_starts(unsettled, runs, then),
    ):
        rows = rows.left_join(more, "record").drop("record_right")
    return rows


def _with_runs(rows: ir.Table, runs: ir.Table) -> ir.Table:
    """What the runs that may be to blame say of themselves."""
    for prefix in ("trouble", "stop"):
        said = runs.select(
            **{
                f"{prefix}_id": runs.run_id,
                f"{prefix}_automation": runs.automation,
                f"{prefix}_status": runs.status.fill_null("unknown"),
                f"{prefix}_error": ibis.coalesce(runs.error_message, runs.error_type),
                f"{prefix}_print": ibis.coalesce(runs.fingerprint, runs.error_type, runs.error_message, ""),
            }
        )
        rows = rows.left_join(said, rows[f"{prefix}_run_id"] == said[f"{prefix}_id"]).drop(f"{prefix}_id")
    return rows


def _judged(rows: ir.Table, as_of: datetime, known: Sequence[str]) -> ir.Table:
    """The verdict on each record, its delay, and the run of `then` to look at. `known`: expectations whose `then` was ever seen."""
    here = rows.arrived_at.notnull()
    blind = rows.missing_from.notnull()
    unseen = ~rows.expectation.isin(list(known))
    verdict = ibis.cases(
        (here & (rows.arrived_at <= rows.deadline), "in_step"),
        (~here & (rows.deadline > ibis.literal(as_of, type=_MOMENT)), "pending"),
        (blind | (~here & (rows.doubt.notnull() | unseen)), "cannot_tell"),
        (here, "late"),
        else_="missing",
    )
    return rows.mutate(
        verdict=verdict,
        delay_s=matching.seconds_between(rows.activated_at, rows.arrived_at),
        then_run_id=ibis.coalesce(rows.arrived_run_id, rows.trouble_run_id),
    )
