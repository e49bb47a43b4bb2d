"""Since when whose failure rate is another, and which versions or recorded changes began where the change may lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aftershock.charts.failure_rate import Mark
from aftershock.metrics import benjamini_hochberg, changes_inside, failure_changes
from aftershock.reports.blocks.changes import Began, Rate, Shift
from aftershock.reports.blocks.markup import percent
from aftershock.reports.views.pictures import within

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics import FailureChanges
    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope

_BY: Final = ("client", "automation_id", "automation", "tool")
_FALSE: Final = 0.05
_ID: Final = 12


@dataclass(frozen=True)
class Shifts:
    """`sure`: those with a q-value of at most 5 % among all `n` automations; `unsure`: the rest. `left_out`: too few days to tell."""

    sure: list[Shift]
    unsure: list[Shift]
    n: int
    left_out: int


def shifts_of(scope: Scope, stretch: Period) -> Shifts:
    """The changes of each automation's failure rate, retries taken together; a bad day counts as one that ended.

    A client's automations by that client's runs alone. Those that stand come first, then those that ended last.
    """
    # One day is enough: an outage of a day is dated as such, and not smeared over its neighbour.
    found = failure_changes(scope.runs, stretch, by=_BY, min_segment=1)
    spells = _tested(found)
    # Automations without any change were looked at too: they stand in the family with p = 1.
    still = max(found.n - len({(one.client, one.automation_id, one.automation, one.tool) for one in spells}), 0)
    q = benjamini_hochberg([*(one.p_value for one in spells), *(1.0,) * still]).q_values
    began, versioned = _began(scope, found.table, stretch)
    whole = [
        replace(
            one,
            q_value=float(each if each is not None else 1.0),
            began=tuple(began.get((one.automation_id, one.on), ())),
            versioned=one.automation_id in versioned,
        )
        for one, each in zip(spells, q, strict=False)
    ]
    sure, unsure = ([one for one in whole if (one.q_value <= _FALSE) is stands] for stands in (True, False))
    return Shifts(_ordered(sure), _ordered(unsure), found.n, found.left_out)


def shifts_of_all(scope: Scope, stretch: Period) -> list[Shift]:
    """When the rate of all this work together changed, where it surely did: for two days at least, a day is the list's business."""
    found = failure_changes(scope.runs, stretch, by=())
    return [replace(one, q_value=one.p_value) for one in _tested(found) if one.p_value <= _FALSE]


def marks_of(whole: list[Shift], shifts: Shifts, *, versions: bool) -> list[Mark]:
    """The changes of the whole as marks of the chart; with `versions` also each version that alone fits a change of one automation."""
    marks = [
        Mark(one.on, f"{percent(one.before.share)} to {percent(one.since.share)}", "change", one.first, one.last)
        for one in whole
    ]
    alone = [shift.began[0] for shift in shifts.sure if versions and len(shift.began) == 1]
    days = sorted({began.on for began in alone if began.what == "version"})
    return marks + [Mark(on, "new version", "version") for on in days]


def _tested(found: FailureChanges) -> list[Shift]:
    """The spells of all groups, each with the p-value of its rate against that of all its other days.

    Fisher's exact test, times the number of stretches of days that might have been picked out (Bonferroni): so it holds for the one
    that was, however many changes there are.
    """
    from scipy.stats import fisher_exact

    names = [name for name in _BY if name in found.table.columns]
    parts = [rows for _, rows in found.table.groupby(names, dropna=False)] if names else [found.table]
    totals = {_key(row): row for row in found.groups.to_dict("records")}
    spells = []
    for rows in parts:
        for row, one in zip(rows.to_dict("records"), _spells(rows), strict=False):
            total = totals[_key(row)]
            bad = round(one.since.share * one.since.n)
            others = int(total["failures"]) - bad, int(total["n"]) - one.since.n
            p = fisher_exact([[bad, one.since.n - bad], [others[0], others[1] - others[0]]]).pvalue
            stretches = int(total["days"]) * (int(total["days"]) + 1) / 2
            spells.append(replace(one, p_value=min(1.0, float(p) * stretches)))
    return spells


def _spells(rows: pd.DataFrame) -> list[Shift]:
    """The changes of one group: a rise and the fall that follows it are one, which ended."""
    found: list[Shift] = []
    for row in rows.sort_values("day").to_dict("records"):
        shift = _shift(row)
        if found and found[-1].until is None:
            found[-1] = replace(found[-1], until=shift.on, then=shift.since)
            if (found[-1].direction, shift.direction) == ("rose", "fell"):
                continue
        found.append(shift)
    return found


def _key(row: dict[str, Any]) -> tuple[str | None, ...]:
    """Which group a row is of."""
    return tuple(_text(row.get(name)) for name in _BY)


def _shift(row: dict[str, Any]) -> Shift:
    before, since = (_rate(row, side) for side in ("before", "after"))
    return Shift(
        automation=_text(row.get("automation")) or "without a name",
        automation_id=_text(row.get("automation_id")) or "",
        client=_text(row.get("client")),
        tool=_text(row.get("tool")) or "",
        direction=row["direction"],
        on=row["day"],
        first=row["low_day"],
        last=row["high_day"],
        before=before,
        since=since,
    )


def _rate(row: dict[str, Any], side: str) -> Rate:
    share, low, high = (float(row[f"{side}{end}"]) for end in ("", "_low", "_high"))
    return Rate(share, low, high, int(row[f"n_{side}"]))


def _ordered(shifts: list[Shift]) -> list[Shift]:
    """Standing rises by how far, then rises that ended, the latest first, then falls."""
    return sorted(
        shifts,
        key=lambda one: (
            one.direction == "fell",
            not one.stands,
            -abs(one.since.share - one.before.share) if one.stands else -one.on.toordinal(),
            one.automation,
        ),
    )


def _began(scope: Scope, found: pd.DataFrame, stretch: Period) -> tuple[dict[tuple[str, Any], list[Began]], set[str]]:
    """(automation_id, day of the change) -> what began where the change may lie, nearest first; and whose logs name versions."""
    import pandas as pd

    if found.empty:
        return {}, set()
    ids = sorted({str(name) for name in found["automation_id"].dropna()})
    recorded = scope.ledger.changes
    recorded = recorded.filter(recorded.automation_id.isin(ids), recorded.at.notnull(), stretch.holds(recorded.at))
    of_record = recorded.select("automation_id", "at", "version", "kind", "title").execute()
    versions = _versions(scope, ids, stretch)
    # The version with which the log begins did not begin then.
    later = versions[versions.duplicated("automation_id")]
    both = pd.concat([later, of_record.astype(later.dtypes)], ignore_index=True)
    changes = found[["automation_id", "day", "low_day", "high_day"]].drop_duplicates()
    pairs = changes_inside(changes, both, on="automation_id", time_zone=stretch.time_zone)
    result: dict[tuple[str, Any], list[Began]] = {}
    for row in pairs.to_dict("records"):
        on = row["at"].tz_convert(stretch.time_zone).date()
        version = _text(row["version"])
        began = (
            Began("version", version[:_ID], on)
            if version
            else Began("change", _said(row, quoted=scope.client is None), on)
        )
        listed = result.setdefault((row["automation_id"], row["day"]), [])
        if began.text not in {one.text for one in listed}:
            listed.append(began)
    return result, set(versions["automation_id"])


def _versions(scope: Scope, ids: list[str], stretch: Period) -> pd.DataFrame:
    """When each version of these automations ran first, in order."""
    runs = within(scope.runs, stretch)
    runs = runs.filter(runs.automation_id.isin(ids), runs.role == "work", runs.version.notnull())
    firsts = runs.group_by(["automation_id", "version"]).aggregate(at=runs.moment.min())
    rows: pd.DataFrame = firsts.order_by(["automation_id", "at", "version"]).execute()
    return rows.assign(kind="", title="")


def _said(row: dict[str, Any], *, quoted: bool) -> str:
    """What was changed. A client's page does not quote it: what somebody wrote may be about others."""
    return (_text(row["title"] if quoted else None) or _text(row["kind"]) or "on record")[:60]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
