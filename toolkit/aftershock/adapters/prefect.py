"""Prefect 3 (and 2): what its REST API and its command line tell of runs.

Pages of `POST /api/flow_runs/filter`, `task_runs/filter`, `logs/filter`, `artifacts/filter`, `flows/filter` and
`deployments/filter` (also `/paginate`, and a single object), `GET /api/flow_run_states/?flow_run_id=`, and
`prefect flow-run ls -o json` with its sisters.

- A run is a flow run, one row whatever its `run_count`: that counts starts, also those after a pause, under one id and
  keeps only the last state. Its automation is its deployment (a flow with schedule and parameters), else its flow.
- Runs that are only planned stand in the same list as history: they are set aside until their time has come.
- Task runs are steps, named after their function; `attempt` is the try, of which the page shows the last one only.
  The calls of a mapped task are told apart by a number made of their random ids. When a flow is retried its tasks run anew
  under other ids: a failed one whose flow passed later gets a last attempt `flow run retried`, and does not count against it.
- A subflow is a run of its own. Only a page of task runs (or the database) says whose: a task run in the parent names it.
- A process that was killed where nobody looks after it (`python flow.py`) stays Running for ever: Prefect does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from aftershock.adapters import _prefect
from aftershock.adapters._prefect import FIDELITY as FIDELITY
from aftershock.adapters._prefect import STATUS as STATUS
from aftershock.adapters.base import Export, Sample

TOOL = "prefect"
DOCS = "https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs"

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HAS_STATE: Final = frozenset({"state", "state_type", "state_name"})


def _is_flow(flow: Mapping[str, Any]) -> bool:
    """A flow has so few names that only all of them together tell it: an id, a name, tags and labels, and no more."""
    return set(flow) <= {"id", "created", "updated", "created_by", "updated_by", "name", "tags", "labels"} and bool(
        _UUID.fullmatch(str(flow["id"]))
    )


def _is_page(sample: Sample) -> bool:
    """A page of `/paginate`, which may be empty."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, Mapping) and (
        bool(first.get("results")) or {"count", "limit", "pages", "page"} <= set(first)
    )


def _objects(
    name: str,
    columns: Mapping[str, str],
    select: Callable[[str], Mapping[str, str]],
    requires: frozenset[str],
    one_of: frozenset[str] = frozenset(),
    where: Callable[[Mapping[str, Any]], bool] | None = None,
    rank: int = 0,
) -> tuple[Export, ...]:
    """Both ways in which the API lists objects: an array (`/filter`), and a page that says its number (`/paginate`)."""
    return tuple(
        Export(
            name=f"{name}{suffix}",
            form="json",
            records=records,
            requires=requires,
            one_of=one_of,
            where=where,
            claims=_is_page if records else None,
            columns=columns,
            select=select("records"),
            rank=rank,
        )
        for suffix, records in (("", ""), (" by page", "results"))
    )


EXPORTS = (
    *_objects(
        "flow runs",
        _prefect.FLOW_RUN,
        _prefect.flow_runs,
        frozenset({"id", "flow_id", "run_count", "expected_start_time"}),
        _HAS_STATE,
    ),
    *_objects(
        "task runs",
        _prefect.TASK_RUN,
        _prefect.task_runs,
        frozenset({"id", "flow_run_id", "task_key", "dynamic_key"}),
        _HAS_STATE,
    ),
    *_objects(
        "flows",
        _prefect.FLOW,
        _prefect.flows,
        frozenset({"id", "created", "updated", "name", "tags"}),
        where=_is_flow,
    ),
    *_objects(
        "deployments",
        _prefect.DEPLOYMENT,
        _prefect.deployments,
        frozenset({"id", "name", "flow_id", "parameters", "entrypoint"}),
        frozenset({"schedules", "schedule"}),
    ),
    *_objects(
        "states",
        _prefect.STATE,
        _prefect.states,
        frozenset({"type", "name", "timestamp", "state_details.flow_run_id", "state_details.task_run_id"}),
    ),
    *_objects(
        "logs",
        _prefect.LOG,
        _prefect.logs,
        frozenset({"level", "message", "timestamp", "flow_run_id", "task_run_id"}),
        rank=1,
    ),
    *_objects(
        "artifacts",
        _prefect.ARTIFACT,
        _prefect.artifacts,
        frozenset({"key", "type", "data", "flow_run_id", "task_run_id"}),
        rank=1,
    ),
)
