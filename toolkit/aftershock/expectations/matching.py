"""The steps that find out what became of each record: who began it, who finished it, what the logs can show.

Each step is a table with its grain in its name's docstring; `reconciliation.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def activations(handled: ir.Table, expectation: Expectation, names: Sequence[str]) -> ir.Table:
    """A row per record that `after` touched: when first (`activated_at`), and by which run (`after_run_id`).

    Whether that run went well does not matter: an order that a failing intake saw is an order. A skipped run saw none.
    """
    seen = handled.filter(
        handled.entity_type == expectation.entity,
        handled.automation.isin(list(names)),
        handled.run_role == "work",
        handled.run_status != "skipped",
    )
    oldest = ibis.window(group_by=["client", "entity_key"], order_by=[seen.first_at, seen.run_id])
    ranked = seen.mutate(place=ibis.row_number().over(oldest))
    first = ranked.filter(ranked.place == 0)
    rows = first.select(
        "client",
        "entity_type",
        "entity_key",
        after_run_id=first.run_id,
        activated_at=first.first_at,
        deadline=first.first_at + ibis.interval(seconds=round(expectation.within.total_seconds())),
    )
    return rows.mutate(holders=rows.count().over(ibis.window(group_by="entity_key")))


def attempts(
    begun: ir.Table, handled: ir.Table, expectation: Expectation, names: Sequence[str], slack_s: int
) -> ir.Table:
    """A row per record and run of `then` that touched it at or after its activation.

    `delivered`: the run succeeded. `doubt`: why this run neither shows nor rules out that the record arrived, else
    null: a partial run (of this record or of several), one that does not say how it ended, one of an unclear client.
    """
    done = handled.filter(
        handled.entity_type == expectation.entity,
        handled.automation.isin(list(names)),
        handled.run_role.isin(DELIVERING_ROLES),
    ).select(
        *("run_id", "automation", "run_status", "records", "first_at", "last_at", "ended"),
        done_client="client",
        done_key="entity_key",
    )
    pairs = begun.join(
        done,
        [
            begun.entity_key == done.done_key,
            begun.client.identical_to(done.done_client) | done.done_client.isnull() | begun.client.isnull(),
            begun.after_run_id != done.run_id,
        ],
    )
    since = pairs.activated_at - ibis.interval(seconds=slack_s)
    arrived = ibis.cases(
        (pairs.first_at >= since, pairs.first_at),
        (pairs.last_at >= since, pairs.last_at),
        (pairs.ended >= since, pairs.ended),
        else_=ibis.null("timestamp('UTC')"),
    )
    pairs = pairs.mutate(tried_at=arrived)
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
    return pairs.select(
        *("client", "entity_key", "run_id", "automation", "run_status", "tried_at"),
        delivered=good & ~shared_key,
        doubt=doubt,
    )


def first_arrivals(tried: ir.Table) -> ir.Table:
    """A row per record that arrived: when first, and by which run."""
    good = tried.filter(tried.delivered)
    order = ibis.window(group_by=["client", "entity_key"], order_by=[good.tried_at, good.run_id])
    ranked = good.mutate(place=ibis.row_number().over(order))
    first = ranked.filter(ranked.place == 0)
    return first.select(
        a_client=first.client, a_key=first.entity_key, arrived_at=first.tried_at, arrived_run_id=first.run_id
    )


def troubles(tried: ir.Table, arrived: ir.Table) -> ir.Table:
    """A row per record that a run of `then` touched without delivering it: the newest such run before it arrived."""
    bad = tried.filter(~tried.delivered)
    bad = bad.left_join(arrived, [bad.client.identical_to(arrived.a_client), bad.entity_key == arrived.a_key])
    bad = bad.filter(bad.arrived_at.isnull() | (bad.tried_at <= bad.arrived_at))
    order = ibis.window(
        group_by=["client", "entity_key"],
        # A run that leaves room for doubt outweighs a newer one that does not: it may have delivered.
        order_by=[ibis.desc(bad.doubt.notnull()), ibis.desc(bad.tried_at), ibis.desc(bad.run_id)],
    )
    ranked = bad.mutate(place=ibis.row_number().over(order))
    newest = ranked.filter(ranked.place == 0)
    return newest.select(
        t_client=newest.client, t_key=newest.entity_key, trouble_run_id=newest.run_id, doubt=newest.doubt
    )


def stops(open_records: ir.Table, handled: ir.Table, expectation: Expectation, names: Sequence[str]) -> ir.Table:
    """A row per record that an automation before `then` had got stuck on by the deadline: by its newest run there.

    Of each automation that touched the record since its activation only the newest run speaks: what a retry put right
    stops nothing. Where several are stuck, the newest.
    """
    others = handled.filter(
        handled.entity_type == expectation.entity,
        ~handled.automation.isin(list(names)),
        handled.run_role.isin(DELIVERING_ROLES),
    ).select("run_id", "automation", "run_status", "first_at", other_client="client", other_key="entity_key")
    pairs = open_records.join(
        others,
        [
            open_records.entity_key == others.other_key,
            open_records.client.identical_to(others.other_client) | others.other_client.isnull(),
            others.first_at >= open_records.activated_at,
            others.first_at <= open_records.deadline,
        ],
    )
    newest = [ibis.desc(pairs.first_at), ibis.desc(pairs.run_id)]
    each = ibis.window(group_by=["client", "entity_key", "automation"], order_by=newest)
    ranked = pairs.mutate(place=ibis.row_number().over(each))
    stuck = ranked.filter((ranked.place == 0) & ranked.run_status.isin(WENT_WRONG)).drop("place")
    last = ibis.window(group_by=["client", "entity_key"], order_by=[ibis.desc(stuck.first_at), ibis.desc(stuck.run_id)])
    ranked = stuck.mutate(place=ibis.row_number().over(last))
    first = ranked.filter(ranked.place == 0)
    return first.select(s_client=first.client, s_key=first.entity_key, stop_run_id=first.run_id)


def blind_spots(open_records: ir.Table, runs: ir.Table, coverage: ir.Table, names: Sequence[str]) -> ir.Table:
    """A row per record for which a log of `then` does not cover all the time from activation to deadline.

    `missing_source`, `missing_from`, `missing_to`: which log has the hole, and the whole hole, as far as
    the log goes on before and after it; else from activation, to the deadline.
    """
    places = runs.filter(runs.automation.isin(list(names)))
    places = places.select(
        place_client="client", place_source="source", place_automation="automation", place_id="automation_id"
    ).distinct()
    pairs = open_records.cross_join(places)
    mine = pairs.client.identical_to(pairs.place_client) | pairs.place_client.isnull() | pairs.client.isnull()
    pairs = pairs.mutate(mine=mine.ifelse(1, 0))
    of_record = ibis.window(group_by=["client", "entity_key"])
    pairs = pairs.mutate(has_own=pairs.mine.max().over(of_record))
    # Where `then` never ran for this client, it could have run wherever it runs for the others.
    pairs = pairs.filter((pairs.mine == 1) | (pairs.has_own == 0))
    pairs = pairs.select(
        *("client", "entity_key", "activated_at", "deadline", "place_source", "place_automation", "place_id")
    ).distinct()
    covered = _covered(coverage, places)
    met = pairs.left_join(
        covered,
        [
            pairs.place_source == covered.source,
            pairs.place_automation.identical_to(covered.automation),
            pairs.place_id.identical_to(covered.automation_id),
        ],
    )
    reach = met.group_by(
        ["client", "entity_key", "activated_at", "deadline", "place_source", "place_automation"]
    ).aggregate(
        reached=met.covers_to.max(where=met.covers_from <= met.activated_at),
        gap_end=met.covers_from.min(where=met.covers_from > met.activated_at),
    )
    blind = reach.filter(reach.reached.isnull() | (reach.reached < reach.deadline))
    blind = blind.mutate(
        missing_from=ibis.coalesce(blind.reached, blind.activated_at),
        missing_to=ibis.coalesce(blind.gap_end, blind.deadline),
    )
    order = ibis.window(
        group_by=["client", "entity_key"], order_by=[blind.missing_from, blind.place_source, blind.place_automation]
    )
    ranked = blind.mutate(place=ibis.row_number().over(order))
    first = ranked.filter(ranked.place == 0)
    return first.select(
        *("missing_from", "missing_to", "reached", "gap_end"),
        b_client="client",
        b_key="entity_key",
        missing_source="place_source",
    )


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


def next_starts(open_records: ir.Table, runs: ir.Table, names: Sequence[str]) -> ir.Table:
    """A row per record: when the next run of `then` (for its client, or for all) started after its activation."""
    started = runs.filter(runs.automation.isin(list(names)) & (runs.role.isnull() | runs.role.isin(DELIVERING_ROLES)))
    started = started.select(
        run_client="client", at=ibis.coalesce(started.started_at, started.queued_at, started.ended_at)
    )
    whose = open_records.select("client").distinct()
    starts = whose.join(
        started.filter(started["at"].notnull()),
        [whose.client.identical_to(started.run_client) | started.run_client.isnull() | whose.client.isnull()],
    )
    moment = "timestamp('UTC')"
    starts = starts.select(
        "client", entity_key=ibis.null("string"), at=starts["at"].cast(moment), start=starts["at"].cast(moment)
    )
    waiting = open_records.select(
        "client", "entity_key", at=open_records.activated_at.cast(moment), start=ibis.null(moment)
    )
    # One sorted pass instead of an inequality join: the next start is the smallest among the rows that follow.
    rows = starts.union(waiting)
    ahead = ibis.window(group_by="client", order_by=[rows["at"], rows.start.notnull()], preceding=0, following=None)
    rows = rows.mutate(next_start=rows.start.min().over(ahead))
    rows = rows.filter(rows.entity_key.notnull())
    return rows.select(n_client=rows.client, n_key=rows.entity_key, next_start=rows.next_start)


def seconds_between(start: Any, end: Any) -> Any:
    """The time between two columns in seconds, with microseconds."""
    return end.delta(start, unit="microsecond").cast("float64") / _MICROSECONDS


def utc_text(moment: Any) -> Any:
    """`2026-11-18 09:00` in UTC, whatever time zone the session has."""
    epoch = ibis.literal(datetime(1970, 1, 1, tzinfo=UTC), type="timestamp('UTC')")
    since = moment.delta(epoch, unit="microsecond")
    plain = ibis.literal(datetime(1970, 1, 1), type="timestamp") + since.as_interval("us")  # noqa: DTZ001  naive on purpose
    return plain.strftime("%Y-%m-%d %H:%M")
