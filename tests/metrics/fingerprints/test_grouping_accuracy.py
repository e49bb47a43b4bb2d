"""How far found groups are the labelled ones; scikit-learn's and our own counting by hand agree."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftershock.metrics import Result, grouping_accuracy


def test_the_example_of_zhu_and_others() -> None:
    """ICSE-SEIP 2019, section III: truth E1 E2 E2 parsed as E1 E4 E5 has accuracy 1/3, for E4 and E5 are parts of E2."""
    assert grouping_accuracy(["E1", "E4", "E5"], ["E1", "E2", "E2"]).ga == pytest.approx(1 / 3)


def test_a_stray_message_spoils_its_group_and_the_one_it_went_to() -> None:
    score = grouping_accuracy([0, 0, 0, 1, 1, 2], ["a", "a", "b", "b", "b", "c"])
    assert (score.ga, score.right_groups, score.found_groups, score.true_groups) == (1 / 6, 1, 3, 3)
    assert score.fga == pytest.approx(1 / 3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_pairs_are_those_counted_one_by_one(labels: list[tuple[int, int]]) -> None:
    pairs = list(combinations(labels, 2))
    ours, true = ([one[side] == two[side] for one, two in pairs] for side in (0, 1))
    both = sum(a and b for a, b in zip(ours, true, strict=True))
    score = grouping_accuracy(*zip(*labels, strict=True))
    assert score.rand_index == pytest.approx(sum(a == b for a, b in zip(ours, true, strict=True)) / len(pairs))
    assert score.pair_recall == (pytest.approx(both / sum(true)) if any(true) else None)
    assert score.pair_precision == (pytest.approx(both / sum(ours)) if any(ours) else None)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=15), st.permutations(range(5)))
def test_names_of_groups_and_the_order_of_messages_play_no_part(
    labels: list[tuple[int, int]], names: list[int]
) -> None:
    ours, true = zip(*labels, strict=True)
    renamed = [f"t{names[one]}" for one in ours]
    assert grouping_accuracy(renamed[::-1], true[::-1]) == grouping_accuracy(ours, true)


def test_the_same_grouping_is_perfect() -> None:
    score = grouping_accuracy([1, 1, 2], [1, 1, 2])
    assert (score.ga, score.fga, score.pair_f1, score.rand_index) == (1, 1, 1, 1)


def test_an_unlabelled_message_is_left_out() -> None:
    score = grouping_accuracy([1, 1, 2], ["a", None, "b"])
    assert (score.n, score.left_out, score.ga) == (2, 1, 1)


def test_nothing_gives_null() -> None:
    score = grouping_accuracy([], [])
    assert isinstance(score, Result)
    assert (score.n, score.ga, score.fga, score.rand_index) == (0, None, None, None)


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="found has 1 labels and true 2"):
        grouping_accuracy([1], [1, 2])
