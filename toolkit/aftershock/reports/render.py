"""A report from its definition to its place: notebook, page, numbers, leak test, and only then the folder that people open."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aftershock
from aftershock.assets import origin
from aftershock.errors import LeakError, ReportFailedError, UnknownNameError
from aftershock.metrics import Period
from aftershock.project import Project, Report
from aftershock.reports.blocks.markup import plain
from aftershock.reports.execute import execute
from aftershock.reports.html import to_page
from aftershock.reports.index import write_index
from aftershock.reports.leak import check_leaks, foreign_to
from aftershock.reports.views.scope import newest_period

FLEET = "fleet"
_DEFAULT_CLIENT: Final = re.compile(r"""^(client\b[^=\n]*=\s*)(?:"[^"\n]*"|'[^'\n]*')""", re.MULTILINE)


@dataclass(frozen=True)
class Rendered:
    """A finished report: the page, its numbers, the executed notebook, and the snapshot they were made from."""

    path: Path
    json_path: Path
    notebook_path: Path
    snapshot: int
    report: str
    client: str | None
    period: Period


def render(
    project: Project,
    report: str | Report,
    *,
    client: str | None = None,
    period: Period | str | None = None,
    now: datetime,
) -> Rendered:
    """Render one page and put it into `reports/<client or fleet>/<report>/<period>/`.

    `report`: a name from aftershock.toml, or a definition. `period`: one or its name; by default the newest whole one of the
    report's kind that the logs cover, in the client's time zone. `now` stands in report.json, nothing else depends on it. What
    stood in that place before stays there unless all goes well; a failed notebook is kept in `reports/failed/`, for the operator.

    Raises: `UnknownNameError` for a report or client, or a client report without a client; `NoSnapshotError`; `PeriodError`;
    `ReportFailedError`; `LeakError`.
    """
    definition = project.report(report) if isinstance(report, str) else report
    _check_audience(project, definition, client)
    ledger = aftershock.open(project.folder)
    with ledger, ledger.pin():
        if isinstance(period, str):
            period = Period.parse(period, project.zone_of(client))
        wanted = period or newest_period(ledger, client, definition.period)
        rendered = _render(project, definition, client, wanted, ledger, now)
    write_index(project.reports_folder, brand=project.name)
    return rendered


def find_notebook(project: Project, name: str) -> Path:
    """A report's notebook: the project's own, else the one that this package carries. Raises `UnknownNameError`."""
    folders = [project.notebooks_folder, origin() / "notebooks"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    known = sorted({path.name for folder in folders if folder.is_dir() for path in folder.glob("*.ipynb")})
    raise UnknownNameError("notebook", name, known)


def _render(
    project: Project, report: Report, client: str | None, period: Period, ledger: Any, now: datetime
) -> Rendered:
    place = project.reports_folder / (client or FLEET) / report.name / period.name
    notebook = find_notebook(project, report.notebook)
    given = {"project": str(project.folder), "client": client, "period": period.name, "snapshot": ledger.snapshot}
    parameters = {name: value for name, value in given.items() if value is not None} | dict(report.parameters)
    project.reports_folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".making-", dir=project.reports_folder) as making:
        folder = Path(making) / "report"
        try:
            executed = execute(
                notebook, folder / "notebook.ipynb", parameters, report=report.name, folder=project.folder
            )
            _write(project, folder, executed, report, client, period, ledger.snapshot, now)
            if client:
                _make_own(executed, client, folder / "notebook.ipynb", project.folder)
                check_leaks(folder / "index.html", client, foreign_to(ledger, client))
        except ReportFailedError as error:
            kept = _keep_failed(project, folder, client, report, period)
            raise ReportFailedError(error.report, kept / "notebook.ipynb", error.cell, error.reason) from None
        except LeakError as error:
            kept = _keep_failed(project, folder, client, report, period)
            raise LeakError(kept / "index.html", error.client, error.found) from None
        _move(folder, place)
    return Rendered(
        path=place / "index.html",
        json_path=place / "report.json",
        notebook_path=place / "notebook.ipynb",
        snapshot=ledger.snapshot,
        report=report.name,
        client=client,
        period=period,
    )


def _make_own(executed: Any, client: str, path: Path, project_folder: Path) -> None:
    """Take out what is not the client's to read: who the notebook's default client is, and where the project lies on our disk."""
    import nbformat

    for cell in executed.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = _DEFAULT_CLIENT.sub(lambda found: f"{found[1]}{client!r}", cell.source)
    text: str = nbformat.writes(executed)  # type: ignore[no-untyped-call]
    path.write_text(text.replace(json.dumps(str(project_folder))[1:-1], "."), encoding="utf-8")


def _write(
    project: Project,
    folder: Path,
    executed: Any,
    report: Report,
    client: str | None,
    period: Period,
    snapshot: int,
    now: datetime,
) -> None:
    who = project.client(client).name if client else "All clients"
    page = to_page(executed, title=f"{who} · {period.label} · {project.name}", audience="client" if client else "fleet")
    content = {
        "report": report.name,
        "client": client,
        "who": who,
        "period": {
            "name": period.name,
            "label": period.label,
            "start": period.start,
            "end": period.end,
            "time_zone": period.time_zone,
        },
        "snapshot": snapshot,
        "made_at": now.astimezone(UTC),
        "version": aftershock.__version__,
        "blocks": page.numbers,
    }
    (folder / "index.html").write_text(page.html, encoding="utf-8")
    text = json.dumps(plain(content), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")


def _move(folder: Path, place: Path) -> None:
    """Put the finished folder in its place; the one before is set aside first and comes back should that fail."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    had_one = place.exists()
    if had_one:
        place.rename(aside)
    try:
        folder.rename(place)
    except OSError:
        if had_one:
            aside.rename(place)
        raise
    if had_one:
        shutil.rmtree(aside)


def _keep_failed(project: Project, folder: Path, client: str | None, report: Report, period: Period) -> Path:
    """Where the remains of a failed report are, for the operator."""
    kept = project.reports_folder / "failed" / f"{client or FLEET}-{report.name}-{period.name}"
    if folder.exists():
        _move(folder, kept)
    return kept


def _check_audience(project: Project, report: Report, client: str | None) -> None:
    known = [entry.id for entry in project.clients]
    if report.audience == "clients" and (client is None or client not in known):
        raise UnknownNameError("client", client or "", known)
    if report.audience == "fleet" and client is not None:
        raise UnknownNameError(
            f"report for {client} named", report.name, [r.name for r in project.reports if r.audience == "clients"]
        )
