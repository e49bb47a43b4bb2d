"""`flakiness`: which automations fail and pass on one and the same version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.behaviour.flips import check_decay
from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

# Jeffreys' prior for a share: Beta(1/2, 1/2).
JEFFREYS: Final = 0.5


@dataclass(frozen=True, repr=False)
class Flakiness(Told):
    """What `flakiness` gives. `table` is lazy; the bounds of the posterior are added when it is fetched."""

    table: ir.Table
    level: float
    runs: ir.Table = field(repr=False, compare=False)

    @cached_property
    def n(self) -> int:
        """How many runs are judged."""
        return int(self.table.n.sum().fill_null(0).execute())

    @cached_property
    def left_out(self) -> int:
        """Runs of other roles, without a counted status, without a time, or without a version."""
        return int(self.runs.count().execute()) - self.n

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched, with `low` and `high` of the posterior: equal tails."""
        from scipy.stats import beta

        frame = self.table.execute()
        a = frame.good_failures.to_numpy(dtype="float64") + JEFFREYS
        b = frame.good_n.to_numpy(dtype="float64") - frame.good_failures.to_numpy(dtype="float64") + JEFFREYS
        tail = (1 - self.level) / 2
        known = (frame.good_n > 0).to_numpy()
        frame["low"], frame["high"] = beta.ppf(tail, a, b), beta.ppf(1 - tail, a, b)
        return frame.assign(low=frame.low.where(known), high=frame.high.where(known))


def flakiness(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    version: Sequence[str] = ("version",),
    decay: float = 0.1,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> Flakiness:
    """How often outcomes flip within one version, and how often a run fails though its version is fine.

    One row per group of `by`; reads status, role, started_at (else queued_at, ended_at), attempt, run_id, root_run_id and the
    columns of `version`: what tells one state of code, configuration and input from the next (`version=()`: there is but one).
    Counts runs that ended and were not cancelled or skipped; runs without a time or a version are left out.

    n, failures, versions; judged_versions (with two runs or more: the four below are of them, null where there is none);
    flips, steps (successive pairs of runs of one version: what could flip);
    flip_rate and entropy (bits): the mean over versions; decayed_flip_rate and decayed_entropy: each older version weighs
    (1 - decay) times the next newer one. Versions stand in the order of their newest run.

    p_fail_good: posterior mean of P(a run fails | its version is in a good state), with credible bounds low and high in
    `to_pandas()`. Good is what passed: good_n counts all runs of roots (a run with its retries) that passed at least once on
    that version, good_failures those of them that failed. Jeffreys' prior Beta(1/2, 1/2); null where good_n is 0. Roots that
    never passed say nothing about a good state: with few attempts allowed, some were only unlucky, and the true value is a
    little higher.

    Raises: UnknownColumnError; UnknownNameError for an unknown role; ValueError for a level outside (0, 1) or a decay outside [0, 1).
    Source: Kowalczyk and others (2020) ICSE-SEIP (flip rate, entropy, decay); Machalica and others (2020), "Probabilistic
    flakiness" at Meta (the idea of P(fail | good state); here a plain Beta posterior).
    """
    by, version, roles = named(by), named(version), named(roles)
    _check(runs, [*by, *version], decay, level, roles)
    outcomes = _outcomes(runs, list(by), list(version), roles)
    group = [f"by_{i}" for i in range(len(by))]
    state = [*group, *(f"version_{i}" for i in range(len(version)))]
    table = _over_versions(_per_version(outcomes, state), group, decay)
    good = _good_failures(outcomes, group, state)
    same = [table[name].identical_to(good[name]) for name in group]
    table = table.left_join(good, same) if group else table.cross_join(good)
    failures = table.good_failures.fill_null(0)
    good_n = table.n - table.failures + failures
    mean = (failures.cast("float64") + JEFFREYS) / (good_n.cast("float64") + 2 * JEFFREYS)
    names = ("n", "failures", "versions", "judged_versions", "flips", "steps", "flip_rate", "entropy")
    table = table.select(
        **{name: table[column] for name, column in zip(by, group, strict=True)},
        **{name: table[name] for name in (*names, "decayed_flip_rate", "decayed_entropy")},
        good_n=good_n,
        good_failures=failures,
        p_fail_good=(good_n == 0).ifelse(ibis.null("float64"), mean),
    )
    return Flakiness(table.order_by(list(by)) if by else table, level, runs)


def _outcomes(runs: ir.Table, by: list[str], version: list[str], roles: Sequence[str]) -> ir.Table:
    """The runs that count, with nothing but what is read: under names that cannot meet those of a caller."""
    units = dated(runs)
    counts = [units.role.isin(list(roles)), units.status.isin(COUNTED), units.moment.notnull()]
    units = units.filter(*counts, *(units[name].notnull() for name in version))
    return units.select(
        **{f"by_{i}": units[name] for i, name in enumerate(by)},
        **{f"version_{i}": units[name] for i, name in enumerate(version)},
        moment=units.moment,
        attempt=units.attempt,
        run_id=units.run_id,
        root=ibis.coalesce(units.root_run_id, units.run_id),
        failed=units.status.isin(FAILURES),
    )


def _per_version(outcomes: ir.Table, state: list[str]) -> ir.Table:
    """A row per group and version: runs, failures, flips and the newest moment."""
    turn: Any = ibis.window(group_by=state or None, order_by=["moment", "attempt", "run_id"])
    stepped = outcomes.mutate(before=outcomes.failed.lag().over(turn))
    counts = {
        "n": stepped.count(),
        "failures": stepped.count(where=stepped.failed),
        "flips": stepped.count(where=(stepped.before != stepped.failed).fill_null(False)),
        "newest": stepped.moment.max(),
    }
    return stepped.group_by(state).aggregate(**counts) if state else stepped.aggregate(**counts)


def _over_versions(versions: ir.Table, group: list[str], decay: float) -> ir.Table:
    """A row per group: sums, and means of what each version with two runs or more says."""
    n, failed = versions.n.cast("float64"), versions.failures.cast("float64")
    share = failed / n.nullif(0.0)
    judged = versions.n > 1
    none = ibis.null("float64")
    bits = ibis.cases(((versions.failures == 0) | (versions.failures == versions.n), 0.0), else_=_bits(share))
    versions = versions.mutate(
        judged=judged.cast("int64"),
        flip_rate=judged.ifelse(versions.flips.cast("float64") / (n - 1).nullif(0.0), none),
        entropy=judged.ifelse(bits, none),
    )
    ties = [name for name in versions.columns if name.startswith("version_")]
    newest_first = [ibis.desc("newest"), *(ibis.desc(name) for name in ties)]
    so_far: Any = ibis.window(group_by=group or None, order_by=newest_first, preceding=None, following=0)
    age = versions.judged.sum().over(so_far) - 1
    weight = ibis.literal(1 - decay, type="float64") ** age.cast("float64")
    versions = versions.mutate(weight=(versions.judged == 1).ifelse(weight, none))
    total = versions.weight.sum()
    sums = {
        "n": versions.n.sum().fill_null(0),
        "failures": versions.failures.sum().fill_null(0),
        "versions": versions.count(where=versions.n > 0),
        "judged_versions": versions.judged.sum().fill_null(0),
        "flips": versions.flips.sum().fill_null(0),
        "steps": (versions.n - 1).sum(where=versions.n > 0).fill_null(0),
        "flip_rate": versions.flip_rate.mean(),
        "entropy": versions.entropy.mean(),
        "decayed_flip_rate": (versions.weight * versions.flip_rate).sum() / total,
        "decayed_entropy": (versions.weight * versions.entropy).sum() / total,
    }
    return versions.group_by(group).aggregate(**sums) if group else versions.aggregate(**sums)


def _bits(share: ir.FloatingValue) -> ir.FloatingValue:
    return -(share * share.log2() + (1 - share) * (1 - share).log2())


def _good_failures(outcomes: ir.Table, group: list[str], state: list[str]) -> ir.Table:
    """A row per group: failed runs whose root passed on the same version.

    Few runs fail. Only passed runs of roots that have a failure are looked at: every other join would meet all runs.
    """
    keys = [*state, "root"]
    failed = outcomes.filter(outcomes.failed).select(*keys)
    passed = outcomes.filter(~outcomes.failed).select(*keys)
    rescued = passed.semi_join(failed, [passed.root == failed.root]).distinct()
    same = [failed[name].identical_to(rescued[name]) for name in group]
    same += [failed[name] == rescued[name] for name in keys if name not in group]
    kept = failed.semi_join(rescued, same)
    return (
        kept.group_by(group).aggregate(good_failures=kept.count())
        if group
        else kept.aggregate(good_failures=kept.count())
    )


def _check(runs: ir.Table, columns: Sequence[str], decay: float, level: float, roles: Sequence[str]) -> None:
    check_groups(runs, columns, roles)
    check_decay(decay)
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
