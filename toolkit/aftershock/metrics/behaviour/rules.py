"""`association_rules`: what comes together in the same basket more often than chance brings it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis.expr.types as ir
import numpy as np

from aftershock.errors import UnknownColumnError
from aftershock.metrics.behaviour.contingency import fisher_greater, measures, q_values

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

SIZES: Final = (2, 3)
_MEASURES: Final = ("support", "confidence", "lift", "leverage", "conviction", "phi", "jaccard", "odds_ratio")


@dataclass(frozen=True)
class AssociationRules:
    """A row per rule, the surest first. `tested`: how many rules the q values are for, redundant ones among them."""

    table: pd.DataFrame = field(repr=False, compare=False)
    n: int
    left_out: int
    tested: int

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own measures."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The rules."""
        return self.table


def association_rules(
    baskets: ir.Table,
    *,
    basket: str = "basket",
    item: str = "item",
    n_baskets: int | None = None,
    min_count: int = 5,
    max_size: int = 2,
    consequents: Sequence[str] | None = None,
    redundant: bool = False,
) -> AssociationRules:
    """Rules "where A is, B is too" from a long table: a row per item in a basket, such as per automation that failed on a day.

    Reads the columns `basket` and `item`; an item counts once a basket, rows with a null in either are left out and counted.
    `n_baskets` is how many baskets there were, with the empty ones: a day on which nothing failed is a basket too, and without
    it everything looks as if it came together. Where it is not given, only baskets with an item count.

    One row per rule with at least `min_count` baskets that hold all of it: antecedent (tuple of up to `max_size` - 1 items),
    consequent, n_both, n_antecedent, n_consequent, support, confidence, lift, leverage, conviction, phi, jaccard, odds_ratio
    (null where it divides by 0), p (Fisher, one-sided: together more often than chance), q (Benjamini-Hochberg over all rules
    with `min_count`, `tested` of them). `consequents` asks for rules to those items only, and makes the family smaller.

    A rule with two antecedents is redundant where one of them alone gives the consequent at least as surely: left away unless
    `redundant`. Rules stand by q, then lift. Two items that share a schedule come together without a common cause: compare
    within an hour of the week before believing so. No baskets give no rules.

    Raises: UnknownColumnError; ValueError for a size other than 2 and 3, a count under 1, or fewer baskets than were seen.
    Source: Agrawal, Imielinski, Swami (1993) SIGMOD 22:207; Hämäläinen (2012) Knowl Inf Syst 32:383 (Fisher); Bayardo,
    Agrawal, Gunopulos (1999) ICDE (redundancy: the improvement in confidence).
    """
    _check(baskets, basket, item, min_count, max_size)
    held, total, left_out = _held(baskets, basket, item)
    if n_baskets is not None and n_baskets < total:
        raise ValueError(f"n_baskets: {n_baskets}: {total} baskets with items were seen; count the empty ones as well")
    n = total if n_baskets is None else n_baskets
    sets = _item_sets(held, min_count, max_size)
    rules = _rules(sets, consequents)
    rules = _measured(rules, n)
    tested = len(rules)
    if not redundant:
        rules = rules[_improves(rules)]
    rules = rules.sort_values(
        ["q_value", "p_value", "lift", "antecedent", "consequent"], ascending=[True, True, False, True, True]
    )
    return AssociationRules(rules.reset_index(drop=True), n, left_out, tested)


def _held(baskets: ir.Table, basket: str, item: str) -> tuple[ir.Table, int, int]:
    """(an item once a basket, how many baskets, how many rows left out)."""
    rows = baskets.select(basket=baskets[basket], item=baskets[item].cast("string"))
    full = rows.filter(rows.basket.notnull(), rows.item.notnull())
    counts = rows.aggregate(
        rows=rows.count(),
        full=rows.count(where=rows.basket.notnull() & rows.item.notnull()),
        baskets=rows.basket.nunique(where=rows.item.notnull()),
    ).execute()
    return full.distinct(), int(counts.baskets[0]), int(counts.rows[0] - counts.full[0])


def _item_sets(held: ir.Table, min_count: int, max_size: int) -> dict[tuple[str, ...], int]:
    """Item sets of one to `max_size` in order of name, with the number of baskets that hold them all.

    An item in fewer baskets than `min_count` is in no set with that many: such items go before the join (Apriori).
    """
    ones = held.group_by("item").aggregate(n=held.count())
    ones = ones.filter(ones.n >= min_count)
    frequent = held.semi_join(ones, "item")
    tables = [ones.rename(a="item")]
    a = frequent.rename(a="item")
    b = frequent.rename(b="item")
    twos = a.join(b, ["basket", a.a < b.b])
    tables.append(_counted(twos, ["a", "b"], min_count))
    if max_size > 2:
        pairs = tables[1]
        kept = twos.semi_join(pairs, ["a", "b"])
        c = frequent.select(basket_c="basket", c="item")
        threes = kept.join(c, [kept.basket == c.basket_c, kept.b < c.c])
        tables.append(_counted(threes, ["a", "b", "c"], min_count))
    sets: dict[tuple[str, ...], int] = {}
    for table in tables:
        *items, counts = (column.tolist() for _, column in table.execute().items())
        sets |= dict(zip(zip(*items, strict=True), map(int, counts), strict=True))
    return sets


def _counted(rows: ir.Table, items: list[str], min_count: int) -> ir.Table:
    counts = rows.group_by(items).aggregate(n=rows.count())
    return counts.filter(counts.n >= min_count)


def _rules(sets: dict[tuple[str, ...], int], consequents: Sequence[str] | None) -> pd.DataFrame:
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for items, count in sets.items():
        for place, then in enumerate(items):
            if len(items) == 1 or (consequents is not None and then not in consequents):
                continue
            given = items[:place] + items[place + 1 :]
            rows.append((given, then, count, sets[given], sets[(then,)]))
    return pd.DataFrame(rows, columns=["antecedent", "consequent", "n_both", "n_antecedent", "n_consequent"])


def _measured(rules: pd.DataFrame, n: int) -> pd.DataFrame:
    both, given, then = (rules[name].to_numpy(dtype=float) for name in ("n_both", "n_antecedent", "n_consequent"))
    cells = (both, given - both, then - both, n - given - then + both)
    found = measures(*cells)
    p = fisher_greater(*cells) if len(rules) else np.empty(0)
    return rules.assign(**{name: found[name] for name in _MEASURES}, p_value=p, q_value=q_values(p))


def _improves(rules: pd.DataFrame) -> Any:
    """Which rules are surer than every rule with less in its antecedent."""
    sure = {(r.antecedent, r.consequent): r.confidence for r in rules.itertuples()}
    keep = []
    for (given, then), confidence in sure.items():
        shorter = [(given[:i] + given[i + 1 :], then) for i in range(len(given))] if len(given) > 1 else []
        keep.append(all(confidence > sure[rule] for rule in shorter))
    return np.array(keep, dtype=bool)


def _check(baskets: ir.Table, basket: str, item: str, min_count: int, max_size: int) -> None:
    for name in (basket, item):
        if name not in baskets.columns:
            raise UnknownColumnError(name, baskets.columns)
    if max_size not in SIZES:
        raise ValueError(f"max_size: {max_size!r}: write 2 or 3; more items make more rules than anyone can read")
    if min_count < 1:
        raise ValueError(f"min_count: {min_count!r}: write a whole number from 1")
