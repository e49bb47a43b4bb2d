from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tables import at, run, runs

from aftershock.errors import UnknownColumnError
from aftershock.metrics import Period, Result, beta_binomial, funnel, ranking, wilson

# Deaths of operations under one year of age, 1991 to 1995 (Spiegelhalter, The Art of Statistics)
HOSPITALS = {
    "Bristol": (41, 143),
    "Leicester": (25, 187),
    "Leeds": (24, 323),
    "Oxford": (23, 122),
    "Guys": (25, 164),
    "Liverpool": (42, 405),
    "Southampton": (24, 239),
    "Great Ormond St": (53, 482),
    "Newcastle": (26, 195),
    "Harefield": (25, 177),
    "Birmingham": (58, 581),
    "Brompton": (31, 301),
}
DEATHS, OPERATIONS = zip(*HOSPITALS.values(), strict=True)


def fleet(**counts: tuple[int, int]) -> list[dict[str, Any]]:
    """Runs on the 17th: so many failures of so many, per automation."""
    return [
        run(f"{name}{i}", name, at(17, 1), "failed" if i < x else "succeeded")
        for name, (x, n) in counts.items()
        for i in range(n)
    ]


FLEET = fleet(unlucky=(1, 1), bad=(30, 100), fair=(5, 100), good=(1, 100), quiet=(0, 3))


def test_one_failure_of_one_run_does_not_lead_the_ranking() -> None:
    table = ranking(runs(*FLEET)).table
    assert list(table["automation"][:2]) == ["bad", "unlucky"]
    assert table.loc[1, "rate"] == 1.0
    assert list(table["rank"]) == [1, 2, 3, 4, 5]


def test_a_table_of_runs_ranks_as_its_counts_do() -> None:
    columns = ["n", "failures", "rate", "low", "high", "posterior", "posterior_low", "posterior_high", "rank"]
    ours = ranking(runs(*FLEET)).table.set_index("automation")[columns]
    counts = ranking([1, 30, 5, 1, 0], [1, 100, 100, 100, 3], names=["unlucky", "bad", "fair", "good", "quiet"]).table
    theirs = counts.set_index("name")[columns]
    assert (ours.to_numpy() == theirs.to_numpy()).all()


def test_the_bounds_are_the_posteriors_of_the_fit_and_wilsons() -> None:
    found = ranking(DEATHS, OPERATIONS, names=list(HOSPITALS))
    fit = beta_binomial(DEATHS, OPERATIONS)
    first = found.table.iloc[0]
    bristol = fit.posterior(41, 143)
    assert first["name"] == "Bristol"
    assert (first["posterior"], first["posterior_low"], first["posterior_high"]) == pytest.approx(
        (bristol.mean, bristol.low, bristol.high)
    )
    assert (first["low"], first["high"]) == pytest.approx((wilson(41, 143).low, wilson(41, 143).high))


def test_the_order_of_the_runs_does_not_matter() -> None:
    one, other = ranking(runs(*FLEET)).table, ranking(runs(*reversed(FLEET))).table
    assert one.equals(other)


def test_cancelled_runs_other_roles_and_other_weeks_are_left_out() -> None:
    aside = [
        run("x", "bad", at(17), "cancelled"),
        run("t", "bad", at(17), "failed", role="test"),
        run("o", "bad", at(2), "failed"),
    ]
    found = ranking(runs(*FLEET, *aside), period=Period.parse("2026-W47"))
    assert (found.n, found.left_out) == (304, 1)
    assert found.table.set_index("automation").loc["bad", "n"] == 100


def test_an_automation_without_counted_runs_has_no_rank() -> None:
    table = ranking(runs(*FLEET, run("x", "idle", at(17), "cancelled"))).table
    assert table.iloc[-1]["automation"] == "idle"
    assert table.iloc[-1][["rate", "posterior", "rank"]].isna().all()


def test_where_all_are_alike_all_share_rank_one() -> None:
    found = ranking([1, 2, 3], [10, 20, 30])
    assert found.fit.alpha is None
    assert list(found.table["rank"]) == [1, 1, 1]


def test_no_runs_rank_nobody() -> None:
    found = ranking(runs())
    assert (found.n, len(found.table), found.interval.estimate) == (0, 0, None)
    assert isinstance(found, Result)


def test_sound_automations_with_few_runs_lead_by_raw_rate_and_not_by_the_posterior_bound() -> None:
    generator = np.random.default_rng(11)
    raw, bound = 0, 0
    for _ in range(20):
        p, n = generator.beta(1, 30, 200), generator.integers(2, 300, 200)
        x = generator.binomial(n, p)
        sound = set(np.flatnonzero(p < np.median(p)))
        raw += len(sound & set(np.argsort(-(x / n), kind="stable")[:20]))
        bound += len(sound & set(ranking(x, n).table["name"][:20]))
    assert raw >= 10
    assert bound <= 1


def test_bristol_alone_stands_out_of_twelve_hospitals() -> None:
    found = funnel(DEATHS, OPERATIONS, names=list(HOSPITALS))
    table = found.table.set_index("name")
    assert found.target == pytest.approx(0.119614, abs=1e-6)
    assert table.loc["Bristol", "z"] == pytest.approx(6.1576, abs=6e-5)
    assert found.phi == pytest.approx(4.8389, abs=6e-5)
    assert list(table.index[table["verdict"] == "outside 99.8 %"]) == ["Bristol"]


def test_the_spread_is_measured_with_the_outermost_drawn_in() -> None:
    found = funnel(DEATHS, OPERATIONS)
    z = found.table["z"].to_numpy()
    drawn = np.clip(z, *np.quantile(z, [0.1, 0.9]))
    assert found.phi_winsorised == pytest.approx((drawn**2).mean())
    assert found.is_adjusted
    assert found.table["z_adjusted"].to_numpy() == pytest.approx(z / np.sqrt((drawn**2).mean()))


def test_the_walls_are_where_the_verdicts_turn() -> None:
    found = funnel(DEATHS, OPERATIONS)
    table = found.table.merge(found.limits(), on="n")
    beyond = (table["rate"] < table["low_95"]) | (table["rate"] > table["high_95"])
    assert list(beyond) == [verdict != "inside" for verdict in table["verdict"]]
    assert (found.limits([10, 1000])["low_998"] >= 0).all()


def test_units_that_differ_by_chance_are_not_adjusted_and_few_stand_outside() -> None:
    generator = np.random.default_rng(12)
    outside, adjusted, alike = [], [], []
    for _ in range(150):
        n = generator.integers(200, 2000, 80)
        found = funnel(generator.binomial(n, 0.1), n)
        outside.append((found.table["verdict"] != "inside").mean())
        adjusted.append(found.is_adjusted)
        alike.append((found.p_alike or 0) < 0.05)
    assert np.mean(outside) == pytest.approx(0.05, abs=0.008)
    assert np.mean(adjusted) <= 0.05
    assert np.mean(alike) == pytest.approx(0.05, abs=0.05)


def test_with_a_spread_of_its_own_a_fleet_no_longer_flags_a_third_of_its_units() -> None:
    generator = np.random.default_rng(13)
    n = generator.integers(200, 2000, 300)
    found = funnel(generator.binomial(n, generator.beta(20, 180, 300)), n)
    assert (found.table["z"].abs() > 1.96).mean() > 0.25
    assert (found.table["verdict"] != "inside").mean() < 0.15


def test_a_given_target_moves_every_z() -> None:
    found = funnel([5], [100], target=0.1)
    assert found.table.loc[0, "z"] == pytest.approx(-0.05 / np.sqrt(0.1 * 0.9 / 100))


def test_a_table_of_runs_makes_the_funnel_of_its_counts() -> None:
    ours = funnel(runs(*FLEET), by=("automation",)).table.set_index("automation")["z"]
    theirs = funnel([30, 5, 1, 0, 1], [100, 100, 100, 3, 1], names=["bad", "fair", "good", "quiet", "unlucky"]).table
    assert ours.to_dict() == pytest.approx(theirs.set_index("name")["z"].to_dict())


@pytest.mark.parametrize(("x", "n"), [([], []), ([0, 0], [4, 9]), ([4, 9], [4, 9]), ([0], [0])])
def test_without_a_rate_between_none_and_all_there_is_no_funnel(x: list[int], n: list[int]) -> None:
    found = funnel(x, n)
    assert (found.phi, found.p_value, found.is_adjusted) == (None, None, False)
    assert found.table["z"].isna().all()
    assert found.limits([10])["low_95"].isna().all()
    assert isinstance(found, Result)


@pytest.mark.parametrize("target", [0, 1, 12])
def test_a_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="target: "):
        funnel([1], [2], target=target)


def test_an_array_without_sizes_and_a_table_with_them_are_refused() -> None:
    with pytest.raises(ValueError, match="n is missing"):
        funnel([1, 2])
    with pytest.raises(ValueError, match="a table of runs has its own"):
        ranking(runs(*FLEET), [1])


def test_an_unknown_column_is_told() -> None:
    with pytest.raises(UnknownColumnError):
        funnel(runs(*FLEET), by=("autmation",))
