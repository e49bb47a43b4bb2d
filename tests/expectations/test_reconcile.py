"""Reconciliation by hand: intake at nine, the CRM must have the order by half past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import at, rows_of, run, runs, stretch, table, touch

from aftershock.errors import UnknownColumnError
from aftershock.expectations import Reconciliation, reconcile
from aftershock.metrics import Period, wilson
from aftershock.project import Expectation

CRM = Expectation(name="reaches the CRM", entity="order", after="intake", then="crm", within="30m")  # type: ignore[arg-type]
NINE = at(18, 9)
IDLE = "no run of crm started at all before the deadline"
LOST = "no run of crm touched it before the deadline, and no failed run shows why"
EVERYTHING = [stretch(at(1), at(30))]
Row = dict[str, Any]


def minutes(number: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=number)


def reconciled(
    handled: Sequence[tuple[Row, str]],
    *,
    covered: Sequence[Row] = EVERYTHING,
    expectations: Sequence[Expectation] = (CRM,),
    more_runs: Sequence[Row] = (),
    as_of: datetime = at(19),  # noqa: B008
    **options: Any,
) -> Reconciliation:
    """The reconciliation of runs that each touched a key when they started."""
    known = {row["run_id"]: row for row, _ in handled} | {row["run_id"]: row for row in more_runs}
    touches = [touch(row["run_id"], key, row["started_at"], client=row["client"]) for row, key in handled]
    return reconcile(
        runs(*known.values()),
        table("touches", touches),
        table("coverage", covered),
        expectations,
        as_of=as_of,
        **options,
    )


def only(*handled: tuple[Row, str], **options: Any) -> Row:
    """The one row there is."""
    (row,) = rows_of(reconciled(handled, **options).table)
    return row


def intake(minute: float = 0, status: str = "succeeded", **more: Any) -> Row:
    return run(more.pop("run_id", f"in{minute}"), "intake", minutes(minute), status, **more)


def crm(minute: float, status: str = "succeeded", **more: Any) -> Row:
    return run(more.pop("run_id", f"crm{minute}"), more.pop("automation", "crm"), minutes(minute), status, **more)


def test_a_record_that_arrives_by_the_deadline_is_in_step() -> None:
    assert only((intake(), "A"), (crm(10), "A")) == {
        "expectation": "reaches the CRM",
        "client": "acme",
        "entity_type": "order",
        "entity_key": "A",
        "activated_at": NINE,
        "deadline": minutes(30),
        "arrived_at": minutes(10),
        "delay_s": 600.0,
        "verdict": "in_step",
        "cause_run_id": None,
        "cause": None,
        "missing_input": None,
        "after_run_id": "in0",
        "then_run_id": "crm10",
        "missing_source": None,
        "missing_from": None,
        "missing_to": None,
        "cause_key": None,
    }


@pytest.mark.parametrize(("minute", "verdict"), [(0, "in_step"), (30, "in_step"), (30.1, "late"), (600, "late")])
def test_the_deadline_itself_is_in_time_and_a_moment_later_is_late(minute: float, verdict: str) -> None:
    row = only((intake(), "A"), (crm(minute), "A"))
    assert (row["verdict"], row["arrived_at"]) == (verdict, minutes(minute))


def test_a_record_that_nobody_passed_on_is_missing() -> None:
    row = only((intake(), "A"), more_runs=[crm(10)])
    assert (row["verdict"], row["arrived_at"], row["delay_s"]) == ("missing", None, None)


def test_a_record_whose_deadline_is_still_to_come_is_pending() -> None:
    row = only((intake(), "A"), more_runs=[crm(-5)], as_of=minutes(29))
    assert (row["verdict"], row["missing_source"], row["cause"]) == ("pending", None, None)
    assert only((intake(), "A"), more_runs=[crm(-5)], as_of=minutes(30))["verdict"] == "missing"


def test_another_key_or_another_clients_record_does_not_count_as_arrived() -> None:
    rows = rows_of(reconciled([(intake(), "A"), (crm(5), "B"), (crm(6, client="globex"), "A")]).table)
    assert [(row["client"], row["entity_key"], row["verdict"]) for row in rows] == [("acme", "A", "missing")]


def test_what_arrived_before_it_was_begun_did_not_arrive() -> None:
    assert only((intake(), "A"), (crm(-5), "A"))["verdict"] == "missing"


def test_clocks_that_differ_by_less_than_the_slack_are_forgiven() -> None:
    row = only((intake(), "A"), (crm(-2), "A"), clock_slack_s=120)
    assert (row["verdict"], row["delay_s"]) == ("in_step", -120.0)
    assert only((intake(), "A"), (crm(-2), "A"), clock_slack_s=119)["verdict"] == "missing"


def test_a_batch_that_ran_on_past_the_activation_may_have_taken_the_record_along() -> None:
    batch = crm(-10, ended_at=minutes(20))
    touches = [touch("in0", "A", NINE), touch(batch["run_id"], "A", minutes(-10), step_id=None)]
    result = reconcile(
        runs(intake(), batch), table("touches", touches), table("coverage", EVERYTHING), [CRM], as_of=at(19)
    )
    (row,) = rows_of(result.table)
    assert (row["verdict"], row["arrived_at"]) == ("in_step", minutes(20))


# --- retries, replays, repetitions ---------------------------------------------------------------------------------


def test_an_order_that_a_failed_intake_saw_is_an_order() -> None:
    row = only((intake(0, "failed", error_type="Boom"), "A"), more_runs=[crm(1)])
    assert (row["verdict"], row["activated_at"], row["cause_run_id"]) == ("missing", NINE, "in0")
    assert row["cause"] == "intake failed: Boom"


def test_the_clock_starts_with_the_first_touch_and_a_retry_does_not_reset_it() -> None:
    row = only((intake(0, "failed"), "A"), (intake(25), "A"), (crm(40), "A"))
    assert (row["verdict"], row["after_run_id"], row["delay_s"]) == ("late", "in0", 2400.0)


def test_a_failed_sync_that_a_retry_put_right_in_time_is_in_step() -> None:
    row = only((intake(), "A"), (crm(5, "failed"), "A"), (crm(12), "A"))
    assert (row["verdict"], row["then_run_id"], row["cause"]) == ("in_step", "crm12", None)


def test_a_failed_sync_that_was_put_right_too_late_is_the_cause() -> None:
    row = only((intake(), "A"), (crm(5, "failed", error_message="HTTP 429"), "A"), (crm(90), "A"))
    assert (row["verdict"], row["cause_run_id"], row["cause"]) == ("late", "crm5", "crm failed: HTTP 429")


def test_a_record_delivered_twice_arrived_the_first_time() -> None:
    assert only((intake(), "A"), (crm(9), "A"), (crm(5), "A"))["then_run_id"] == "crm5"


def test_somebody_who_runs_the_sync_by_hand_delivers_and_a_test_run_does_not() -> None:
    assert only((intake(), "A"), (crm(5, role="manual"), "A"))["verdict"] == "in_step"
    assert only((intake(), "A"), (crm(5, role="test"), "A"))["verdict"] == "missing"


@pytest.mark.parametrize("more", [{"role": "error_handler"}, {"role": "test"}, {"status": "skipped"}])
def test_a_run_that_did_no_work_begins_nothing(more: Row) -> None:
    assert rows_of(reconciled([(run("in", "intake", NINE, **more), "A")]).table) == []


# --- what the logs cannot show -------------------------------------------------------------------------------------


def test_a_hole_in_the_log_between_activation_and_deadline_leaves_it_open() -> None:
    hole = [stretch(at(1), minutes(10)), stretch(at(19), at(30))]
    row = only((intake(), "A"), more_runs=[crm(-5)], covered=hole)
    assert (row["verdict"], row["missing_source"]) == ("cannot_tell", "n8n")
    assert (row["missing_from"], row["missing_to"]) == (minutes(10), at(19))
    assert row["missing_input"] == "the log of n8n from 2026-11-18 09:10 to 2026-11-19 00:00 UTC"


def test_a_late_arrival_after_a_hole_may_have_been_in_time() -> None:
    hole = [stretch(at(1), minutes(10)), stretch(minutes(120), at(30))]
    row = only((intake(), "A"), (crm(180), "A"), covered=hole)
    assert (row["verdict"], row["arrived_at"]) == ("cannot_tell", minutes(180))


def test_a_record_that_is_seen_to_arrive_in_time_needs_no_coverage() -> None:
    assert only((intake(), "A"), (crm(5), "A"), covered=[])["verdict"] == "in_step"


def test_a_filtered_export_proves_nothing() -> None:
    filtered = [stretch(at(1), at(30), "filtered")]
    assert only((intake(), "A"), more_runs=[crm(1)], covered=filtered)["verdict"] == "cannot_tell"


@pytest.mark.parametrize(
    ("automation", "verdict"), [("crm", "missing"), ("id of crm", "missing"), ("x", "cannot_tell")]
)
def test_a_log_of_the_automation_alone_is_enough_and_of_another_is_not(automation: str, verdict: str) -> None:
    covered = [stretch(at(1), at(30), automation=automation)]
    assert only((intake(), "A"), more_runs=[crm(1)], covered=covered)["verdict"] == verdict


def test_only_the_log_of_the_side_that_should_have_delivered_matters() -> None:
    covered = [stretch(at(1), at(30), source="airflow")]
    assert only((intake(), "A"), more_runs=[crm(1, source="airflow")], covered=covered)["verdict"] == "missing"


def test_every_log_in_which_it_could_have_arrived_must_be_there() -> None:
    both = [crm(1), crm(2, run_id="x", source="airflow")]
    assert only((intake(), "A"), more_runs=both)["missing_source"] == "airflow"


def test_the_log_of_another_clients_tool_does_not_matter() -> None:
    both = [crm(1), crm(2, run_id="x", source="airflow", client="globex")]
    assert only((intake(), "A"), more_runs=both)["verdict"] == "missing"


def test_where_no_log_ever_showed_the_other_side_nothing_can_be_said() -> None:
    result = reconciled([(intake(), "A")])
    (row,) = rows_of(result.table)
    assert (row["verdict"], row["missing_input"]) == ("cannot_tell", "a log with any run of crm")
    assert result.unmatched == (("reaches the CRM", "then", "crm"),)


@pytest.mark.parametrize(
    ("status", "missing_input"),
    [("partial", "whether the step that failed in crm5 mattered"), ("unknown", "how crm5 ended")],
)
def test_a_run_that_does_not_show_whether_it_delivered_leaves_it_open(status: str, missing_input: str) -> None:
    row = only((intake(), "A"), (crm(5, status), "A"))
    assert (row["verdict"], row["missing_input"], row["cause_run_id"]) == ("cannot_tell", missing_input, "crm5")


def test_a_partial_run_over_several_records_does_not_say_which_it_left_out() -> None:
    batch = crm(5, "partial")
    rows = rows_of(reconciled([(intake(), "A"), (intake(1), "B"), (batch, "A"), (batch, "B")]).table)
    assert {row["missing_input"] for row in rows} == {"which of its records crm5 left out"}


def test_a_doubtful_run_does_not_matter_once_another_delivered() -> None:
    assert only((intake(), "A"), (crm(5, "partial"), "A"), (crm(9), "A"))["verdict"] == "in_step"


def test_a_failure_after_a_doubtful_run_does_not_remove_the_doubt() -> None:
    assert only((intake(), "A"), (crm(5, "partial"), "A"), (crm(9, "failed"), "A"))["verdict"] == "cannot_tell"


# --- clients -------------------------------------------------------------------------------------------------------


def test_a_shared_run_delivers_a_key_that_only_one_client_has() -> None:
    assert only((intake(), "A"), (crm(5, client=None), "A"))["verdict"] == "in_step"


def test_a_shared_run_with_a_key_that_two_clients_have_leaves_both_open() -> None:
    rows = rows_of(reconciled([(intake(), "7"), (intake(1, client="globex"), "7"), (crm(5, client=None), "7")]).table)
    assert [row["verdict"] for row in rows] == ["cannot_tell", "cannot_tell"]
    assert rows[0]["missing_input"] == "whose record crm5 touched: clients share this key"


def test_records_without_any_client_match_one_another() -> None:
    assert only((intake(client=None), "A"), (crm(5, client=None), "A"))["verdict"] == "in_step"


def test_a_client_sees_only_its_own_records() -> None:
    handled = [(intake(), "A"), (intake(1, client="globex"), "B"), (crm(5), "A")]
    assert [row["entity_key"] for row in rows_of(reconciled(handled, client="globex").table)] == ["B"]


def test_an_expectation_of_one_client_is_about_its_records_only() -> None:
    mine = CRM.model_copy(update={"client": "globex"})
    handled = [(intake(), "A"), (intake(1, client="globex"), "B")]
    assert [row["entity_key"] for row in rows_of(reconciled(handled, expectations=[mine]).table)] == ["B"]


# --- which automations, when ---------------------------------------------------------------------------------------


def test_automations_are_named_by_shell_patterns_without_regard_to_case() -> None:
    wide = CRM.model_copy(update={"after": "* / Shop *", "then": "* / crm"})
    start = run("1", "acme / shop intake", NINE)
    assert only((start, "A"), (crm(5, automation="acme / CRM"), "A"), expectations=[wide])["verdict"] == "in_step"


def test_a_run_that_is_on_both_sides_does_not_deliver_to_itself() -> None:
    twice = CRM.model_copy(update={"after": "*", "then": "*"})
    assert only((intake(), "A"), expectations=[twice])["verdict"] == "missing"
    assert only((intake(), "A"), (crm(3), "A"), expectations=[twice])["delay_s"] == 180.0


def test_a_period_is_about_when_records_were_begun() -> None:
    week = Period.parse("2026-W47", "UTC")
    early = run("early", "intake", at(15, 23, 50))
    handled = [(early, "A"), (run("c", "crm", at(16, 0, 5)), "A"), (intake(), "B")]
    assert [row["entity_key"] for row in rows_of(reconciled(handled, period=week).table)] == ["B"]


def test_a_record_begun_before_the_period_is_not_begun_again_by_a_replay_in_it() -> None:
    week = Period.parse("2026-W47", "UTC")
    handled = [(run("early", "intake", at(15, 23)), "A"), (intake(), "A")]
    assert rows_of(reconciled(handled, period=week, more_runs=[crm(1)]).table) == []


def test_no_expectations_give_an_empty_table_with_all_columns() -> None:
    nothing = reconciled([(intake(), "A")], expectations=[])
    assert rows_of(nothing.table) == []
    assert rows_of(nothing.findings()) == []
    assert rows_of(nothing.summary()) == []


def test_a_moment_without_a_zone_and_a_negative_slack_are_refused() -> None:
    with pytest.raises(ValueError, match="give it a time zone"):
        reconciled([], as_of=datetime(2026, 11, 19))  # noqa: DTZ001
    with pytest.raises(ValueError, match="write 0 or more seconds"):
        reconciled([], clock_slack_s=-1)


# --- causes and findings -------------------------------------------------------------------------------------------


def test_without_a_failed_run_the_words_say_whether_the_other_side_ran_at_all() -> None:
    two = [(intake(), "A"), (intake(1), "B")]
    assert {row["cause"] for row in rows_of(reconciled(two, more_runs=[crm(32)]).table)} == {IDLE}
    assert {row["cause"] for row in rows_of(reconciled(two, more_runs=[crm(3)]).table)} == {LOST}


def test_one_record_alone_without_a_run_proves_no_standstill() -> None:
    assert only((intake(), "A"), more_runs=[crm(31)])["cause"] == LOST


def test_another_clients_runs_do_not_show_that_the_other_side_ran() -> None:
    others = [crm(3, client="globex"), crm(-99)]
    two = [(intake(), "A"), (intake(1), "B")]
    assert {row["cause"] for row in rows_of(reconciled(two, more_runs=others).table)} == {IDLE}


def test_a_record_that_got_stuck_on_the_way_names_the_run_it_got_stuck_on() -> None:
    export = run("export", "export", minutes(5), "failed", error_message="HTTP 401")
    row = only((intake(), "A"), (export, "A"), more_runs=[crm(3)])
    assert (row["verdict"], row["cause_run_id"], row["cause"]) == ("missing", "export", "export failed: HTTP 401")


def test_a_stop_on_the_way_that_a_retry_removed_in_time_is_not_the_cause() -> None:
    export = run("export", "export", minutes(5), "failed")
    again = run("again", "export", minutes(9))
    too_late = run("late", "export", minutes(50))
    assert only((intake(), "A"), (export, "A"), (again, "A"), more_runs=[crm(3)])["cause"] == LOST
    row = only((intake(), "A"), (export, "A"), (too_late, "A"), (crm(51), "A"))
    assert (row["verdict"], row["cause_run_id"]) == ("late", "export")


def test_an_intake_that_failed_first_and_then_worked_is_not_the_cause() -> None:
    row = only((intake(0, "failed"), "A"), (intake(1), "A"), more_runs=[crm(3)])
    assert row["cause_run_id"] is None


def outage() -> Reconciliation:
    """Two errors of one kind, one of another, three orders in a stretch without a run, one that simply is missing."""
    refused = {"error_message": "HTTP 401", "fingerprint": "401"}
    handled = [
        *((intake(i, run_id=f"i{i}"), f"A{i}") for i in range(3)),
        (crm(5, "failed", **refused), "A0"),
        (crm(6, "failed", **refused), "A1"),
        (crm(7, "timed_out", fingerprint="slow"), "A2"),
        *((intake(100 + i, run_id=f"j{i}"), f"B{i}") for i in range(3)),
        (crm(300), "B0"),
        (intake(400), "C"),
    ]
    return reconciled(handled, more_runs=[crm(401)])


def test_one_cause_is_one_finding_that_lists_what_it_hit() -> None:
    found = rows_of(outage().findings())
    assert [(row["records"], row["missing"], row["late"], row["cause"], row["run_id"]) for row in found] == [
        (3, 2, 1, IDLE, None),
        (2, 2, 0, "crm failed: HTTP 401", "crm5"),
        (1, 1, 0, "crm timed out", "crm7"),
        (1, 1, 0, LOST, None),
    ]
    assert (found[0]["first_at"], found[0]["last_at"], found[0]["example_key"]) == (minutes(100), minutes(102), "B0")
    assert {row["verdict"] for row in found} == {"certain"}


def test_two_stretches_without_a_run_are_two_findings() -> None:
    handled = [(intake(minute), f"A{minute}") for minute in (0, 1, 200, 201, 202)]
    assert [row["records"] for row in rows_of(reconciled(handled, more_runs=[crm(100), crm(300)]).findings())] == [3, 2]


def test_a_hole_in_a_log_is_one_finding_that_names_the_hole() -> None:
    hole = [stretch(at(1), minutes(-60)), stretch(at(20), at(30))]
    (found,) = rows_of(reconciled([(intake(0), "A"), (intake(5), "B")], covered=hole, more_runs=[crm(-90)]).findings())
    assert (found["verdict"], found["records"], found["cannot_tell"]) == ("cannot tell", 2, 2)
    assert found["cause"] == "the log of n8n from 2026-11-18 08:00 to 2026-11-20 00:00 UTC"


def test_severe_expectations_come_first() -> None:
    severe = CRM.model_copy(update={"name": "is booked", "then": "booking", "severe": True})
    found = rows_of(reconciled([(intake(), "A")], expectations=[CRM, severe], more_runs=[crm(1)]).findings())
    assert [(row["expectation"], row["severe"]) for row in found] == [("is booked", True), ("reaches the CRM", False)]


def test_the_summary_counts_verdicts_and_gives_the_share_in_step_of_those_judged() -> None:
    rows = rows_of(outage().summary())
    bounds = wilson(0, 7)
    assert rows == [
        {
            **{"expectation": "reaches the CRM", "client": "acme", "n": 7, "in_step": 0, "late": 1, "missing": 6},
            **{"pending": 0, "cannot_tell": 0, "rate": 0.0, "low": 0.0, "high": pytest.approx(bounds.high)},
        }
    ]


def test_pending_and_open_records_are_counted_but_not_judged() -> None:
    handled = [(intake(0), "A"), (crm(5), "A"), (intake(1), "B"), (crm(6, "unknown"), "B"), (intake(700), "C")]
    (row,) = rows_of(reconciled(handled, as_of=minutes(710)).summary())
    assert (row["n"], row["in_step"], row["pending"], row["cannot_tell"], row["rate"]) == (1, 1, 1, 1, 1.0)


def test_an_expectation_of_which_nothing_was_seen_has_a_row_without_a_rate() -> None:
    other = CRM.model_copy(update={"name": "other", "after": "nothing"})
    rows = rows_of(reconciled([(intake(), "A"), (crm(1), "A")], expectations=[CRM, other]).summary(by=("expectation",)))
    assert [(row["expectation"], row["n"], row["rate"]) for row in rows] == [
        ("other", 0, None),
        ("reaches the CRM", 1, 1.0),
    ]


def test_a_summary_goes_by_expectation_and_client_only() -> None:
    with pytest.raises(UnknownColumnError, match="no column 'automation'"):
        reconciled([]).summary(by=("automation",))


# --- properties ----------------------------------------------------------------------------------------------------

story = st.lists(
    st.tuples(
        st.sampled_from(["intake", "crm"]),
        st.integers(0, 90),
        st.sampled_from(["succeeded", "partial", "failed", "running", "unknown"]),
        st.sampled_from("AB"),
        st.sampled_from(["acme", "globex", None]),
    ),
    max_size=9,
)


def told(events: Sequence[tuple[Any, ...]]) -> list[tuple[Row, str]]:
    return [
        (run(f"r{i}", automation, minutes(minute), status, client=client), key)
        for i, (automation, minute, status, key, client) in enumerate(events)
    ]


@settings(max_examples=6, deadline=None)
@given(events=story, data=st.data())
def test_the_order_of_rows_and_repeated_touches_do_not_matter(
    events: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    handled = told(events)
    again = [*handled, *(data.draw(st.lists(st.sampled_from(handled), max_size=4)) if handled else [])]
    more = [crm(-500)]
    one = reconciled(handled, more_runs=more, as_of=minutes(60))
    other = reconciled(data.draw(st.permutations(again)), more_runs=more, as_of=minutes(60))
    assert rows_of(one.table) == rows_of(other.table)
    assert rows_of(one.findings()) == rows_of(other.findings())


def by_hand(handled: Sequence[tuple[Row, str]], client: str, key: str, as_of: datetime) -> str | None:
    """The verdict in plain Python, for keys of one client and a log without holes."""
    mine = [row for row, touched in handled if touched == key and row["client"] == client]
    begun = min((row["started_at"] for row in mine if row["automation"] == "intake"), default=None)
    if begun is None:
        return None
    tried = [row for row in mine if row["automation"] == "crm" and row["started_at"] >= begun]
    arrived = min((row["started_at"] for row in tried if row["status"] == "succeeded"), default=None)
    deadline = begun + timedelta(minutes=30)
    if arrived:
        return "in_step" if arrived <= deadline else "late"
    if deadline > as_of:
        return "pending"
    return "cannot_tell" if any(row["status"] in ("partial", "unknown") for row in tried) else "missing"


@settings(max_examples=10, deadline=None)
@given(events=story)
def test_verdicts_equal_those_of_a_plain_loop(events: list[tuple[Any, ...]]) -> None:
    handled = told([(*event[:4], event[4] or "acme") for event in events])
    as_of = minutes(60)
    rows = rows_of(reconciled(handled, more_runs=[crm(-500)], as_of=as_of).table)
    expected = {(client, key): by_hand(handled, client, key, as_of) for client in ("acme", "globex") for key in "AB"}
    assert {(row["client"], row["entity_key"]): row["verdict"] for row in rows} == {
        record: verdict for record, verdict in expected.items() if verdict
    }
