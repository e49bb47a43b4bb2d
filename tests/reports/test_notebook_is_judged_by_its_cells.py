"""`execute`: what counts is that every cell ran and none holds an error, whatever papermill says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from aftershock.errors import ReportFailedError, UnknownNameError
from aftershock.reports.execute import check_parameters, execute, fault_of

PARAMETERS = 'client: str = "acme"  # whose page\nn: int = 1  # how many'


def notebook(folder: Path, *cells: str, tags: tuple[str, ...] = ()) -> Path:
    """A notebook with a parameters cell and these."""
    code = [new_code_cell(cell, metadata={"tags": list(tags)}) for cell in cells]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = new_notebook(
        cells=[new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), *code], metadata={"kernelspec": kernel}
    )
    path = folder / "asked.ipynb"
    nbformat.write(book, path)
    return path


def test_a_notebook_runs_with_its_parameters(tmp_path: Path) -> None:
    done = execute(notebook(tmp_path, "print(client, n + 1)"), tmp_path / "done.ipynb", {"client": "globex", "n": 41})
    assert done.cells[-1].outputs[0].text == "globex 42\n"


@pytest.mark.parametrize(
    ("cells", "tags", "cell", "reason"),
    [
        (("1/0", "2"), (), 2, "ZeroDivisionError: division by zero"),
        (("1/0",), ("raises-exception",), 2, "ZeroDivisionError: division by zero"),
        (("import sys; sys.exit(0)", "2"), (), 2, "SystemExit: 0"),
        (("1", "import os; os.kill(os.getpid(), 9)", "3"), (), 3, "DeadKernelError: Kernel died"),
    ],
    ids=["an error", "an error tagged away", "exit with code 0", "a killed kernel"],
)
def test_a_failed_cell_is_named(
    tmp_path: Path, cells: tuple[str, ...], tags: tuple[str, ...], cell: int, reason: str
) -> None:
    with pytest.raises(ReportFailedError) as caught:
        execute(notebook(tmp_path, *cells, tags=tags), tmp_path / "done.ipynb", {})
    assert (caught.value.cell, caught.value.reason) == (cell, reason)


def test_a_failed_notebook_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ReportFailedError, match="The notebook as far as it came"):
        execute(notebook(tmp_path, "1/0"), tmp_path / "done.ipynb", {})
    assert "ZeroDivisionError" in (tmp_path / "done.ipynb").read_text()


def test_a_cell_that_takes_too_long_fails(tmp_path: Path) -> None:
    with pytest.raises(ReportFailedError, match="CellTimeoutError"):
        execute(notebook(tmp_path, "import time; time.sleep(60)"), tmp_path / "done.ipynb", {}, timeout_s=1)


def test_an_unknown_parameter_is_an_error_with_a_guess(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no parameter 'cleint'. Did you mean 'client'\?"):
        check_parameters(notebook(tmp_path), {"cleint": "acme"})


@pytest.mark.parametrize("value", ["7", True, 1.5])
def test_a_parameter_of_another_type_is_an_error(tmp_path: Path, value: object) -> None:
    with pytest.raises(ReportFailedError, match=r"parameter n = .*: give a int"):
        check_parameters(notebook(tmp_path), {"n": value})


def test_an_unexecuted_cell_is_a_fault() -> None:
    book = new_notebook(cells=[new_code_cell("1", execution_count=1), new_code_cell("2")])
    fault = fault_of(book)
    assert fault is not None
    assert (fault.cell, fault.reason) == (2, "it was not executed")


def test_a_notebook_whose_cells_all_ran_has_no_fault() -> None:
    assert fault_of(new_notebook(cells=[new_code_cell("1", execution_count=1), new_code_cell("  ")])) is None
