"""The ledger under real processes: readers beside a writer, kill -9, two writers, a full disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import RUNS, STEPS, task_page
from support import project_in, take_in

import aftershock
from aftershock.errors import LedgerBusyError
from aftershock.ingest.pipeline import ingest
from aftershock.ledger.store import Store

WORKER = Path(__file__).with_name("worker.py")
KILLS = 30
READERS = 4
SECONDS = 20
MANY = 20_000


def start(job: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that does one of the worker's jobs."""
    command = [sys.executable, str(WORKER), job, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """What a process said until its end, which must be a good one."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return [json.loads(line) for line in out.splitlines()]


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing a process says."""
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    answer: dict[str, Any] = json.loads(line)
    return answer


def test_four_readers_beside_a_writer_for_20_seconds_meet_no_lock_and_no_half_written_state(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    project = tmp_path / "project"
    take_in(project, [task_page(tmp_path, 0)])
    for number in range(1, 400):
        task_page(pages, number)
    writer = start("write_for", project, SECONDS, pages)
    readers = [start("read_for", project, SECONDS) for _ in range(READERS)]
    answers = [finish(reader)[-1] for reader in readers]
    [written] = finish(writer)
    assert [answer["torn"] for answer in answers] == [[]] * READERS
    assert all(answer["snapshots"] > 1 for answer in answers), answers
    assert written["written"] > 1, written


@pytest.mark.timeout(900)
def test_killing_ingestion_30_times_loses_no_acknowledged_file_and_leaves_none_half(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project_in(project)
    rounds = 4 * KILLS
    pages = [task_page(tmp_path, number) for number in range(2 * rounds + 2)]
    moments = random.Random(20261123)  # noqa: S311  a seeded one is wanted
    acknowledged, seconds, _ = taken_until(project, pages[:2], None)
    killed = 0
    while killed < KILLS and rounds:
        rest = [page for page in pages if page.name not in acknowledged][:2]
        more, took, ended = taken_until(project, rest, moments.uniform(0, seconds))
        seconds = min(seconds, took) if ended else seconds  # the first was slower: it made the ledger
        acknowledged |= more
        killed += not ended
        rounds -= 1
        assert_whole(project, acknowledged)
    assert killed == KILLS
    assert len(acknowledged) > KILLS / 3
    last = task_page(tmp_path, 999)
    ingest(project_in(project), [last])
    with aftershock.open(project) as ledger:
        published = names(ledger.sql("select path from imports").fetchall())
    assert acknowledged | {last.name} <= published


def taken_until(project: Path, pages: list[Path], seconds: float | None) -> tuple[set[str], float, bool]:
    """Ingest in a process that is killed after so long: what it acknowledged, how long it worked, whether it ended by itself."""
    process = start("take", project, *pages)
    assert said(process) == {"ready": True}
    began = time.monotonic()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    out, err = process.communicate()
    assert not err, err
    lines = [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]
    files = {line["file"] for line in lines if "file" in line}
    return files, time.monotonic() - began, process.returncode == 0


def assert_whole(project: Path, acknowledged: set[str]) -> None:
    """The store opens, holds every acknowledged file, and of each file all or nothing."""
    with Store(project / "data" / "ledger").write(wait_s=0) as writer:
        con = writer.connection
        files = con.execute("select path, runs_new from imports").fetchall()
        assert acknowledged <= names(files)
        assert {count for _, count in files} <= {RUNS}
        for table, rows in (("runs", RUNS), ("run_observations", RUNS)):
            assert con.execute(f"select count(*) from {table}").fetchall() == [(rows * len(files),)]
        for table in ("steps", "step_observations"):
            assert con.execute(f"select count(*) from {table}").fetchall() == [(RUNS * STEPS * len(files),)]
        strangers = "select count(*) from run_observations anti join imports using (import_id)"
        assert con.execute(strangers).fetchall() == [(0,)]


def names(rows: list[tuple[Any, ...]]) -> set[str]:
    return {Path(row[0]).name for row in rows}


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    project = project_in(tmp_path / "project")
    with holding(project.folder, seconds=1.5) as holder:
        began = time.monotonic()
        result = ingest(project, [task_page(tmp_path, 0)])
        assert time.monotonic() - began > 0.5
        assert result.runs_new == RUNS
        assert finish(holder)[-1] == {"released": True}


def test_a_second_writer_that_will_not_wait_is_told_who_writes(tmp_path: Path) -> None:
    project = project_in(tmp_path / "project")
    with holding(project.folder, seconds=60) as holder, pytest.raises(LedgerBusyError) as caught:
        ingest(project, [task_page(tmp_path, 0)], wait_s=0.1)
    assert str(caught.value) == (
        f"{project.ledger_folder / 'lock'}: another process is writing the ledger (process {holder.pid}); waited 0 s. "
        "Try again when it is done."
    )


class holding:  # noqa: N801  reads as a sentence
    """A process that holds the write lock while the block runs."""

    def __init__(self, project: Path, seconds: float) -> None:
        self.process = start("hold", project, seconds)

    def __enter__(self) -> subprocess.Popen[str]:
        assert said(self.process) == {"holding": True}
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_two_ingests_at_once_both_arrive(tmp_path: Path) -> None:
    project = project_in(tmp_path / "project")
    processes = [start("take", project.folder, task_page(tmp_path, number)) for number in range(2)]
    assert sorted(finish(process)[-1]["snapshot"] for process in processes)[-1] >= 2
    with aftershock.open(project.folder) as ledger:
        assert ledger.sql("select count(*) from runs").fetchall() == [(2 * RUNS,)]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A project with one published page whose disk is then too small for a big one."""
    project = tmp_path / "project"
    take_in(project, [task_page(tmp_path, 0)])
    yield project
    assert not list((project / "data" / "ledger").rglob(".*")), "temporary files stay behind"


@pytest.mark.parametrize("room", [4_000, 1_000_000, 3_000_000])
def test_a_full_disk_is_told_and_the_last_snapshot_still_serves(tmp_path: Path, full_disk: Path, room: int) -> None:
    store = full_disk / "data" / "ledger" / "store.duckdb"
    big = task_page(tmp_path, 1, runs=MANY)
    process = start("take_limited", full_disk, store.stat().st_size + room, big)
    out, err = process.communicate(timeout=120)
    last = json.loads(out.splitlines()[-1])
    assert (last.get("error"), err) == ("LedgerFullError", ""), out
    assert "no room left to write the ledger" in last["text"]
    assert "Free some space and run the same command again." in last["text"]
    with aftershock.open(full_disk) as ledger:
        assert ledger.sql("select count(*) from runs").fetchall() == [(RUNS,)]
    result = ingest(project_in(full_disk), [big])
    assert [file.outcome for file in result.files] in (["taken"], ["known"])
    with aftershock.open(full_disk) as ledger:
        assert ledger.sql("select count(*) from runs").fetchall() == [(RUNS + MANY,)]
