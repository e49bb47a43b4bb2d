"""`funnel`: which units lie further from the rest than their size explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis.expr.types as ir
import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Floats, numbers, optional
from aftershock.metrics.proportions.grouped import groups
from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period

WARNING: Final = 1.96  # 95 % of units inside, by chance alone
ALARM: Final = 3.09  # 99.8 %
SIGNIFICANT: Final = 0.05


@dataclass(frozen=True)
class Funnel:
    """What `funnel` gives. `table` has a row per unit: its keys, n, failures, rate, z, z_adjusted, verdict.

    `phi` is the mean of z², 1 where units differ by chance alone; `phi_winsorised` the same after the outermost z were
    drawn in, so that the units which stand out do not hide themselves. `p_value` tests whether phi_winsorised is above 1
    (chi-square); `is_adjusted` says that it is, and that z_adjusted and the limits allow for it. `p_alike` tests whether
    all units can have one rate at all. All null where there is no target between 0 and 1, or no unit.
    """

    target: float | None
    phi: float | None
    phi_winsorised: float | None
    p_value: float | None
    p_alike: float | None
    is_adjusted: bool
    n: int
    left_out: int
    units: int
    failures: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The rate over all units, with Wilson's interval."""
        return wilson(self.failures, self.n)

    def limits(self, n: ArrayLike | None = None) -> pd.DataFrame:
        """The funnel's walls at sizes n (else at those of the units): n, low_95, high_95, low_998, high_998."""
        import pandas as pd

        size = numbers(np.unique(self.table["n"]) if n is None else n)
        p0 = self.target if self.target is not None and 0 < self.target < 1 else np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.sqrt(p0 * (1 - p0) / size) * (np.sqrt(self.phi_winsorised or 1.0) if self.is_adjusted else 1.0)
        walls = {"n": size}
        for name, z in (("95", WARNING), ("998", ALARM)):
            walls |= {f"low_{name}": np.maximum(p0 - z * reach, 0.0), f"high_{name}": np.minimum(p0 + z * reach, 1.0)}
        return pd.DataFrame(walls)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def funnel(
    runs_or_x: ir.Table | ArrayLike,
    n: ArrayLike | None = None,
    *,
    target: float | None = None,
    by: Sequence[str] = ("automation",),
    period: Period | None = None,
    roles: Sequence[str] = ("work",),
    names: Sequence[Any] | None = None,
    winsorise: float = 0.1,
) -> Funnel:
    """Each unit's failure rate against a target, by its size: z = (rate - target) / sqrt(target (1 - target) / n).

    Takes a table of runs (a unit per value of `by`; columns as `failure_rate` reads them) or arrays: x of n each. The
    target is the rate over all units unless given. Verdicts: `inside`, `outside 95 %` (|z_adjusted| above 1.96),
    `outside 99.8 %` (above 3.09); null where n is 0. `winsorise` is the share at each end whose z is drawn in.
    The normal limits are rough where n times target is under about 5.

    Raises: what `failure_rate` raises; ValueError for a target outside (0, 1) or a winsorise outside [0, 0.5).
    Source: Spiegelhalter (2005) Stat Med 24:1185.
    """
    by, roles = named(by), named(roles)
    if target is not None and not 0 < target < 1:
        raise ValueError(f"target: {target!r}: write a share inside (0, 1), or nothing for the rate of all units")
    if not 0 <= winsorise < 0.5:
        raise ValueError(f"winsorise: {winsorise!r}: write the share at each end, from 0 to under 0.5")
    found = groups(runs_or_x, n, by=by, period=period, roles=roles, names=names)
    given = found.counts
    p0 = target if target is not None else given.pooled
    rate = np.divide(given.x, given.n, out=np.full(given.n.shape, np.nan), where=given.n > 0)
    z = np.full(given.n.shape, np.nan)
    if p0 is not None and 0 < p0 < 1:
        z = (rate - p0) * np.sqrt(given.n / (p0 * (1 - p0)))
    known = z[~np.isnan(z)]
    phi, drawn_in = _mean_square(known), _mean_square(_drawn_in(known, winsorise))
    freedom = known.size - (target is None)
    p_value, p_alike = _tail(drawn_in, known.size, freedom), _tail(phi, known.size, freedom)
    is_adjusted = drawn_in is not None and drawn_in > 1 and p_value is not None and p_value < SIGNIFICANT
    adjusted = z / np.sqrt(drawn_in) if is_adjusted and drawn_in else z
    table = found.table.assign(rate=rate, z=z, z_adjusted=adjusted, verdict=_verdicts(adjusted))
    size = (int(given.n.sum()), found.left_out, int((given.n > 0).sum()), int(given.x.sum()))
    return Funnel(p0, phi, drawn_in, p_value, p_alike, is_adjusted, *size, table)


def _verdicts(z: Floats) -> list[str | None]:
    words = np.select(
        [np.isnan(z), np.abs(z) > ALARM, np.abs(z) > WARNING], ["", "outside 99.8 %", "outside 95 %"], "inside"
    )
    return [str(word) or None for word in words]


def _drawn_in(z: Floats, share: float) -> Floats:
    if z.size == 0:
        return z
    low, high = np.quantile(z, [share, 1 - share])
    return np.clip(z, low, high)


def _mean_square(z: Floats) -> float | None:
    return float((z**2).mean()) if z.size else None


def _tail(phi: float | None, units: int, freedom: int) -> float | None:
    """How often units that differ by chance alone have such a sum of squares, or a larger one."""
    if phi is None or freedom < 1:
        return None
    from scipy.stats import chi2

    return optional(chi2.sf(units * phi, freedom))
