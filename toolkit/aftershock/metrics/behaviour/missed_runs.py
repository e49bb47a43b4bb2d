"""`learned_schedules`: the timetable of every automation, and which runs are missing, from the ledger's runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from aftershock.metrics.behaviour.schedules import learned_schedule
from aftershock.metrics.log_coverage import COVERING
from aftershock.metrics.units import check_groups, named, roots

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["n", "left_out", "period_s", "clock", "jitter_s", "expected", "missed", "untold", "verdict"]


@dataclass(frozen=True)
class LearnedSchedules:
    """What `learned_schedules` gives: `table` with a row per automation, `gaps` with a row per run of missing slots."""

    n: int
    left_out: int
    until: datetime | None
    level: float
    table: pd.DataFrame = field(repr=False, compare=False)
    gaps: pd.DataFrame = field(repr=False, compare=False)
    interval: None = None

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def learned_schedules(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    coverage: ir.Table | None = None,
    until: datetime | None = None,
    time_zone: str = "UTC",
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
) -> LearnedSchedules:
    """`learned_schedule` for every automation of the ledger: on which timetable it runs, and which runs are missing.

    One row per group of `by`, those with missed runs first: n (first attempts with a start time; retries keep no timetable), left_out,
    period_s, clock, jitter_s, expected, missed, untold (missing where no log tells), verdict. `gaps` has the columns of `by`, from_slot,
    to_slot, slots, missed, verdict. An automation without a timetable (a webhook, say) has null in the columns of one, and the verdict says so.

    `coverage` is the ledger's coverage table: without it a missing run is never `missed`, always `untold`. `until` is the end of what is
    known, by default the newest start of any run given: an automation that fell silent before has missed its runs since.

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role; what `learned_schedule` raises.
    Source: as `learned_schedule`.
    """
    import pandas as pd

    by, roles = named(by), named(roles)
    check_groups(runs, by, roles)
    first = roots(runs)
    frame = first.filter(first.role.isin(list(roles))).select(*by, "source", start="started_at").execute()
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    newest = frame["start"].max()
    end = until if until is not None else None if pd.isna(newest) else newest.to_pydatetime()
    logs = _stretches(coverage)
    rows: list[tuple[Any, ...]] = []
    gaps = []
    for key, own in frame.groupby(list(by), dropna=False, sort=True) if by else [((), frame)]:
        starts = own["start"].dropna()
        known = [one for one in starts if end is None or one <= end]
        covered = None if logs is None else [span for source in own["source"].unique() for span in logs.get(source, [])]
        found = learned_schedule(known, covered=covered, until=end, time_zone=time_zone, level=level)
        told = (found.period.estimate, found.clock, found.jitter_s, found.expected, found.missed, found.untold)
        rows.append((*key, found.n, len(own) - found.n, *told, found.verdict))
        places = found.table.assign(**dict(zip(by, key, strict=True)))
        gaps.append(places[[*by, *found.table.columns]])
    table = pd.DataFrame(rows, columns=[*by, *_COLUMNS])
    table = table.sort_values(["missed", *by], ascending=[False, *(True for _ in by)], ignore_index=True)
    missing = pd.concat([one for one in gaps if len(one)], ignore_index=True) if any(map(len, gaps)) else _no_gaps(by)
    return LearnedSchedules(int(table["n"].sum()), int(table["left_out"].sum()), end, level, table, missing)


def _stretches(coverage: ir.Table | None) -> dict[str, list[tuple[datetime, datetime]]] | None:
    """By source, the stretches that its logs cover, whatever file tells so. Those about one automation only are not used."""
    if coverage is None:
        return None
    whole = coverage.filter(coverage.completeness.isin(COVERING), coverage.automation.isnull())
    rows = whole.select("source", "covers_from", "covers_to").order_by("source", ibis.asc("covers_from")).execute()
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for source, start, end in rows.itertuples(index=False):
        found.setdefault(source, []).append((start.to_pydatetime(), end.to_pydatetime()))
    return found


def _no_gaps(by: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=[*by, "from_slot", "to_slot", "slots", "missed", "verdict"])
