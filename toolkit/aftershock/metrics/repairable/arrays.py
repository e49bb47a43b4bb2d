"""Failure times as they are given: of one system or of several, each with its end of observation, checked and in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Truncation = Literal["time", "failure"]
TRUNCATIONS: Final = ("time", "failure")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class System:
    """One system: its failure times in order, and when its observation began and ended, all on one clock."""

    times: Floats
    end: float
    start: float = 0.0

    @property
    def length(self) -> float:
        """How long it was observed."""
        return self.end - self.start


def systems_of(
    times: Sequence[Any], total_time: float | Sequence[float] | None, truncation: Truncation = "time"
) -> list[System]:
    """One system for a flat sequence of times, one each for a sequence of sequences.

    `total_time` is the end of observation, one for all or one each. Null with failure truncation: the last failure; a system
    without one was then not observed, and is none.

    Raises: ValueError for a time that is missing, not finite, not positive or after the end; for an end that is not positive.
    """
    if truncation not in TRUNCATIONS:
        raise ValueError(f"truncation: {truncation!r}: write 'time' or 'failure'")
    many = [numbers(one, "times") for one in times] if _is_nested(times) else [numbers(times, "times")]
    if total_time is None and truncation == "time":
        raise ValueError("total_time is missing: write until when the system was observed, or truncation='failure'")
    if total_time is None:  # without a failure nothing says how long such a system was observed
        many = [one for one in many if one.size]
    ends = _ends(total_time, many)
    systems = [_checked(one, end) for one, end in zip(many, ends, strict=True)]
    for system in systems if truncation == "failure" else ():
        if system.times.size and system.end > system.times[-1] * (1 + 1e-9):
            raise ValueError(
                f"total_time: {system.end:g} lies after the last failure, {system.times[-1]:g}: that is truncation='time'"
            )
    return systems


def numbers(values: Any, name: str) -> Floats:
    """Any sequence as floats. Raises: ValueError naming the place of a value that is missing or not finite."""
    # pandas' NA is no float; its name tells it without importing pandas.
    array = np.asarray(
        [np.nan if value is None or type(value).__name__ == "NAType" else value for value in values], dtype=np.float64
    )
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}]: {array[bad[0]]!s}: a finite number is needed")
    return array


def level_checked(level: float) -> float:
    """The level itself. Raises: ValueError outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
    return level


def used(system: System, truncation: Truncation) -> Floats:
    """The failures that carry information: where the last failure ended the observation, it is the end and not one of them."""
    return system.times if truncation == "time" else system.times[:-1]


def _is_nested(times: Sequence[Any]) -> bool:
    return len(times) > 0 and all(np.ndim(one) == 1 for one in times)


def _ends(total_time: float | Sequence[float] | None, many: list[Floats]) -> list[float]:
    if total_time is None:
        return [float(one.max()) for one in many]
    if np.ndim(total_time) == 0:
        return [float(total_time)] * len(many)  # type: ignore[arg-type]
    ends: list[float] = numbers(total_time, "total_time").tolist()
    if len(ends) != len(many):
        raise ValueError(f"total_time: {len(ends)} ends for {len(many)} systems: write one for all or one each")
    return ends


def _checked(times: Floats, end: float) -> System:
    if not (np.isfinite(end) and end > 0):
        raise ValueError(f"total_time: {end!r}: write how long the system was observed, above 0")
    if times.size and times.min() <= 0:
        raise ValueError(
            f"times: {times.min():g}: failure times are counted from the start of observation and lie above 0"
        )
    if times.size and times.max() > end * (1 + 1e-12):
        raise ValueError(f"times: {times.max():g} lies after the end of observation, {end:g}")
    return System(np.sort(times), end)
