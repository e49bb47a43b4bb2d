"""`silent_failures`: which share of the runs that the tool calls successful was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftershock.metrics.proportions.shares import Question, Shares, shares
from aftershock.metrics.units import Unit, named
from aftershock.model import FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.metrics.periods import Period

_QUESTION = Question("silent", ("succeeded", "partial"), ("partial",), {"failed": FAILURES})


@dataclass(frozen=True, repr=False)
class SilentFailures(Shares):
    """What `silent_failures` gives."""

    @property
    def silent(self) -> int:
        """Units that the tool calls successful, although a step's last attempt failed or an item carries an error."""
        return self.totals["silent"]

    @property
    def failed(self) -> int:
        """Units that failed openly: not in n."""
        return self.totals["failed"]


def silent_failures(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    period: Period | None = None,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
    compare: bool = False,
) -> SilentFailures:
    """Share of runs that their tool calls successful (succeeded and partial) that are partial, with a Wilson interval.

    The same shape as `failure_rate`, with `silent` for failures, and `failed` (failed openly) among what is not in n.
    Raises: what `failure_rate` raises.
    """
    by, roles = named(by), named(roles)
    table, units = shares(runs, _QUESTION, by=by, unit=unit, period=period, level=level, roles=roles, compare=compare)
    return SilentFailures(table, unit, level, period, _QUESTION.hits_name, units)
