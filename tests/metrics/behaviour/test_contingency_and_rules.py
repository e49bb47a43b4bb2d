from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tables import at, run, runs

from aftershock.metrics import association, association_rules, benjamini_hochberg, failure_attributes, newcombe
from aftershock.metrics.behaviour.contingency import fisher_greater, fisher_two_sided

COUNTS = st.integers(0, 40)


def test_tea_drinkers_often_take_coffee_and_yet_less_often_than_others() -> None:
    # Tan, Steinbach, Kumar (2005), chapter 6: 150 both, 50 tea only, 650 coffee only, 150 neither.
    tea = association(150, 50, 650, 150)
    assert (tea.support, tea.confidence, tea.lift) == (0.15, 0.75, 0.9375)
    assert tea.phi == pytest.approx(-0.0625)
    assert tea.chi2 == pytest.approx(3.90625)


def test_the_tea_tasting_lady_as_fisher_printed_it() -> None:
    # Fisher (1935), chapter 2; R: fisher.test(matrix(c(3, 1, 1, 3), 2)).
    lady = association(3, 1, 1, 3)
    assert (lady.p_greater, lady.p_value) == (pytest.approx(0.2428571429), pytest.approx(0.4857142857))


def test_an_empty_table_says_nothing() -> None:
    empty = association(0, 0, 0, 0)
    assert (empty.n, empty.lift, empty.p_value, empty.interval) == (0, None, None, None)


@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
def test_exchanging_the_two_changes_no_symmetric_measure(cells: tuple[int, int, int, int]) -> None:
    both, a_only, b_only, neither = cells
    one, other = association(both, a_only, b_only, neither), association(both, b_only, a_only, neither)
    for name in (
        "support",
        "lift",
        "leverage",
        "phi",
        "jaccard",
        "odds_ratio",
        "p_greater",
        "p_value",
        "chi2_yates",
    ):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)


def test_fisher_of_many_tables_at_once_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    tables = np.concatenate([rng.integers(0, top, (150, 4)) for top in (3, 8, 60, 3000)]).astype(float)
    tables = tables[tables.sum(axis=1) > 0]
    square = tables.reshape(-1, 2, 2).astype(int)
    two = [stats.fisher_exact(table).pvalue for table in square]
    greater = [stats.fisher_exact(table, "greater").pvalue for table in square]
    assert fisher_two_sided(*tables.T) == pytest.approx(np.array(two), abs=1e-12)
    assert fisher_greater(*tables.T) == pytest.approx(np.array(greater), abs=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_chi_square_equals_scipy() -> None:
    for correction, name in ((False, "chi2"), (True, "chi2_yates")):
        theirs = stats.chi2_contingency([[12, 5], [7, 19]], correction=correction)
        ours = association(12, 5, 7, 19)
        assert (getattr(ours, name), getattr(ours, f"{name}_p_value")) == pytest.approx(
            (theirs.statistic, theirs.pvalue)
        )


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="b_only: -1"):
        association(1, 1, -1, 1)


def long(*baskets: str) -> Any:
    rows = [{"basket": str(i), "item": item} for i, basket in enumerate(baskets) for item in basket]
    return ibis.memtable(rows, schema={"basket": "string", "item": "string"})


# Tan, Steinbach, Kumar (2005), table 6.1: bread, milk, diapers, beer, eggs, cola.
MARKET = long("bm", "bdre", "mdrc", "bmdr", "bmdc")


def rule(table: Any, given: tuple[str, ...], then: str) -> Any:
    return table[(table.antecedent == given) & (table.consequent == then)].iloc[0]


def test_milk_and_diapers_bring_beer_as_in_the_book() -> None:
    table = association_rules(MARKET, min_count=1, max_size=3, redundant=True).table
    beer = rule(table, ("d", "m"), "r")
    assert (beer.support, beer.confidence) == (pytest.approx(0.4), pytest.approx(2 / 3))


def test_rules_equal_mlxtend() -> None:
    frequent_patterns = pytest.importorskip("mlxtend.frequent_patterns")
    import pandas as pd

    rng = np.random.default_rng(4)
    held = pd.DataFrame(rng.random((60, 6)) < 0.4, columns=list("abcdef"))
    held = held[held.any(axis=1)]
    frequent = frequent_patterns.apriori(held, min_support=5 / len(held) - 1e-9, use_colnames=True, max_len=3)
    theirs = frequent_patterns.association_rules(frequent, metric="support", min_threshold=0)
    theirs = theirs[theirs.consequents.map(len) == 1]
    expected = {
        (tuple(sorted(r.antecedents)), next(iter(r.consequents))): (r.support, r.confidence, r.lift, r.leverage)
        for r in theirs.itertuples()
    }
    baskets = long(*("".join(held.columns[row]) for row in held.to_numpy()))
    ours = association_rules(baskets, max_size=3, redundant=True).table
    found = {(r.antecedent, r.consequent): (r.support, r.confidence, r.lift, r.leverage) for r in ours.itertuples()}
    assert set(found) == set(expected)
    for key, values in found.items():
        assert values == pytest.approx(expected[key])


def test_days_without_a_failure_are_baskets_too() -> None:
    baskets = long("ab", "ab", "ab")
    assert association_rules(baskets, min_count=1).table.lift.tolist() == [1.0, 1.0]
    assert association_rules(baskets, min_count=1, n_baskets=30).table.lift.tolist() == [10.0, 10.0]


def test_a_longer_rule_that_is_no_surer_is_left_away() -> None:
    baskets = long(*["abc"] * 6, *["ac"] * 6, *["c"] * 2, *["b"] * 3)
    rules = association_rules(baskets, max_size=3)
    assert ("a", "b") not in set(rules.table[rules.table.consequent == "c"].antecedent)
    assert rules.tested > len(rules.table)


def test_an_item_counts_once_a_basket_and_nulls_are_left_out() -> None:
    rows = [{"basket": "1", "item": i} for i in ("a", "a", "b", None)]
    result = association_rules(ibis.memtable(rows, schema={"basket": "string", "item": "string"}), min_count=1)
    assert (result.n, result.left_out, result.table.n_both.tolist()) == (1, 1, [1, 1])


def test_no_baskets_give_no_rules() -> None:
    result = association_rules(long())
    assert (result.n, len(result.table)) == (0, 0)


def fleet() -> Any:
    rows = [run(f"n{i}", "intake", at(16, i % 24), "failed" if i < 8 else "succeeded", version="v2") for i in range(12)]
    rows += [
        run(f"o{i}", "intake", at(17, i % 24), "failed" if i < 2 else "succeeded", version="v1") for i in range(40)
    ]
    rows += [run("x", "intake", at(18), "cancelled"), run("m", "intake", at(18), "failed", role="manual")]
    return runs(*rows)


def test_the_attribute_that_separates_comes_first_with_its_interval() -> None:
    result = failure_attributes(fleet(), ["trigger", "version"])
    first = result.to_pandas().iloc[0]
    bounds = newcombe(8, 12, 2, 40)
    assert (first.column, first.value, first.n, first.failures) == ("version", "v2", 12, 8)
    assert (first.difference, first.low, first.high) == pytest.approx((bounds.estimate, bounds.low, bounds.high))
    assert (first.at_least, result.n, result.left_out) == (pytest.approx(bounds.low), 52, 2)


def test_a_value_of_one_failed_run_does_not_stand_before_one_that_is_beyond_chance() -> None:
    parts = {"v1": (500, 40), "v2": (100, 20), "v3": (1, 1)}
    rows = [
        run(f"{version} {i}", "a", at(16, i % 24), "failed" if i < failures else "succeeded", version=version)
        for version, (n, failures) in parts.items()
        for i in range(n)
    ]
    frame = failure_attributes(runs(*rows), ["version"]).to_pandas().set_index("value")
    assert frame.at_least["v3"] > frame.at_least["v2"] > 0
    assert (frame.q_value["v2"] < 0.05 < frame.q_value["v3"], frame.index[-1]) == (True, "v3")


def test_the_q_values_are_of_all_values_that_were_looked_at() -> None:
    frame = failure_attributes(fleet(), ["automation_id", "version", "trigger"]).to_pandas()
    assert frame.q_value.tolist() == pytest.approx(benjamini_hochberg(frame.p_value.tolist()).table.q_value.tolist())


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_runs_does_not_matter(order: list[int]) -> None:
    rows = [run(str(i), "ab"[i % 2], at(16, i), "failed" if i < 2 else "succeeded") for i in range(6)]
    given_order = failure_attributes(runs(*(rows[i] for i in order)), ["automation"]).to_pandas()
    assert given_order.equals(failure_attributes(runs(*rows), ["automation"]).to_pandas())
