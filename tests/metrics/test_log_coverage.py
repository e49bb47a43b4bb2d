from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import at, rows_of, stretch, table

from aftershock.errors import UnknownColumnError
from aftershock.metrics import Period, coverage, covered_days

W47 = Period.parse("2026-W47", "UTC")  # 16 to 22 November
DAY_S = 86400


def covered(*stretches: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return rows_of(coverage(table("coverage", stretches), W47, **options).table)


def gaps(*stretches: dict[str, Any], **options: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows_of(coverage(table("coverage", stretches), W47, **options).gaps)]


def test_a_row_says_how_much_of_the_period_a_sources_log_covers() -> None:
    assert covered(stretch(at(10), at(18)), stretch(at(18), at(20), "unknown")) == [
        {
            "source": "n8n",
            "covered_s": 4 * DAY_S,
            "complete_s": 2 * DAY_S,
            "filtered": 0,
            "period_s": 7 * DAY_S,
            "share": pytest.approx(4 / 7),
        }
    ]


def test_what_is_not_covered_is_listed_from_when_to_when() -> None:
    assert gaps(stretch(at(17), at(18)), stretch(at(20), at(25))) == [
        ("n8n", at(16), at(17)),
        ("n8n", at(18), at(20)),
    ]


def test_overlapping_nested_and_repeated_claims_count_once() -> None:
    rows = covered(stretch(at(16), at(20)), stretch(at(17), at(18)), stretch(at(19), at(21)), stretch(at(16), at(20)))
    assert rows[0]["covered_s"] == 5 * DAY_S


def test_a_seam_up_to_the_bridge_is_closed_and_a_wider_one_is_not() -> None:
    files = [stretch(at(16), at(18)), stretch(at(18, 1), at(23))]
    assert gaps(*files, bridge_s=3600) == []
    assert gaps(*files, bridge_s=3599) == [("n8n", at(18), at(18, 1))]


def test_a_seam_on_the_periods_edge_is_closed_too() -> None:
    assert gaps(stretch(at(1), at(15, 23, 45)), stretch(at(16, 0, 15), at(30))) == []


def test_a_filtered_export_does_not_cover_and_is_counted() -> None:
    row = covered(stretch(at(16), at(23), "filtered"))[0]
    assert (row["covered_s"], row["share"], row["filtered"]) == (0, 0, 1)


def test_a_source_without_any_log_has_share_zero_and_one_gap() -> None:
    files = [stretch(at(16), at(23))]
    assert [(row["source"], row["share"]) for row in covered(*files, sources=["airflow", "n8n"])] == [
        ("airflow", 0.0),
        ("n8n", 1.0),
    ]
    assert gaps(*files, sources=["airflow"]) == [("airflow", at(16), at(23))]


def test_a_log_of_another_time_covers_nothing_of_this_period() -> None:
    assert covered(stretch(at(1), at(10)))[0]["share"] == 0


def test_no_log_at_all_gives_no_row_and_no_share() -> None:
    nothing = coverage(table("coverage", []), W47)
    assert rows_of(nothing.table) == []
    assert nothing.share is None


def test_the_overall_share_is_over_all_sources() -> None:
    files = table("coverage", [stretch(at(16), at(23)), stretch(at(16), at(18), source="airflow")])
    assert coverage(files, W47).share == pytest.approx(9 / 14)


def test_a_log_of_one_automation_does_not_cover_the_source() -> None:
    files = [stretch(at(16), at(18)), stretch(at(16), at(23), automation="intake")]
    assert covered(*files)[0]["covered_s"] == 2 * DAY_S
    assert [(row["automation"], row["covered_s"]) for row in covered(*files, by=("source", "automation"))] == [
        ("intake", 7 * DAY_S),
        (None, 2 * DAY_S),
    ]


def test_a_source_known_by_single_automations_is_covered_where_all_of_them_are() -> None:
    files = [stretch(at(16), at(19), automation="a"), stretch(at(18), at(23), automation="b")]
    assert covered(*files)[0]["covered_s"] == DAY_S
    assert gaps(*files) == [("n8n", at(16), at(18)), ("n8n", at(19), at(23))]


def test_days_show_which_share_of_each_is_covered() -> None:
    days = rows_of(covered_days(table("coverage", [stretch(at(17), at(18, 12))]), W47))
    assert [(row["source"], row["day"], row["share"]) for row in days] == [
        ("n8n", date(2026, 11, day), share) for day, share in zip(range(16, 23), [0, 1, 0.5, 0, 0, 0, 0], strict=True)
    ]


def test_days_of_a_source_without_any_log_are_all_there_and_empty() -> None:
    days = rows_of(covered_days(table("coverage", []), W47, sources=["airflow"]))
    assert [row["share"] for row in days] == [0.0] * 7


def test_a_day_of_23_hours_can_be_covered_in_full() -> None:
    sunday = Period.parse("2026-03-29", "Europe/Berlin")
    files = table("coverage", [stretch(sunday.start, sunday.end)])
    assert [row["share"] for row in rows_of(covered_days(files, sunday))] == [1.0]


def test_a_claim_that_ends_before_it_begins_or_has_no_times_is_no_claim() -> None:
    assert covered(stretch(at(20), at(17)), stretch(None, at(18)))[0]["share"] == 0  # type: ignore[arg-type]


def test_only_source_and_automation_can_be_asked_by() -> None:
    with pytest.raises(UnknownColumnError, match="no column 'client'"):
        covered(by=("client",))
    with pytest.raises(ValueError, match="by needs source"):
        covered(by=("automation",))


quarters = st.integers(0, 24 * 4 * 9)
claims = st.lists(st.tuples(quarters, quarters).map(lambda pair: (min(pair), max(pair))), max_size=8)


@settings(max_examples=12, deadline=None)
@given(claims=claims, data=st.data())
def test_coverage_equals_counting_quarters_of_an_hour(claims: list[tuple[int, int]], data: st.DataObject) -> None:
    start = at(15)
    stretches = [
        stretch(start + timedelta(minutes=15 * one), start + timedelta(minutes=15 * other)) for one, other in claims
    ]
    inside = range(24 * 4, 24 * 4 * 8)
    expected = sum(any(one <= quarter < other for one, other in claims) for quarter in inside) * 900
    rows = covered(*data.draw(st.permutations(stretches)), bridge_s=0, sources=["n8n"])
    assert rows[0]["covered_s"] == expected
    missing = sum((end - begin).total_seconds() for _, begin, end in gaps(*stretches, bridge_s=0, sources=["n8n"]))
    assert missing + expected == 7 * DAY_S
