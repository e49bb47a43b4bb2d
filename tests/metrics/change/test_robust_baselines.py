"""Median, MAD, modified z and quantiles by definition."""

from __future__ import annotations

import numpy as np
import pytest

from aftershock.metrics import mad, quantile, robust_z

METHODS = (
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
)
GAUGE = [95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1065, 95.0925, 95.1990, 95.1682]


@pytest.mark.parametrize(("kind", "method"), list(enumerate(METHODS, start=1)))
def test_a_quantile_is_numpy_s_of_the_same_definition(kind: int, method: str) -> None:
    rng = np.random.default_rng(kind)
    for _ in range(150):
        x, share = rng.normal(size=rng.integers(1, 12)), rng.choice([0, 0.1, 0.25, 0.5, 0.9, 1, rng.random()])
        assert quantile(x, share, definition=kind) == pytest.approx(np.quantile(x, share, method=method))
        assert quantile(x, share, definition=method) == quantile(x, share, definition=kind)


def test_nist_and_duckdb_name_their_definitions() -> None:
    """NIST/SEMATECH e-Handbook 7.2.6.2: 95.1981; DuckDB's quantile_cont gives 95.19568."""
    assert quantile(GAUGE, 0.9, definition="nist") == pytest.approx(95.1981, abs=5e-5)
    assert quantile(GAUGE, 0.9, definition="quantile_cont") == pytest.approx(95.19568)


def test_missing_values_do_not_count() -> None:
    assert mad([1, None, 2, float("nan"), 9]) == mad([1, 2, 9])
    assert quantile([None, 3], 0.5) == 3


def test_the_modified_z_finds_the_wild_value() -> None:
    found = robust_z([9, 10, 11, 10, 9, 11, 60, None])
    assert (found.outliers, found.n, found.left_out) == (1, 7, 1)
    assert found.table["outlier"].tolist() == [False] * 6 + [True, False]
    assert found.table["z"][6] == pytest.approx(0.6745 * 50 / 1)


def test_where_most_are_equal_nothing_is_said() -> None:
    found = robust_z([5, 5, 5, 5, 90])
    assert (found.mad, found.outliers) == (0.0, 0)
    assert found.table["z"].isna().all()


def test_unit_and_order_do_not_matter() -> None:
    x = np.random.default_rng(0).normal(size=40)
    assert mad(x * 60) == pytest.approx(60 * mad(x))
    np.testing.assert_allclose(robust_z(x[::-1] * 60 + 5).table["z"][::-1], robust_z(x).table["z"])


def test_nothing_gives_null_everywhere() -> None:
    assert (mad([]), quantile([], 0.5), robust_z([]).median, robust_z([]).n) == (None, None, None, 0)


@pytest.mark.parametrize("definition", [0, 10, "tukey"])
def test_an_unknown_definition_is_refused(definition: int | str) -> None:
    with pytest.raises(ValueError, match="definition"):
        quantile([1], 0.5, definition=definition)
