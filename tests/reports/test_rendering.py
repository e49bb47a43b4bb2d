"""`render`: the right place, the right numbers, and the last good page stays when something goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from reports_time import NOW

import aftershock
from aftershock.errors import LeakError, ReportFailedError, UnknownNameError
from aftershock.project import Project, load
from aftershock.reports.render import Rendered, find_notebook, render


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Project:
    """A copy of the project whose reports a test may break."""
    folder = tmp_path / "copy"
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("reports", "*.pin-*"))
    return load(folder)


def own_notebook(project: Project, name: str, code: str) -> None:
    """Put a notebook of the project's own beside those of the package."""
    parameters = 'project: str = "."  # p\nclient: str = ""  # c\nperiod: str = ""  # p\nsnapshot: int = 0  # s'
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]}), new_code_cell(code)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    project.notebooks_folder.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), project.notebooks_folder / name)


def numbers(rendered: Rendered) -> dict[str, Any]:
    return json.loads(rendered.json_path.read_text(encoding="utf-8"))


def test_a_page_its_numbers_and_its_notebook_stand_together(project: Project, client_page: Rendered) -> None:
    place = project.reports_folder / "acme" / "client" / "2026-W47"
    assert sorted(file.name for file in place.iterdir()) == ["index.html", "notebook.ipynb", "report.json"]
    assert client_page.path == place / "index.html"


def test_nothing_half_made_is_left_behind(project: Project, client_page: Rendered) -> None:
    assert list(project.reports_folder.glob("**/.*")) == []


def test_the_default_period_is_the_newest_whole_one_with_a_log(client_page: Rendered) -> None:
    assert (client_page.period.name, client_page.period.time_zone) == ("2026-W47", "Europe/Berlin")


def test_the_numbers_are_those_of_the_log(client_page: Rendered) -> None:
    four = numbers(client_page)["blocks"]["four_numbers"]
    # Week 47 of acme: 5 days with a log (16, 17, 20, 21, 22), 12 runs each; one failed, one partial.
    assert (four["succeeded_after_retries"]["hits"], four["succeeded_after_retries"]["n"]) == (59, 60)
    assert (four["silent_failures"]["hits"], four["silent_failures"]["n"]) == (1, 59)
    assert (four["in_step"]["hits"], four["in_step"]["n"]) == (28, 29)  # nobody can tell for the partial one


def test_the_page_says_which_snapshot_it_was_made_from(project: Project, client_page: Rendered) -> None:
    assert numbers(client_page)["snapshot"] == client_page.snapshot
    assert f"snapshot {client_page.snapshot}" in client_page.path.read_text(encoding="utf-8")


def test_a_gap_in_the_log_lowers_the_coverage_and_needs_attention(client_page: Rendered) -> None:
    blocks = numbers(client_page)["blocks"]
    assert blocks["title"]["covered"] == pytest.approx(5 / 7)
    assert any("no log of shop" in item["title"] for item in blocks["needs_attention"]["items"])


def test_a_day_without_a_log_has_no_rate_in_the_chart(client_page: Rendered) -> None:
    days = {day["day"]: day for day in numbers(client_page)["blocks"]["failure_rate_by_day"]["days"]}
    assert (days["2026-11-18"]["log"], days["2026-11-18"]["rate"]) == (False, None)
    assert (days["2026-11-17"]["log"], days["2026-11-17"]["rate"]) == (True, 0.0)


def test_one_cause_is_one_thing_that_needs_attention(client_page: Rendered) -> None:
    items = numbers(client_page)["blocks"]["needs_attention"]["items"]
    failed = [item for item in items if "shop:acme-crm-21-1" in item["runs"]]
    assert [item["records"] for item in failed] == [["ACME-1211"]]


def test_a_client_page_names_nobody_else(client_page: Rendered) -> None:
    text = client_page.path.read_text(encoding="utf-8") + client_page.json_path.read_text(encoding="utf-8")
    assert "globex" not in text.casefold()
    assert "GLX-" not in text


def test_the_fleet_page_shows_all_clients(fleet_page: Rendered) -> None:
    rows = numbers(fleet_page)["blocks"]["clients"]["rows"]
    assert sorted((row["client"], row["n"], row["failures"], row["silent"]) for row in rows) == [
        ("acme", 60, 1, 1),
        ("globex", 60, 1, 1),
    ]


def test_a_failed_notebook_leaves_the_last_good_page_alone(copy: Project) -> None:
    place = copy.reports_folder / "acme" / "client" / "2026-W46"
    place.mkdir(parents=True)
    (place / "index.html").write_text("the last good one", encoding="utf-8")
    own_notebook(copy, "client.ipynb", "1/0")
    with pytest.raises(ReportFailedError, match="failed in cell 2: ZeroDivisionError") as caught:
        render(copy, "client", client="acme", period="2026-W46", now=NOW)
    assert (place / "index.html").read_text(encoding="utf-8") == "the last good one"
    assert caught.value.notebook.is_file()


def test_a_page_with_a_leak_is_not_delivered(copy: Project) -> None:
    own_notebook(copy, "client.ipynb", "print('order GLX-1161 of Globex Home')")
    with pytest.raises(LeakError, match="'GLX-1161', 'Globex Home'"):
        render(copy, "client", client="acme", period="2026-W46", now=NOW)
    assert not (copy.reports_folder / "acme").exists()


def test_a_leak_in_the_notebook_beside_a_page_is_one_too(copy: Project) -> None:
    own_notebook(copy, "client.ipynb", "hidden = 'order GLX-1161'")
    with pytest.raises(LeakError, match="'GLX-1161'"):
        render(copy, "client", client="acme", period="2026-W46", now=NOW)


def test_a_delivered_notebook_names_its_own_client_as_the_default(copy: Project) -> None:
    own_notebook(copy, "client.ipynb", "1")
    path = copy.notebooks_folder / "client.ipynb"
    path.write_text(
        path.read_text(encoding="utf-8").replace('client: str = \\"\\"', 'client: str = \\"globex\\"'), encoding="utf-8"
    )
    assert "globex" in path.read_text(encoding="utf-8")
    page = render(copy, "client", client="acme", period="2026-W46", now=NOW)
    text = page.notebook_path.read_text(encoding="utf-8")
    assert "globex" not in text
    assert "client: str = 'acme'" in text


def test_a_delivered_notebook_does_not_say_where_the_project_lies(client_page: Rendered, project: Project) -> None:
    text = client_page.notebook_path.read_text(encoding="utf-8")
    assert str(project.folder) not in text
    assert 'project = \\".\\"' in text


def test_a_client_page_does_not_count_the_records_of_whole_files(client_page: Rendered, fleet_page: Rendered) -> None:
    alone, all_of_them = numbers(client_page)["blocks"], numbers(fleet_page)["blocks"]
    assert "files" not in alone["how_to_read"]
    assert not any(what.startswith("log records") for what in alone["left_out"]["counts"])
    assert "of log records" not in client_page.path.read_text(encoding="utf-8")
    assert all_of_them["how_to_read"]["files"]["records_read"] == 12 * 2 * 12


def test_a_page_replaces_the_one_before_it(copy: Project) -> None:
    own_notebook(copy, "client.ipynb", "print('first')")
    render(copy, "client", client="acme", period="2026-W46", now=NOW)
    own_notebook(copy, "client.ipynb", "print('second')")
    page = render(copy, "client", client="acme", period="2026-W46", now=NOW).path.read_text(encoding="utf-8")
    assert "second" in page
    assert "first" not in page.partition("<main")[2]


def test_a_client_report_needs_a_client_that_exists(project: Project) -> None:
    with pytest.raises(UnknownNameError, match=r"no client 'acne'. Did you mean 'acme'\?"):
        render(project, "client", client="acne", now=NOW)


def test_an_unknown_notebook_is_named_with_those_there_are(project: Project) -> None:
    with pytest.raises(UnknownNameError, match=r"client\.ipynb"):
        find_notebook(project, "cleint.ipynb")


def test_the_analysts_notebook_runs(copy: Project) -> None:
    from aftershock.reports.execute import execute

    done = execute(find_notebook(copy, "explore.ipynb"), copy.folder / "explored.ipynb", {"project": str(copy.folder)})
    assert all(cell.execution_count for cell in done.cells if cell.cell_type == "code")


def test_a_week_without_a_log_is_no_good_week(copy: Project) -> None:
    page = render(copy, "client", client="acme", period="2026-W40", now=NOW)
    headline = " ".join(numbers(page)["blocks"]["answer"]["headline"])
    assert headline == "We cannot tell how this week went: no log covers it."
    assert "no failures" not in page.path.read_text(encoding="utf-8").partition("<main")[2].partition("plotly-gz")[0]


def test_the_ledger_is_not_changed_by_rendering(project: Project, client_page: Rendered) -> None:
    with aftershock.open(project.folder) as ledger:
        assert ledger.snapshot == client_page.snapshot
