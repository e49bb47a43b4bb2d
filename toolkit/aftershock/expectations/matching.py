"""The steps that find out what became of each record: who began it, who finished it, what the logs can show.

Each step is a table that says in its docstring what it has a row per; `reconciliation.py` puts them together. All
expectations go through the steps at once: a query takes longer to compile than to run. `record` numbers their records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import ibis

from aftershock.metrics.log_coverage import COVERING, merged_stretches

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.project import Expectation

# A person who pushes a record through by hand delivers it as well; a test run or an error handler does not.
DELIVERING_ROLES: Final = ("work", "manual")
WENT_WRONG: Final = ("failed", "timed_out", "crashed", "partial")
SEAM_S: Final = 3600
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True)
class Sides:
    """The automations that an expectation's two patterns name."""

    after: tuple[str, ...]
    then: tuple[str, ...]


def sides(expectation: Expectation, automations: Sequence[str]) -> Sides:
    """The automations on both sides. Patterns are shell patterns, without regard to case."""

    def matching(pattern: str) -> tuple[str, ...]:
        return tuple(name for name in automations if fnmatchcase(name.casefold(), pattern.casefold()))

    return Sides(matching(expectation.after), matching(expectation.then))


def promised(expectations: Sequence[Expectation], both: Mapping[str, Sides]) -> tuple[ir.Table, ir.Table]:
    """A row per expectation and automation of its `after`, with what is promised; and one per automation of its `then`."""
    after = [
        (each.name, name, each.entity, each.then, each.client, round(each.within.total_seconds()))
        for each in expectations
        for name in both[each.name].after
    ]
    then = [(each.name, name) for each in expectations for name in both[each.name].then]
    columns = ("expectation", "after_name", "promised_type", "then_pattern", "only_client")
    return (
        ibis.memtable(after, schema=dict.fromkeys(columns, "string") | {"within_s": "int64"}),
        ibis.memtable(then, schema=dict.fromkeys(("promise", "then_name"), "string")),
    )


def handlings(runs: ir.Table, touches: ir.Table) -> ir.Table:
    """A row per run and record it touched, however often it did.

    `first_at`, `last_at`: its first and last touch. `ended`: the run's end where a touch is known for the run as a
    whole only, so that the record may have been touched up to then. `records`: how many of that type the run touched.
    """
    joined = touches.filter(touches.entity_key.notnull()).join(
        runs.select(
            "run_id",
            "automation",
            "source",
            run_role=runs.role.fill_null("work"),
            run_status=runs.status.fill_null("unknown"),
            moment=ibis.coalesce(runs.started_at, runs.queued_at, runs.ended_at),
            run_end=runs.ended_at,
        ),
        "run_id",
    )
    joined = joined.mutate(
        at=ibis.coalesce(joined["at"], joined.moment),
        open_end=joined.step_id.isnull().ifelse(joined.run_end, ibis.null("timestamp('UTC')")),
    )
    keys = ["run_id", "client", "entity_type", "entity_key", "automation", "source", "run_role", "run_status"]
    rows = joined.group_by(keys).aggregate(
        first_at=joined["at"].min(), last_at=joined["at"].max(), ended=joined.open_end.max()
    )
    rows = rows.filter(rows.first_at.notnull())
    return rows.mutate(records=rows.count().over(ibis.window(group_by=["run_id", "entity_type"])))


def activations(handled: ir.Table, after: ir.Table) -> ir.Table:
    """A row per expectation and record that `after` touched: when first (`activated_at`), by which run (`after_run_id`).

    Whether that run went well does not matter: an order that a failing intake saw is an order. A skipped run saw none.
    `holders`: how many clients have a record of that key.
    """
    seen = handled.filter(handled.run_role == "work", handled.run_status != "skipped")
    seen = seen.join(after, [seen.automation == after.after_name, seen.entity_type == after.promised_type])
    record = ["expectation", "client", "entity_key"]
    oldest = ibis.window(group_by=record, order_by=[seen.first_at, seen.run_id])
    ranked = seen.mutate(place=ibis.row_number().over(oldest))
    first = ranked.filter(ranked.place == 0)
    first = first.filter(first.only_client.isnull() | (first.client == first.only_client))
    rows = first.select(
        *("expectation", "then_pattern", "client", "entity_type", "entity_key"),
        after_run_id=first.run_id,
        activated_at=first.first_at,
        deadline=first.first_at + first.within_s.as_interval("s"),
    )
    return rows.mutate(holders=rows.count().over(ibis.window(group_by=["expectation", "entity_key"])))


def numbered(begun: ir.Table) -> ir.Table:
    """The same rows with a number each, `record`."""
    order = ibis.window(order_by=[begun.expectation, begun.client, begun.entity_key])
    return begun.mutate(record=ibis.row_number().over(order))


def attempts(begun: ir.Table, handled: ir.Table, then: ir.Table, slack_s: int) -> ir.Table:
    """A row per record and run of `then` that touched it at or after its activation.

    `delivered`: the run succeeded. `doubt`: why this run neither shows nor rules out that the record arrived, else
    null: a partial run (of this record or of several), one that does not say how it ended, one of an unclear client.
    """
    done = handled.filter(handled.run_role.isin(DELIVERING_ROLES))
    done = done.join(then, done.automation == then.then_name).select(
        *("promise", "run_id", "automation", "run_status", "records", "first_at", "last_at", "ended"),
        done_client="client",
        done_type="entity_type",
        done_key="entity_key",
    )
    pairs = begun.join(
        done,
        [
            begun.expectation == done.promise,
            begun.entity_type == done.done_type,
            begun.entity_key == done.done_key,
            _may_be_one(begun.client, done.done_client),
            begun.after_run_id != done.run_id,
        ],
    )
    since = pairs.activated_at - ibis.interval(seconds=slack_s)
    tried_at = ibis.cases(
        (pairs.first_at >= since, pairs.first_at),
        (pairs.last_at >= since, pairs.last_at),
        (pairs.ended >= since, pairs.ended),
        else_=ibis.null("timestamp('UTC')"),
    )
    pairs = pairs.mutate(tried_at=tried_at)
    pairs = pairs.filter(pairs.tried_at.notnull())
    shared_key = (pairs.holders > 1) & ~pairs.client.identical_to(pairs.done_client)
    good = pairs.run_status == "succeeded"
    doubt = ibis.cases(
        (good & shared_key, "whose"),
        ((pairs.run_status == "partial") & (pairs.records > 1), "which"),
        (pairs.run_status == "partial", "whether"),
        (pairs.run_status == "unknown", "how"),
        else_=ibis.null("string"),
    )
    return pairs.select("record", "run_id", "tried_at", delivered=good & ~shared_key, doubt=doubt)


def first_arrivals(tried: ir.Table) -> ir.Table:
    """A row per record that arrived: when first, and by which run."""
    first = _first_of(tried.filter(tried.delivered), ["record"], "tried_at", "run_id")
    return first.select("record", arrived_at=first.tried_at, arrived_run_id=first.run_id)


def troubles(tried: ir.Table, arrived: ir.Table) -> ir.Table:
    """A row per record that a run of `then` touched without delivering it: the newest such run before it arrived."""
    bad = tried.filter(~tried.delivered).left_join(arrived, "record")
    bad = bad.filter(bad.arrived_at.isnull() | (bad.tried_at <= bad.arrived_at))
    # A run that leaves room for doubt outweighs a newer one that does not: it may have delivered.
    order = (ibis.desc(bad.doubt.notnull()), ibis.desc(bad.tried_at), ibis.desc(bad.run_id))
    newest = _first_of(bad, ["record"], *order)
    return newest.select("record", trouble_run_id=newest.run_id, doubt=newest.doubt)


def stops(unsettled: ir.Table, handled: ir.Table, then: ir.Table) -> ir.Table:
    """A row per record that an automation before `then` had got stuck on by the deadline: by its newest run there.

    Of each automation that touched the record since its activation only the newest run speaks: what a retry put right
    stops nothing. Where several are stuck, the newest.
    """
    others = handled.filter(handled.run_role.isin(DELIVERING_ROLES))
    others = others.select(
        *("run_id", "automation", "run_status", "first_at"),
        other_client="client",
        other_type="entity_type",
        other_key="entity_key",
    )
    pairs = unsettled.join(
        others,
        [
            unsettled.entity_type == others.other_type,
            unsettled.entity_key == others.other_key,
            unsettled.client.identical_to(others.other_client) | others.other_client.isnull(),
            others.first_at >= unsettled.activated_at,
            others.first_at <= unsettled.deadline,
        ],
    )
    pairs = pairs.anti_join(then, [pairs.expectation == then.promise, pairs.automation == then.then_name])
    newest = (ibis.desc(pairs.first_at), ibis.desc(pairs.run_id))
    each = _first_of(pairs, ["record", "automation"], *newest)
    stuck = each.filter(each.run_status.isin(WENT_WRONG))
    last = _first_of(stuck, ["record"], ibis.desc(stuck.first_at), ibis.desc(stuck.run_id))
    return last.select("record", stop_run_id=last.run_id)


def blind_spots(unsettled: ir.Table, runs: ir.Table, coverage: ir.Table, then: ir.Table) -> ir.Table:
    """A row per record for which a log of `then` does not cover all the time from activation to deadline.

    `missing_source`, `missing_from`, `missing_to`: which log has the hole, and the whole hole, as far as the log goes on
    before (`reached`) and after it (`gap_end`); else from activation, to the deadline.
    """
    places = runs.join(then, runs.automation == then.then_name)
    places = places.select(
        "promise",
        place_client="client",
        place_source="source",
        place_automation="automation",
        place_id="automation_id",
    ).distinct()
    pairs = unsettled.join(places, unsettled.expectation == places.promise)
    pairs = pairs.mutate(mine=_may_be_one(pairs.client, pairs.place_client).ifelse(1, 0))
    pairs = pairs.mutate(has_own=pairs.mine.max().over(ibis.window(group_by="record")))
    # Where `then` never ran for this client, it could have run wherever it runs for the others.
    pairs = pairs.filter((pairs.mine == 1) | (pairs.has_own == 0))
    places_of_record = ("record", "activated_at", "deadline", "place_source", "place_automation", "place_id")
    pairs = pairs.select(*places_of_record).distinct()
    covered = _covered(coverage, places)
    met = pairs.left_join(
        covered,
        [
            pairs.place_source == covered.source,
            pairs.place_automation.identical_to(covered.automation),
            pairs.place_id.identical_to(covered.automation_id),
        ],
    )
    reach = met.group_by(list(places_of_record)).aggregate(
        reached=met.covers_to.max(where=met.covers_from <= met.activated_at),
        gap_end=met.covers_from.min(where=met.covers_from > met.activated_at),
    )
    blind = reach.filter(reach.reached.isnull() | (reach.reached < reach.deadline))
    blind = blind.mutate(
        missing_source=blind.place_source,
        missing_from=ibis.coalesce(blind.reached, blind.activated_at),
        missing_to=ibis.coalesce(blind.gap_end, blind.deadline),
    )
    first = _first_of(blind, ["record"], "missing_from", "place_source", "place_automation")
    return first.select("record", "missing_source", "missing_from", "missing_to", "reached", "gap_end")


def _covered(coverage: ir.Table, places: ir.Table) -> ir.Table:
    """The stretches that each automation's log covers, merged."""
    claims = coverage.filter(coverage.completeness.isin(COVERING))
    claims = claims.select("source", "covers_from", "covers_to", claimed="automation")
    spots = places.select("place_source", "place_automation", "place_id").distinct()
    own = spots.join(
        claims,
        [
            spots.place_source == claims.source,
            claims.claimed.isnull() | (claims.claimed == spots.place_automation) | (claims.claimed == spots.place_id),
        ],
    )
    own = own.select("source", "covers_from", "covers_to", automation="place_automation", automation_id="place_id")
    return merged_stretches(own, ["source", "automation", "automation_id"], SEAM_S)


def next_starts(unsettled: ir.Table, runs: ir.Table, then: ir.Table) -> ir.Table:
    """A row per record: when the next run of `then` (for its client, or for all) started after its activation."""
    moment = "timestamp('UTC')"
    started = runs.filter(runs.role.isnull() | runs.role.isin(DELIVERING_ROLES))
    started = started.join(then, started.automation == then.then_name)
    start = ibis.coalesce(started.started_at, started.queued_at, started.ended_at)
    started = started.select("promise", run_client="client", start=start.cast(moment))
    started = started.filter(started.start.notnull())
    whose = unsettled.select("expectation", "client").distinct()
    starts = whose.join(started, [whose.expectation == started.promise, _may_be_one(whose.client, started.run_client)])
    starts = starts.select("expectation", "client", record=ibis.null("int64"), at=starts.start, start=starts.start)
    waiting = unsettled.select(
        "expectation",
        "client",
        record=unsettled.record.cast("int64"),
        at=unsettled.activated_at.cast(moment),
        start=ibis.null(moment),
    )
    # One sorted pass instead of an inequality join: the next start is the smallest among the rows that follow.
    rows = starts.union(waiting)
    ahead = ibis.window(
        group_by=["expectation", "client"], order_by=[rows["at"], rows.start.notnull()], preceding=0, following=None
    )
    rows = rows.mutate(next_start=rows.start.min().over(ahead))
    rows = rows.filter(rows.record.notnull())
    return rows.select("record", "next_start")


def _may_be_one(client: Any, other: Any) -> Any:
    """Both the same client, or one of them not known."""
    return client.identical_to(other) | other.isnull() | client.isnull()


def _first_of(rows: ir.Table, group: list[str], *order: Any) -> ir.Table:
    """The first row of each group."""
    by = [rows[key] if isinstance(key, str) else key for key in order]
    ranked = rows.mutate(place=ibis.row_number().over(ibis.window(group_by=group, order_by=by)))
    return ranked.filter(ranked.place == 0).drop("place")


def seconds_between(start: Any, end: Any) -> Any:
    """The time between two columns in seconds, with microseconds."""
    return end.delta(start, unit="microsecond").cast("float64") / _MICROSECONDS


def utc_text(moment: Any) -> Any:
    """`2026-11-18 09:00` in UTC, whatever time zone the session has."""
    epoch = ibis.literal(datetime(1970, 1, 1, tzinfo=UTC), type="timestamp('UTC')")
    since = moment.delta(epoch, unit="microsecond")
    plain = ibis.literal(datetime(1970, 1, 1), type="timestamp") + since.as_interval("us")  # noqa: DTZ001  naive on purpose
    return plain.strftime("%Y-%m-%d %H:%M")
