"""What a page says of patterns in a log made by hand: since when, at what volume, which errors, how long, who together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tables import at, run, runs, stretch, table

from aftershock.ledger.reader import Ledger
from aftershock.metrics import Period, failure_rate
from aftershock.reports.blocks.changes import Shift
from aftershock.reports.page import ReportPage
from aftershock.reports.views.changes import Shifts, marks_of, shifts_of, shifts_of_all
from aftershock.reports.views.errors import errors_of
from aftershock.reports.views.fleet import worst_automations
from aftershock.reports.views.recovery import lasting_of
from aftershock.reports.views.scope import Scope
from aftershock.reports.views.together import together_of
from aftershock.reports.views.volume import knees_of

Rows = list[dict[str, Any]]
SIX_WEEKS = Period.parse("2026-10-12..2026-11-22")
FIRST = datetime(2026, 10, 12, tzinfo=at(1).tzinfo)


def scope(rows: Rows, *, client: str | None = None, changes: Rows = (), covers: Rows = ()) -> Scope:  # type: ignore[assignment]
    """What a report looks at: a ledger of these rows, in week 47."""
    covers = covers or [stretch(FIRST, at(23))]
    project = SimpleNamespace(client=lambda name: SimpleNamespace(id=name, name=name), sources=())
    tables = {"runs": runs(*rows), "changes": table("changes", changes), "coverage": table("coverage", covers)}
    ledger = SimpleNamespace(project=project, published_at=at(23), **tables)
    return Scope(cast(Ledger, ledger), client, Period.parse("2026-W47"))


def daily(automation: str, bad: dict[date, int], n: int = 10, **more: Any) -> Iterator[dict[str, Any]]:
    """n runs of an automation on each day of six weeks, of which so many fail on these days."""
    for day in range(42):
        begun = FIRST + timedelta(days=day)
        for i in range(n):
            status = "failed" if i < bad.get(begun.date(), 0) else "succeeded"
            facts = {name: value(begun) if callable(value) else value for name, value in more.items()}
            yield run(f"{automation} {day}-{i}", automation, begun + timedelta(hours=6, minutes=5 * i), status, **facts)


def days(first: date, n: int) -> list[date]:
    return [first + timedelta(days=i) for i in range(n)]


WORSE = dict.fromkeys(days(date(2026, 11, 5), 18), 3)
OUTAGE = {date(2026, 11, 12): 8}


def version(begun: datetime) -> str:
    """A second version from 5 November on."""
    return "first" if begun.date() < date(2026, 11, 5) else "second"


def only(shifts: list[Shift]) -> Shift:
    (one,) = shifts
    return one


def test_a_lasting_change_is_found_with_the_version_that_began_then() -> None:
    one = only(shifts_of(scope([*daily("a", WORSE, version=version)]), SIX_WEEKS).sure)
    assert (one.direction, one.on, one.stands) == ("rose", date(2026, 11, 5), True)
    assert (one.before.share, one.before.n, one.since.share, one.since.n) == (0.0, 240, 0.3, 180)
    assert [(began.text, began.on) for began in one.began] == [("second", date(2026, 11, 5))]


def test_the_version_with_which_a_log_begins_did_not_begin_then() -> None:
    early = dict.fromkeys(days(date(2026, 10, 15), 39), 4)
    one = only(shifts_of(scope([*daily("a", early, version="first")]), SIX_WEEKS).sure)
    assert (one.began, one.versioned) == ((), True)


def test_a_log_that_names_no_version_is_told_apart_from_one_in_which_none_began() -> None:
    assert only(shifts_of(scope([*daily("a", WORSE)]), SIX_WEEKS).sure).versioned is False


def test_a_change_on_record_is_named_and_one_of_another_automation_is_not() -> None:
    changes = [
        {"automation_id": "id of a", "at": at(5, 9), "kind": "edited", "title": "new key"},
        {"automation_id": "id of b", "at": at(5, 9), "kind": "edited", "title": "other"},
    ]
    one = only(shifts_of(scope([*daily("a", WORSE)], changes=changes), SIX_WEEKS).sure)
    assert [(began.what, began.text) for began in one.began] == [("change", "new key")]


def test_what_somebody_wrote_about_a_change_is_not_quoted_to_a_client() -> None:
    changes = [{"automation_id": "id of a", "at": at(5, 9), "kind": "edited", "title": "moved globex to the new key"}]
    one = only(shifts_of(scope([*daily("a", WORSE)], client="acme", changes=changes), SIX_WEEKS).sure)
    assert [began.text for began in one.began] == ["edited"]


def test_an_outage_of_a_day_is_dated_as_one_day_that_is_over() -> None:
    one = only(shifts_of(scope([*daily("a", OUTAGE)]), SIX_WEEKS).sure)
    assert (one.on, one.until, one.since.n, one.since.share) == (date(2026, 11, 12), date(2026, 11, 13), 10, 0.8)
    assert one.then is not None
    assert (one.then.share, one.then.n) == (0.0, 100)


def test_what_stands_comes_before_what_is_over() -> None:
    found = shifts_of(scope([*daily("over", OUTAGE), *daily("standing", WORSE)]), SIX_WEEKS).sure
    assert [one.automation for one in found] == ["standing", "over"]


def test_a_second_outage_does_not_lengthen_the_first() -> None:
    twice = OUTAGE | {date(2026, 10, 25): 8}
    found = shifts_of(scope([*daily("a", twice)]), SIX_WEEKS).sure
    assert {(one.on, one.until) for one in found} == {
        (date(2026, 10, 25), date(2026, 10, 26)),
        (date(2026, 11, 12), date(2026, 11, 13)),
    }


def test_steady_automations_have_no_change_that_is_held_for_sure() -> None:
    steady = [row for name in "abcde" for row in daily(name, dict.fromkeys(days(FIRST.date(), 42)[::3], 1))]
    found = shifts_of(scope(steady), SIX_WEEKS)
    assert (found.sure, found.n) == ([], 5)


def test_a_client_reads_of_own_runs_alone() -> None:
    rows = [*daily("mine", {}, client="acme"), *daily("theirs", WORSE, client="globex")]
    found = shifts_of(scope(rows, client="acme"), SIX_WEEKS)
    assert (found.sure, found.unsure, found.n) == ([], [], 1)


def test_the_mark_of_the_whole_is_a_field_and_the_version_that_fits_a_line() -> None:
    whole = scope([*daily("a", WORSE, version=version)], client="acme")
    found = shifts_of(whole, SIX_WEEKS)
    marks = marks_of(shifts_of_all(whole, SIX_WEEKS), found, versions=True)
    assert [(mark.kind, mark.at, mark.says) for mark in marks] == [
        ("change", date(2026, 11, 5), "0% to 30.0%"),
        ("version", date(2026, 11, 5), "new version"),
    ]


def test_a_steady_rate_has_no_mark() -> None:
    assert marks_of([], Shifts([], [], 1, 0), versions=True) == []
    assert shifts_of_all(scope([*daily("a", dict.fromkeys(days(FIRST.date(), 42)[::4], 1))]), SIX_WEEKS) == []


def page_of(rows: Rows) -> ReportPage:
    found = scope(rows, client="acme")
    return ReportPage(found.ledger, "acme", found.period)


def test_the_sentence_below_a_clients_chart_names_the_automation() -> None:
    block = page_of([*daily("acme / Lead <b>sync</b>", WORSE, version=version)]).failure_rate_by_day()
    assert "acme / Lead &lt;b&gt;sync&lt;/b&gt;</bdi> fails more often since 5 Nov" in block.html.replace(
        "about 5 Nov (4 to 6 Nov)", "5 Nov"
    )
    assert "A new version of it began on 5 Nov." in block.html
    assert [mark.kind for mark in block.numbers["marks"]] == ["change", "version"]


def many_prices(client: str = "acme") -> Rows:
    """Hours of 2 to 20 runs; above ten an hour each run beyond fails."""
    rows = []
    for day in range(42):
        for hour, amount in enumerate((2, 5, 8, 10, 14, 20), start=8):
            for i in range(amount):
                status = "failed" if i >= 10 or (day % 7 == 0 and i == 0) else "succeeded"
                begun = FIRST + timedelta(days=day, hours=hour, minutes=2 * i)
                rows.append(run(f"{client} p{day}-{hour}-{i}", "prices", begun, status, client=client))
    return rows


def test_a_volume_at_which_it_breaks_is_found_and_a_steady_automation_has_none() -> None:
    found = knees_of(
        scope([*many_prices(), *daily("steady", dict.fromkeys(days(FIRST.date(), 42)[::3], 1))]), SIX_WEEKS
    )
    assert [knee.automation for knee in found.found] == ["prices"]
    assert 5 < found.found[0].at < 14
    assert found.found[0].q_value < 0.05
    assert found.looked == 2


def test_where_failures_are_few_nobody_can_tell_the_volume() -> None:
    found = knees_of(scope([*daily("a", {date(2026, 11, 12): 3})]), SIX_WEEKS)
    assert (found.found, found.looked, found.too_few) == ([], 1, 1)


def test_of_an_automation_that_others_use_too_a_client_does_not_see_the_volume() -> None:
    shared = [*many_prices(), run("g", "prices", at(18), client="globex")]
    assert knees_of(scope(shared, client="acme"), SIX_WEEKS).looked == 0
    assert knees_of(scope(shared), SIX_WEEKS).found != []


def failing(run_id: str, moment: datetime, message: str | None, **more: Any) -> dict[str, Any]:
    return run(run_id, "a", moment, "failed", error_message=message, **more)


def test_errors_are_counted_by_what_they_say_and_new_ones_marked() -> None:
    rows = [failing("old", at(3), "order 7 was refused")]
    rows += [failing(f"again {i}", at(17, i), f"order {i + 20} was refused") for i in range(3)]
    rows += [failing("new", at(18), "no company named Müller"), failing("silent", at(19), None)]
    found = errors_of(scope(rows), 42)
    assert [(one.n, one.is_new) for one in found.families] == [(3, False), (1, True)]
    assert (found.n, found.silent, found.families[0].share) == (5, 1, 0.6)
    assert found.families[0].first_seen == at(3)


def test_without_a_log_of_the_time_before_nothing_is_new() -> None:
    found = errors_of(scope([failing("1", at(18), "refused")]), 42)
    assert ([one.is_new for one in found.families], found.days_before) == ([None], 0)


def test_a_period_without_failures_has_no_error() -> None:
    found = errors_of(scope([run("1", "a", at(18))]), 42)
    assert (found.families, found.n) == ([], 0)


def test_incidents_that_are_still_open_count_in_n_and_as_lasting_on() -> None:
    rows: Rows = []
    for i, day in enumerate(range(2, 8)):
        rows += [
            run(f"{i} good", "a", at(day, 8)),
            run(f"{i} bad", "a", at(day, 9), "failed"),
            run(f"{i} over", "a", at(day, 10)),
        ]
    rows += [run("b good", "b", at(20)), run("b bad", "b", at(21), "failed")]
    found = lasting_of(scope(rows), SIX_WEEKS)
    assert (found.n, found.unseen, found.half_s) == (7, 1, 3600)
    assert found.most_s is None


def test_where_a_log_breaks_off_an_incident_is_not_seen_to_end() -> None:
    rows = [run("good", "a", at(2, 8)), run("bad", "a", at(2, 9), "failed"), run("over", "a", at(6, 9))]
    covers = [stretch(FIRST, at(3)), stretch(at(6), at(23))]
    assert lasting_of(scope(rows, covers=covers), SIX_WEEKS).unseen == 1
    assert lasting_of(scope(rows), SIX_WEEKS).unseen == 0


def test_automations_that_break_in_the_same_hours_are_a_group_and_their_namesakes_are_not() -> None:
    moments = [FIRST + timedelta(days=d, hours=(7 * d) % 24) for d in range(0, 42, 2)]
    rows = []
    for name in ("a", "b", "c"):
        for hour in range(0, 42 * 24):
            begun = FIRST + timedelta(hours=hour)
            bad = name != "c" and begun in moments
            rows.append(
                run(
                    f"{name} {hour}",
                    "sync",
                    begun,
                    "failed" if bad else "succeeded",
                    automation_id=name,
                    error_type="E",
                )
            )
    found = together_of(scope(rows), SIX_WEEKS)
    assert [(group.automations, group.hours, group.shared) for group in found.groups] == [
        (["sync", "sync"], 21, ["the error E", "the source n8n", "the tool n8n"])
    ]
    assert found.groups[0].q_value < 0.05


def test_few_runs_do_not_make_an_automation_the_worst() -> None:
    rows = [run(f"x{i}", "few", at(17, i), "failed" if i == 0 else "succeeded") for i in range(2)]
    rows += [
        run(f"y{i}", "many", at(17) + timedelta(minutes=i), "failed" if i % 5 == 0 else "succeeded") for i in range(200)
    ]
    for name in "abcdef":
        rows += [
            run(f"{name}{i}", name, at(18) + timedelta(minutes=i), "failed" if i == 0 else "succeeded")
            for i in range(100)
        ]
    rates = failure_rate(runs(*rows), by=("client", "automation", "tool"), unit="root", period=Period.parse("2026-W47"))
    worst = worst_automations(rates)
    assert worst.numbers[0]["automation"] == "many"
    few = next(row for row in worst.numbers if row["automation"] == "few")
    assert (few["rate"], few["posterior"] < 0.3) == (0.5, True)
    assert "draws the raw share towards that of all" in worst.order


def test_where_rates_differ_by_chance_alone_nobody_is_called_worse() -> None:
    rows = [
        run(f"{name}{i}", name, at(18) + timedelta(minutes=i), "failed" if i == 0 else "succeeded")
        for name in "abc"
        for i in range(50)
    ]
    rates = failure_rate(runs(*rows), by=("client", "automation", "tool"), unit="root", period=Period.parse("2026-W47"))
    assert worst_automations(rates).order.startswith("Their rates differ no more than chance makes them")


@pytest.mark.parametrize(("automations", "stands"), [(1, True), (40, False)])
def test_a_change_is_judged_among_all_that_are_compared(automations: int, stands: bool) -> None:
    rows: Rows = []
    for k in range(automations):
        for day, failures in ((10, 0), (17, 7 if k == 0 else 0)):
            rows += [
                run(
                    f"{k} {day}-{i}", f"a{k}", at(day) + timedelta(minutes=i), "failed" if i < failures else "succeeded"
                )
                for i in range(50)
            ]
    by = ("client", "automation", "tool")
    rates = failure_rate(runs(*rows), by=by, unit="root", period=Period.parse("2026-W47"), compare=True)
    (first, *_) = worst_automations(rates).rows
    assert ("(chance)" not in first[-1]) is stands
