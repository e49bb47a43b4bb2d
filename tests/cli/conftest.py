"""A project folder with a small n8n export, and the command line run in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aftershock.cli import app
from aftershock.ingest.pipeline import ingest
from aftershock.project import load

TOML = """
name = "Two shops"
time_zone = "Europe/Berlin"

[[clients]]
id = "acme"
name = "Acme"
runs = [{ automation = "acme-*" }]

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


def execution(number: int, status: str, day: int = 16) -> dict[str, object]:
    return {
        "id": str(number),
        "finished": status == "success",
        "mode": "trigger",
        "status": status,
        "startedAt": f"2026-11-{day:02d}T08:00:{number:02d}.000Z",
        "stoppedAt": f"2026-11-{day:02d}T08:01:{number:02d}.000Z",
        "workflowId": "w1",
        "workflowData": {"id": "w1", "name": "acme-orders"},
    }


def fill(folder: Path) -> None:
    """Write the project's files."""
    (folder / "aftershock.toml").write_text(TOML)
    page = {"data": [execution(1, "success"), execution(2, "error"), execution(3, "success")], "nextCursor": None}
    (folder / "executions.json").write_text(json.dumps(page))
    (folder / "shopping.txt").write_text("milk, bread\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, which is also where we are."""
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run() -> Callable[..., Result]:
    """`aftershock` with these words; an error that it raises on purpose is raised here too."""

    def call(*words: str) -> Result:
        return CliRunner().invoke(app, list(words), catch_exceptions=False)

    return call


@pytest.fixture(scope="session")
def ledger_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of that project after its export was taken in: made once."""
    folder = tmp_path_factory.mktemp("made_once")
    fill(folder)
    ingest(load(folder), [folder / "executions.json"])
    return folder / "data"


@pytest.fixture
def loaded(folder: Path, ledger_folder: Path) -> Path:
    """The project folder with its export taken in."""
    shutil.copytree(ledger_folder, folder / "data")
    return folder
