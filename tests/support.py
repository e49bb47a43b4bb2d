"""What several tests use: a project in a folder, and a ledger made from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import aftershock
from aftershock.ingest.pipeline import IngestResult, ingest
from aftershock.ledger.reader import Ledger
from aftershock.project import Project, load

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

TOLD_BY = """(
    select run_id, path from run_observations join imports using (import_id)
    union all select run_id, path from run_rows join imports on imports.write_no = told_in
)"""
"""A relation: each run, and the path of each file that told of it."""

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared folder with captures and vendors' fixtures is not here"
)


def project_in(folder: Path, toml: str = "") -> Project:
    """A project folder with this configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "aftershock.toml").write_text(toml, encoding="utf-8")
    return load(folder)


def take_in(folder: Path, files: Sequence[Path], toml: str = "") -> IngestResult:
    """Ingest files into a project folder, in the given order; every file's records are accounted for."""
    result = ingest(project_in(folder, toml), files)
    for file in result.files:
        assert "could not be read" not in file.message, file
        assert file.records_read == file.mapped + file.set_aside + file.rejects, file
    return result


def ingested(folder: Path, files: Sequence[Path], toml: str = "") -> Ledger:
    """The ledger of a new project in `folder`, after these files."""
    take_in(folder, files, toml)
    return aftershock.open(folder)


def rows(ledger: Ledger, query: str) -> list[tuple[object, ...]]:
    """All rows of a query."""
    return ledger.sql(query).fetchall()
