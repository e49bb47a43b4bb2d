"""Failures of automations as events in time, from a table of runs; the ground of the fleet's trends, MTBF and cumulative failures.

What is one event? `incident` (default): the first failed root after one that did not fail. An outage of two hours on a five-minute schedule is
one failure of the system and not 24, and all methods here take failures to be events that do not hang together. `root`: each root whose last
attempt failed. `run`: each failed run, retries too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import ibis
import ibis.expr.types as ir

from aftershock.metrics.units import check_groups, dated
from aftershock.model import COUNTED, FAILURES

Event = Literal["incident", "root", "run"]
Clock = Literal["hours", "runs"]
EVENTS: Final = ("incident", "root", "run")
CLOCKS: Final = ("hours", "runs")
# A moment in milliseconds, then the attempt, then whether it went well, in one whole number: its maximum is the last attempt and its outcome.
_ATTEMPTS: Final = 1024
_SECOND: Final = 1_000


def units_of(runs: ir.Table, by: Sequence[str], event: Event, roles: Sequence[str]) -> ir.Table:
    """A row per unit that counts: the columns of `by`, `unit` (its id), `at` (seconds since 1970, float) and `failed`.

    Units without any time, of other roles, or that say nothing (cancelled, skipped, unfinished, unknown) are not here.
    """
    if event == "run":
        units = _counting(runs, roles)
        at = _millis(units).cast("float64") / float(_SECOND)
        return units.select(*by, unit=units.run_id, at=at, failed=units.status.isin(FAILURES))
    return attempts_by_root(runs, by, roles).drop("attempts")


def attempts_by_root(runs: ir.Table, by: Sequence[str], roles: Sequence[str]) -> ir.Table:
    """A row per root: the columns of `by`, `unit`, `at` (its first attempt, seconds), `failed` (its last attempt did), `attempts` that count."""
    checked(runs, by, "root", roles, by_needed=False)
    units = _counting(runs, roles)
    attempt = ibis.least(ibis.greatest(units.attempt.fill_null(1), 0), _ATTEMPTS - 1).cast("int64")
    # Two attempts of one moment and number: the one that went well is taken as the later.
    keyed = units.select(
        *by,
        unit=ibis.coalesce(units.root_run_id, units.run_id),
        key=(_millis(units) * _ATTEMPTS + attempt) * 2 + units.status.isin(FAILURES).ifelse(0, 1),
    )
    rooted = keyed.group_by([*by, "unit"]).aggregate(
        last=keyed.key.max(), first=keyed.key.min(), attempts=keyed.count()
    )
    began = (rooted["first"] / (2 * _ATTEMPTS)).floor() / float(_SECOND)
    return rooted.select(*by, "unit", at=began, failed=rooted["last"] % 2 == 0, attempts=rooted.attempts)


def _counting(runs: ir.Table, roles: Sequence[str]) -> ir.Table:
    units = dated(runs)
    return units.filter(units.status.isin(COUNTED), units.role.isin(list(roles)), units.moment.notnull())


def _millis(units: ir.Table) -> ir.IntegerValue:
    return units.moment.epoch_seconds().cast("int64") * _SECOND + units.moment.millisecond().cast("int64")


def marked(units: ir.Table, by: Sequence[str], event: Event) -> ir.Table:
    """The units with `event`: whether a failure event begins with it."""
    if event != "incident":
        return units.mutate(event=units.failed)
    before = ibis.window(group_by=list(by), order_by=[units["at"], units.unit])
    return units.mutate(event=units.failed & ~units.failed.lag().over(before).fill_null(False))


def checked(
    runs: ir.Table, by: Sequence[str], event: str, roles: Sequence[str], clock: str = "hours", *, by_needed: bool = True
) -> list[str]:
    """`by` as a list. Raises: UnknownColumnError, UnknownNameError, ValueError."""
    if event not in EVENTS:
        raise ValueError(f"event: {event!r}: write 'incident', 'root' or 'run'")
    if clock not in CLOCKS:
        raise ValueError(f"clock: {clock!r}: write 'hours' or 'runs'")
    check_groups(runs, by, roles)
    if by_needed and not by:
        raise ValueError("by: write what makes one system, such as ('automation',)")
    return list(by)
