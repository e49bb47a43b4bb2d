"""`cox_regression`: which circumstances make recovery faster or slower, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aftershock.metrics.recovery.partial_likelihood import Likelihood, Stratum, concordance
from aftershock.metrics.recovery.survival_data import (
    Durations,
    Floats,
    coded,
    durations_of,
    floats_of,
    labels_of,
    one_of,
    z_of,
)
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

_STEPS = 50
_HALVINGS = 30


@dataclass(frozen=True)
class CoxRegression:
    """What `cox_regression` gives.

    `table` has a row per covariate: name, coef, hazard_ratio, low, high (of the ratio), se, robust_se (null without clusters), z, p_value.
    `likelihood_ratio` is the chi2 of all covariates together on `df`; `log_likelihood` is the partial one.
    """

    n: int
    events: int
    left_out: int
    level: float
    ties: str
    log_likelihood: float | None
    likelihood_ratio: float | None
    df: int
    p_value: float | None
    concordance: float | None
    converged: bool
    iterations: int
    table: pd.DataFrame = field(repr=False, compare=False)
    covariance: Floats = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval | None:
        """The hazard ratio where there is one covariate; else None: see `ratio`."""
        return self.ratio(str(self.table["name"].iloc[0])) if len(self.table) == 1 else None

    @property
    def coefficients(self) -> dict[str, float | None]:
        """The logarithm of the hazard ratio per unit of each covariate."""
        values = zip(self.table["name"], self.table["coef"], strict=True)
        return {name: None if np.isnan(value) else float(value) for name, value in values}

    def ratio(self, name: str) -> Interval:
        """The hazard ratio of one covariate: above 1 the event comes sooner.

        Raises: ValueError for a name that is no covariate.
        """
        if name not in list(self.table["name"]):
            raise ValueError(f"{name!r} is no covariate. There are: {', '.join(self.table['name'])}")
        row = self.table[self.table["name"] == name].iloc[0]
        found = [None if np.isnan(row[key]) else float(row[key]) for key in ("hazard_ratio", "low", "high")]
        return Interval(found[0], found[1], found[2], self.n, self.level, f"Cox, {self.ties}, Wald", self.left_out)

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per covariate."""
        return self.table


def cox_regression(
    durations: Any,
    observed: Any,
    covariates: Any,
    *,
    entry: Any = None,
    strata: Any = None,
    clusters: Any = None,
    ties: Literal["efron", "breslow"] = "efron",
    level: float = 0.95,
) -> CoxRegression:
    """Proportional hazards: by what factor each covariate multiplies the rate of recovery, the others held.

    `covariates`: a data frame or a mapping from name to numbers, a value per row (words must become 0/1 columns first). `strata`
    have each their own baseline; `clusters` (an outage, an automation) give a robust standard error on which z, p and the interval
    then rest. `ties`: "efron" (R's default) or "breslow". Other arguments as for `kaplan_meier`.

    Rows without a duration or a covariate are left out and counted. No event, or no row: coefficients are null. `converged` is
    False where the likelihood still grows when the steps end: some covariate then tells events apart fully and its ratio has no end.
    `concordance`: the share of pairs that the model orders rightly (Harrell's C); null with `entry`.

    Raises: ValueError as `kaplan_meier` does, and where a covariate is constant or a mixture of others.
    Source: Cox (1972) JRSS B 34:187; Efron (1977) JASA 72:557; Lin and Wei (1989) JASA 84:1074; equals R's survival::coxph.
    """
    z_of(level)
    one_of("ties", ties, ("efron", "breslow"))
    data = durations_of(durations, observed, entry)
    rows = len(data.kept)
    names, every = _columns(covariates, rows)
    whole = ~np.isnan(every[data.kept]).any(axis=1)
    stratum = _codes("strata", strata, data)[whole]
    cluster = None if clusters is None else _codes("clusters", clusters, data)[whole]
    left_out = data.left_out + int((~whole).sum())
    x, data = every[data.kept][whole], data.of(whole)
    events = int(data.observed.sum())
    if not events:
        empty = _table(names, np.full(len(names), np.nan), np.full((len(names), len(names)), np.nan), None, level)
        none = (None, None, len(names), None, None, False, 0)
        return CoxRegression(len(data), events, left_out, level, ties, *none, empty, np.zeros((0, 0)))
    centre, scale = x.mean(axis=0), _scale(names, x)
    strata_of = [(stratum == one) for one in np.unique(stratum)]
    parts = [Stratum.of(data.of(mine), (x[mine] - centre) / scale, ties) for mine in strata_of]
    found, steps, converged = _newton(parts, names)
    inverse = np.linalg.inv(found.information)
    covariance, robust = inverse / np.outer(scale, scale), None
    if cluster is not None:
        residuals = np.zeros_like(x)
        for part, mine in zip(parts, strata_of, strict=True):
            residuals[mine] = part.score_residuals(found.beta)
        pulls = np.array([residuals[cluster == one].sum(axis=0) for one in np.unique(cluster)]) @ inverse / scale
        robust = pulls.T @ pulls
    start = sum(part.at(np.zeros(len(names))).value for part in parts)
    ratio = 2 * (found.value - start)
    order = None if entry is not None else concordance(data, (x - centre) / scale @ found.beta, stratum)
    table = _table(names, found.beta / scale, covariance, robust, level)
    told = (float(found.value), float(ratio), len(names), _chi2(ratio, len(names)), order, converged, steps)
    return CoxRegression(
        len(data), events, left_out, level, ties, *told, table, covariance if robust is None else robust
    )


def _newton(parts: Sequence[Stratum], names: Sequence[str]) -> tuple[Likelihood, int, bool]:
    """The maximum of the partial likelihood: Newton's steps, halved while they do not rise."""
    here = Likelihood.total([part.at(np.zeros(len(names))) for part in parts])
    if np.linalg.matrix_rank(here.information, hermitian=True, tol=1e-9 * max(here.information.max(), 1e-300)) < len(
        names
    ):
        raise ValueError(
            f"{', '.join(names)}: one of them is constant where something happens, or a mixture of the others"
        )
    for step in range(1, _STEPS + 1):
        move = np.linalg.lstsq(here.information, here.gradient, rcond=None)[0]
        there = Likelihood.total([part.at(here.beta + move) for part in parts])
        halvings = 0
        while not there.value >= here.value - 1e-12 * abs(here.value) and halvings < _HALVINGS:
            move, halvings = move / 2, halvings + 1
            there = Likelihood.total([part.at(here.beta + move) for part in parts])
        gain, here = there.value - here.value, there
        if abs(gain) <= 1e-11 * (abs(here.value) + 1e-3):
            # A flat likelihood with long steps still to go: it rises to a limit that no ratio reaches.
            return here, step, bool(np.abs(move).max() < 1e-4 and np.linalg.cond(here.information) < 1e12)
        if np.abs(here.beta).max() > 30:
            break
    return here, step, False


def _columns(covariates: Any, rows: int) -> tuple[list[str], Floats]:
    names = [str(name) for name in covariates]
    if not names:
        raise ValueError("covariates: none given: write a data frame or a mapping from name to numbers")
    columns = [floats_of(str(name), covariates[name], rows) for name in covariates]
    for name, column in zip(names, columns, strict=True):
        if np.isinf(column).any():
            raise ValueError(f"{name}[{np.flatnonzero(np.isinf(column))[0]}]: an endless value")
    return names, np.column_stack(columns)


def _codes(name: str, labels: Any, data: Durations) -> Any:
    found = labels_of(name, labels, len(data.kept)) if labels is not None else [0] * len(data.kept)
    return coded(found)[1][data.kept]


def _scale(names: Sequence[str], x: Floats) -> Floats:
    spread = x.std(axis=0)
    for name, one in zip(names, spread, strict=True):
        if not one > 0:
            raise ValueError(f"{name}: the same in every row: it cannot tell anything apart. Leave it out.")
    return np.asarray(spread, dtype=np.float64)


def _chi2(value: float, df: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(value, df))


def _table(names: Sequence[str], beta: Floats, covariance: Floats, robust: Floats | None, level: float) -> pd.DataFrame:
    import pandas as pd
    from scipy.stats import norm

    se = np.sqrt(np.diag(covariance))
    sandwich = np.full(len(names), np.nan) if robust is None else np.sqrt(np.diag(robust))
    used = se if robust is None else sandwich
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        z, reach = beta / used, z_of(level) * used
        columns = {"hazard_ratio": np.exp(beta), "low": np.exp(beta - reach), "high": np.exp(beta + reach)}
    columns = {name: np.where(np.isinf(values), np.nan, values) for name, values in columns.items()}
    tail = {"se": se, "robust_se": sandwich, "z": z, "p_value": 2 * norm.sf(np.abs(z))}
    return pd.DataFrame({"name": list(names), "coef": beta, **columns, **tail})
