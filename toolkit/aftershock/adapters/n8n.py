"""n8n: `GET /api/v1/executions` (with and without data) and `/api/v1/workflows`, the editor's `/rest/executions`.

Pages as answered, single executions or workflows, and files with one of them a line; also `/rest/executions/{id}`, where the
data of an execution are "flatted" text. Until 2023 an execution had no status: then it is told from whether it `finished`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import as_dict, documents
from aftershock.adapters._n8n import COLUMNS, SELECT, unflatten
from aftershock.adapters._n8n import STATUS as STATUS
from aftershock.adapters.base import Export, Fidelity, RecordError, Sample

TOOL = "n8n"
DOCS = "https://docs.n8n.io/api/api-reference/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=True,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="pruned after 14 days or 10,000 executions unless configured (EXECUTIONS_DATA_MAX_AGE)",
    inferred="partial: a success in which an item carries an error; of a node's own retries nothing is known",
)

_EXECUTION: Final = frozenset({"id", "workflowId", "mode", "startedAt"})
_WORKFLOW: Final = frozenset({"id", "name", "nodes", "connections"})


def _is_page(sample: Sample) -> bool:
    """A page with records in it, or an empty one that looks like n8n's."""
    page: Any = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    data = page.get("data") if isinstance(page, dict) else None
    if isinstance(data, dict):
        return bool(data.get("results")) or {"count", "estimated"} <= data.keys()
    return bool(data) or (isinstance(page, dict) and "nextCursor" in page)


_FLATTED: Final = re.compile(r'"data"\s*:\s*"\[')


def _is_flatted(sample: Sample) -> bool:
    """Executions with their data as text, each perhaps in the envelope of the editor's answer."""
    values = sample.top if isinstance(sample.top, list) else [sample.top]
    first = values[0] if values and isinstance(values[0], dict) else {}
    data = first.get("data")
    inside = data if isinstance(data, dict) else first
    return inside.keys() >= _EXECUTION and bool(inside is not first or _FLATTED.search(sample.text))


def read_flatted(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Executions in the shape of the public API's. One whose data cannot be read comes without them, followed by a `RecordError`."""
    for document in documents(path):
        if isinstance(document, RecordError):
            yield document
            continue
        inside = document.get("data")
        execution = dict(inside if isinstance(inside, dict) and "workflowId" in inside else document)
        execution["workflowData"] = as_dict(execution.get("workflowData")) or None
        data, execution["data"] = execution.get("data"), None
        try:
            execution["data"] = unflatten(data) if isinstance(data, str) and data else data
        except (ValueError, IndexError, RecursionError) as reason:
            yield execution
            yield RecordError(f"its data cannot be read: {reason}", raw=str(data)[:2000], field="data")
        else:
            yield execution


def _begins_with_data(execution: Mapping[str, Any]) -> bool:
    """Before 1.0 the data came second, and what else is known of an execution stands behind them."""
    return not execution.keys() >= _EXECUTION


EXPORTS = (
    Export(
        name="executions",
        form="json",
        records="data",
        requires=_EXECUTION,
        one_of=frozenset({"status", "finished"}),
        claims=_is_page,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="executions that begin with their data",
        form="json",
        records="data",
        requires=frozenset({"id", "data.resultData"}),
        where=_begins_with_data,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="editor's executions",
        form="json",
        records="data.results",
        requires=_EXECUTION,
        one_of=frozenset({"status", "finished"}),
        claims=_is_page,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="single executions",
        form="json",
        requires=_EXECUTION,
        one_of=frozenset({"status", "finished"}),
        claims=lambda sample: not _is_flatted(sample),
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="executions with flatted data",
        form="json",
        claims=_is_flatted,
        reader=read_flatted,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="single executions that begin with their data",
        form="json",
        requires=frozenset({"id", "data.resultData"}),
        where=_begins_with_data,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(name="workflows", form="json", records="data", requires=_WORKFLOW, columns=COLUMNS, select=SELECT),
    Export(name="single workflows", form="json", requires=_WORKFLOW, columns=COLUMNS, select=SELECT),
)
