"""Templates: what human beings would call one message, in any order, and never renumbered."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support import ROOT

from aftershock.metrics import Result, grouping_accuracy, mine_templates

sys.path.insert(0, str(ROOT / "benchmarks"))

from made_logs import STYLES, made_log

USERS = ("cyrus", "news", "root", "alice", "bob", "ftp")


def groups(messages: list[str]) -> list[str]:
    found = mine_templates(messages)
    return [found.templates[label] for label in found.labels]


def test_a_word_with_many_values_in_one_place_is_a_variable() -> None:
    assert set(groups([f"password for {user} refused by server" for user in USERS])) == {
        "password for <*> refused by server"
    }


def test_few_words_in_one_place_are_different_messages() -> None:
    messages = ["Connection refused by peer", "Connection reset by peer", "Connection closed by peer"]
    assert groups(messages) == messages


def test_after_a_noun_that_names_two_values_suffice() -> None:
    assert set(groups(["no rows in table orders today", "no rows in table invoices today"])) == {
        "no rows in table <*> today"
    }


def test_true_and_false_and_states_in_capitals_are_no_values() -> None:
    messages = [
        f"moved from {a} to {b} at once"
        for a, b in (("NEW", "READY"), ("READY", "RUNNING"), ("RUNNING", "DONE"), ("DONE", "GONE"))
    ]
    messages += ["open with force=true today", "open with force=false today"]
    assert groups(messages) == messages


def test_after_an_equals_sign_or_a_leading_word_four_values_suffice() -> None:
    for text in ("login failed at the door user={}", "login refused for {} at the door"):
        assert set(groups([text.format(user) for user in USERS[:4]])) == {text.format("<*>")}
        assert len(set(groups([text.format(user) for user in USERS[:3]]))) == 3


def test_two_dotted_names_are_values_but_exceptions_and_constants_are_not() -> None:
    assert set(groups([f"calling app is {name}" for name in ("com.acme.maps", "com.acme.mail")])) == {
        "calling app is <*>"
    }
    messages = [
        f"call ended with {name}"
        for name in ("java.io.IOException", "java.net.SocketException", "a.action.SCREEN_ON", "a.action.SCREEN_OFF")
    ]
    assert groups(messages) == messages


def test_the_name_of_who_speaks_varies_before_a_long_sentence() -> None:
    names = ("com.acme.a", "com.acme.b", "com.acme.c")
    assert len(set(groups([f"{name}: told me to run this job but it is too early" for name in names]))) == 1
    assert len(set(groups([f"{name}: service stopped" for name in names]))) == 3


def test_the_first_word_is_what_a_message_is_about() -> None:
    messages = [f"{word} service succeeded today" for word in ("cupsd", "hcid", "klogd", "named", "portmap", "syslogd")]
    assert groups(messages) == messages


def test_two_places_that_vary_together_are_variables() -> None:
    messages = [
        f"Registering class org.a.{name} for class org.b.{name}Handler" for name in ("Job", "Task", "Map", "Sort")
    ]
    assert set(groups(messages)) == {"Registering class <*> for class <*>"}


def test_lists_of_any_length_are_one_value() -> None:
    assert (
        len(set(groups([f"sent to {', '.join(f'10.0.0.{k}:80' for k in range(n))} at once" for n in range(1, 5)]))) == 1
    )


def test_a_traceback_counts_by_its_last_exception() -> None:
    text = 'Traceback (most recent call last):\n  File "/a.py", line {}, in f\n    g()\nValueError: bad day {}\n'
    assert groups([text.format(1, 2), "ValueError: bad day 7", text.format(3, 4)]) == ["ValueError: bad day <*>"] * 3


@pytest.mark.parametrize("style", ["hdfs", "linux", "proxifier", "android", "openstack"])
def test_any_order_and_any_repetition_gives_the_same(style: str) -> None:
    messages, _ = made_log(style, 400)
    again = messages + messages[:100]
    np.random.default_rng(3).shuffle(again)
    first, second = mine_templates(messages), mine_templates(again)
    assert sorted(first.templates) == sorted(second.templates)
    assert dict(zip(first.templates, first.ids, strict=True)) == dict(zip(second.templates, second.ids, strict=True))


@pytest.mark.parametrize("style", STYLES)
def test_what_is_together_in_half_of_the_messages_is_together_in_all(style: str) -> None:
    messages, _ = made_log(style, 300)
    whole = mine_templates(messages).labels
    for half in (slice(0, 150), slice(150, 300)):
        pairs = set(zip(mine_templates(messages[half]).labels.tolist(), whole[half].tolist(), strict=True))
        assert len(pairs) == len({part for part, _ in pairs})


@pytest.mark.parametrize("style", STYLES)
def test_the_statements_of_each_style_are_found(style: str) -> None:
    messages, statements = made_log(style, 1_000)
    score = grouping_accuracy(mine_templates(messages).labels, statements)
    assert score.ga is not None
    assert score.ga > 0.95


def test_known_templates_keep_their_ids_whatever_comes() -> None:
    first = mine_templates(["disk full on alpha today", "disk full on beta today", "login refused"])
    more = [f"disk full on {name} today" for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")]
    second = mine_templates([*more, "login refused", "a new thing"], known=first)
    named = dict(zip(second.templates, second.ids, strict=True))
    kept = {template: id_ for template, id_ in zip(first.templates, first.ids, strict=True) if template in named}
    assert kept == {template: named[template] for template in first.templates}


def test_a_known_template_without_a_word_fits_only_its_like() -> None:
    first = mine_templates(["'total'", "'sku'"])
    assert first.templates == ("<*>",)
    assert set(mine_templates(["17", "disk full"], known=first).templates) == {"<*>", "disk full"}


def test_null_is_left_out_with_the_label_minus_one() -> None:
    found = mine_templates(["a 1", None, "a 2"])
    assert (found.n, found.left_out, found.labels.tolist(), found.templates) == (2, 1, [0, -1, 0], ("a <*>",))


def test_no_message_gives_no_template() -> None:
    found = mine_templates([])
    assert (found.n, found.templates, found.to_pandas().shape) == (0, (), (0, 3))


def test_many_distinct_messages_take_the_way_through_duckdb_and_agree() -> None:
    messages = [f"job {k} of host h{k}.example.net failed" for k in range(3_000)]
    found = mine_templates(messages)
    assert (found.templates, set(found.labels.tolist())) == (mine_templates(messages[:10]).templates, {0})


def test_it_is_a_result() -> None:
    assert isinstance(mine_templates(["a"]), Result)


def test_arrays_and_series_are_taken_and_one_text_is_refused() -> None:
    assert mine_templates(np.array(["a 1", "a 2"], dtype=object)).n == 2
    with pytest.raises(TypeError, match="give a list"):
        mine_templates("a 1")
