"""`ranking`: which of many automations fail most, when few runs must not count as much as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.grouped import groups
from aftershock.metrics.proportions.many_intervals import bounds
from aftershock.metrics.proportions.shrinkage import BetaBinomial, Fit, beta_binomial
from aftershock.metrics.results import Interval
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period


@dataclass(frozen=True)
class Ranking:
    """What `ranking` gives. `table` has a row per group, the surest failing first.

    Columns: the group, n, failures, rate, low, high (raw, with Wilson's interval), posterior, posterior_low,
    posterior_high, rank. Rates are shares in [0, 1]; all but n and failures is null where n is 0. `fit` is the spread of
    the groups' rates that was learned from all of them.
    """

    n: int
    left_out: int
    fit: BetaBinomial
    level: float
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The rate over all groups, with Wilson's interval."""
        return self.fit.pooled

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def ranking(
    runs_or_x: ir.Table | ArrayLike,
    n: ArrayLike | None = None,
    *,
    by: Sequence[str] = ("automation",),
    period: Period | None = None,
    roles: Sequence[str] = ("work",),
    names: Sequence[Any] | None = None,
    method: Fit = "likelihood",
    level: float = 0.95,
) -> Ranking:
    """Groups by the failure rate that each one surely has: the lower bound of its posterior, not its raw rate.

    Takes a table of runs (a group per value of `by`; columns as `failure_rate` reads them) or arrays: x of n each. How
    true rates are spread over the groups is fitted to all of them (`beta_binomial`); each group's own runs then move it
    from that spread's mean to its raw rate, the further the more runs it has. Groups of equal bound share a rank.

    Where no spread beyond chance can be fitted all groups have the pooled rate and rank 1: nothing tells them apart.
    `left_out` counts cancelled and skipped runs, or groups without numbers.

    Raises: what `failure_rate` and `beta_binomial` raise.
    Source: Efron and Morris (1975) JASA 70:311 (empirical Bayes); Gelman et al., Bayesian Data Analysis, section 5.1.
    """
    by, roles = named(by), named(roles)
    if method == "bayes":
        raise ValueError("method: 'bayes' is for `beta_binomial` alone; rank by 'likelihood' or 'moments'")
    found = groups(runs_or_x, n, by=by, period=period, roles=roles, names=names)
    given = found.counts
    fit = beta_binomial(given.x, given.n, method=method, level=level)
    rate, low, high = bounds(given, "wilson", level)
    posterior, posterior_low, posterior_high = fit.posteriors(given.x, given.n)
    table = found.table.assign(rate=rate, low=low, high=high, posterior=posterior)
    table = table.assign(posterior_low=posterior_low, posterior_high=posterior_high)
    table.loc[given.n == 0, ["posterior", "posterior_low", "posterior_high"]] = np.nan
    table["rank"] = table["posterior_low"].rank(method="min", ascending=False).astype("Int64")
    text = {key: table[key].astype(str) for key in found.keys}
    order = table.assign(**text).sort_values(
        ["rank", "posterior", *found.keys], ascending=[True, False, *(True,) * len(text)]
    )
    return Ranking(fit.n, found.left_out, fit, level, table.loc[order.index].reset_index(drop=True))
