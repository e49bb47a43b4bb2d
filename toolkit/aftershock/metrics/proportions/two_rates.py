"""Two rates per row of a table, compared in SQL: the score test's p-value, and the q-value of each row among all."""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import ibis
import ibis.expr.types as ir

# exp(-x²) times a polynomial in t = 1 / (1 + x/2), fitted by Chebyshev: no engine has erfc. Off by 1.2e-7 of itself at most.
_ERFC: Final = (
    *(-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806),
    *(0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277),
)


def score_p_value(x1: Any, n1: Any, x2: Any, n2: Any) -> ir.FloatingValue:
    """Two-sided p-value of the score test that two rates are equal; 1 where all or none are hits, null where an n is 0.

    Source: equals R's prop.test(correct=FALSE) to seven digits; the erfc of Press et al. (1992) Numerical Recipes, 6.2.
    """
    hits1, total1, hits2, total2 = (value.cast("float64") for value in (x1, n1, x2, n2))
    total1, total2 = total1.nullif(0.0), total2.nullif(0.0)
    pooled = (hits1 + hits2) / (total1 + total2)
    spread = pooled * (1 - pooled) * (1 / total1 + 1 / total2)
    z = (hits1 / total1 - hits2 / total2).abs() / spread.nullif(0.0).sqrt()
    alike = total1.notnull() & total2.notnull() & (spread <= 0)
    return alike.ifelse(1.0, _erfc(z / sqrt(2)))


def with_q_values(rows: ir.Table, keys: list[str]) -> ir.Table:
    """`rows` with `q_value`: `p_value` adjusted by Benjamini and Hochberg over all rows that have one."""
    order = [ibis.desc("p_value", nulls_first=False), *keys]
    ranked = rows.mutate(above=ibis.row_number().over(ibis.window(order_by=order)), size=rows.p_value.count().over())
    # The largest p-value has rank `size`. A q-value is the least of its own ratio and of those of all larger p-values.
    rank = ibis.greatest(ranked.size - ranked.above, 1).cast("float64")
    ratio = ranked.p_value * ranked.size.cast("float64") / rank
    so_far = ratio.min().over(ibis.window(order_by=order, preceding=None, following=0))
    q = ranked.p_value.isnull().ifelse(ibis.null("float64"), ibis.least(so_far, 1.0))
    return ranked.mutate(q_value=q).drop("above", "size")


def _erfc(x: ir.FloatingValue) -> ir.FloatingValue:
    """The complementary error function for x from 0."""
    t = 1 / (x / 2 + 1)
    sum_ = t * _ERFC[-1]
    for coefficient in reversed(_ERFC[1:-1]):
        sum_ = (sum_ + coefficient) * t
    return t * (sum_ + _ERFC[0] - x * x).exp()
