"""papermill against notebooks captured from papermill 2.7.0, which stand in `papermill/` as it wrote them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "papermill"
EXECUTED = sorted(file for file in FOLDER.glob("*.ipynb") if file.stem not in ("never_executed", "prepare_only"))

# SOURCE.md's truth table. Not to be told from the notebook, and so not asked of it: that papermill itself was killed
# (stopped_KILL, stopped_TERM: they read as running for ever), and that a cell swallowed its error.
TRUTH = {
    "ok_acme": "succeeded",
    "ok_globex": "succeeded",
    "retry_attempt2": "succeeded",
    "noparams": "succeeded",
    "unknownparam": "succeeded",
    "swallowed_globex": "succeeded",
    "fail_globex": "failed",
    "retry_attempt1": "failed",
    "syntaxerror_acme": "failed",
    "noparams_nameerror": "failed",
    "exit3_acme": "failed",
    "exit0_acme": "failed",
    "kbdinterrupt_acme": "failed",
    "expectedfail_initech": "failed",
    "kernelkilled_initech": "crashed",
    "timeout_initech": "crashed",
    "stopped_INT": "crashed",
    "nokernel": "crashed",
    "stopped_KILL": "running",
    "stopped_TERM": "running",
}
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "papermill", path = "client", equals = "acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every notebook that papermill executed."""
    return ingested(tmp_path_factory.mktemp("night"), EXECUTED)


def test_every_notebook_has_the_status_that_was_caused(night: Ledger) -> None:
    found = rows(night, "select split_part(native_id, '.ipynb@', 1), status from runs")
    assert dict(found) == TRUTH


def test_what_papermill_calls_completed_is_no_success_where_a_cell_never_ran_or_raised(night: Ledger) -> None:
    claimed = [
        file.stem for file in EXECUTED if json.loads(file.read_text())["metadata"]["papermill"]["exception"] is None
    ]
    false_successes = {name for name in claimed if TRUTH[name] in ("crashed", "failed")}
    assert false_successes == {
        "kernelkilled_initech",
        "timeout_initech",
        "stopped_INT",
        "nokernel",
        "expectedfail_initech",
    }


def test_errors_are_those_of_the_cell_that_raised_or_say_that_nothing_was_said(night: Ledger) -> None:
    found = rows(
        night,
        """select split_part(native_id, '.ipynb@', 1), error_type, error_message from runs
        where status in ('failed', 'crashed') and automation = 'crm_sync.ipynb' order by 1""",
    )
    assert found == [
        ("exit0_acme", "SystemExit", "0"),
        ("exit3_acme", "SystemExit", "3"),
        ("fail_globex", "ValueError", "409 Conflict: ORD-2002 of globex is locked"),
        ("kbdinterrupt_acme", "KeyboardInterrupt", "operator pressed stop"),
        ("kernelkilled_initech", "KernelDied", "ended without saying so: a cell was never executed"),
        ("retry_attempt1", "ValueError", "409 Conflict: ORD-1008 of acme is locked"),
        ("stopped_INT", "KeyboardInterrupt", "ended without saying so: a cell was never executed"),
        ("syntaxerror_acme", "SyntaxError", "invalid syntax (<string>, line 1)"),
        ("timeout_initech", "KeyboardInterrupt", "ended without saying so: a cell was never executed"),
    ]


def test_code_cells_are_steps_with_the_state_they_really_had(night: Ledger) -> None:
    def states(name: str) -> list[object]:
        query = f"""select steps.status from steps join runs using (run_id)
            where starts_with(runs.native_id, '{name}.ipynb@')
            order by steps.started_at nulls last, steps.step_id"""
        return [status for (status,) in rows(night, query)]

    assert states("ok_acme") == ["succeeded"] * 6
    assert states("fail_globex") == ["succeeded"] * 4 + ["failed", "skipped"]
    assert states("kernelkilled_initech") == ["succeeded"] * 4 + ["crashed", "skipped"]
    assert states("nokernel") == ["skipped"]
    assert states("expectedfail_initech") == ["succeeded", "failed", "succeeded"]


def test_a_notebook_that_was_killed_while_it_ran_is_unfinished_and_its_rest_queued(night: Ledger) -> None:
    assert rows(
        night,
        """select steps.status, count(*), bool_and(runs.ended_at is null) from steps join runs using (run_id)
        where starts_with(runs.native_id, 'stopped_KILL') group by all order by 1""",
    ) == [("queued", 1, True), ("running", 1, True), ("succeeded", 4, True)]


def test_the_same_code_has_the_same_version_whatever_its_parameters(night: Ledger) -> None:
    found = rows(night, "select automation, count(distinct version) from runs group by all order by 1")
    assert {count for _, count in found} == {1}
    assert rows(night, "select count(distinct version) from runs") == [(4,)]


def test_the_same_output_read_twice_is_one_run_and_executed_again_is_another(night: Ledger, tmp_path: Path) -> None:
    notebook = json.loads((FOLDER / "ok_acme.ipynb").read_text())
    notebook["metadata"]["papermill"]["start_time"] = "2026-11-24T02:13:19.578335+00:00"
    again = tmp_path / "ok_acme.ipynb"
    again.write_text(json.dumps(notebook))
    ledger = ingested(tmp_path / "project", [FOLDER / "ok_acme.ipynb", again])
    take_in(tmp_path / "project", [FOLDER / "ok_acme.ipynb"])
    assert rows(ledger, "select run_id from runs order by 1") == [
        ("papermill:crm_sync.ipynb/ok_acme.ipynb@2026-11-23T02:13:19.578335Z",),
        ("papermill:crm_sync.ipynb/ok_acme.ipynb@2026-11-24T02:13:19.578335Z",),
    ]


def test_a_notebook_seen_running_and_then_ended_has_ended_in_either_order(tmp_path: Path) -> None:
    notebook = json.loads((FOLDER / "ok_acme.ipynb").read_text())
    about, last = notebook["metadata"]["papermill"], notebook["cells"][-1]["metadata"]["papermill"]
    about.update(end_time=None, duration=None)
    last.update(end_time=None, duration=None, status="running")
    early = tmp_path / "early.ipynb"
    early.write_text(json.dumps(notebook))
    for number, files in enumerate(([early, FOLDER / "ok_acme.ipynb"], [FOLDER / "ok_acme.ipynb", early])):
        ledger = ingested(tmp_path / str(number), files)
        assert rows(ledger, "select status, ended_at is null from runs") == [("succeeded", False)]
        assert rows(ledger, "select distinct status from steps") == [("succeeded",)]


def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path) -> None:
    files = random.Random(7).sample(EXECUTED, len(EXECUTED))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    for query in (
        "select * from runs order by run_id",
        "select * from steps order by step_id",
    ):
        assert rows(ledger, query) == rows(night, query)


def test_parameters_and_printed_text_give_client_and_order(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "ok_acme.ipynb"], CLIENTS)
    assert rows(ledger, "select client from runs") == [("acme",)]
    assert rows(ledger, "select distinct entity_type, entity_key from touches") == [("order", "ORD-1001")]
    assert rows(ledger, "select count(*) from touches where step_id is not null")[0][0] == 3


def test_a_notebook_that_was_only_prepared_is_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "prepare_only.ipynb"])
    assert (result.mapped, result.set_aside, result.rejects) == (0, 1, 0)


def test_a_notebook_papermill_never_touched_and_its_text_log_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted((FOLDER / "not_ours").iterdir()))
    assert [file.outcome for file in result.files] == ["unknown", "unknown"]


def test_a_notebook_is_recognised_though_its_own_metadata_lies_far_behind(tmp_path: Path) -> None:
    notebook = json.loads((FOLDER / "ok_acme.ipynb").read_text())
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x" * 300_000]}]
    large = tmp_path / "large.ipynb"
    large.write_text(json.dumps(notebook, sort_keys=True))
    assert rows(ingested(tmp_path / "project", [large]), "select status from runs") == [("succeeded",)]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_notebook_cut_off_is_a_reject_and_no_run(tmp_path: Path, keep: float) -> None:
    text = (FOLDER / "ok_acme.ipynb").read_text()
    cut = tmp_path / "cut.ipynb"
    cut.write_text(text[: int(len(text) * keep)])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (0, 1)


def test_a_kernel_that_died_in_the_last_cell_is_a_crash_though_no_cell_is_left_over(tmp_path: Path) -> None:
    notebook = json.loads((FOLDER / "kernelkilled_initech.ipynb").read_text())
    del notebook["cells"][-1]
    last = tmp_path / "last.ipynb"
    last.write_text(json.dumps(notebook))
    ledger = ingested(tmp_path / "project", [last])
    assert rows(ledger, "select status, error_type from runs") == [("crashed", "KernelDied")]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, tool, automation_id, automation, role, status, trigger, version, duration_s, correlation_id,
        started_at::VARCHAR, ended_at::VARCHAR from runs where starts_with(native_id, 'fail_globex')""",
    ) == [
        (
            "papermill:crm_sync.ipynb/fail_globex.ipynb@2026-11-23T02:13:30.431149Z",
            "papermill",
            "papermill:crm_sync.ipynb",
            "crm_sync.ipynb",
            "work",
            "failed",
            None,
            "414e6d78650e",
            json.loads((FOLDER / "fail_globex.ipynb").read_text())["metadata"]["papermill"]["duration"],
            None,
            "2026-11-23 02:13:30.431149+00",
            json.loads((FOLDER / "fail_globex.ipynb").read_text())["metadata"]["papermill"]["end_time"]
            .replace("T", " ")
            .replace("+00:00", "+00"),
        )
    ]


def test_notebooks_gathered_in_one_file_are_as_many_runs(tmp_path: Path) -> None:
    told = [(FOLDER / f"{name}.ipynb").read_text() for name in ("ok_acme", "fail_globex")]
    after, array = tmp_path / "after.json", tmp_path / "array.json"
    after.write_text("\n".join(told))
    array.write_text(f"[{','.join(told)}]")
    assert [file.mapped for file in take_in(tmp_path / "p", [after, array]).files] == [2, 2]
    with ingested(tmp_path / "q", [array, after]) as ledger:
        assert rows(ledger, "select status from runs order by 1") == [("failed",), ("succeeded",)]
