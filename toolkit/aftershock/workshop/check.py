"""`aftershock adapter check`: what an adapter still lacks before anybody should believe it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from aftershock.adapters.base import Adapter
from aftershock.adapters.registry import adapter_of, adapters
from aftershock.errors import AftershockError, UnknownNameError
from aftershock.ingest.containers import Opened, opened
from aftershock.ingest.pipeline import ingest
from aftershock.ingest.recognise import recognise
from aftershock.ledger.reader import Ledger
from aftershock.project import load
from aftershock.workshop.new import GUESS

_NO_SAMPLES: Final = ("SOURCE.md", "truth", "golden")


def check_adapter(name: str, *, modules: Path, samples: Path, tests: Path) -> list[str]:
    """What is missing, a sentence each; empty for an adapter that is complete.

    `modules` is where `<name>.py` may stand when no package brings it, `samples` holds the folder `<name>`, `tests` the file
    `test_<name>.py`. Raises `UnknownNameError` for a name that nothing has, `AdapterError` for one that breaks its contract.
    """
    adapter, source = _adapter(name, modules)
    folder = samples / name
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()] if folder.is_dir() else []
    kept = [file for file in files if not file.name.startswith(_NO_SAMPLES) and "not_ours" not in file.parts]
    return [
        *_in_text(source),
        *_in_folder(folder, files, kept),
        *_in_rows(adapter, kept),
        *_in_tests(tests / f"test_{name}.py"),
    ]


def _adapter(name: str, modules: Path) -> tuple[Adapter, str]:
    if name in adapters():
        adapter = adapters()[name]
        file = modules / f"{name}.py"
        return adapter, file.read_text("utf-8") if file.is_file() else ""
    file = modules / f"{name}.py"
    if not file.is_file():
        raise UnknownNameError("adapter", name, sorted(adapters()))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # noqa: S101  it is a file of Python
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # `inspect` looks there
    spec.loader.exec_module(module)
    return adapter_of(module), inspect.getsource(module)


def _in_text(source: str) -> Iterator[str]:
    marks = [number for number, line in enumerate(source.splitlines(), start=1) if GUESS in line]
    if marks:
        lines = ", ".join(map(str, marks))
        yield f"{len(marks)} guesses to be confirmed and their marks removed: line{'s' if len(marks) > 1 else ''} {lines}"
    if 'DOCS = "https://"' in source:
        yield "DOCS names no page of the vendor"


def _in_folder(folder: Path, files: list[Path], kept: list[Path]) -> Iterator[str]:
    if not kept:
        yield f"no samples in {folder}"
    about = folder / "SOURCE.md"
    if about not in files:
        yield f"no {about}: where are the samples from, and what really happened?"
    elif GUESS in about.read_text("utf-8"):
        yield f"{about} does not say yet where the samples are from and what really happened"


def _in_rows(adapter: Adapter, kept: list[Path]) -> Iterator[str]:
    """What taking the samples in shows."""
    others = [one for one in adapters().values() if one.name != adapter.name]
    mine = []
    for file in kept:
        with opened(file) as inside:
            for found in inside:
                if not isinstance(found, Opened):
                    yield f"{file.name}: {found}"
                    continue
                verdict = recognise(found.samples, [adapter, *others])
                if verdict.claim is None:
                    yield f"{file.name} is not recognised: {verdict.message}"
                elif verdict.claim.adapter.name == adapter.name:
                    mine.append(file)
                elif not _same_family(verdict.claim.adapter.name, adapter.name):
                    yield f"{file.name} is claimed by {verdict.claim.adapter.name}"
    if not mine:
        return
    with tempfile.TemporaryDirectory(prefix="aftershock-") as room:
        (Path(room) / "aftershock.toml").write_text("")
        try:
            result = ingest(load(Path(room)), mine, only=adapter)
        except (AftershockError, duckdb.Error) as error:
            yield f"the samples cannot be taken in: {error}"
            return
        for told in result.files:
            if told.outcome != "taken":
                yield f"{Path(told.path).name}: {told.outcome}: {told.message}"
            elif told.rejects:
                yield f"{Path(told.path).name}: {told.rejects} of {told.records_read} records are rejected{_why(Path(room))}"
        if result.snapshot is not None:
            with Ledger(load(Path(room))) as ledger:
                yield from _in_ledger(ledger, adapter)


def _why(room: Path) -> str:
    """The commonest reason, with one value that was seen."""
    with Ledger(load(room)) as ledger:
        found = ledger.sql("""
            select coalesce(field || ' ', '') || reason || coalesce(': ' || any_value(seen), '') from rejects
            group by field, reason order by count(*) desc limit 1""").fetchall()
    return f", most because {found[0][0]}" if found else ""


def _same_family(one: str, other: str) -> bool:
    return one.split("_")[0] == other.split("_")[0]


def _in_ledger(ledger: Ledger, adapter: Adapter) -> Iterator[str]:
    [(runs, timed, named)] = ledger.sql("""
        select count(*), count(coalesce(started_at, queued_at, ended_at)), count(automation_id) from runs""").fetchall()
    if not runs:
        yield "the samples give no run"
        return
    if not timed:
        yield "no run has a time: started_at, queued_at or ended_at"
    if not named:
        yield "no run names its automation"
    unknown = ledger.sql("""
        select distinct coalesce(status_raw, 'nothing') from (from runs select status, status_raw union all from steps select status, status_raw)
        where status = 'unknown' and status_raw is not null order by 1""").fetchall()
    words = [word for (word,) in unknown if adapter.status.words.get(adapter.status.key(word)) != "unknown"]
    if words:
        yield f"STATUS does not know: {', '.join(words)}"
    told = {
        word
        for (word,) in ledger.sql("select distinct status from (from runs union all by name from steps)").fetchall()
    }
    missing = sorted(set(adapter.status.words.values()) - told - {"unknown", "partial"})
    if missing:
        yield f"no sample has the outcome: {', '.join(missing)}"


def _in_tests(file: Path) -> Iterator[str]:
    if not file.is_file():
        yield f"no {file}: golden rows, counts per outcome, every record accounted for"
