"""`ingest`, `rejects`, `status` as somebody at a terminal sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import Result

import aftershock
from aftershock.cli.common import CommandError

Run = Callable[..., Result]


def test_each_file_has_a_line_and_the_totals_add_up(folder: Path, run: Run) -> None:
    result = run("ingest", "executions.json", "shopping.txt")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "executions.json: n8n: 3 read, 3 mapped; 3 new runs, 0 changed"
    assert lines[1].startswith("shopping.txt: unknown: ")
    assert lines[3:5] == [
        "2 files: 1 taken in, 1 not recognised",
        "3 records read = 3 mapped + 0 set aside + 0 rejects",
    ]
    assert re.fullmatch(r"3 new runs, 0 changed; snapshot \d+; \d+\.\d s", lines[5])


def test_the_same_file_a_second_time_is_known(loaded: Path, run: Run) -> None:
    result = run("ingest", "executions.json")
    assert result.exit_code == 0
    assert result.output.startswith("executions.json: known already\n\n1 file: 0 taken in, 1 known already\n")


def test_where_nothing_is_recognised_the_exit_code_is_1(folder: Path, run: Run) -> None:
    result = run("ingest", "shopping.txt")
    assert result.exit_code == 1
    assert "1 file: 0 taken in, 1 not recognised" in result.output


def test_a_path_that_leads_nowhere_is_told(folder: Path, run: Run) -> None:
    with pytest.raises(CommandError, match=r"missing\.json: no such file"):
        run("ingest", "missing.json")


def test_ingest_without_a_path_says_what_to_give(folder: Path, run: Run) -> None:
    with pytest.raises(CommandError, match="name at least one file or folder"):
        run("ingest")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T07:00", datetime(2026, 11, 20, 7, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("2026-11-20T07:00Z", datetime(2026, 11, 20, 7, tzinfo=UTC)),
    ],
)
def test_an_export_time_without_an_offset_is_in_the_projects_zone(
    folder: Path, run: Run, text: str, moment: datetime
) -> None:
    run("ingest", "executions.json", "--exported-at", text)
    with aftershock.open(folder) as ledger:
        assert ledger.sql("select observed_at from imports").fetchall()[0][0] == moment


def test_an_export_time_that_is_none_is_refused(folder: Path, run: Run) -> None:
    with pytest.raises(CommandError, match="--exported-at 'yesterday': write a time such as"):
        run("ingest", "executions.json", "--exported-at", "yesterday")


def test_rejects_are_grouped_by_reason_with_an_example(folder: Path, run: Run) -> None:
    page = json.loads((folder / "executions.json").read_text())
    page["data"][1]["startedAt"] = {"no": "time"}
    (folder / "bad.json").write_text(json.dumps(page))
    taken = run("ingest", "bad.json")
    shown = run("rejects")
    assert "1 reject" in taken.output
    assert "see them with: aftershock rejects" in taken.output
    assert re.search(r"1 +1 +n8n .*bad\.json: record 2", shown.output)


def test_without_rejects_it_says_so(loaded: Path, run: Run) -> None:
    assert run("rejects").output.startswith("no rejects: every record that was read is mapped or set aside")


def test_status_shows_each_source_and_where_each_report_stands(loaded: Path, run: Run) -> None:
    output = run("status").output
    assert re.search(r"^n8n +n8n +3 +1 +2026-11-16 08:00 +2026-11-16 08:01 +100% \(unknown\)", output, re.MULTILINE)
    assert re.search(r"^fleet +\(fleet\) +\d{4}-W\d\d +due", output, re.MULTILINE)
    assert re.search(r"^client +acme +\d{4}-W\d\d +due", output, re.MULTILINE)


def test_status_says_which_share_of_the_time_each_log_covers(loaded: Path, run: Run) -> None:
    page = (loaded / "executions.json").read_text()
    (loaded / "later.json").write_text(
        re.sub(r'"id": "(\d)"', r'"id": "7\1"', page.replace("2026-11-16T", "2026-11-20T"))
    )
    run("ingest", "later.json")
    assert ", 1 gap (unknown)" in run("status").output


def test_status_of_an_empty_ledger_says_what_to_do(folder: Path, run: Run) -> None:
    with pytest.raises(aftershock.AftershockError, match="Take in some run logs first: `aftershock ingest PATH`"):
        run("status")


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(folder: Path, run: Run) -> None:
    (folder / "evil\x1b[31m.txt").write_text("nothing")
    assert "\x1b" not in run("ingest", "evil\x1b[31m.txt").output


def test_on_a_terminal_the_same_lines_stand_above_the_progress(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aftershock.cli.loading._is_terminal", lambda: True)
    output = run("ingest", "executions.json").output
    assert "executions.json: n8n: 3 read, 3 mapped; 3 new runs, 0 changed\n" in output
    assert "1 file: 1 taken in\n" in output
