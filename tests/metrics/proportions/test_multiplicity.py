from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from aftershock.metrics import Discoveries, Result, benjamini_hochberg

# Benjamini and Hochberg (1995) JRSS B 57:289, section 4.1: thrombolysis, 15 end points
THROMBOLYSIS = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
)


def test_four_end_points_of_the_paper_stand_and_three_by_bonferroni() -> None:
    found = benjamini_hochberg(THROMBOLYSIS)
    assert (found.n, found.rejected, found.bonferroni_rejected, found.threshold) == (15, 4, 3, 0.0095)


def test_q_values_are_those_of_rs_p_adjust() -> None:
    expected = (
        *(0.0015, 0.0030, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645, 0.0765),
        *(0.486, 0.58118182, 0.714875, 0.75323077, 0.81321429, 1.0),
    )
    assert benjamini_hochberg(THROMBOLYSIS).q_values == pytest.approx(expected, abs=5e-9)


def families() -> list[np.ndarray]:
    """Families of 1 to 60 p-values, many of them equal, some 0 and 1."""
    generator = np.random.default_rng(2)
    sizes = generator.integers(1, 60, 40)
    return [np.where(generator.random(n) < 0.5, generator.random(n), generator.integers(0, 11, n) / 10) for n in sizes]


@pytest.mark.parametrize(
    ("column", "method"),
    [("q_value", "fdr_bh"), ("holm", "holm"), ("bonferroni", "bonferroni"), ("yekutieli", "fdr_by")],
)
def test_the_adjustments_are_statsmodels(column: str, method: str) -> None:
    for p in families()[: 4 if method == "holm" else 40]:  # statsmodels takes its time over Holm's
        ours = benjamini_hochberg(p).table[column].to_numpy()
        assert ours == pytest.approx(multipletests(p, method=method)[1], abs=1e-12)


def test_the_order_of_the_tests_does_not_matter() -> None:
    for p in families():
        order = np.random.default_rng(p.size).permutation(p.size)
        assert benjamini_hochberg(p[order]).q_values == tuple(np.array(benjamini_hochberg(p).q_values)[order])


def test_equal_p_values_have_equal_q_values() -> None:
    assert benjamini_hochberg([0.02, 0.02, 0.9]).q_values == pytest.approx((0.03, 0.03, 0.9))


def test_a_missing_p_value_is_in_no_family() -> None:
    found = benjamini_hochberg([0.01, None, float("nan"), 0.04])
    assert (found.n, found.left_out, found.q_values) == (2, 2, (0.02, None, None, 0.04))
    assert list(found.table["rejected"]) == [True, False, False, True]


def test_no_test_at_all_rejects_nothing() -> None:
    found = benjamini_hochberg([])
    assert (found.n, found.rejected, found.threshold, found.q_values) == (0, 0, None, ())
    assert isinstance(found, Result)


def test_names_stand_in_the_table() -> None:
    assert list(benjamini_hochberg([0.5, 0.1], names=["a", "b"]).table["name"]) == ["a", "b"]


@pytest.mark.parametrize("p", [[0.1, 1.2], [0.1, -0.2]])
def test_what_is_no_probability_is_refused_with_its_place(p: list[float]) -> None:
    with pytest.raises(ValueError, match=r"place 1: -?\d\.2 is no p-value"):
        benjamini_hochberg(p)


def test_an_alpha_of_five_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha: 5: write a share inside"):
        benjamini_hochberg([0.1], alpha=5)


def many(p: np.ndarray) -> list[Discoveries]:
    return [benjamini_hochberg(row) for row in p]


def test_where_nothing_is_true_one_family_in_twenty_has_a_false_call() -> None:
    found = many(np.random.default_rng(3).uniform(size=(1200, 40)))
    share = np.mean([family.rejected > 0 for family in found])
    assert share == pytest.approx(0.05, abs=0.02)  # three standard errors


def test_of_all_calls_the_false_share_is_alpha_times_the_share_of_true_nulls() -> None:
    # 30 of 40 have no effect: the expected false share is 0.05 x 0.75.
    generator = np.random.default_rng(4)
    effect = np.r_[np.zeros(30), np.full(10, 3.0)]
    p = norm.sf(generator.normal(size=(700, 40)) + effect)
    false_share = [family.table["rejected"][:30].sum() / max(family.rejected, 1) for family in many(p)]
    assert np.mean(false_share) == pytest.approx(0.0375, abs=0.01)
