"""Blocks: escaped, with their numbers, and never surer than the logs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from markupsafe import Markup

from aftershock.metrics import Period, wilson
from aftershock.reports import blocks
from aftershock.reports.blocks.calendar import Cell
from aftershock.reports.blocks.markup import NUMBERS_MIME, interval, lasting, moment, percent, plain
from aftershock.reports.blocks.recovery import how_it_recovered, what_happened, who_was_told

HOSTILE = "<script>alert(1)</script>"
WEEK = Period.parse("2026-W47", "Europe/Berlin")


def number(**changes: object) -> blocks.Number:
    share = wilson(309, 312)
    facts = {"id": "x", "label": "Runs", "meaning": "m", "hits": 309, "n": 312, "low": share.low, "high": share.high}
    return blocks.Number(**(facts | changes))  # type: ignore[arg-type]


def hostile_blocks() -> list[blocks.Block]:
    attention = blocks.Attention(
        title=HOSTILE, detail=HOSTILE, tone="bad", weight=1, tags=(HOSTILE,), next_step=HOSTILE
    )
    pair = blocks.Pair(expectation=HOSTILE, after=HOSTILE, then=HOSTILE, entity=HOSTILE, within="1 h", in_step=1)
    wrong = blocks.OutOfStep(
        record=HOSTILE,
        entity=HOSTILE,
        what=HOSTILE,
        since=HOSTILE,
        cause=HOSTILE,
        verdict=HOSTILE,
        next_step=HOSTILE,
        run_id=HOSTILE,
    )
    source = {"name": HOSTILE, "tool": HOSTILE, "covered": HOSTILE, "last": HOSTILE, "limits": HOSTILE}
    files = {"records_read": 1, "mapped": 1, "set_aside": 0, "rejects": 0}
    return [
        blocks.title_strip(HOSTILE, brand=HOSTILE, period=WEEK, covered=0.5, as_of=WEEK.end, snapshot=1),
        blocks.answer([blocks.Sentence(HOSTILE, "bad"), blocks.Sentence(HOSTILE)], HOSTILE),
        blocks.four_numbers([number(label=HOSTILE, meaning=HOSTILE, before=HOSTILE), number(n=0, missing=HOSTILE)]),
        blocks.needs_attention([attention] * 7, fine=[HOSTILE], lead=HOSTILE),
        blocks.in_step([pair], [wrong] * 30),
        blocks.day_by_day([blocks.Strip(HOSTILE, [Cell(date(2026, 11, 18), "failed", 1, 1)], HOSTILE)]),
        blocks.if_a_step_fails(
            [blocks.Recovery(automation=HOSTILE, n=3, halted=1, told=1, recipients=(HOSTILE,))], stretch=HOSTILE
        ),
        blocks.left_out({HOSTILE: 1}, reasons={HOSTILE: HOSTILE}),
        blocks.how_to_read(sources=[source], files=files, snapshot=1, version=HOSTILE, brand=HOSTILE),
        blocks.listing(HOSTILE, HOSTILE, (HOSTILE,), [(HOSTILE,)], id="x"),
    ]


@pytest.mark.parametrize("block", hostile_blocks(), ids=lambda block: block.name)
def test_text_from_a_log_is_escaped(block: blocks.Block) -> None:
    assert "<script" not in block.html
    assert "&lt;script&gt;alert(1)" in block.html


@pytest.mark.parametrize("block", hostile_blocks(), ids=lambda block: block.name)
def test_the_numbers_of_a_block_are_json(block: blocks.Block) -> None:
    stored = block._repr_mimebundle_()[NUMBERS_MIME]
    assert json.loads(json.dumps(stored, allow_nan=False))["name"] == block.name


def test_a_number_says_n_interval_and_change() -> None:
    html = blocks.four_numbers([number(previous=0.96, change=0.03, verdict="beyond chance", before="week 46")]).html
    assert "309 of 312 · 95%: 97.2 to 99.7" in html
    assert "▲ 3.0 points since week 46" in html


def test_a_change_within_chance_says_so() -> None:
    html = blocks.four_numbers(
        [number(previous=0.96, change=0.03, verdict="no change beyond chance", before="week 46")]
    ).html
    assert "not beyond chance" in html


def test_a_number_without_evidence_names_the_missing_input() -> None:
    html = blocks.four_numbers([number(n=0, hits=0, low=None, high=None, missing="no log of notices")]).html
    assert "cannot tell" in html
    assert "no log of notices" in html


def test_five_things_stand_open_and_the_worst_first() -> None:
    items = [blocks.Attention(title=f"thing {i}", detail="", tone="bad", weight=i) for i in range(7)]
    block = blocks.needs_attention(items)
    before, _, folded = block.html.partition("<details>")
    assert before.index("thing 6") < before.index("thing 2")
    assert "2 smaller things" in folded
    assert "thing 0" in folded


def test_an_empty_list_where_there_is_no_log_is_no_good_news() -> None:
    html = blocks.needs_attention([], blind="Cannot tell: no log covers this time.").html
    assert "Cannot tell" in html
    assert "Nothing" not in html


def test_without_expectations_the_page_cannot_tell_whether_data_is_in_step() -> None:
    assert "Cannot tell: no expectation" in blocks.in_step([], []).html


def test_records_of_which_nobody_can_tell_are_not_counted_as_out_of_step() -> None:
    facts = {"entity": "order", "what": "w", "since": "s", "cause": "c", "next_step": "n"}
    records = [
        blocks.OutOfStep(record="A", verdict="certain", **facts),
        blocks.OutOfStep(record="B", verdict="cannot tell", **facts),
    ]
    pair = blocks.Pair(expectation="e", after="a", then="b", entity="order", within="1 h", missing=1, cannot_tell=1)
    html = blocks.in_step([pair], records).html
    assert "1 record out of step" in html
    assert "1 record of which nobody can tell" in html


def test_a_day_without_a_log_says_so() -> None:
    assert Cell(date(2026, 11, 18), "none").words() == "Wed 18 Nov: no log"


def test_never_seen_to_fail_is_called_unproven() -> None:
    assert what_happened(blocks.Recovery(automation="a", n=12)) == "never seen to fail in 12 runs: unproven"


def test_silence_proves_nothing_where_no_log_of_notices_is() -> None:
    assert (
        who_was_told(blocks.Recovery(automation="a", n=3, halted=1, notices_known=False))
        == "cannot tell: no log of notices"
    )


def test_who_was_told_counts_those_that_nobody_was_told_of() -> None:
    row = blocks.Recovery(automation="a", n=30, halted=2, retried=2, told=3, told_s=240, recipients=("operator",))
    assert who_was_told(row) == "operator, 4 min median: 3 of 4; 1 told to nobody"


def test_recovery_by_retry_says_how_long_it_took() -> None:
    row = blocks.Recovery(automation="a", n=30, retried=9, recovered_s=600)
    assert how_it_recovered(row) == "9 by retry, 10 min median"


@pytest.mark.parametrize(
    ("share", "text"), [(0.9999, "99.9%"), (1.0, "100%"), (0.0001, "<0.1%"), (0.0, "0%"), (0.5, "50.0%"), (None, "–")]
)
def test_a_share_never_rounds_to_all_or_nothing(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under 1 s"), (59, "59 s"), (2820, "47 min"), (7800, "2 h 10 min"), (273600, "3 d 4 h"), (None, "unknown")],
)
def test_lengths_of_time_in_words(seconds: float | None, text: str) -> None:
    assert lasting(seconds) == text


def test_moments_stand_on_the_wall_clock_of_the_client() -> None:
    assert moment(datetime(2026, 11, 18, 23, 30, tzinfo=UTC), "Europe/Berlin", year=True) == "Thu 19 Nov 2026, 00:30"


def test_an_interval_without_bounds() -> None:
    assert interval(None, None) == "no interval"


def test_plain_json_knows_no_nan_and_no_dates() -> None:
    assert plain({"a": float("nan"), "b": WEEK.start, "c": timedelta(minutes=1), "d": Markup("x")}) == {
        "a": None,
        "b": "2026-11-15T23:00:00+00:00",
        "c": 60.0,
        "d": "x",
    }


def test_the_title_gives_the_exact_boundaries() -> None:
    html = blocks.title_strip("Acme", brand="N", period=WEEK, covered=0.964, as_of=WEEK.end, snapshot=1).html
    assert "from Mon 16 Nov 2026, 00:00 up to Mon 23 Nov 2026, 00:00, Europe/Berlin" in html
    assert "Logs cover 96.4% of the week" in html


def test_a_change_too_small_to_show_is_none() -> None:
    html = blocks.four_numbers(
        [number(previous=0.99, change=0.0001, verdict="no change beyond chance", before="week 46")]
    ).html
    assert "no change since week 46" in html
