"""Rendering what is due: recorded, one failure among others, one process at a time. The rendering itself is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from support import project_in, take_in

import aftershock
from aftershock.errors import LedgerBusyError, LedgerFullError, NoSnapshotError, ReportFailedError
from aftershock.ledger.store import Store
from aftershock.metrics.periods import Period
from aftershock.project import Project, Report, load
from aftershock.schedule.run import Outcome, ScheduleBusyError, planned, run_due

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)  # 07:00 in Berlin
TOML = """
time_zone = "Europe/Berlin"
clients = [{ id = "acme", name = "Acme" }, { id = "baker", name = "Baker" }]

[[reports]]
name = "fleet"
notebook = "fleet.ipynb"
audience = "fleet"
cron = "0 7 * * MON"

[[reports]]
name = "client"
notebook = "client.ipynb"
cron = "0 7 * * MON"
"""


@dataclass(frozen=True)
class Page:
    path: Path
    snapshot: int = 1


class StandIn:
    """Renders nothing. `broken`: clients whose page fails, and how."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str]] = []
        self.broken: dict[str | None, Exception] = {}

    def __call__(self, project: Project, report: Report, *, client: str | None, period: Period, now: datetime) -> Page:  # noqa: ARG002  as render is called
        self.asked.append((report.name, client, period.name))
        if client in self.broken:
            raise self.broken[client]
        return Page(project.reports_folder / (client or "fleet") / "index.html")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose ledger holds one run, of Monday 2026-11-16."""
    run = {"id": "1", "finished": True, "mode": "trigger", "status": "success", "workflowId": "w1",
           "startedAt": "2026-11-16T08:00:00.000Z", "stoppedAt": "2026-11-16T08:00:01.000Z"}  # fmt: skip
    export = tmp_path / "executions.json"
    export.write_text(json.dumps({"data": [run], "nextCursor": None}))
    folder = tmp_path / "project"
    take_in(folder, [export], TOML)
    return load(folder)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """What renders in these tests."""
    double = StandIn()
    monkeypatch.setattr("aftershock.reports.render.render", double)
    return double


def test_everything_due_is_rendered_once_and_remembered(project: Project, stand_in: StandIn) -> None:
    run_due(project, MONDAY)
    run_due(project, MONDAY + timedelta(minutes=15))
    assert sorted(stand_in.asked, key=str) == [
        ("client", "acme", "2026-W47"),
        ("client", "baker", "2026-W47"),
        ("fleet", None, "2026-W47"),
    ]
    with aftershock.open(project.folder) as ledger:
        rows = ledger.sql(
            "select report, client, status, period_start, path, error from report_runs order by all"
        ).fetchall()
    start = datetime(2026, 11, 15, 23, tzinfo=UTC)
    assert rows == [
        ("client", "acme", "succeeded", start, "reports/acme/index.html", None),
        ("client", "baker", "succeeded", start, "reports/baker/index.html", None),
        ("fleet", None, "succeeded", start, "reports/fleet/index.html", None),
    ]


def test_one_failing_report_does_not_stop_the_others_and_is_tried_again_later(
    project: Project, stand_in: StandIn
) -> None:
    stand_in.broken["acme"] = ReportFailedError("client", Path("notebook.ipynb"), 4, "ZeroDivisionError")
    outcomes = run_due(project, MONDAY)
    assert [(one.report, one.client, bool(one.error)) for one in outcomes] == [
        ("fleet", None, False),
        ("client", "acme", True),
        ("client", "baker", False),
    ]
    assert (
        outcomes[1].error
        == "report client: failed in cell 4: ZeroDivisionError. The notebook as far as it came: notebook.ipynb"
    )
    assert run_due(project, MONDAY + timedelta(minutes=10)) == []
    stand_in.broken.clear()
    assert [one.client for one in run_due(project, MONDAY + timedelta(minutes=20))] == ["acme"]
    assert {each.state for each in planned(project, MONDAY + timedelta(minutes=30))} == {"done"}


def test_a_failure_that_nobody_foresaw_is_written_down_with_its_kind(project: Project, stand_in: StandIn) -> None:
    stand_in.broken["acme"] = ZeroDivisionError("division by zero")
    run_due(project, MONDAY)
    with aftershock.open(project.folder) as ledger:
        rows = ledger.sql("select client, status, error from report_runs where status = 'failed'").fetchall()
    assert rows == [("acme", "failed", "ZeroDivisionError: division by zero")]
    assert run_due(project, MONDAY + timedelta(minutes=10)) == []


def test_outcomes_are_told_as_they_come(project: Project, stand_in: StandIn) -> None:
    told: list[Outcome] = []
    assert run_due(project, MONDAY, on_outcome=told.append) == told


def test_however_many_pages_the_ledger_is_published_once(project: Project, stand_in: StandIn) -> None:
    snapshots = Store(project.ledger_folder).snapshots
    before = snapshots.newest_number()
    assert len(run_due(project, MONDAY)) == 3
    assert snapshots.newest_number() == before + 1


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (LedgerBusyError(Path("lock"), 60, "process 7"), "another process is writing the ledger"),
        (LedgerFullError(Path("ledger"), "disk full"), "no room left to write the ledger"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_written_down_is_told_by_every_outcome_and_asked_for_again(
    project: Project, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, trouble: Exception, told: str
) -> None:
    def refuse(self: Store, rows: object) -> None:
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(Store, "record_report_runs", refuse)
        outcomes = run_due(project, MONDAY)
    assert [(one.client, one.path is not None, told in str(one.unrecorded)) for one in outcomes] == [
        (None, True, True),
        ("acme", True, True),
        ("baker", True, True),
    ]
    assert [one.unrecorded for one in run_due(project, MONDAY)] == [None, None, None]


def test_while_the_ledger_is_busy_what_came_of_the_pages_waits(
    project: Project, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_down, refused = Store.record_report_runs, []

    def busy_twice(self: Store, rows: Sequence[Mapping[str, object]]) -> None:
        if len(refused) < 2:
            refused.append(len(rows))
            raise LedgerBusyError(Path("lock"), 60, "process 7")
        write_down(self, rows)

    monkeypatch.setattr(Store, "record_report_runs", busy_twice)
    run_due(project, MONDAY)
    assert refused == [3, 3]
    assert {each.state for each in planned(project, MONDAY)} == {"done"}


def test_a_list_of_pages_that_cannot_be_written_has_nothing_rendered_twice(project: Project, stand_in: StandIn) -> None:
    (project.reports_folder / "index.html").mkdir(parents=True)
    with pytest.raises(OSError, match=r"index\.html"):
        run_due(project, MONDAY)
    assert {each.state for each in planned(project, MONDAY)} == {"done"}


def test_while_another_process_renders_this_one_does_not(project: Project, stand_in: StandIn) -> None:
    with (
        FileLock(project.ledger_folder / "schedule.lock"),
        pytest.raises(ScheduleBusyError, match="another schedule run is at work"),
    ):
        run_due(project, MONDAY)
    assert stand_in.asked == []


def test_an_empty_ledger_has_nothing_to_render(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotError):
        run_due(project_in(tmp_path, TOML), MONDAY)
