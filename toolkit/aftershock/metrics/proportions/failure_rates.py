"""`failure_rate`: which share of the runs (or roots) that ended did not succeed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftershock.metrics.proportions.shares import Question, Shares, shares
from aftershock.metrics.units import Unit, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.metrics.periods import Period

_QUESTION = Question("failures", COUNTED, FAILURES, {})


@dataclass(frozen=True, repr=False)
class FailureRates(Shares):
    """What `failure_rate` gives."""

    @property
    def failures(self) -> int:
        """Units that failed, timed out or crashed."""
        return self.totals["failures"]


def failure_rate(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    period: Period | None = None,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
    compare: bool = False,
) -> FailureRates:
    """Share of ended runs that failed, timed out or crashed, with a Wilson score interval.

    One row per group of `by`: any columns of `runs`, and `day`, `week`, `hour` of the period; `by=()` gives one row.
    Columns: the group, n, failures, rate, low, high (shares in [0, 1], null where n is 0), and what is not in n:
    left_out (cancelled, skipped), unfinished, unknown, other_roles. Together with n these are all units of the group.

    A run belongs to the period in which it started, else was queued, else ended. `unit="root"` takes a run and all its
    retries as one: it belongs where its first run belongs, and ends as its last attempt that counts ended.

    `compare` adds previous_n, previous_rate, change with change_low and change_high (Newcombe), and verdict:
    `beyond chance`, `no change beyond chance` or `too few to compare` (under 5 in either period). Each verdict is about
    one group: of forty groups without any change, one or two will stand beyond chance. `q_value` is about all rows together:
    of the groups with a q_value under 0.05, one in twenty at most is expected to have not changed (Benjamini-Hochberg over the
    p_value of each row, the score test of equal rates; both null where there are too few).

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role; ValueError for a level
    outside (0, 1), an unknown unit, or `compare` or a bucket without a period.
    Source: Wilson (1927) JASA 22:209, equals R's prop.test(correct=FALSE); Newcombe (1998) Stat Med 17:873, method 10;
    Benjamini and Hochberg (1995) JRSS B 57:289.
    """
    by, roles = named(by), named(roles)
    table, units = shares(runs, _QUESTION, by=by, unit=unit, period=period, level=level, roles=roles, compare=compare)
    return FailureRates(table, unit, level, period, _QUESTION.hits_name, units)
