"""Blocks: escaped, with their numbers, and never surer than the logs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from markupsafe import Markup

from aftershock.metrics import Period, wilson
from aftershock.reports import blocks
from aftershock.reports.blocks.calendar import Cell
from aftershock.reports.blocks.changes import in_words, of_all, sentence, when
from aftershock.reports.blocks.markup import NUMBERS_MIME, interval, lasting, moment, percent, plain
from aftershock.reports.blocks.recovery import how_it_recovered, how_long, what_happened, who_was_told

HOSTILE = "<script>alert(1)</script>"
WEEK = Period.parse("2026-W47", "Europe/Berlin")


def number(**changes: object) -> blocks.Number:
    share = wilson(309, 312)
    facts = {"id": "x", "label": "Runs", "meaning": "m", "hits": 309, "n": 312, "low": share.low, "high": share.high}
    return blocks.Number(**(facts | changes))  # type: ignore[arg-type]


def rate(share: float, n: int) -> blocks.Rate:
    found = wilson(round(share * n), n)
    return blocks.Rate(share, found.low or 0.0, found.high or 0.0, n)


def shift(**changes: object) -> blocks.Shift:
    facts = {"automation": "Lead enrichment", "client": "initech", "tool": "n8n", "direction": "rose"}
    facts |= {"on": date(2026, 11, 5), "first": date(2026, 11, 1), "last": date(2026, 11, 9)}
    facts |= {"before": rate(0.02, 200), "since": rate(0.2, 120)}
    return blocks.Shift(**(facts | changes))  # type: ignore[arg-type]


def knee(**changes: object) -> blocks.Knee:
    facts = {"automation": "Price updates", "client": "globex", "n": 1714, "at": 15.7, "low": 13.4, "high": 19.4}
    facts |= {"light": 4.0, "rate": 0.022, "today": 18.4, "arrival": "already beyond", "q_value": 0.001}
    return blocks.Knee(**(facts | changes))  # type: ignore[arg-type]


def family(**changes: object) -> blocks.Family:
    facts = {"fingerprint": "f", "tool": "n8n", "error_type": "TypeError", "template": "no <*>", "n": 5, "share": 0.5}
    facts |= {"low": 0.2, "high": 0.8, "automations": 2, "clients": 1, "is_new": False, "returned": False}
    facts |= {"first_seen": datetime(2026, 11, 5, 12, tzinfo=UTC), "last_seen": datetime(2026, 11, 20, 12, tzinfo=UTC)}
    return blocks.Family(**(facts | changes))  # type: ignore[arg-type]


def hostile_shift() -> blocks.Shift:
    began = [blocks.Began("change", HOSTILE, date(2026, 11, 5))]
    return shift(automation=HOSTILE, client=HOSTILE, tool=HOSTILE, began=began)


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
        blocks.since_when([hostile_shift()], [hostile_shift()], n=1, left_out=0, stretch=HOSTILE),
        blocks.errors(
            [family(template=HOSTILE, error_type=HOSTILE, tool=HOSTILE)],
            None,
            n=1,
            silent=0,
            days_before=42,
            zone="UTC",
        ),
        blocks.at_what_volume([knee(automation=HOSTILE)], looked=1, too_few=0, stretch=HOSTILE),
        blocks.fail_together(
            [blocks.Together(automations=[HOSTILE] * 2, hours=1, q_value=0.01, shared=[HOSTILE])],
            tested=1,
            verdict=HOSTILE,
            stretch=HOSTILE,
        ),
        blocks.chart(
            "chart",
            None,
            head=(HOSTILE,),
            rows=[(HOSTILE,)],
            numbers={},
            said=[HOSTILE, *in_words([hostile_shift()], n=1, left_out=0)],
        ),
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


def test_a_change_says_when_and_how_much_with_n_and_intervals() -> None:
    assert sentence(shift()) == (
        "fails more often since about 5 Nov (1 to 9 Nov): 20.0% of 120 runs since (95%: 13.8 to 28.0), "
        "2.0% of 200 before."
    )


def test_a_bad_day_is_told_as_a_day_that_is_over() -> None:
    ended = shift(first=date(2026, 11, 5), last=date(2026, 11, 5), until=date(2026, 11, 6), then=rate(0.0, 50))
    assert sentence(ended).startswith("failed more often on 5 Nov: 20.0% of 120 runs that day")
    assert sentence(shift(until=date(2026, 11, 6))).startswith("failed more often for a day, about 5 Nov (1 to 9 Nov):")


def test_bad_days_that_are_over_end_the_day_before_the_rate_fell() -> None:
    assert "from about 5 Nov (1 to 9 Nov) to 7 Nov:" in sentence(shift(until=date(2026, 11, 8), then=rate(0.0, 50)))


def test_a_change_that_may_lie_in_two_months_names_both() -> None:
    assert when(shift(first=date(2026, 10, 29))) == "about 5 Nov (29 Oct to 9 Nov)"


def test_a_client_reads_that_a_version_began_but_not_its_number() -> None:
    text = sentence(shift(began=[blocks.Began("version", "18ce84c3", date(2026, 11, 5))]))
    assert text.endswith(" A new version of it began on 5 Nov.")
    assert "18ce84c3" not in text


def test_of_many_versions_a_client_reads_none() -> None:
    began = [blocks.Began("version", f"v{i}", date(2026, 11, 5)) for i in range(2)]
    assert "version" not in sentence(shift(began=began))


def test_what_began_in_the_days_of_a_change_is_no_more_than_named() -> None:
    html = since_when([shift(began=[blocks.Began("version", "18ce84c3", date(2026, 11, 5))])])
    assert "18ce84c3" in html
    assert "may be the reason, or not" in html


def test_of_many_versions_the_fleet_reads_how_many_and_the_nearest() -> None:
    began = [blocks.Began("version", f"v{i}", date(2026, 11, 5)) for i in range(12)]
    html = since_when([shift(began=began)])
    assert "one of 12 versions" in html
    assert "v0" in html
    assert "v1<" not in html


def test_logs_without_versions_are_no_evidence_that_nothing_began() -> None:
    assert "cannot tell: its logs name no versions" in since_when([shift(versioned=False)])
    assert "nothing on record" in since_when([shift()])


def test_changes_that_may_be_chance_are_folded_away() -> None:
    html = blocks.since_when([], [shift()], n=7, left_out=0, stretch="x").html
    assert html.index("No failure rate changed beyond chance.") < html.index("1 more that may be chance")


def test_too_few_days_are_no_steady_rate() -> None:
    html = blocks.since_when([], [], n=0, left_out=3, stretch="x").html
    assert "Cannot tell: too few days with runs." in html
    assert "Of 3 automations nobody can tell" in html
    assert "beyond chance" not in html


def test_a_client_reads_that_nothing_changed_and_of_what_nobody_can_tell() -> None:
    assert [str(line) for line in in_words([], n=7, left_out=2)] == [
        "No failure rate of an automation changed beyond chance in these weeks; 7 automations looked at.",
        "Whether 2 automations changed, nobody can tell: too few days with runs.",
    ]


def test_a_client_reads_of_three_changes_at_most() -> None:
    said = in_words([shift()] * 5, n=9, left_out=0)
    assert len(said) == 4
    assert said[-1] == "2 more changes."


def since_when(shifts: list[blocks.Shift]) -> str:
    return str(blocks.since_when(shifts, [], n=7, left_out=0, stretch="the 42 days to 22 Nov").html)


def test_recovery_says_n_intervals_and_those_not_seen_to_end() -> None:
    found = blocks.Lasting(
        n=12, unseen=1, half_s=2160, half_low_s=1080, half_high_s=4200, most_s=14400, most_low_s=7200
    )
    assert how_long(found) == (
        "From an automation's first failed run to its next good one: half of n = 12 incidents were over within 36 min "
        "(95%: 18 min to 1 h 10 min), 9 of 10 within 4 h (95%: 2 h or more). 1 was not seen to end: counted with the time so far. "
        "A good run does not repair what the failed one left undone."
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (blocks.Lasting(n=3), "3 incidents, all over; too few to say how long one takes."),
        (blocks.Lasting(n=1, unseen=1), "1 incident, 0 of them seen to end; too few to say how long one takes."),
        (blocks.Lasting(n=9, unseen=7), "only 2 were seen to end: how long half of them take, nobody can tell."),
        (
            blocks.Lasting(n=9, unseen=3, half_s=60),
            "over within 1 min; within which time 9 of 10 are over, nobody can tell yet. 3 were not seen to end",
        ),
    ],
)
def test_too_few_incidents_give_no_time(found: blocks.Lasting, said: str) -> None:
    assert said in how_long(found)


def test_without_an_incident_nothing_is_said_of_how_long_one_takes() -> None:
    assert "incident" not in blocks.if_a_step_fails([], stretch="x", incidents=blocks.Lasting(n=0)).html


def volume(*knees: blocks.Knee) -> str:
    return str(blocks.at_what_volume(knees, looked=18, too_few=12, stretch="the 42 days to 22 Nov").html)


def test_a_knee_says_the_volume_its_interval_and_n() -> None:
    html = volume(knee())
    assert "fails more from about 16 runs an hour on" in html
    assert "(95%: 13 to 19) it fails at least twice as often as at 4 (2.2%); n = 1,714 runs." in html
    assert "The busiest hour of a typical day has about 18 already." in html
    assert "18 automations looked at; of 12 nobody can tell, for want of failures." in html


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {
                "arrival": "reached",
                "on": date(2027, 1, 12),
                "earliest": date(2026, 12, 24),
                "latest": date(2027, 3, 1),
            },
            "is there about 12 Jan 2027 (95%: 24 Dec 2026 to 1 Mar 2027)",
        ),
        (
            {"arrival": "reached", "on": date(2027, 1, 12), "earliest": date(2026, 12, 24)},
            "(95%: 24 Dec 2026 at the earliest, perhaps never)",
        ),
        ({"arrival": "never at this trend"}, "Its volume does not grow towards that."),
        ({"arrival": "cannot tell"}, "nobody can tell yet: too few days"),
    ],
)
def test_when_volume_gets_to_the_knee(changes: dict[str, object], said: str) -> None:
    assert said in volume(knee(**changes))


def test_without_a_knee_there_is_no_section_but_the_numbers_say_what_was_looked_at() -> None:
    block = blocks.at_what_volume([], looked=18, too_few=12, stretch="x")
    assert block.html == ""
    assert block.numbers == {"knees": [], "looked_at": 18, "too_few_failures": 12}


def errors(*families: blocks.Family, **options: object) -> str:
    facts = {"n": 10, "silent": 0, "days_before": 42, "zone": "Europe/Berlin"} | options
    return str(blocks.errors(families, None, **facts).html)  # type: ignore[arg-type]


def test_an_error_family_says_its_share_with_interval_and_since_when_it_is_known() -> None:
    html = errors(family())
    assert "95%: 20.0 to 80.0" in html
    assert "first 5 Nov, 13:00" in html
    assert ">new<" not in html


def test_a_new_error_is_marked_and_one_that_came_back_too() -> None:
    assert ">new<" in errors(family(is_new=True))
    assert ">back<" in errors(family(returned=True))


def test_without_a_log_of_the_time_before_no_error_is_called_new() -> None:
    html = errors(family(is_new=None), days_before=0)
    assert ">new<" not in html
    assert "Which are new, nobody can tell: no log of the time before." in html


def test_failures_without_a_message_are_counted_and_said() -> None:
    assert "2 failures gave no message" in errors(family(), silent=2)
    assert "No failure in the logs of this period says what went wrong." in errors(silent=10)


def test_no_failure_is_good_news_only_where_a_log_is() -> None:
    assert "No failure in the logs of this period." in errors(n=0)
    assert "No failure" not in errors(n=0, blind="Cannot tell: no log.")


def test_a_shared_cause_is_named_with_its_q_and_what_the_errors_share() -> None:
    group = blocks.Together(automations=["a", "b"], hours=12, q_value=0.0004, shared=["the error HTTPError"])
    html = blocks.fail_together([group], tested=40, verdict="v", stretch="the 42 days to 22 Nov").html
    assert "In 12 hours at least two of them failed (q = under 0.001)." in html
    assert "have in common: the error HTTPError" in html
    assert "40 pairs compared" in html


def test_without_a_shared_cause_there_is_no_section() -> None:
    block = blocks.fail_together([], tested=40, verdict="no pair fails together", stretch="x")
    assert (block.html, block.numbers["verdict"]) == ("", "no pair fails together")


def test_where_only_the_whole_changed_no_single_automation_is_blamed() -> None:
    (said,) = in_words([], n=8, left_out=0, whole=True)
    assert said == "Of no single automation can a change be told from chance; 8 automations looked at."


def test_the_line_in_the_chart_is_explained() -> None:
    (said,) = of_all([shift(automation="")])
    assert said.startswith(
        "The line in the chart: all work together fails more often since about 5 Nov (1 to 9 Nov): 20.0%"
    )
