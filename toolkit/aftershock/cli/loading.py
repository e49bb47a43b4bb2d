"""`ingest`, `rejects`, `status`: taking run logs in, and what has been taken in."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aftershock.cli.common import CommandError, ProjectOption, count, load_project, plain, shorten, show_table

if TYPE_CHECKING:
    from rich.progress import Progress

    from aftershock.ingest.pipeline import FileResult, IngestResult
    from aftershock.ledger.reader import Ledger
    from aftershock.project import Project

_RECOGNISED = ("taken", "known")


def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Files, folders, archives.")] = None,
    source: Annotated[str | None, typer.Option(help="The configured source that all these files belong to.")] = None,
    exported_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the files were exported, where they do not say so themselves."),
    ] = None,
    retry_rejects: Annotated[bool, typer.Option("--retry-rejects", help="Read files with rejects once more.")] = False,
    project: ProjectOption = None,
) -> None:
    """Recognise run logs, take them in, publish a snapshot."""
    from aftershock.ingest.pipeline import ingest as take_in

    if not paths and not retry_rejects:
        raise CommandError("name at least one file or folder: aftershock ingest PATH...")
    configured = load_project(project)
    moment = _moment(exported_at, configured) if exported_at else None
    with ExitStack() as stack:
        show = _Progress(stack) if _is_terminal() else _Lines()
        try:
            result = take_in(
                configured,
                paths or [],
                source=source,
                exported_at=moment,
                retry_rejects=retry_rejects,
                on_file=show.file,
            )
        except FileNotFoundError as error:
            raise CommandError(str(error)) from None
    _totals(result)
    if not any(each.outcome in _RECOGNISED for each in result.files) and not (retry_rejects and not paths):
        raise typer.Exit(1)


def rejects(project: ProjectOption = None) -> None:
    """What could not be mapped, grouped by reason, with one example each."""
    from aftershock.ledger.reader import Ledger

    with Ledger(load_project(project)) as ledger:
        rows = ledger.sql("""
            select count(*) as records, count(distinct import_id) as files, adapter, field, reason,
                   any_value(path) || ': ' || any_value(coalesce(place, 'record ' || record)) as example, any_value(left(seen, 60)) as seen
            from rejects join imports using (import_id) group by adapter, field, reason order by records desc, reason
        """).fetchall()
    if not rows:
        typer.echo("no rejects: every record that was read is mapped or set aside with a reason")
        return
    show_table(("records", "files", "adapter", "field", "reason", "for example", "seen"), rows, numbers=(0, 1))
    typer.echo("\nAfter mending the adapter, the mapping or the file: aftershock ingest --retry-rejects")


def status(project: ProjectOption = None) -> None:
    """What is loaded, how far each source's log reaches, rejects, and what is due."""
    from aftershock.ledger.reader import Ledger

    configured = load_project(project)
    now = datetime.now(UTC)
    with Ledger(configured) as ledger:
        typer.echo(f"{configured.name}: snapshot {ledger.snapshot}, published {ledger.published_at:%Y-%m-%d %H:%M} UTC")
        sources = ledger.sql(_SOURCES).fetchall()
        unfinished, rejected, aside = ledger.sql(_COUNTS).fetchall()[0]
        rows = [
            (source, tool, f"{runs:,}", clients, _day(first), _day(last), _covered(ledger, source, first, last, completeness),
             _ago(newest, now), silent or "")
            for source, tool, runs, clients, first, last, completeness, newest, silent in sources
        ]  # fmt: skip
    typer.echo("")
    headings = ("source", "tool", "runs", "clients", "covered from", "to", "coverage", "newest run", "")
    show_table(headings, rows, numbers=(2, 3))
    typer.echo(
        f"\n{count(unfinished, 'run')} not finished or unknown, {count(rejected, 'reject')}, {count(aside, 'record')} set aside"
    )
    known = {row[0] for row in sources}
    for each in configured.sources:
        if each.name not in known:
            typer.echo(f"source {each.name}: configured, but nothing of it was taken in")
    _standing(configured, now)


def _covered(
    ledger: Ledger, source: str, first: datetime | None, last: datetime | None, completeness: str | None
) -> str:
    """`97.6%, 1 gap (complete)`: the share of the time from first to last that the source's files speak of."""
    from aftershock.metrics import Period, coverage

    if first is None or last is None or last <= first:
        return "cannot tell: no file says"
    span = Period(first.astimezone(UTC), last.astimezone(UTC), f"{first:%Y-%m-%d}..{last:%Y-%m-%d}")
    found = coverage(ledger.coverage.filter(ledger.coverage.source == source), span)
    gaps = int(found.gaps.count().execute())
    share = "100%" if not gaps else f"{found.share or 0:.1%}, {count(gaps, 'gap')}"
    return f"{share} ({completeness})"


class _Lines:
    """Plain lines, one a file: for logs and pipes."""

    def file(self, result: FileResult) -> None:
        typer.echo(line_of(result))


class _Progress:
    """The same lines on a terminal, above a line that counts along."""

    def __init__(self, stack: ExitStack) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress: Progress = stack.enter_context(Progress(*columns, transient=True))
        self._task = self._progress.add_task("looking at the files", total=None)
        self._files = self._records = self._rejects = 0
        self._since = self._progress.get_time()

    def file(self, result: FileResult) -> None:
        from rich.text import Text

        self._files += 1
        self._records += result.records_read
        self._rejects += result.rejects
        speed = self._records / max(self._progress.get_time() - self._since, 0.001)
        self._progress.console.print(Text(line_of(result)), soft_wrap=True)
        told = f"{count(self._files, 'file')}, {self._records:,} records, {speed:,.0f} a second, {count(self._rejects, 'reject')}"
        self._progress.update(self._task, description=told)


def line_of(result: FileResult) -> str:
    """What became of one file, on one line."""
    path = plain(shorten(Path(result.path).absolute(), Path.cwd()))
    if result.outcome == "known":
        return f"{path}: known already"
    if result.outcome != "taken":
        return f"{path}: {result.outcome}: {plain(result.message)}"
    parts = [f"{result.records_read:,} read", f"{result.mapped:,} mapped"]
    parts += [f"{result.set_aside:,} set aside"] if result.set_aside else []
    parts += [count(result.rejects, "reject")] if result.rejects else []
    runs = (
        f"{count(result.runs_new, 'new run')}, {result.runs_changed:,} changed"
        if result.runs_new or result.runs_changed
        else "no new run"
    )
    told = f"{path}: {result.adapter}: {', '.join(parts)}; {runs}"
    return f"{told} ({plain(result.message)})" if result.message else told


def _totals(result: IngestResult) -> None:
    outcomes = [each.outcome for each in result.files]
    others = [
        f"{outcomes.count(outcome):,} {words}"
        for outcome, words in (
            ("known", "known already"),
            ("unknown", "not recognised"),
            ("ambiguous", "claimed by two adapters"),
            ("unreadable", "unreadable"),
        )
        if outcome in outcomes
    ]
    told = [f"{outcomes.count('taken'):,} taken in", *others]
    typer.echo(f"\n{count(len(outcomes), 'file')}: {', '.join(told)}")
    typer.echo(
        f"{count(result.records_read, 'record')} read = {result.mapped:,} mapped + {result.set_aside:,} set aside "
        f"+ {count(result.rejects, 'reject')}"
    )
    snapshot = f"; snapshot {result.snapshot}" if result.snapshot else ""
    typer.echo(
        f"{count(result.runs_new, 'new run')}, {result.runs_changed:,} changed{snapshot}; {result.seconds:.1f} s"
    )
    if result.rejects:
        typer.echo("see them with: aftershock rejects")


def _moment(text: str, project: Project) -> datetime:
    """A time as people write it; without an offset, in the project's time zone."""
    from zoneinfo import ZoneInfo

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"--exported-at {text!r}: write a time such as 2026-11-20T07:00 or 2026-11-20T07:00+01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(project.time_zone))


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    hours = (now - moment).total_seconds() / 3600
    return f"{hours:.0f} h ago" if abs(hours) < 48 else f"{hours / 24:.0f} days ago"


def _standing(project: Project, now: datetime) -> None:
    """The reports, as the schedule sees them."""
    from aftershock.cli.rendering import show_plan
    from aftershock.schedule.run import planned

    rows = planned(project, now)
    if rows:
        typer.echo("")
        show_plan(rows)


_SOURCES = """
with logs as (
    select source, min(covers_from) as covers_from, max(covers_to) as covers_to,
           string_agg(distinct completeness, ', ' order by completeness) as completeness
    from coverage group by source
)
select runs.source, any_value(tool), count(*), count(distinct client), any_value(covers_from), any_value(covers_to),
       any_value(completeness), max(coalesce(ended_at, started_at, queued_at)),
       case when count(*) filter (client is null) > 0 then count(*) filter (client is null) || ' without a client' end
from runs left join logs on logs.source = runs.source group by runs.source order by runs.source
"""
_COUNTS = """
select (select count(*) from runs where not is_finished), (select count(*) from rejects), (select count(*) from set_aside)
"""
