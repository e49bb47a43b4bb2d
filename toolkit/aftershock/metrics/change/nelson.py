"""Run rules on a control chart: patterns inside the limits, and what looking for them costs in false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aftershock.metrics.change.control_chart import Flags, Floats, check_width, numbers

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

# Samples between false alarms when nothing changed and values are normal and independent. Western Electric's and rule 1's:
# Champ and Woodall (1987), which the tests recompute.
FALSE_ALARM_EVERY: Final = {(1,): 370.4, (1, 2, 5, 6): 91.75}
WESTERN_ELECTRIC: Final = (1, 2, 5, 6)
MEANINGS: Final = {
    1: "one beyond 3 standard deviations",
    2: "{side} in a row on one side of the centre",
    3: "six in a row rising or falling",
    4: "fourteen in a row up and down in turn",
    5: "two of three beyond 2 standard deviations on one side",
    6: "four of five beyond 1 standard deviation on one side",
    7: "fifteen in a row within 1 standard deviation",
    8: "eight in a row beyond 1 standard deviation, either side",
}


@dataclass(frozen=True)
class RunRules:
    """Where patterns were completed. `table`: sample (from 1), rule, meaning; a row per sample and rule.

    `signals` are the samples, `false_alarm_every` how many samples lie between two false alarms of these rules together where that
    is published, else null. `n` counts the values; `interval` is null.
    """

    rules: tuple[int, ...]
    signals: tuple[int, ...]
    false_alarm_every: float | None
    n: int
    left_out: int = 0
    interval: Interval | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def run_rules(
    values: Any, *, centre: float, sigma: float, rules: Sequence[int] = WESTERN_ELECTRIC, side: int = 8
) -> RunRules:
    """Nelson's eight rules, by number, on values with a known centre and standard deviation; default: Western Electric's four.

    Each further rule finds small shifts sooner and cries wolf more often: rule 1 alone signals falsely once in 370 samples, the four
    of Western Electric together once in 92. `side` is rule 2's length: 8 in Western Electric's book, 9 in Nelson's paper. For
    charts with limits that vary pass standardised values with centre 0 and sigma 1.

    Raises: ValueError for an unknown rule, a sigma that is not positive, a value that is no finite number.
    Source: Nelson (1984) J Quality Technology 16:237; Champ and Woodall (1987) Technometrics 29:393.
    """
    import pandas as pd

    check_width(sigma, "sigma")
    unknown = [rule for rule in rules if rule not in MEANINGS]
    if unknown:
        raise ValueError(f"rules: {unknown[0]!r}: write numbers from 1 to 8")
    z = (numbers(values, "values") - centre) / sigma
    asked = tuple(sorted(set(rules)))
    found = [
        (int(at) + 1, rule, MEANINGS[rule].format(side=side))
        for rule in asked
        for at in np.flatnonzero(_rule(z, rule, side))
    ]
    table = pd.DataFrame(sorted(found), columns=["sample", "rule", "meaning"])
    cost = FALSE_ALARM_EVERY.get(asked) if side == 8 or 2 not in asked else None
    return RunRules(asked, tuple(sorted({row[0] for row in found})), cost, len(z), table=table)


def _rule(z: Floats, rule: int, side: int) -> Flags:
    if rule == 1:
        return np.abs(z) > 3
    if rule == 2:
        return _either(lambda s: _of_last(s > 0, side, side), z)
    if rule == 3:
        steps = np.diff(z, prepend=np.nan)
        return _of_last(steps > 0, 5, 5) | _of_last(steps < 0, 5, 5)
    if rule == 4:
        steps = np.diff(z, prepend=np.nan)
        turns = np.concatenate([[False], steps[1:] * steps[:-1] < 0]) if len(z) else np.zeros(0, dtype=bool)
        return _of_last(turns, 12, 12)
    if rule == 5:
        return _either(lambda s: _of_last(s > 2, 2, 3) & (s > 2), z)
    if rule == 6:
        return _either(lambda s: _of_last(s > 1, 4, 5) & (s > 1), z)
    if rule == 7:
        return _of_last(np.abs(z) < 1, 15, 15)
    return _of_last(np.abs(z) > 1, 8, 8)


def _either(test: Any, z: Floats) -> Flags:
    return np.asarray(test(z) | test(-z))


def _of_last(flags: Flags, least: int, last: int) -> Flags:
    """Whether at least `least` of the `last` values up to each one are flagged."""
    sums = np.concatenate([[0], np.cumsum(flags)])
    start = np.maximum(np.arange(1, len(flags) + 1) - last, 0)
    return np.asarray(sums[1:] - sums[start] >= least)
