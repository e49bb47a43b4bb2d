"""`co_failure`: which automations fail together, beyond chance and beyond their common timetable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.behaviour.failure_cells import FailurePairs, failure_pairs, time_bin
from aftershock.metrics.behaviour.week_shifts import FEWEST_WEEKS, Calendar, shifted
from aftershock.metrics.units import dated, named
from aftershock.model import FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval

_COMMON_SHARE = 0.5


@dataclass(frozen=True)
class FailureGroup:
    """Automations that fail together. `bins` counts those in which at least two failed; `shared` names what their failures have in common."""

    automations: tuple[str, ...]
    bins: int
    shared: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """In words."""
        common = "; ".join(f"{column} {value}" for column, value in self.shared)
        return f"{', '.join(self.automations)} fail together" + (f" ({common})" if common else "")


@dataclass(frozen=True)
class CoFailures:
    """What `co_failure` gives: a row per pair in `table`, and the `groups` that pairs beyond chance make.

    `tested` is the family of the q-values: pairs of automations that both failed in at least `min_both` bins.
    """

    table: pd.DataFrame = field(repr=False, compare=False)
    groups: tuple[FailureGroup, ...]
    verdict: str
    tested: int
    weeks: int
    n: int
    left_out: int
    interval: Interval | None = None

    def to_pandas(self) -> pd.DataFrame:
        """A row per pair."""
        return self.table


def co_failure(
    runs: ir.Table,
    *,
    by: str = "automation",
    bin_s: int = 3600,
    min_both: int = 5,
    false_discovery_rate: float = 0.05,
    time_zone: str = "UTC",
    permutations: int = 9999,
    roles: Sequence[str] = ("work",),
    seed: int = 0,
) -> CoFailures:
    """Pairs of automations that fail in the same hours more often than chance and a common timetable explain.

    One row per pair of `failure_pairs`, strongest first: its columns, p_fisher (one-sided) and q_fisher, p_shift and q_shift, verdict.
    Only bins in which both ran count. Fisher's p takes hours as independent; p_shift does not: it compares with arrangements in
    which b's weeks are shifted, each weekday on its own, so hours of the week and runs of bad hours within a day stay. It is
    calculated for pairs with q_fisher within the false discovery rate. q-values (Benjamini-Hochberg) stand for all pairs that
    could have been tested. verdict: `together`, `shared timetable or spells` (Fisher alone), `no more than chance`, `cannot tell` (under 4 weeks).

    `groups` are connected pairs; `shared` names a fingerprint, error type, source or tool that at least half of each member's failures in
    common bins have. Raises: as `failure_pairs`.
    Source: Fisher (1935) J R Stat Soc 98:39; Benjamini and Hochberg (1995) J R Stat Soc B 57:289; circular shifts: Lancaster et al. (2018) Phys Rep 748:1;
    p-values with one added: Phipson and Smyth (2010) Stat Appl Genet 9:39.
    """
    roles = named(roles)
    pairs = failure_pairs(runs, by=by, bin_s=bin_s, min_both=min_both, roles=roles)
    table = pairs.to_pandas()
    failing = pairs.cells.group_by("who").aggregate(bad=(pairs.cells.failures > 0).sum())
    able = int(failing.filter(failing.bad >= min_both).count().execute())
    tested = able * (able - 1) // 2
    table["p_fisher"] = _fisher(table)
    table["q_fisher"] = adjusted(table["p_fisher"].to_numpy(), tested)
    asked = table["q_fisher"].to_numpy() <= false_discovery_rate
    table["p_shift"], weeks = _shifts(table, asked, pairs, time_zone, permutations, seed)
    known = table["p_shift"].notna().to_numpy()
    table["q_shift"] = np.where(known, adjusted(table["p_shift"].fillna(1.0).to_numpy(), tested), np.nan)
    table["verdict"] = [
        _word(bool(fisher), shift, false_discovery_rate) for fisher, shift in zip(asked, table["q_shift"], strict=True)
    ]
    table = table.sort_values(["p_shift", "p_fisher", "a", "b"], ignore_index=True)
    sure = table[table["verdict"] == "together"]
    groups = _groups(runs, sure, by, bin_s, roles)
    return CoFailures(table, groups, _verdict(table, groups), tested, weeks, pairs.n, pairs.left_out)


def adjusted(p: np.ndarray, tested: int) -> np.ndarray:
    """q-values of Benjamini and Hochberg where `tested` hypotheses were there and those without a p have none below these."""
    if not len(p):
        return p
    order = np.argsort(p)
    ranked = p[order] * max(tested, len(p)) / np.arange(1, len(p) + 1)
    q = np.empty_like(ranked)
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q


def _fisher(table: pd.DataFrame) -> np.ndarray:
    from scipy.stats import hypergeom

    n, a, b, both = (table[name].to_numpy(dtype=np.int64) for name in ("n", "a_failed", "b_failed", "both"))
    return np.asarray(hypergeom.sf(both - 1, n, a, b)) if len(table) else np.zeros(0)


def _shifts(
    table: pd.DataFrame, asked: np.ndarray, pairs: FailurePairs, time_zone: str, permutations: int, seed: int
) -> tuple[np.ndarray, int]:
    """p-values of the pairs asked for, and over how many weeks."""
    p = np.full(len(table), np.nan)
    chosen = table[asked]
    span = pairs.cells.aggregate(first=pairs.cells.bin.min(), last=pairs.cells.bin.max()).execute()
    if span["first"].isna().iloc[0]:
        return p, 0
    ends = span.iloc[0].to_numpy(dtype=np.int64)
    calendar = Calendar.spanning(ends, pairs.bin_s, time_zone)
    names = sorted({*chosen["a"], *chosen["b"]})
    if not names or calendar.weeks < FEWEST_WEEKS:
        return p, calendar.weeks
    cells = pairs.cells.filter(pairs.cells.who.isin(names)).execute()
    grids = {
        name: (calendar.grid(own["bin"].to_numpy()), calendar.grid(own.loc[own["failures"] > 0, "bin"].to_numpy()))
        for name, own in cells.groupby("who")
    }
    for at, a, b in zip(np.flatnonzero(asked), chosen["a"], chosen["b"], strict=True):
        p[at] = shifted(*grids[a], *grids[b]).p_value([seed], permutations)
    return p, calendar.weeks


def _word(fisher: bool, shift: float, rate: float) -> str:
    if not fisher:
        return "no more than chance"
    if np.isnan(shift):
        return "cannot tell"
    return "together" if shift <= rate else "shared timetable or spells"


def _groups(runs: ir.Table, sure: pd.DataFrame, by: str, bin_s: int, roles: Sequence[str]) -> tuple[FailureGroup, ...]:
    """Connected pairs, largest group first, with what their failures in common bins share."""
    group: dict[str, str] = {}

    def head(name: str) -> str:
        while group.setdefault(name, name) != name:
            name = group[name]
        return name

    for a, b in zip(sure["a"], sure["b"], strict=True):
        first, second = sorted((head(a), head(b)))
        group[second] = first
    members: dict[str, list[str]] = {}
    for name in sorted(group):
        members.setdefault(head(name), []).append(name)
    if not members:
        return ()
    failures = _failures(runs, sorted(group), by, bin_s, roles)
    found = [_described(names, failures) for names in members.values()]
    return tuple(sorted(found, key=lambda one: (-len(one.automations), one.automations)))


def _failures(runs: ir.Table, names: list[str], by: str, bin_s: int, roles: Sequence[str]) -> pd.DataFrame:
    units = dated(runs)
    units = units.filter(units[by].isin(names) & units.role.isin(list(roles)) & units.status.isin(FAILURES))
    units = units.filter(units.moment.notnull())
    columns = [name for name in ("fingerprint", "error_type", "source", "tool") if name in units.columns and name != by]
    rows = units.select(*columns, who=units[by], bin=time_bin(units.moment, bin_s))
    return rows.group_by(["who", "bin", *columns]).aggregate(runs=rows.count()).execute()


def _described(names: list[str], failures: pd.DataFrame) -> FailureGroup:
    own = failures[failures["who"].isin(names)]
    meeting = own.groupby("bin")["who"].nunique()
    common = own[own["bin"].isin(meeting.index[meeting > 1])]
    shared = []
    for column in [name for name in common.columns if name not in ("who", "bin", "runs")]:
        value = _shared(common, column, len(names))
        if value is not None:
            shared.append((column, value))
    return FailureGroup(tuple(names), int((meeting > 1).sum()), tuple(shared))


def _shared(common: pd.DataFrame, column: str, members: int) -> str | None:
    """The value that at least half of each member's failures have."""
    counts: Any = common.groupby(["who", column])["runs"].sum().unstack(fill_value=0)
    if counts.empty or len(counts) < members:
        return None
    shares = counts.div(common.groupby("who")["runs"].sum(), axis=0).min()
    best = shares.sort_index().idxmax()
    return str(best) if shares[best] >= _COMMON_SHARE else None


def _verdict(table: pd.DataFrame, groups: tuple[FailureGroup, ...]) -> str:
    if groups:
        return "; ".join(map(str, groups))
    if (table["verdict"] == "cannot tell").any():
        return f"cannot tell: under {FEWEST_WEEKS} weeks, a common timetable cannot be told from a common cause"
    return "no pair fails together beyond chance and a common timetable"
