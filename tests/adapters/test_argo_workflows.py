"""Argo Workflows: objects as kubectl, argo and the server give them; and the captures of the vendor's own tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

HERE = Path(__file__).parent / "argo_workflows"
SAMPLES = sorted(file for file in HERE.iterdir() if file.suffix in (".json", ".jsonl", ".yaml"))
VENDOR = SHARED / "samples" / "argo_workflows"
RUN = "argo_workflows:000000{:02x}-0000-4000-8000-000000000001"
CONFIG = """
[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("argo"), SAMPLES, CONFIG)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every capture of the vendor's tests, one document after another."""
    folder = tmp_path_factory.mktemp("vendor")
    (folder / "all.yaml").write_text("\n---\n".join(file.read_text() for file in sorted(VENDOR.glob("*.yaml"))))
    return ingested(folder / "project", [folder / "all.yaml"])


def _of(automation: str) -> str:
    return f"select runs.status from runs where automation = '{automation}'"


def test_every_phase_of_a_workflow_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, "select status_raw, status from runs where automation = 'acme/words'")
    assert dict(found) == {
        "": "queued",
        "Pending": "queued",
        "Running": "running",
        "Running|suspended": "waiting",
        "Succeeded": "succeeded",
        "Failed": "failed",
        "Failed|stopped": "cancelled",
        "Failed|deadline": "timed_out",
        "Error": "crashed",
    }


def test_every_phase_of_a_node_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, f"select name, status from steps where run_id = '{RUN.format(0x13)}'")
    assert dict(found) == {
        "pending": "queued",
        "running": "running",
        "succeeded": "succeeded",
        "skipped": "skipped",
        "failed": "failed",
        "error": "crashed",
        "omitted": "skipped",
        "killed": "crashed",
    }


def test_children_of_a_retry_node_are_attempts_also_where_a_whole_dag_was_retried(ledger: Ledger) -> None:
    found = rows(
        ledger,
        f"select step_key, name, attempt, status from steps where run_id = '{RUN.format(1)}' order by step_key, attempt",
    )
    assert found == [
        ("fetch", "fetch", 1, "failed"),
        ("fetch", "fetch", 2, "succeeded"),
        ("sync.send", "send", 1, "failed"),
        ("sync.send", "send", 2, "succeeded"),
        ("sync.tidy", "tidy", 1, "skipped"),
        ("sync.tidy", "tidy", 2, "succeeded"),
    ]
    assert rows(ledger, _of("acme/nightly-sync")) == [("succeeded",)]  # not partial: the retries saved it


def test_compressed_nodes_are_read_and_a_loop_that_failed_once_is_partial(ledger: Ledger) -> None:
    found = rows(ledger, f"select step_key, name, map_index, status from steps where run_id = '{RUN.format(2)}'")
    assert sorted(found) == [("[0].send", "send(0)", 0, "succeeded"), ("[0].send", "send(1)", 1, "failed")]
    assert rows(ledger, f"select status from runs where run_id = '{RUN.format(2)}'") == [("partial",)]


def test_what_was_resubmitted_is_a_retry_and_what_a_workflow_made_its_child(ledger: Ledger) -> None:
    found = rows(ledger, f"select root_run_id, trigger from runs where run_id = '{RUN.format(3)}'")
    assert found == [(RUN.format(2), "resubmitted-from-workflow")]
    found = rows(ledger, f"select parent_run_id, trigger from runs where run_id = '{RUN.format(4)}'")
    assert found == [(RUN.format(2), "cron")]


def test_a_workflow_that_only_says_which_child_failed_has_the_childs_error(ledger: Ledger) -> None:
    assert rows(ledger, f"select error_message from runs where run_id = '{RUN.format(3)}'") == [
        ("Error (exit code 3)",)
    ]


def test_a_workflow_waits_while_suspended_and_fails_though_its_exit_handler_succeeds(ledger: Ledger) -> None:
    run = RUN.format(5)
    history = rows(ledger, f"select status from status_history where run_id = '{run}' order by seen_at")
    assert history == [("waiting",), ("failed",)]
    assert rows(ledger, f"select status, ended_at::varchar from runs where run_id = '{run}'") == [
        ("failed", "2026-11-02 04:30:00+00")
    ]
    assert rows(ledger, f"select kind, status from steps where run_id = '{run}' and name = 'onExit'") == [
        ("Pod hook", "succeeded")
    ]


def test_yaml_says_the_same_as_json(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id, status, error_message from runs where automation = 'acme/yaml' order by 1")
    assert [(status, error) for _, status, error in found] == [
        ("succeeded", None),
        ("timed_out", "Max duration limit exceeded"),
        ("running", None),
    ]
    # as `argo get -o yaml` of old, without apiVersion and kind
    assert rows(ledger, _of("acme/single-1")) == [("succeeded",)]
    versions = rows(ledger, "select distinct version from runs where automation in ('acme/yaml', 'acme/restock')")
    assert len(versions) == 1


def test_a_cron_workflow_gives_its_automation_a_schedule(ledger: Ledger) -> None:
    found = rows(ledger, "select name, schedule, enabled from automations where schedule is not null")
    assert found == [("acme/restock", "0 3 * * *", True)]


def test_arguments_and_inputs_give_the_orders(ledger: Ledger) -> None:
    found = rows(ledger, "select distinct entity_key from touches order by 1")
    assert found == [("ORD-1001",), ("ORD-1002",), ("ORD-1003",), ("ORD-1004",)]


def test_a_manifest_and_a_template_are_no_runs(tmp_path: Path) -> None:
    result = take_in(tmp_path, [HERE / "manifest.yaml", HERE / "kubectl.list.words.json"])
    assert [file.set_aside for file in result.files] == [1, 1]


def test_items_of_the_archive_say_neither_kind_nor_labels(tmp_path: Path) -> None:
    value = json.loads((HERE / "server.items.json").read_text())
    items = [{key: one[key] for key in ("metadata", "spec", "status")} for one in value["items"]]
    for one in items:
        del one["metadata"]["labels"]
    file = tmp_path / "archived-workflows.json"
    file.write_text(json.dumps({"metadata": {}, "items": items}))
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects, result.runs_new) == (3, 0, 3)


def test_what_was_seen_later_stands_whichever_file_is_read_first(ledger: Ledger, tmp_path: Path) -> None:
    early, late = (tmp_path / name for name in ("early.json", "late.json"))
    for file, line in zip((early, late), (HERE / "watch.jsonl").read_text().splitlines(), strict=True):
        file.write_text(line)
    other = ingested(tmp_path / "project", [late, early], CONFIG)
    for table in ("runs", "steps"):
        told = rows(other, f"select * from {table}")
        assert told
        assert set(told) <= set(rows(ledger, f"select * from {table}"))


def test_a_list_cut_off_gives_the_workflows_up_to_there_as_yaml_and_as_json(tmp_path: Path) -> None:
    text = (HERE / "kubectl.list.words.json").read_text()
    as_json = tmp_path / "cut.json"
    as_json.write_text(text[: text.index("words-error") + 20])
    text = (HERE / "kubectl.list.yaml").read_text()
    as_yaml = tmp_path / "cut.yaml"
    as_yaml.write_text(text[: text.index("Max duration limit exceeded") + 3] + "\n    x: [")
    result = take_in(tmp_path / "project", [as_json, as_yaml])
    assert [(file.mapped, file.rejects) for file in result.files] == [(4, 1), (1, 1)]


@pytest.mark.parametrize(
    "hostile",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",  # unfolds without end
        "a: " + "[" * 5000 + "]" * 5000 + "\n",
        "a: !!python/object/apply:os.system ['true']\n",
    ],
)
def test_hostile_yaml_is_a_reject(tmp_path: Path, hostile: str) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  name: x\n" + hostile)
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (0, 1)


def test_compressed_nodes_that_are_none_are_a_reject(tmp_path: Path) -> None:
    value = json.loads((HERE / "server.items.json").read_text())
    value["items"][0]["status"]["compressedNodes"] = "bm9uZQ=="
    file = tmp_path / "items.json"
    file.write_text(json.dumps(value))
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (2, 1)


@needs_shared
def test_the_vendors_captures_have_their_phases(vendor: Ledger) -> None:
    assert rows(vendor, "select automation, status from runs order by 1") == [
        ("argo/dag-diamond", "succeeded"),
        ("argo/fail-two-nested-dag-suspend", "failed"),
        ("argo/steps", "succeeded"),
        ("argo/work-avoidance", "succeeded"),
        ("retry-script", "failed"),  # though its exit handler succeeded
        ("steps", "failed"),
        ("suspend", "waiting"),
    ]
    assert rows(vendor, "select status from steps where name = 'onExit' and run_id like '%d0cb3766%'") == [
        ("succeeded",)
    ]


@needs_shared
def test_the_vendors_nodes_that_do_something_are_steps(vendor: Ledger) -> None:
    found = rows(vendor, "select automation, count(*) from runs join steps using (run_id) group by 1 order by 1")
    assert found == [
        ("argo/dag-diamond", 4),
        ("argo/fail-two-nested-dag-suspend", 12),
        ("argo/steps", 3),
        ("argo/work-avoidance", 5),
        ("retry-script", 2),
        ("steps", 2),
        ("suspend", 1),
    ]
