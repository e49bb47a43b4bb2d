"""papermill: an executed notebook (`papermill in.ipynb out.ipynb`), one run per file.

The notebook's own verdict is not enough: papermill writes `metadata.papermill.exception: null` and marks every cell
`completed` when its kernel dies or does not start, when a cell runs out of time and when papermill is interrupted; and
it ends with an error over a cell that was allowed to raise. The cells tell these apart, so they give the verdict.

A notebook has no run id. A run is the notebook that was run, the name of the one that was written, and the moment it
began: an output that is written again is another run, and one that is read again while it goes on is the same.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import documents
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "papermill"
DOCS = "https://papermill.readthedocs.io/en/stable/usage-execute.html"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=True,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as long as the output notebook is not written over",
    inferred="crashed from cells that never ran or never answered; version: a hash of the cells' code",
)

STATUS = StatusTable(
    {
        # papermill's words for a cell.
        "pending": "queued",
        "running": "running",
        "completed": "succeeded",
        "failed": "failed",
        # The verdict on the notebook, in our words, since papermill has none.
        "exception": "failed",
        "error in an output": "failed",
        "a cell was never executed": "crashed",
        "a cell never answered": "crashed",
        "no end": "running",
        "never executed": "skipped",
    }
)

_ERROR_TAG: Final = "papermill-error-cell-tag"


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each notebook (most files are one): its papermill metadata, the verdict and its code cells."""
    for notebook in documents(path):
        if isinstance(notebook, RecordError):
            yield notebook
            continue
        try:
            yield _record(notebook)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield RecordError(f"is no notebook that papermill executed: {error}", field="metadata.papermill")


def _record(notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    about = notebook["metadata"]["papermill"]
    codes = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    verdict = _verdict(about, codes)
    cells = [_cell(cell, number, verdict) for number, cell in enumerate(codes, start=1)]
    errors = [cell for cell in cells if cell["error_type"]]
    error_type = error_message = None
    if errors:  # papermill stops at the first, or raises it in the end where the cell was allowed to
        error_type, error_message = errors[0]["error_type"], errors[0]["error_message"]
    if STATUS[verdict] == "crashed":
        has_begun = any(cell["started_at"] for cell in cells)
        error_type = error_type or ("KernelDied" if has_begun else "KernelNotStarted")
        error_message = error_message or f"ended without saying so: {verdict}"
    return {
        "notebook": _name(about.get("input_path")),
        "input_path": about.get("input_path"),
        "output": _name(about.get("output_path")),
        "start_time": about.get("start_time"),
        "end_time": about.get("end_time"),
        "duration": about.get("duration"),
        "verdict": verdict,
        "error_type": error_type if verdict != "completed" else None,
        "error_message": error_message if verdict != "completed" else None,
        "parameters": about.get("parameters"),
        "version": _version(codes),
        "cells": cells,
    }


def _verdict(about: Mapping[str, Any], codes: Sequence[Mapping[str, Any]]) -> str:
    """What became of the notebook: a word of STATUS."""
    marks = [cell.get("metadata", {}).get("papermill") or {} for cell in codes]
    if not about.get("start_time"):
        return "never executed"
    if not about.get("end_time"):
        return "no end"
    if about.get("exception"):
        return "exception"
    if any(mark.get("exception") is None for mark in marks):
        return "a cell was never executed"
    if any(_is_unanswered(cell) for cell in codes):
        return "a cell never answered"
    if any(_error(cell) for cell in codes):
        return "error in an output"
    return "completed"


def _is_unanswered(cell: Mapping[str, Any]) -> bool:
    """Whether the kernel took the cell up and never answered: it died, ran out of time or was interrupted."""
    times = cell.get("metadata", {}).get("execution") or {}
    return "iopub.execute_input" in times and "shell.execute_reply" not in times


def _error(cell: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error that papermill would raise for this cell: any but `sys.exit()` and `sys.exit(0)`."""
    for output in cell.get("outputs", []):
        if output.get("output_type") == "error" and not _is_clean_exit(output):
            return dict(output)
    return None


def _is_clean_exit(output: Mapping[str, Any]) -> bool:
    return output.get("ename") == "SystemExit" and output.get("evalue") in ("", "0")


def _cell(cell: Mapping[str, Any], number: int, verdict: str) -> dict[str, Any]:
    """A code cell as a step, `error_*` where it raised."""
    metadata = cell.get("metadata", {})
    mark = metadata.get("papermill") or {}
    source = _text(cell.get("source"))
    errors = [output for output in cell.get("outputs", []) if output.get("output_type") == "error"]
    state, status = mark.get("status"), None
    if mark.get("exception") is None and verdict != "no end":
        status = "skipped"  # never begun, whatever its status says
    elif verdict != "no end" and not mark.get("exception") and _is_unanswered(cell):
        status = "crashed"
    elif errors:
        status = "failed"
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return {
        "key": cell.get("id") or f"cell {number}",
        "name": first[:80] or f"cell {number}",
        "state": state,
        "status": status,
        "started_at": mark.get("start_time"),
        "ended_at": mark.get("end_time"),
        "duration": mark.get("duration"),
        "error_type": errors[0].get("ename") if errors else None,
        "error_message": errors[0].get("evalue") if errors else None,
        "printed": _printed(cell),
    }


def _printed(cell: Mapping[str, Any]) -> str | None:
    """What a cell wrote: streams and text results, not pictures and tracebacks."""
    parts = []
    for output in cell.get("outputs", []):
        parts.append(_text(output.get("text")) or _text((output.get("data") or {}).get("text/plain")))
    return "\n".join(part for part in parts if part) or None


def _text(value: Any) -> str:
    """Multi-line strings of a notebook: one string or a list of lines."""
    return "".join(str(line) for line in value) if isinstance(value, list) else str(value or "")


def _name(path: Any) -> str | None:
    """The name of a notebook without its folders, which differ from machine to machine."""
    return str(path).replace("\\", "/").rpartition("/")[2] if path else None


def _version(codes: Sequence[Mapping[str, Any]]) -> str:
    """The same for the same code, whatever the parameters: they are injected as a cell of their own."""
    code = [
        _text(cell.get("source"))
        for cell in codes
        if "injected-parameters" not in ((cell.get("metadata") or {}).get("tags") or [])
    ]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:12]


def _is_papermill(sample: Sample) -> bool:
    """By the cells: they come first in a notebook and can be long, so its own metadata may lie beyond the sample."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    top = first if isinstance(first, dict) else {}
    if not isinstance(top.get("cells"), list):
        return False
    marks = [cell.get("metadata") or {} for cell in top["cells"] if isinstance(cell, dict)] + [
        top.get("metadata") or {}
    ]
    return any(
        "papermill" in mark or _ERROR_TAG in (mark.get("tags") or []) for mark in marks if isinstance(mark, dict)
    )


_RUN: Final = """
select place, notebook as scope, concat_ws('@', output, strftime(start_time, '%Y-%m-%dT%H:%M:%S.%fZ')) as native_id,
       input_path as automation_native_id, notebook as automation,
       verdict as status_raw, start_time as started_at, end_time as ended_at, duration as duration_s, version,
       error_type, error_message, parameters as payload, coalesce(end_time, start_time) as updated_at
from records where verdict <> 'never executed'
"""

EXPORTS = (
    Export(
        name="executed notebook",
        form="json",
        claims=_is_papermill,
        reader=read,
        columns={
            "notebook": "VARCHAR",
            "input_path": "VARCHAR",
            "output": "VARCHAR",
            "start_time": TIME,
            "end_time": TIME,
            "duration": "DOUBLE",
            "verdict": "VARCHAR",
            "error_type": "VARCHAR",
            "error_message": "VARCHAR",
            "parameters": "JSON",
            "version": "VARCHAR",
            "cells": "STRUCT(key VARCHAR, name VARCHAR, state VARCHAR, status VARCHAR, started_at VARCHAR,"
            " ended_at VARCHAR, duration DOUBLE, error_type VARCHAR, error_message VARCHAR, printed VARCHAR)[]",
        },
        select={
            "runs": _RUN,
            "steps": f"""
with run as ({_RUN}), cells as (select place, unnest(cells) as cell, start_time from records)
select place, run.scope, run.native_id, cell.key as key, cell.name as name, 'code' as kind,
       1 as attempt, 0 as map_index, cell.status as status, cell.state as status_raw,
       as_time(cell.started_at) as started_at, as_time(cell.ended_at) as ended_at, cell.duration as duration_s,
       cell.error_type as error_type, cell.error_message as error_message, cell.printed as payload,
       coalesce(as_time(cell.ended_at), as_time(cell.started_at), cells.start_time) as updated_at
from cells join run using (place)
""",
            "set_aside": """
select place, 'prepared, never executed' as reason from records where verdict = 'never executed'
""",
        },
    ),
)
