"""n8n: `GET /api/v1/executions` (with and without data) and `/api/v1/workflows`, the editor's `/rest/executions`.

Pages as answered, single executions or workflows, and files with one of them a line.
"""

from __future__ import annotations

from typing import Any, Final

from aftershock.adapters._n8n import COLUMNS, SELECT
from aftershock.adapters._n8n import STATUS as STATUS
from aftershock.adapters.base import Export, Fidelity, Sample

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
        name="editor's executions",
        form="json",
        records="data.results",
        requires=_EXECUTION | {"status"},
        claims=_is_page,
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(
        name="single executions",
        form="json",
        requires=_EXECUTION,
        one_of=frozenset({"status", "finished"}),
        columns=COLUMNS,
        select=SELECT,
    ),
    Export(name="workflows", form="json", records="data", requires=_WORKFLOW, columns=COLUMNS, select=SELECT),
    Export(name="single workflows", form="json", requires=_WORKFLOW, columns=COLUMNS, select=SELECT),
)
