"""What is counted: runs, or roots (a run with all its retries), each with the moment that says which period it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.model import COUNTED, FINISHED, ROLES

Unit = Literal["run", "root"]


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns or roles; a single one may stand without brackets: `by="client"` is `by=("client",)`."""
    return (names,) if isinstance(names, str) else tuple(names)


def check_groups(
    runs: ir.Table, by: Sequence[str] = (), roles: Sequence[str] = (), *, also: Sequence[str] = ()
) -> list[str]:
    """The columns to group by, where the table has them (those in `also` need none) and the roles are known.

    Raises: UnknownColumnError, UnknownNameError.
    """
    for name in by:
        if name not in runs.columns and name not in also:
            raise UnknownColumnError(name, (*runs.columns, *also))
    for role in roles:
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
    return list(by)


def dated(runs: ir.Table) -> ir.Table:
    """`runs` with the `moment` that says which period each belongs to: when it started, else was queued, else ended."""
    moment = ibis.coalesce(runs.started_at, runs.queued_at, runs.ended_at)
    return runs.mutate(moment=moment, status=runs.status.fill_null("unknown"), role=runs.role.fill_null("work"))


def roots(runs: ir.Table) -> ir.Table:
    """A row per root: its first run (moment, role, name, ...) with the status of its last attempt that counts.

    An attempt that was cancelled or has not ended says nothing about how the work went: it decides where no other can.
    """
    attempts = dated(runs).mutate(root=ibis.coalesce(runs.root_run_id, runs.run_id))
    weight = ibis.cases((attempts.status.isin(COUNTED), 0), (attempts.status.isin(FINISHED), 1), else_=2)
    newest_first = [weight, _newest(attempts.moment), _newest(attempts.attempt), _newest(attempts.run_id)]
    oldest_first = [_oldest(attempts.moment), _oldest(attempts.attempt), _oldest(attempts.run_id)]
    ranked = attempts.mutate(
        status=attempts.status.first().over(ibis.window(group_by=attempts.root, order_by=newest_first)),
        place=ibis.row_number().over(ibis.window(group_by=attempts.root, order_by=oldest_first)),
    )
    return ranked.filter(ranked.place == 0).drop("place", "root")


def _newest(column: Any) -> Any:
    return ibis.desc(column, nulls_first=False)


def _oldest(column: Any) -> Any:
    return ibis.asc(column, nulls_first=False)
