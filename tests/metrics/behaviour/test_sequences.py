from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import declare_constraints, response_delays
from aftershock.metrics.behaviour.sequences import ONE_ACTIVITY, TEMPLATES

START = datetime(2026, 11, 16, tzinfo=UTC)
SCHEMA = {"case": "string", "activity": "string", "at": "timestamp('UTC')"}
Verdict = bool | None


def log(*traces: str) -> Any:
    """A case per trace, an event per letter, a minute apart."""
    rows = [
        {"case": str(i), "activity": letter, "at": START + timedelta(minutes=place)}
        for i, trace in enumerate(traces)
        for place, letter in enumerate(trace)
    ]
    return ibis.memtable(rows, schema=SCHEMA)


def found(events: Any, **options: Any) -> dict[tuple[str, str, str | None], tuple[int, int]]:
    rows = declare_constraints(events, **options).table.to_pyarrow().to_pylist()
    return {(row["template"], row["a"], row["b"]): (row["support"], row["satisfied"]) for row in rows}


def naive(template: str, t: str, a: str, b: str) -> Verdict:
    """Whether a trace satisfies a constraint, from its definition; None where it does not activate it."""
    if template.startswith("not_") and template not in ("not_response", "not_chain_response"):
        verdict = naive(template.removeprefix("not_"), t, a, b)
        return None if verdict is None else not verdict
    for name, prefix in (("succession", ""), ("alternate_succession", "alternate_"), ("chain_succession", "chain_")):
        if template == name:
            parts = [naive(f"{prefix}{one}", t, a, b) for one in ("response", "precedence")]
            return None if parts == [None, None] else False not in parts
    at_a, at_b = ([i for i, x in enumerate(t) if x == y] for y in (a, b))
    if template == "co_existence":
        return bool(at_a and at_b) if at_a or at_b else None
    if template in ("choice", "exclusive_choice"):
        return bool(at_a or at_b) if template == "choice" else bool(at_a) != bool(at_b)
    if template in ONE_ACTIVITY:
        return {"existence": len(at_a) > 0, "absence": not at_a, "exactly_one": len(at_a) == 1, "init": t[0] == a}[
            template
        ]
    if not (at_b if "precedence" in template else at_a):
        return None
    next_a = [*at_a[1:], len(t)]
    before_b = [-1, *at_b[:-1]]
    return {
        "responded_existence": bool(at_b),
        "response": all(b in t[i + 1 :] for i in at_a),
        "alternate_response": all(b in t[i + 1 : j] for i, j in zip(at_a, next_a, strict=False)),
        "chain_response": all(t[i + 1 : i + 2] == b for i in at_a),
        "not_response": all(b not in t[i + 1 :] for i in at_a),
        "not_chain_response": all(t[i + 1 : i + 2] != b for i in at_a),
        "precedence": all(a in t[:i] for i in at_b),
        "alternate_precedence": all(a in t[j + 1 : i] for j, i in zip(before_b, at_b, strict=False)),
        "chain_precedence": all(i > 0 and t[i - 1] == a for i in at_b),
    }[template]


def by_hand(traces: Sequence[str]) -> dict[tuple[str, str, str | None], tuple[int, int]]:
    letters = sorted(set("".join(traces)))
    counts = {}
    for template in TEMPLATES:
        pairs = (
            [(a, None) for a in letters]
            if template in ONE_ACTIVITY
            else [(a, b) for a in letters for b in letters if a != b]
        )
        for a, b in pairs:
            verdicts = [naive(template, trace, a, b or "") for trace in traces]
            counts[template, a, b] = (len(verdicts) - verdicts.count(None), verdicts.count(True))
    return counts


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("abcd", min_size=1, max_size=8), min_size=1, max_size=6))
def test_sql_equals_the_definitions_on_any_log(traces: list[str]) -> None:
    assert found(log(*traces)) == by_hand(traces)


def test_a_response_needs_every_activation_answered() -> None:
    assert found(log("ab", "aba", "b"))["response", "a", "b"] == (2, 1)


def test_the_order_of_rows_does_not_matter() -> None:
    events = log("abcab", "bca", "cc")
    assert found(events) == found(events.order_by(ibis.desc("at"), "activity"))


def test_events_of_one_moment_stand_in_the_order_asked_for() -> None:
    rows = [{"case": "1", "activity": name, "at": START, "turn": turn} for name, turn in (("a", 2), ("b", 1))]
    events = ibis.memtable(rows, schema=SCHEMA | {"turn": "int64"})
    assert found(events, templates=["init"])["init", "a", None] == (1, 1)
    assert found(events, templates=["init"], order=["turn"])["init", "b", None] == (1, 1)


def test_events_without_a_case_an_activity_or_a_time_are_left_out_and_counted() -> None:
    rows = [{"case": "1", "activity": "a", "at": START}, {"case": None, "activity": "a", "at": START}]
    rows += [{"case": "2", "activity": None, "at": START}, {"case": "3", "activity": "a", "at": None}]
    result = declare_constraints(ibis.memtable(rows, schema=SCHEMA))
    assert (result.n, result.left_out, result.interval) == (1, 3, None)


def test_no_events_give_no_constraints() -> None:
    result = declare_constraints(ibis.memtable([], schema=SCHEMA))
    assert (result.n, len(result.to_pandas())) == (0, 0)


def test_an_unknown_template_or_column_is_told() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'response'"):
        declare_constraints(log("a"), templates=["respons"])
    with pytest.raises(UnknownColumnError):
        declare_constraints(log("a"), case="order")


def delays(events: Any, **options: Any) -> dict[str, Any]:
    (row,) = response_delays(events, [("a", "b")], **options).table.to_pyarrow().to_pylist()
    return row


def test_a_delay_lasts_until_the_first_answer() -> None:
    row = delays(log("acbb", "ab"))
    assert (row["activations"], row["answered"], row["open"], row["p50_s"], row["p90_s"]) == (2, 2, 0, 60.0, 120.0)


def test_an_activation_still_open_counts_as_waiting() -> None:
    row = delays(log("ab", "a", "a"), until=START + timedelta(minutes=9))
    assert (row["answered"], row["open"], row["p50_s"]) == (1, 2, None)


def test_what_is_too_young_to_judge_is_pending_and_not_missed() -> None:
    events = log("ab", "cccca", "acccccb", "a")
    row = delays(events, within_s=150.0, until=START + timedelta(minutes=6))
    assert (row["on_time"], row["missed"], row["pending"]) == (1, 2, 1)
    assert row["rate"] == pytest.approx(1 / 3)


def test_what_comes_after_until_is_not_known_yet() -> None:
    row = delays(log("ccab"), until=START + timedelta(minutes=2))
    assert (row["activations"], row["answered"]) == (1, 0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=7), min_size=1, max_size=6))
def test_without_anything_open_a_quantile_is_the_smallest_delay_that_so_many_kept(traces: list[str]) -> None:
    traces = [trace + "b" for trace in traces]
    waits = sorted((t.index("b", i) - i) * 60 for t in traces for i, letter in enumerate(t) if letter == "a")
    rows = response_delays(log(*traces), [("a", "b")]).table.to_pyarrow().to_pylist()
    expected = [next(w for w in waits if sum(x <= w for x in waits) >= 0.9 * len(waits))] if waits else []
    assert [row["p90_s"] for row in rows] == expected
