"""`report` and `schedule` as somebody at a terminal sees them. What renders is a stand-in."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import Result

from aftershock.cli import app
from aftershock.cli.common import CommandError, plain
from aftershock.errors import LedgerFullError, NoSnapshotError, PeriodError, ReportFailedError
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


class Stopped(BaseException):
    """As if somebody had pressed Ctrl-C."""


def after_each_round(monkeypatch: pytest.MonkeyPatch, *deeds: Callable[[], object]) -> None:
    """What happens while a schedule that goes on sleeps, one deed a round; then it is stopped."""
    left = list(deeds)

    def sleep(_seconds: float) -> None:
        if not left:
            raise Stopped
        left.pop(0)()

    monkeypatch.setattr("time.sleep", sleep)


def rounds_told(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """Run the command until it is stopped; the lines on stdout and on stderr."""
    with pytest.raises(Stopped):
        app(list(words), standalone_mode=False)
    told = capsys.readouterr()
    return told.out.splitlines(), told.err.splitlines()


def test_a_schedule_that_goes_on_outlives_a_file_half_saved_and_an_empty_ledger(
    folder: Path,
    broken: set[str | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ledger_folder: Path,
) -> None:
    toml = folder / "aftershock.toml"
    whole = toml.read_text()
    toml.write_text('name = "Two')
    after_each_round(
        monkeypatch,
        lambda: toml.write_text(whole),
        lambda: shutil.copytree(ledger_folder, folder / "data", dirs_exist_ok=True),
    )
    out, err = rounds_told(("schedule", "run", "--project", str(folder)), capsys)
    assert [line.partition(":")[0] for line in err] == ["error", "error"]
    assert ("no valid TOML" in err[0], "the ledger is empty" in err[1]) == (True, True)
    assert [line.partition(" 20")[0] for line in out] == ["fleet", "client acme"]


@pytest.mark.parametrize(
    "trouble",
    [
        LedgerFullError(Path("ledger"), "disk full"),
        CommandError("two\nlines"),
        OSError(errno.ENOSPC, "No space left on device"),
        TimeoutError("another schedule run is at work"),
    ],
)
def test_a_schedule_that_goes_on_tells_each_trouble_on_one_line(
    loaded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr("aftershock.schedule.run.run_due", fail)
    after_each_round(monkeypatch, list)
    out, err = rounds_told(("schedule", "run"), capsys)
    assert (out, err) == ([], [f"error: {plain(trouble)}"] * 2)


def test_pages_that_cannot_be_written_down_are_told_on_one_line_and_the_exit_code_is_1(
    loaded: Path, run: Run, broken: set[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LedgerFullError(Path("ledger"), "disk full")

    monkeypatch.setattr("aftershock.ledger.store.Store.record_report_runs", refuse)
    for words in (("report",), ("schedule", "run", "--once")):
        result = run(*words)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: what came of 2 pages is not written down, so the schedule asks for")
        assert result.stderr.count("\n") == 1
        assert "client acme 2026-W47: reports/acme" in result.stdout


def test_without_a_cron_line_nothing_is_planned_and_it_says_how(loaded: Path, run: Run) -> None:
    toml = loaded / "aftershock.toml"
    toml.write_text(toml.read_text().replace('cron = "0 7 * * MON"', ""))
    assert run("schedule", "due").output.startswith("no report has a cron line: give one its time")


def test_a_cron_line_that_is_none_is_told_with_its_key(loaded: Path, run: Run) -> None:
    toml = loaded / "aftershock.toml"
    toml.write_text(toml.read_text().replace("0 7 * * MON", "Mondays", 1))
    with pytest.raises(ValueError, match=r"aftershock.toml: reports\.0\.cron: 'Mondays': no cron line"):
        run("schedule", "due")
