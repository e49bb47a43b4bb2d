"""Running a notebook with papermill, and judging it by its cells.

Exit codes and papermill's own marks are not enough: a killed kernel, a timeout and a cell tagged `raises-exception` all leave
notebooks behind that claim to be complete. What counts: every code cell was executed and none holds an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aftershock.errors import ReportFailedError, UnknownNameError

_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list, tuple),
    "dict": (dict,),
}
_TIMEOUT = "CellTimeoutError"  # its cell then holds the interrupt, which says less
_PUT_IN = {"papermill-error-cell-tag", "injected-parameters"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with an executed notebook, and in which cell (counted from 1; None: with no single one)."""

    cell: int | None
    reason: str
    is_error: bool = False


def execute(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    report: str = "",
    folder: Path | None = None,
    timeout_s: int = 600,
) -> Any:
    """The executed notebook, which is also kept at `output`, whether it came to its end or not.

    `folder`: the working directory of the kernel. `timeout_s`: for one cell.
    Raises: `UnknownNameError` for a parameter that the notebook does not have; `ReportFailedError`, naming the cell, for a value
    of another type, an error in a cell (even one tagged away), a cell that was not executed, a killed kernel.
    """
    import nbformat
    import papermill

    report = report or notebook.stem
    check_parameters(notebook, parameters, report=report)
    output.parent.mkdir(parents=True, exist_ok=True)
    trouble = ""
    try:
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters=dict(parameters),
            cwd=str(folder) if folder else None,
            progress_bar=False,
            execution_timeout=timeout_s,
            extra_arguments=["--IPKernelApp.log_level=50"],  # its start-up warnings say nothing about the report
        )
    except Exception as error:  # papermill, nbclient and jupyter raise many kinds; each of them is a failed report
        trouble = f"{type(error).__name__}: {_first_line(str(error))}"
    if not output.exists():
        raise ReportFailedError(report, notebook, None, trouble or "papermill left no notebook behind")
    executed = nbformat.read(str(output), as_version=4)  # type: ignore[no-untyped-call]
    fault = fault_of(executed)
    if trouble and (trouble.startswith(_TIMEOUT) or not (fault and fault.is_error)):
        fault = Fault(_stopped_in(executed), trouble)
    if fault:
        raise ReportFailedError(report, output, fault.cell, fault.reason)
    return executed


def check_parameters(notebook: Path, parameters: Mapping[str, Any], *, report: str = "") -> None:
    """Compare names and types with the notebook's cell tagged `parameters`; papermill itself only warns.

    Raises: `UnknownNameError`, `ReportFailedError`.
    """
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    for name, value in parameters.items():
        if name not in known:
            raise UnknownNameError("parameter", name, list(known))
        wanted = _TYPES.get(known[name]["inferred_type_name"])
        fits = wanted is None or (isinstance(value, wanted) and isinstance(value, bool) <= (bool in wanted))
        if not fits:
            kind = known[name]["inferred_type_name"]
            raise ReportFailedError(
                report or notebook.stem, notebook, None, f"parameter {name} = {value!r}: give a {kind}"
            )


def fault_of(notebook: Any) -> Fault | None:
    """The first thing that shows that a notebook did not run to its end, or None.

    Reads the cells alone: an error output in any of them, then any code cell without an execution count.
    """
    for number, cell in _code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                return Fault(number, f"{output.ename}: {_first_line(output.evalue)}", is_error=True)
    for number, cell in _code_cells(notebook):
        if cell.execution_count is None:
            return Fault(number, "it was not executed")
        if cell.metadata.get("papermill", {}).get("exception"):
            return Fault(number, "it ended the kernel")
    return None


def _code_cells(notebook: Any) -> list[tuple[int, Any]]:
    """The code cells with their numbers in the stored notebook: what papermill put in is not counted."""
    own = [cell for cell in notebook.cells if not _PUT_IN & set(cell.metadata.get("tags", ()))]
    return [
        (number, cell) for number, cell in enumerate(own, start=1) if cell.cell_type == "code" and cell.source.strip()
    ]


def _stopped_in(notebook: Any) -> int | None:
    """The cell that ran when the kernel went away or the time was up: the last that papermill saw begin.

    Its execution count may be there or not: that hangs on whether the kernel got to say so.
    """
    cells = reversed(_code_cells(notebook))
    return next((number for number, cell in cells if cell.metadata.get("papermill", {}).get("start_time")), None)


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return line if len(line) <= 300 else line[:299] + "…"
