"""A small project with two clients, and its pages, rendered once for all tests of this folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reports_browser import Browser, chromium_path
from reports_time import NOW
from support import take_in

from aftershock.project import Project, load
from aftershock.reports.render import Rendered, render

HOSTILE = '<script>alert(1)</script> & "quotes" <img src=x onerror=alert(2)>'
TOML = """
name = "Northlight"
time_zone = "Europe/Berlin"

[[sources]]
name = "shop"
tool = "shop"
mapping = "shop"
covers = "day"
time_zone = "Europe/Berlin"

[mappings.shop]
tool = "shop"
requires = ["run", "job", "order_id"]
payload = ["client", "order_id"]
time_format = "%Y-%m-%d %H:%M:%S"
time_zone = "Europe/Berlin"

[mappings.shop.fields]
native_id = "run"
automation = "job"
status_raw = "state"
started_at = "began"
ended_at = "ended"
error_message = "error"

[mappings.shop.status]
good = "succeeded"
half = "partial"
bad = "failed"
stopped = "cancelled"
open = "running"

[[clients]]
id = "acme"
name = "Acme Outdoor"
runs = [{ path = "client", equals = "acme" }]

[[clients]]
id = "globex"
name = "Globex Home"
runs = [{ path = "client", equals = "globex" }]

[[records]]
entity = "order"
keys = ["order_id"]
pattern = 'ACME-\\d{4}'
client = "acme"

[[records]]
entity = "order"
keys = ["order_id"]
pattern = 'GLX-\\d{4}'
client = "globex"

[[expectations]]
name = "Every order reaches the CRM"
entity = "order"
after = "* intake"
then = "* CRM sync"
within = "1h"
severe = true

[[reports]]
name = "fleet"
notebook = "fleet.ipynb"
audience = "fleet"

[[reports]]
name = "client"
notebook = "client.ipynb"
audience = "clients"
"""


def write_logs(folder: Path) -> list[Path]:
    """Two files with a gap of two days between them: 9 to 17 and 20 to 22 November."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for first, last in ((9, 17), (20, 22)):
        rows = [row for day in range(first, last + 1) for row in _rows_of(day)]
        path = folder / f"shop-{first}.csv"
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, ["run", "job", "client", "order_id", "state", "began", "ended", "error"])
            writer.writeheader()
            writer.writerows(rows)
        files.append(path)
    return files


def _rows_of(day: int) -> Iterator[dict[str, str]]:
    for client, prefix in (("acme", "ACME"), ("globex", "GLX")):
        for i in range(6):
            order = f"{prefix}-{1000 + 10 * day + i}"
            begun = datetime(2026, 11, day, 8 + i)  # noqa: DTZ001  the file's times carry no zone
            yield _row(f"{client}-in-{day}-{i}", f"{client} intake", client, order, "good", begun, "")
            state, error = "good", ""
            if day == 21 and i == 1:
                state, error = "bad", HOSTILE if client == "acme" else "globex-only trouble"
            if day == 22 and i == 2:
                state, error = "half", "one of three contacts was refused"
            yield _row(
                f"{client}-crm-{day}-{i}",
                f"{client} CRM sync",
                client,
                order,
                state,
                begun + timedelta(minutes=9),
                error,
            )


def _row(run: str, job: str, client: str, order: str, state: str, begun: datetime, error: str) -> dict[str, str]:
    ended = begun + timedelta(minutes=2)
    return {
        "run": run,
        "job": job,
        "client": client,
        "order_id": order,
        "state": state,
        "began": f"{begun:%Y-%m-%d %H:%M:%S}",
        "ended": f"{ended:%Y-%m-%d %H:%M:%S}",
        "error": error,
    }


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with its logs taken in."""
    folder = tmp_path_factory.mktemp("northlight")
    take_in(folder, write_logs(folder / "logs"), TOML)
    return load(folder)


@pytest.fixture(scope="session")
def client_page(project: Project) -> Rendered:
    """The page of acme for week 47."""
    return render(project, "client", client="acme", now=NOW)


@pytest.fixture(scope="session")
def fleet_page(project: Project) -> Rendered:
    """The page of all clients for week 47."""
    return render(project, "fleet", now=NOW)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium that can reach no network."""
    path = chromium_path()
    if path is None:
        pytest.skip("Debian's chromium is not installed")
    with Browser(path) as browser:
        yield browser


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Any]:
    """A fresh tab."""
    with chromium.tab() as page:
        yield page
