"""A package of somebody else's adds an adapter: installed, and nothing else done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

OUTSIDE = Path(__file__).parent / "outside"
PASSES = """\
pass_no,gate,verdict,entered,left_at
1,north,passed,2026-11-16T08:00:00Z,2026-11-16T08:00:05Z
2,north,jammed,2026-11-16T09:00:00Z,2026-11-16T09:01:00Z
3,south,passed,2026-11-16T10:00:00Z,2026-11-16T10:00:04Z
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which pip has installed the outside package."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(OUTSIDE)], check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), str(ROOT / "toolkit")])}


def aftershock(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aftershock", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_adapter_that_arrives_by_entry_point_takes_files_in(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "aftershock.toml").write_text("")
    (tmp_path / "passes.csv").write_text(PASSES)
    taken = aftershock(tmp_path, environment, "ingest", "passes.csv")
    assert (taken.returncode, taken.stderr) == (0, "")
    assert "passes.csv: turnstile: 3 read, 3 mapped; 3 new runs" in taken.stdout
    asked = aftershock(
        tmp_path, environment, "sql", "--format", "json", "select run_id, status from runs order by run_id"
    )
    assert json.loads(asked.stdout) == [
        {"run_id": "turnstile:1", "status": "succeeded"},
        {"run_id": "turnstile:2", "status": "failed"},
        {"run_id": "turnstile:3", "status": "succeeded"},
    ]


def test_without_that_package_the_file_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "aftershock.toml").write_text("")
    (tmp_path / "passes.csv").write_text(PASSES)
    bare = {**os.environ, "PYTHONPATH": str(ROOT / "toolkit")}
    taken = aftershock(tmp_path, bare, "ingest", "passes.csv")
    assert taken.returncode == 1
    assert "passes.csv: unknown" in taken.stdout
