"""The command line as a whole: errors, help, the project folder, `init`, `simulate`, `lab`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ROOT
from typer.testing import Result

from aftershock.assets import make_project
from aftershock.errors import NoProjectError, ProjectError, UnknownNameError
from aftershock.project import load

Run = Callable[..., Result]
COMMANDS = ("init", "ingest", "rejects", "status", "report", "sql", "simulate", "lab", "schedule", "adapter")
HEAVY = (
    "duckdb",
    "ibis",
    "numpy",
    "pandas",
    "papermill",
    "nbconvert",
    "plotly",
    "pydantic",
    "pyarrow",
    "jupyterlab",
    "rich",
    "scipy",
)


def aftershock(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "toolkit")}
    command = [sys.executable, "-m", "aftershock", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_error_is_one_line_on_stderr_and_exit_code_1(tmp_path: Path) -> None:
    result = aftershock("status", folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {tmp_path}: no aftershock.toml here or in any folder above.")
    assert result.stderr.count("\n") == 1


def test_an_unknown_source_is_one_line_too(folder: Path) -> None:
    toml = folder / "aftershock.toml"
    toml.write_text(toml.read_text() + '\n[[sources]]\nname = "n8n-live"\ntool = "n8n"\n')
    result = aftershock("ingest", "executions.json", "--source", "n8n-life", folder=folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: no source 'n8n-life'. Did you mean 'n8n-live'?")
    assert result.stderr.count("\n") == 1


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path: Path) -> None:
    for words in (("--debug", "status"), ("status", "--debug")):
        result = aftershock(*words, folder=tmp_path)
        assert result.returncode == 1
        assert "Traceback" in result.stderr


def test_the_help_names_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
from aftershock.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "toolkit")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == "[]\n"
    assert [name for name in COMMANDS if f"\n  {name} " not in result.stdout] == []


def test_taking_in_a_file_imports_nothing_that_only_reports_need(folder: Path) -> None:
    words = ["ingest", "executions.json"]
    code = f"""
import sys
from aftershock.cli import app
try:
    app({words!r})
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "toolkit")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert "3 records" in result.stdout, result.stdout
    assert result.stderr == "['duckdb', 'pydantic']\n"


def test_no_command_is_missing_from_this_list_and_each_has_its_help(run: Run) -> None:
    listed = run("--help").output.partition("Commands:\n")[2].split("\n")
    assert {line.split()[0] for line in listed if line.strip()} == set(COMMANDS)
    assert all(run(name, "--help").exit_code == 0 for name in COMMANDS)


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").output == "aftershock 0.1.0\n"


def test_a_project_is_found_from_a_folder_below_it(loaded: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (loaded / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(loaded / "deep" / "down")
    assert run("rejects").exit_code == 0


def test_a_project_can_be_named_from_elsewhere(
    loaded: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run("rejects", "--project", str(loaded)).exit_code == 0


def test_a_named_folder_must_be_a_project_itself(loaded: Path, run: Run) -> None:
    (loaded / "below").mkdir()
    with pytest.raises(NoProjectError):
        run("rejects", "--project", "below")


def test_init_makes_a_project_that_loads_and_is_empty(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "shop"
    result = run("init", str(folder))
    assert result.exit_code == 0
    project = load(folder)
    assert ([report.name for report in project.reports], project.clients, project.sources) == (
        ["fleet", "client"],
        (),
        (),
    )
    assert [path for path in (folder / "data").rglob("*") if path.is_file()] == []
    assert (folder / "notebooks").is_dir()


def test_what_the_new_configuration_shows_as_examples_is_valid(tmp_path: Path) -> None:
    make_project(tmp_path, demo=False)
    toml = tmp_path / "aftershock.toml"
    lines = toml.read_text().splitlines()
    start = lines.index('time_zone = "UTC"') + 1
    shown = [
        line.removeprefix("# ") if line.startswith(("# [", "# ")) and ("=" in line or "[[" in line) else line
        for line in lines[start:]
    ]
    toml.write_text("\n".join([*lines[:start], *shown]))
    project = load(tmp_path)
    assert (len(project.sources), len(project.clients), len(project.records), len(project.expectations)) == (1, 1, 1, 1)


def test_init_with_demo_brings_the_sample_data(tmp_path: Path, run: Run) -> None:
    run("init", "--demo", str(tmp_path / "shop"))
    sample = tmp_path / "shop" / "data" / "sample"
    assert {path.relative_to(sample) for path in sample.rglob("*") if path.is_file()} == {
        path.relative_to(ROOT / "data" / "sample") for path in (ROOT / "data" / "sample").rglob("*") if path.is_file()
    }
    assert load(tmp_path / "shop").clients == load(ROOT).clients


def test_init_does_not_touch_a_project_that_is_there(folder: Path, run: Run) -> None:
    before = (folder / "aftershock.toml").read_text()
    with pytest.raises(ProjectError, match="is there already; name a new folder"):
        run("init", ".")
    assert (folder / "aftershock.toml").read_text() == before


def test_simulate_writes_exports_and_the_truth(tmp_path: Path, run: Run) -> None:
    result = run("simulate", str(tmp_path / "fleet"), "--seed", "7", "--days", "2")
    assert result.exit_code == 0
    assert (tmp_path / "fleet" / "truth.json").is_file()
    assert "the truth is in" in result.output


def test_lab_starts_jupyterlab_in_the_project_folder_with_the_options_given(folder: Path) -> None:
    result = aftershock("lab", "--version", folder=folder)
    assert result.returncode == 0
    assert result.stdout[0].isdigit()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "weekly"), "no report 'weekly'"),
        (("report", "--client", "acmee"), "no client 'acmee'. Did you mean 'acme'?"),
    ],
)
def test_a_name_that_is_not_configured_is_told_with_those_that_are(
    loaded: Path, run: Run, words: list[str], told: str
) -> None:
    with pytest.raises(UnknownNameError, match=told):
        run(*words)
