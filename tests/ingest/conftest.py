"""The toy adapter, and nothing but it, for the tests of this folder that ask for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import take_in

import aftershock
from aftershock.adapters.base import Adapter
from aftershock.adapters.registry import adapter_of
from aftershock.ingest import pipeline
from aftershock.ingest.pipeline import FileResult, IngestResult
from aftershock.ledger.reader import Ledger


def _toy() -> Adapter:
    spec = importlib.util.spec_from_file_location("toy", Path(__file__).with_name("toy.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return adapter_of(module)


class Toy:
    """A project that knows only the toy tool."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "project"
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.toml = ""
        self.adapter = _toy()
        monkeypatch.setattr(pipeline, "all_adapters", lambda _: [self.adapter])

    def file(self, content: str | bytes, name: str = "export.log") -> Path:
        path = self.logs / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def take(self, *files: Path | str | bytes) -> IngestResult:
        """Ingest files, or contents."""
        paths = [file if isinstance(file, Path) else self.file(file, f"{i}.log") for i, file in enumerate(files)]
        return take_in(self.folder, paths, self.toml)

    def one(self, content: Path | str | bytes) -> FileResult:
        """The result for a single file."""
        [result] = self.take(content).files
        return result

    def ledger(self) -> Ledger:
        return aftershock.open(self.folder)

    def sql(self, query: str) -> Sequence[tuple[object, ...]]:
        with self.ledger() as ledger:
            return ledger.sql(query).fetchall()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    return Toy(tmp_path, monkeypatch)
