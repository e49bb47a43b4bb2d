"""`retry_effectiveness` and `masked_failures`: do retries help, what do they cost, and what do they hide?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.proportions.intervals import newcombe_expr, wilson, wilson_expr
from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

# Only these describe a first attempt as well as a failed one: an error's columns say nothing of a run that passed.
_OF_ERRORS: Final = ("fingerprint", "error_type", "error_message", "attempt")


@dataclass(frozen=True, repr=False)
class Ladders(Told):
    """A row per group, lazy; `hits_name` over `n_name` is what the overall interval is of."""

    table: ir.Table
    level: float
    n_name: str
    hits_name: str
    counted: ir.Table = field(repr=False, compare=False)
    runs: ir.Table = field(repr=False, compare=False)

    @cached_property
    def _totals(self) -> dict[str, int]:
        columns = (self.n_name, self.hits_name)
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in columns}).execute()
        return {name: int(row[name].iloc[0]) for name in columns}

    @property
    def n(self) -> int:
        """How many retries (or roots) count."""
        return self._totals[self.n_name]

    @cached_property
    def left_out(self) -> int:
        """Runs of other roles, and those that were cancelled, skipped or have not ended."""
        return int(self.runs.count().execute()) - int(self.counted.count().execute())

    @cached_property
    def interval(self) -> Interval | None:
        """The share over all groups with its Wilson interval."""
        return wilson(self._totals[self.hits_name], self.n, self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


class RetryEffectiveness(Ladders):
    """What `retry_effectiveness` gives."""


class MaskedFailures(Ladders):
    """What `masked_failures` gives."""


def retry_effectiveness(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("fingerprint",),
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> RetryEffectiveness:
    """P(a retry succeeds | the attempt before it failed), what a rescued run costs, and whether retrying beats waiting.

    One row per group of `by`: columns of the attempt that failed, such as fingerprint, automation, error_type, version; and
    `attempt`, here the retry's own place k in its ladder, so that the row says P(success at k | failed k-1). A ladder is a root
    with its retries, in the order of their times; cancelled, skipped and unfinished attempts are left out of it.

    failures (failed attempts), n (retries: failed attempts that another followed), not_retried, rescued (retries that did not
    fail), rate = rescued / n with its Wilson interval low and high; roots (ladders that n comes from);
    retry_s (seconds that the retries ran), attempts_per_rescue, seconds_per_rescue (null where nothing was rescued).
    base_n and base_rate: first attempts, and the share of them that did not fail, in the same group (over all groups for what
    only an error has: fingerprint, error_type, error_message, attempt). difference = rate - base_rate with Newcombe's interval
    difference_low, difference_high. Below 0: a retry has a worse chance than fresh work, so the cause outlasts the wait. Near 0:
    the error was a matter of chance, and a retry is as good as a new run.

    Attempts of one root are one cluster: where n is well above roots, as it can be over several k, the intervals are too narrow;
    with `attempt` in `by` each root counts once a row. Groups without any failure have no row.

    Raises: UnknownColumnError; UnknownNameError for an unknown role; ValueError for a level outside (0, 1).
    Source: Wilson (1927) JASA 22:209; Newcombe (1998) Stat Med 17:873, method 10.
    """
    by, roles = named(by), named(roles)
    _check(runs, by, level, roles)
    counted = _counted(runs, list(by), roles)
    group = [f"by_{i}" for i in range(len(by))]
    shared = [column for name, column in zip(by, group, strict=True) if name not in _OF_ERRORS]
    climbed = _climbed(counted)
    base = _roots(counted, climbed, shared)
    if "attempt" in by:
        climbed = climbed.mutate(**{group[list(by).index("attempt")]: climbed.place + 2})
    tallies = _of_retries(climbed.filter(climbed.failed), group)
    base = base.select(*shared, base_n=base.n, base_passed=base.n - base.first_failures)
    rows = _beside(tallies, base, shared)
    rate = wilson_expr(rows.rescued, rows.n, level)
    fresh = wilson_expr(rows.base_passed, rows.base_n, level)
    difference, low, high = newcombe_expr(rate, fresh)
    rescued = rows.rescued.cast("float64").nullif(0.0)
    table = rows.select(
        **{name: rows[column] for name, column in zip(by, group, strict=True)},
        **{name: rows[name] for name in ("failures", "n")},
        not_retried=rows.failures - rows.n,
        rescued=rows.rescued,
        **dict(zip(("rate", "low", "high"), rate, strict=True)),
        roots=rows.roots,
        retry_s=rows.retry_s,
        attempts_per_rescue=rows.n.cast("float64") / rescued,
        seconds_per_rescue=rows.retry_s / rescued,
        base_n=rows.base_n,
        base_rate=fresh[0],
        difference=difference,
        difference_low=low,
        difference_high=high,
    )
    return RetryEffectiveness(table.order_by(list(by)) if by else table, level, "n", "rescued", counted, runs)


def masked_failures(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> MaskedFailures:
    """What retries hide: how many works failed at first, and how many in the end.

    One row per group of `by` (columns of a root's first attempt): n (roots: a run with its retries), attempts, retried (roots
    with more than one attempt), first_failures, first_rate with first_low and first_high (Wilson), final_failures, final_rate with
    final_low and final_high, masked = roots that failed at first and passed in the end, masked_rate = masked / n with
    masked_low and masked_high, attempts_per_root. Cancelled, skipped and unfinished attempts are left out.

    The two rates are of the same roots, so they are no two samples: judge the gap by masked_rate. A final rate near 0 beside a
    first rate far from it is a retry storm: green on the page, paid for in time, and one slow day from showing.

    Raises: UnknownColumnError; UnknownNameError for an unknown role; ValueError for a level outside (0, 1).
    Source: Wilson (1927) JASA 22:209.
    """
    by, roles = named(by), named(roles)
    _check(runs, by, level, roles)
    counted = _counted(runs, list(by), roles)
    group = [f"by_{i}" for i in range(len(by))]
    rows = _roots(counted, _climbed(counted), group)
    bounds = {
        "first_": wilson_expr(rows.first_failures, rows.n, level),
        "final_": wilson_expr(rows.final_failures, rows.n, level),
        "masked_": wilson_expr(rows.masked, rows.n, level),
    }
    table = rows.select(
        **{name: rows[column] for name, column in zip(by, group, strict=True)},
        **{name: rows[name] for name in ("n", "attempts", "retried")},
        **{name: rows[name] for name in ("first_failures", "final_failures", "masked")},
        **{
            f"{prefix}{end}": bound
            for prefix, three in bounds.items()
            for end, bound in zip(("rate", "low", "high"), three, strict=True)
        },
        attempts_per_root=rows.attempts.cast("float64") / rows.n.cast("float64").nullif(0.0),
    )
    return MaskedFailures(table.order_by(list(by)) if by else table, level, "n", "masked", counted, runs)


def _counted(runs: ir.Table, by: list[str], roles: Sequence[str]) -> ir.Table:
    """The runs that count, with nothing but what is read: under names that cannot meet those of a caller."""
    units = dated(runs)
    units = units.filter(units.role.isin(list(roles)), units.status.isin(COUNTED))
    return units.select(
        **{f"by_{i}": units[name] for i, name in enumerate(by)},
        root=ibis.coalesce(units.root_run_id, units.run_id),
        run_id=units.run_id,
        moment=units.moment,
        attempt=units.attempt,
        duration_s=units.duration_s,
        failed=units.status.isin(FAILURES),
    )


def _climbed(counted: ir.Table) -> ir.Table:
    """The runs of roots that failed once or have several runs, each with its place (from 0), its next run, and the root's last.

    Most roots are one run that passed. Nothing has to be put in order there, and order is what costs.
    """
    told = counted.filter(counted.failed | (counted.root != counted.run_id)).select("root").distinct()
    ladders = counted.semi_join(told, "root")
    oldest_first = [ibis.asc(name, nulls_first=False) for name in ("moment", "attempt", "run_id")]
    newest_first = [ibis.desc(name, nulls_first=True) for name in ("moment", "attempt", "run_id")]
    climb: Any = ibis.window(group_by="root", order_by=oldest_first)
    return ladders.mutate(
        place=ibis.row_number().over(climb),
        next_failed=ladders.failed.lead().over(climb),
        next_s=ladders.duration_s.lead().over(climb),
        left=ibis.row_number().over(ibis.window(group_by="root", order_by=newest_first)),
        last_failed=ladders.failed.first().over(ibis.window(group_by="root", order_by=newest_first)),
    )


def _of_retries(failed: ir.Table, group: list[str]) -> ir.Table:
    """A row per group of failed attempts: how many were retried, and with what success."""
    counts = {
        "failures": failed.count(),
        "n": failed.count(where=failed.next_failed.notnull()),
        "rescued": failed.count(where=(~failed.next_failed).fill_null(False)),
        "roots": failed.root.nunique(where=failed.next_failed.notnull()),
        "retry_s": failed.next_s.sum(),
    }
    return failed.group_by(group).aggregate(**counts) if group else failed.aggregate(**counts)


def _roots(counted: ir.Table, climbed: ir.Table, group: list[str]) -> ir.Table:
    """A row per group of first attempts: roots, attempts, and how they went at first and in the end.

    Every run is taken as a root of its own; then the runs of ladders are taken away again, and each ladder put in as one root.
    """
    first = climbed.place == 0
    masked = climbed.failed & ~climbed.last_failed
    alone = {"rows": counted.count(), "failures": counted.count(where=counted.failed)}
    ladders = {
        "ladder_rows": climbed.count(),
        "ladder_failures": climbed.count(where=climbed.failed),
        "ladders": climbed.count(where=first),
        "ladder_attempts": (climbed.left + 1).sum(where=first),
        "retried": climbed.count(where=first & (climbed.left > 0)),
        "first_failed": climbed.count(where=first & climbed.failed),
        "last_failed": climbed.count(where=first & climbed.last_failed),
        "masked": climbed.count(where=first & masked),
    }
    every = counted.group_by(group).aggregate(**alone) if group else counted.aggregate(**alone)
    some = climbed.group_by(group).aggregate(**ladders) if group else climbed.aggregate(**ladders)
    both = _beside(every, some, group)
    both = both.mutate(**{name: both[name].fill_null(0) for name in ladders})
    others = both["rows"] - both.ladder_rows
    return both.select(
        *group,
        n=others + both.ladders,
        attempts=others + both.ladder_attempts,
        retried=both.retried,
        first_failures=both.failures - both.ladder_failures + both.first_failed,
        final_failures=both.failures - both.ladder_failures + both.last_failed,
        masked=both.masked,
    ).filter(lambda roots: roots.n > 0)


def _beside(left: ir.Table, right: ir.Table, keys: list[str]) -> ir.Table:
    """`left` with the columns of `right` that has the same keys, null equal to null; without keys, `right`'s one row."""
    if not keys:
        return left.cross_join(right)
    renamed = right.rename(**{f"{key}_other": key for key in keys})
    joined = left.left_join(renamed, [left[key].identical_to(renamed[f"{key}_other"]) for key in keys])
    return joined.drop(*(f"{key}_other" for key in keys))


def _check(runs: ir.Table, by: Sequence[str], level: float, roles: Sequence[str]) -> None:
    check_groups(runs, by, roles)
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
