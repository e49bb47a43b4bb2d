"""`report` and `schedule`: rendering pages now, or when they are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aftershock.cli.common import CommandError, ProjectOption, count, load_project, plain, shorten, show_table
from aftershock.errors import AftershockError

if TYPE_CHECKING:
    from aftershock.project import Project, Report
    from aftershock.schedule.plan import Planned
    from aftershock.schedule.run import Outcome

_PAUSE_S = 60

schedule = typer.Typer(help="What is due, and rendering it.", no_args_is_help=True, rich_markup_mode=None)


def report(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A configured report. Default: all of them.")
    ] = None,
    client: Annotated[str | None, typer.Option(help="Only this client's page.")] = None,
    period: Annotated[
        str | None,
        typer.Option(help="2026-W47, 2026-11, 2026-11-18 or 2026-11-01..2026-11-15. Default: the newest whole one."),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Render pages now."""
    from aftershock.ledger.reader import Ledger
    from aftershock.metrics.periods import Period
    from aftershock.schedule.run import render_all

    configured = load_project(project)
    now = datetime.now(UTC)
    if period:
        Period.parse(period)  # one clear error, not one for each page
    Ledger(configured).close()
    pages = [(each, client_id, period) for each, client_id in _wanted(configured, name, client)]
    outcomes = render_all(configured, pages, now, on_outcome=_show)
    _where_to_look(configured)
    _end(outcomes)


@schedule.command()
def due(project: ProjectOption = None) -> None:
    """What is due, what is done, and what comes when."""
    from aftershock.schedule.run import planned

    rows = planned(load_project(project), datetime.now(UTC))
    if not rows:
        typer.echo("no report has a cron line: give one its time in aftershock.toml, such as cron = '0 7 * * MON'")
        return
    show_plan(rows)


@schedule.command()
def run(
    once: Annotated[
        bool, typer.Option("--once", help="Render what is due, then end. Without it: go on until stopped.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Render what is due. A report that fails is tried three times more, at growing distance."""
    from aftershock.schedule.run import ScheduleBusyError, run_due

    if not once:
        _go_on(project)
    try:
        outcomes = run_due(load_project(project), datetime.now(UTC), on_outcome=_show)
    except ScheduleBusyError as busy:
        typer.echo(str(busy))
        return
    if not outcomes:
        typer.echo("nothing is due")
    _end(outcomes)


def _go_on(project: Path | None) -> NoReturn:
    """Render what is due, again and again. Nothing that may pass ends it: an empty ledger, a file half saved, a full disk."""
    import time

    from aftershock.schedule.run import run_due

    while True:
        try:
            _tell_unrecorded(run_due(load_project(project), datetime.now(UTC), on_outcome=_show))
        except BrokenPipeError:
            raise  # nobody reads what we say any more
        except (AftershockError, OSError) as error:
            typer.echo(f"error: {plain(error)}", err=True)
        time.sleep(_PAUSE_S)


def show_plan(rows: Sequence[Planned]) -> None:
    """A line per report and client: where it stands."""
    cells = [
        (
            row.due.report,
            row.due.client or "(fleet)",
            row.due.period_name,
            row.state,
            f"{row.next_at:%Y-%m-%d %H:%M} UTC",
            _tries(row),
        )
        for row in rows
    ]
    show_table(("report", "client", "period", "state", "next", ""), cells)


def _tries(row: Planned) -> str:
    return f"failed {row.failures} times" if row.failures > 1 else "failed once" if row.failures else ""


def _wanted(project: Project, name: str | None, client: str | None) -> list[tuple[Report, str | None]]:
    """Which pages: of one report or all, for one client or everybody."""
    from aftershock.schedule.plan import addressees

    if client:
        project.client(client)
    chosen = [project.report(name)] if name else list(project.reports)
    if not chosen:
        raise CommandError("aftershock.toml names no report: add a [[reports]] entry with a name and a notebook")
    everybody = [(each, one.id if one else None) for each in chosen for one in addressees(each, project.clients)]
    pages = [page for page in everybody if client in (None, page[1])]
    if not pages:
        nobody = f"report {name!r} has no page of a client's own" if client else "there is no client in aftershock.toml"
        raise CommandError(f"nothing to render: {nobody}")
    return pages


def _show(outcome: Outcome) -> None:
    """One line: for whom, which period, how long it took, and where the page is or why there is none."""
    what = " ".join(filter(None, (outcome.report, outcome.client, outcome.period)))
    if outcome.path:
        typer.echo(f"{what}: {shorten(outcome.path, Path.cwd())} ({outcome.seconds:.1f} s)")
    else:
        typer.echo(f"{what}: failed: {outcome.error}", err=True)


def _tell_unrecorded(outcomes: Sequence[Outcome]) -> None:
    """One line, however many pages: all are written down in one go, or none."""
    why = next((outcome.unrecorded for outcome in outcomes if outcome.unrecorded), None)
    if why:
        told = (
            f"error: what came of {count(len(outcomes), 'page')} is not written down, so the schedule asks for it again"
        )
        typer.echo(f"{told}: {plain(why)}", err=True)


def _end(outcomes: Sequence[Outcome]) -> None:
    """Exit code 1 where anything failed."""
    _tell_unrecorded(outcomes)
    if any(outcome.error or outcome.unrecorded for outcome in outcomes):
        raise typer.Exit(1)


def _where_to_look(project: Project) -> None:
    index = project.reports_folder / "index.html"
    if index.is_file():
        typer.echo(f"\nopen {shorten(index, Path.cwd())}")
