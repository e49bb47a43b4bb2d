"""Runs counted by day and load: what `failure_by_load` and `volume_knee` read. A small table, whatever the number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import ibis

from aftershock.metrics.load.concurrency import concurrency
from aftershock.metrics.load.time_bins import DAY_S, time_bin
from aftershock.metrics.units import check_groups, dated
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir

Measure = Literal["volume", "concurrency"]
WORDS: Final = {"volume": "runs/h", "concurrency": "other runs at a time"}
_HOUR_S: Final = 3600


def load_cells(runs: ir.Table, measure: Measure, within: Sequence[str], roles: Sequence[str]) -> ir.Table:
    """A row per day (days since 1970, UTC) and load: day, load, n, failures, runs, cells (hours, or runs for concurrency)."""
    names = check_groups(runs, within, roles)
    if measure not in WORDS:
        raise ValueError(f"measure: {measure!r}: write 'volume' or 'concurrency'")
    rows = _volumes(runs, names, roles) if measure == "volume" else _concurrencies(runs, names, roles)
    sums = {name: rows[name].sum() for name in ("n", "failures", "runs", "cells")}
    return rows.group_by(["day", "load"]).aggregate(**sums).order_by(["day", "load"])


def _volumes(runs: ir.Table, names: list[str], roles: Sequence[str]) -> ir.Table:
    units = dated(runs)
    units = units.filter(units.moment.notnull())
    units = units.mutate(hour=time_bin(units.moment, _HOUR_S))
    hours = units.group_by([*names, "hour"]).aggregate(runs=units.count(), **_failed(units, roles))
    return hours.select(
        "n", "failures", "runs", day=hours.hour // (DAY_S // _HOUR_S), load=hours.runs, cells=ibis.literal(1)
    )


def _concurrencies(runs: ir.Table, names: list[str], roles: Sequence[str]) -> ir.Table:
    table = concurrency(runs, by=names, roles=roles).table
    table = table.mutate(day=time_bin(table.started_at, DAY_S))
    rows = table.group_by(["day", "running"]).aggregate(runs=table.count(), **_failed(table, roles))
    return rows.select("day", "n", "failures", "runs", load=rows.running, cells=rows.runs)


def _failed(rows: ir.Table, roles: Sequence[str]) -> dict[str, Any]:
    asked = rows.role.isin(list(roles))
    return {
        "n": rows.count(where=asked & rows.status.isin(COUNTED)),
        "failures": rows.count(where=asked & rows.status.isin(FAILURES)),
    }
