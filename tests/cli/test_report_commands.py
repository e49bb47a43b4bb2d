"""`report` and `schedule` as somebody at a terminal sees them. What renders is a stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import Result

from aftershock.cli.common import CommandError
from aftershock.errors import NoSnapshotError, PeriodError, ReportFailedError
from aftershock.metrics.periods import Period
from aftershock.project import Project, Report

Run = Callable[..., Result]


@dataclass(frozen=True)
class Page:
    path: Path
    snapshot: int = 1


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str | None]:
    """Clients whose page fails; `None` is the fleet. All others get an empty page."""
    failing: set[str | None] = set()

    def render(project: Project, report: Report, *, client: str | None, period: Period, now: datetime) -> Page:
        if client in failing:
            raise ReportFailedError(report.name, Path("notebook.ipynb"), 3, "no such column")
        path = project.reports_folder / (client or "fleet") / report.name / period.name / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return Page(path)

    monkeypatch.setattr("aftershock.reports.render.render", render)
    return failing


def test_report_renders_every_page_and_says_which_to_open(loaded: Path, run: Run, broken: set[str | None]) -> None:
    result = run("report")
    lines = [re.sub(r" \(\d+\.\d s\)$", "", line) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines == [
        "fleet 2026-W47: reports/fleet/fleet/2026-W47/index.html",
        "client acme 2026-W47: reports/acme/client/2026-W47/index.html",
        "",
        "open reports/index.html",
    ]


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (("fleet",), ["fleet 2026-W47"]),
        (("client",), ["client acme 2026-W47"]),
        (("--client", "acme"), ["client acme 2026-W47"]),
        (("--period", "2026-W40", "fleet"), ["fleet 2026-W40"]),
    ],
)
def test_a_report_a_client_and_a_period_can_be_chosen(
    loaded: Path, run: Run, broken: set[str | None], words: tuple[str, ...], pages: list[str]
) -> None:
    assert re.findall(r"^(.+): reports/", run("report", *words).output, re.MULTILINE) == pages


def test_a_failed_page_is_told_the_others_are_made_and_the_exit_code_is_1(
    loaded: Path, run: Run, broken: set[str | None]
) -> None:
    broken.add(None)
    result = run("report")
    assert result.exit_code == 1
    assert result.stderr.startswith("fleet 2026-W47: failed: report fleet: failed in cell 3: no such column.")
    assert "client acme 2026-W47: reports/acme" in result.stdout


def test_a_fleet_report_has_no_page_of_a_client(loaded: Path, run: Run) -> None:
    with pytest.raises(CommandError, match="report 'fleet' has no page of a client's own"):
        run("report", "fleet", "--client", "acme")


def test_a_period_that_is_none_is_told_once(loaded: Path, run: Run) -> None:
    with pytest.raises(PeriodError, match="'lately' names no period"):
        run("report", "--period", "lately")


def test_an_empty_ledger_is_told_once(folder: Path, run: Run) -> None:
    with pytest.raises(NoSnapshotError, match="the ledger is empty"):
        run("report")


def test_schedule_runs_what_is_due_and_then_nothing_is(loaded: Path, run: Run, broken: set[str | None]) -> None:
    first, second = run("schedule", "run", "--once"), run("schedule", "run", "--once")
    assert re.findall(r"^(\w+(?: acme)?) ", first.output, re.MULTILINE) == ["fleet", "client acme"]
    assert (second.exit_code, second.output) == (0, "nothing is due\n")
    assert re.findall(r"(due|done|waiting|gave up)  ", run("schedule", "due").output) == ["done", "done"]


def test_a_scheduled_failure_waits_and_shows(loaded: Path, run: Run, broken: set[str | None]) -> None:
    broken.add("acme")
    assert run("schedule", "run", "--once").exit_code == 1
    assert re.search(r"^client +acme .* waiting .* failed once$", run("schedule", "due").output, re.MULTILINE)
    assert run("schedule", "run", "--once").output == "nothing is due\n"


def test_a_second_schedule_leaves_the_work_to_the_first(loaded: Path, run: Run, broken: set[str | None]) -> None:
    with FileLock(loaded / "data" / "ledger" / "schedule.lock"):
        result = run("schedule", "run", "--once")
    assert (result.exit_code, "another schedule run is at work" in result.output) == (0, True)


def test_without_a_cron_line_nothing_is_planned_and_it_says_how(loaded: Path, run: Run) -> None:
    toml = loaded / "aftershock.toml"
    toml.write_text(toml.read_text().replace('cron = "0 7 * * MON"', ""))
    assert run("schedule", "due").output.startswith("no report has a cron line: give one its time")


def test_a_cron_line_that_is_none_is_told_with_its_key(loaded: Path, run: Run) -> None:
    toml = loaded / "aftershock.toml"
    toml.write_text(toml.read_text().replace("0 7 * * MON", "Mondays", 1))
    with pytest.raises(ValueError, match=r"aftershock.toml: reports\.0\.cron: 'Mondays': no cron line"):
        run("schedule", "due")
