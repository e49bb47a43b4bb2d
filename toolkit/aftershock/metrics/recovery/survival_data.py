"""Times to an event as arrays: checked, and folded into a row per distinct time with who was at risk."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Durations:
    """Checked times: when each unit came under observation, when it left it, and whether it left by the event."""

    entry: Floats
    exit: Floats
    observed: Flags
    left_out: int
    kept: Flags

    def __len__(self) -> int:
        return len(self.exit)

    def of(self, rows: Any) -> Durations:
        """Some of the rows, by mask or place."""
        return Durations(self.entry[rows], self.exit[rows], self.observed[rows], 0, np.ones(len(self.exit[rows]), bool))


@dataclass(frozen=True)
class RiskTable:
    """A row per distinct time at which somebody left: how many were at risk just before, had the event, were censored."""

    time: Floats
    at_risk: Floats
    events: Floats
    censored: Floats


def durations_of(durations: Any, observed: Any = None, entry: Any = None) -> Durations:
    """Sequences as checked arrays. Rows without a duration are left out and counted.

    Raises: ValueError for a negative or endless duration, for an entry after the exit, and for sequences of unequal lengths.
    """
    exits = floats_of("durations", durations)
    flags = np.ones(len(exits), bool) if observed is None else flags_of("observed", observed, len(exits))
    entries = np.zeros(len(exits)) if entry is None else floats_of("entry", entry, len(exits))
    kept = ~(np.isnan(exits) | np.isnan(entries))
    for name, values in (("durations", exits), ("entry", entries)):
        wrong = np.flatnonzero(kept & ((values < 0) | np.isinf(values)))
        if len(wrong):
            raise ValueError(f"{name}[{wrong[0]}]: {values[wrong[0]]}: write a time of 0 or more")
    if entry is not None:
        late = np.flatnonzero(kept & (entries >= exits))
        if len(late):
            place = late[0]
            raise ValueError(f"entry[{place}]: {entries[place]} is not before the exit at {exits[place]}")
    return Durations(entries[kept], exits[kept], flags[kept], int((~kept).sum()), kept)


def floats_of(name: str, values: Any, n: int | None = None) -> Floats:
    """Any sequence of numbers as floats; None and NaN become NaN."""
    try:
        found = np.array([np.nan if _is_missing(value) else float(value) for value in values], dtype=np.float64)
    except TypeError as wrong:
        raise ValueError(f"{name}: {wrong}: write plain numbers (of spans of time: .dt.total_seconds())") from None
    _same_length(name, len(found), n)
    return found


def flags_of(name: str, values: Any, n: int) -> Flags:
    """Any sequence of True/False or 1/0 as booleans."""
    found = list(values)
    _same_length(name, len(found), n)
    for place, value in enumerate(found):
        if _is_missing(value) or value not in (0, 1):
            raise ValueError(f"{name}[{place}]: {value!r}: write True where the event was seen, False where not yet")
    return np.array([bool(value) for value in found], dtype=np.bool_)


def labels_of(name: str, values: Any, n: int) -> list[Hashable]:
    """Any sequence of labels; numpy's scalars become plain ones."""
    found = [value.item() if isinstance(value, np.generic) else value for value in values]
    _same_length(name, len(found), n)
    return [None if _is_missing(value) else value for value in found]


def coded(labels: Sequence[Hashable]) -> tuple[list[Hashable], Places]:
    """(the distinct labels in their order, the place of each row's label among them)."""
    try:
        distinct = sorted(set(labels))  # type: ignore[type-var]
    except TypeError:  # labels of several kinds have no order of their own
        distinct = sorted(set(labels), key=lambda label: (type(label).__name__, str(label)))
    place = {label: number for number, label in enumerate(distinct)}
    return distinct, np.array([place[label] for label in labels], dtype=np.int64)


def risk_table(data: Durations) -> RiskTable:
    """Who was at risk at each distinct exit. At risk at t: entered before t and did not leave before t."""
    time, place = np.unique(data.exit, return_inverse=True)
    events = np.bincount(place, weights=data.observed, minlength=len(time))
    left = np.bincount(place, minlength=len(time)).astype(np.float64)
    return RiskTable(time, at_risk(data, time), events.astype(np.float64), left - events)


def at_risk(data: Durations, time: Floats) -> Floats:
    """How many were at risk just before each time. Who is there from 0 on is at risk at time 0 as well."""
    here = len(data) - np.searchsorted(np.sort(data.exit), time, side="left")
    late = data.entry[data.entry > 0]
    not_yet = len(late) - np.searchsorted(np.sort(late), time, side="left")
    return np.asarray(here - not_yet, dtype=np.float64)


def z_of(level: float) -> float:
    """The two-sided normal quantile.

    Raises: ValueError for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
    return NormalDist().inv_cdf((1 + level) / 2)


def number(value: Any) -> float | None:
    """A plain float; None where it is not a number."""
    return float(value) if np.isfinite(value) else None


def one_of(name: str, value: str, known: Sequence[str]) -> None:
    """Raises: ValueError with the words there are."""
    if value not in known:
        raise ValueError(f"{name}: {value!r}: write one of {', '.join(known)}")


def _is_missing(value: Any) -> bool:
    # NaN is not itself; pandas' NA answers neither way.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _same_length(name: str, found: int, n: int | None) -> None:
    if n is not None and found != n:
        raise ValueError(f"{name}: {found} values for {n} durations")
