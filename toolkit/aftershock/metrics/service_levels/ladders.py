"""`retry_ladder`: what retries really add, from the attempts that a log shows, beside what independent attempts would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

_ATTEMPTS: Final = 1024


@dataclass(frozen=True)
class RetryLadder:
    """What `retry_ladder` gives: `table` with a row per group and attempt number; the fields are about all groups together.

    `first` is the share of roots whose first attempt went well, `observed` the share that went well in the end, `independent` what the first
    share would give with as many attempts if each were a new throw of the dice. `n` counts roots,
    `left_out` the runs that are no attempt of one: of other roles, cancelled, skipped, unfinished or unknown.
    """

    table: pd.DataFrame = field(repr=False, compare=False)
    n: int
    first: float | None
    observed: float | None
    independent: float | None
    retried: int
    level: float
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The share of roots that went well in the end, with Wilson's interval."""
        return wilson(round((self.observed or 0.0) * self.n), self.n, self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def retry_ladder(
    runs: ir.Table, *, by: Sequence[str] = (), roles: Sequence[str] = ("work",), level: float = 0.95
) -> RetryLadder:
    """Attempt by attempt: how many were made, and which share failed given that all before had failed.

    A row per group of `by` and attempt number (1 is the first): n (attempts), failures, conditional_failure with low, high (Wilson), and
    reliability, the share of roots that went well by then: 1 - product of the conditional failures for roots that were retried as these were.
    Attempts that were cancelled or have not ended, and other roles, do not count; a root's attempts are taken in the order of time.

    Where roots give up after a failure, `reliability` says what the ladder could reach had all gone on; `observed` says what it did.

    Raises: UnknownColumnError, UnknownNameError for a role.
    Source: the chain rule of probability; Wilson (1927) JASA 22:209.
    """
    by, roles = named(by), named(roles)
    ends = _ends(runs, list(by), roles)
    counted = ends.group_by([*by, "attempts"]).aggregate(roots=ends.count(), failures=ends.failed.ifelse(1, 0).sum())
    frame = counted.execute()
    table, whole = _rungs(frame, list(by), level), _rungs(frame, [], level)
    n, lost = int(frame["roots"].sum()), int(frame["failures"].sum())
    left_out = int(runs.count().execute()) - int(whole["n"].sum())
    if n == 0:
        return RetryLadder(table, 0, None, None, None, 0, level, left_out)
    first = 1 - float(whole["conditional_failure"].iloc[0])
    retried = int(whole["n"].iloc[1]) if len(whole) > 1 else 0
    independent = 1 - _lost_if_independent(whole, 1 - first)
    return RetryLadder(table, n, first, (n - lost) / n, independent, retried, level, left_out)


def _ends(runs: ir.Table, by: list[str], roles: Sequence[str]) -> ir.Table:
    """A row per root: how many of its attempts count, and whether the last of them failed."""
    check_groups(runs, by, roles)
    units = dated(runs)
    units = units.filter(units.status.isin(COUNTED), units.role.isin(list(roles)))
    # Moment (to the second), attempt and outcome in one whole number: its maximum is the last attempt, its parity how that went.
    moment = units.moment.epoch_seconds().cast("int64").fill_null(0)
    attempt = ibis.least(ibis.greatest(units.attempt.fill_null(1), 0), _ATTEMPTS - 1).cast("int64")
    key = (moment * _ATTEMPTS + attempt) * 2 + units.status.isin(FAILURES).ifelse(0, 1)
    keyed = units.select(*by, root=ibis.coalesce(units.root_run_id, units.run_id), key=key)
    rooted: Any = keyed.group_by([*by, "root"]).aggregate(last=keyed.key.max(), attempts=keyed.count())
    return rooted.mutate(failed=rooted["last"] % 2 == 0)


def _lost_if_independent(whole: pd.DataFrame, q: float) -> float:
    """The share of roots that fails in the end if every attempt fails as the first does, and as many go on after a failure as did."""
    tried, failed = whole["n"].tolist(), whole["failures"].tolist()
    still, lost = 1.0, 0.0
    for place in range(len(tried)):
        still *= q
        goes_on = min(tried[place + 1] / failed[place], 1.0) if place + 1 < len(tried) and failed[place] else 0.0
        lost += still * (1 - goes_on)
        still *= goes_on
    return lost


def _rungs(frame: pd.DataFrame, by: list[str], level: float) -> pd.DataFrame:
    import pandas as pd

    groups = frame.groupby(by, sort=True, dropna=False) if by else [((), frame)]
    rows: list[dict[str, Any]] = []
    for key, group in groups:
        names = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        left = 1.0
        for attempt in range(1, int(group["attempts"].max()) + 1 if len(group) else 1):
            reached = group[group["attempts"] >= attempt]
            # A root with more attempts failed at this one: else nobody would have tried again.
            n = int(reached["roots"].sum())
            here = group[group["attempts"] == attempt]
            failures = n - int(here["roots"].sum()) + int(here["failures"].sum())
            one = wilson(failures, n, level)
            left *= one.estimate or 0.0
            values = {"attempt": attempt, "n": n, "failures": failures, "conditional_failure": one.estimate}
            rows.append({**names, **values, "low": one.low, "high": one.high, "reliability": 1 - left})
    columns = [*by, "attempt", "n", "failures", "conditional_failure", "low", "high", "reliability"]
    return pd.DataFrame(rows, columns=columns)
