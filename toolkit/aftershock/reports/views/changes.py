"""Since when whose failure rate is another, and which versions or recorded changes began where the change may lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aftershock.charts.failure_rate import Mark
from aftershock.metrics import changes_inside, failure_changes
from aftershock.reports.blocks.changes import Began, Rate, Shift
from aftershock.reports.blocks.markup import percent
from aftershock.reports.views.pictures import within

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope

_BY: Final = ("client", "automation_id", "automation", "tool")
# Most automations keep their rate for six weeks: with even odds beforehand every tenth of those would look changed.
_SHARE_THAT_CHANGES: Final = 0.2
_FALSE: Final = 0.05
_SURE: Final = 0.95
_ID: Final = 12


@dataclass(frozen=True)
class Shifts:
    """`sure`: so many that at most a twentieth of them is expected to be chance (`false_share`); `unsure`: the rest."""

    sure: list[Shift]
    unsure: list[Shift]
    n: int
    left_out: int
    false_share: float


def shifts_of(scope: Scope, stretch: Period) -> Shifts:
    """The changes of each automation's failure rate, retries taken together; a bad day counts as one that ended.

    A client's automations by that client's runs alone. Those that stand come first, then those that ended last.
    """
    # One day is enough: an outage of a day is dated as such, and not smeared over its neighbour.
    found = failure_changes(scope.runs, stretch, by=_BY, min_segment=1, prior_change=_SHARE_THAT_CHANGES)
    groups = [_spells(rows) for _, rows in found.table.groupby(list(_BY), sort=True, dropna=False)]
    groups.sort(key=lambda spells: -spells[0].probability)
    sure, expected = 0, 0.0
    for place, spells in enumerate(groups, start=1):
        expected += 1 - spells[0].probability
        sure = place if expected / place <= _FALSE else sure
    false_share = sum(1 - spells[0].probability for spells in groups[:sure]) / sure if sure else 0.0
    began, versioned = _began(scope, found.table, stretch)
    flat = [
        [
            replace(
                shift,
                began=tuple(began.get((shift.automation_id, shift.on), ())),
                versioned=shift.automation_id in versioned,
            )
            for spells in part
            for shift in spells
        ]
        for part in (groups[:sure], groups[sure:])
    ]
    return Shifts(_ordered(flat[0]), _ordered(flat[1]), found.n, found.left_out, false_share)


def shifts_of_all(scope: Scope, stretch: Period) -> list[Shift]:
    """When the rate of all this work together changed, where it surely did: for two days at least, a day is the list's business."""
    found = failure_changes(scope.runs, stretch, by=(), prior_change=_SHARE_THAT_CHANGES).table
    return [one for one in _spells(found) if one.probability >= _SURE]


def marks_of(whole: list[Shift], shifts: Shifts, *, versions: bool) -> list[Mark]:
    """The changes of the whole as marks of the chart; with `versions` also each version that alone fits a change of one automation."""
    marks = [
        Mark(one.on, f"{percent(one.before.share)} to {percent(one.since.share)}", "change", one.first, one.last)
        for one in whole
    ]
    alone = [shift.began[0] for shift in shifts.sure if versions and len(shift.began) == 1]
    days = sorted({began.on for began in alone if began.what == "version"})
    return marks + [Mark(on, "new version", "version") for on in days]


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
        probability=float(row["probability"]),
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
        began = Began("version", version[:_ID], on) if version else Began("change", _said(row), on)
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


def _said(row: dict[str, Any]) -> str:
    return (_text(row["title"]) or _text(row["kind"]) or "on record")[:60]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
