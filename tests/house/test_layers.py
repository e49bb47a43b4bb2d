"""Imports run one way: DESIGN's layers, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from support import ROOT

PACKAGE: Final = ROOT / "toolkit" / "aftershock"
GROUND: Final = frozenset({"errors", "masks", "model", "project"})
SIBLINGS: Final = frozenset({"adapters", "ledger", "metrics"})

MAY_IMPORT: Final[dict[str, frozenset[str]]] = {
    "errors": frozenset(),
    "masks": frozenset(),
    "model": frozenset({"errors"}),
    "project": frozenset({"errors", "model"}),
    "assets": GROUND,
    "adapters": GROUND,
    "ledger": GROUND,
    "metrics": GROUND,
    "collect": GROUND,
    "simulate": GROUND,
    "ingest": GROUND | {"adapters", "ledger"},
    "expectations": GROUND | {"ledger", "metrics"},
    "findings": GROUND | {"ledger", "metrics", "expectations"},
    "charts": GROUND | {"metrics", "expectations", "findings"},
    "reports": GROUND | SIBLINGS | {"assets", "ingest", "expectations", "findings", "charts", "__init__"},
    "workshop": GROUND | {"adapters", "ledger", "ingest"},
    "schedule": GROUND | SIBLINGS | {"ingest", "expectations", "findings", "charts", "reports"},
}
"""What each part may import beside itself. `cli` and the lazy names of `aftershock/__init__.py` may import everything."""

TOP: Final = frozenset({"cli", "__init__", "__main__"})


def imports_of(file: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and part of every import of our own package in a file, wherever in the file it stands."""
    folder = file.relative_to(package).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "aftershock":
                    yield node.lineno, [*alias.name.split("."), "__init__"][1]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = folder[: len(folder) - node.level + 1]
                path = [*above, *(node.module or "").split(".")] if node.module else list(above)
            elif (node.module or "").split(".")[0] == "aftershock":
                path = (node.module or "").split(".")[1:]
            else:
                continue
            for part in [path[0]] if path else [alias.name for alias in node.names]:
                if part != "__version__":
                    yield node.lineno, part if _is_part(package, part) else "__init__"


def offences(package: Path = PACKAGE) -> list[str]:
    """Every import that the layers do not allow, as `file:line: what`."""
    found = []
    for file in sorted(package.rglob("*.py")):
        part = file.relative_to(package).parts[0].removesuffix(".py")
        if part in TOP or part.startswith("_"):
            continue
        allowed = MAY_IMPORT.get(part)
        if allowed is None:
            found.append(f"{file}:1: {part} is no known part: say in {Path(__file__).name} what it may import")
            continue
        for line, target in imports_of(file, package):
            if target != part and target not in allowed:
                names = ", ".join(sorted(allowed)) or "nothing of ours"
                found.append(f"{file}:{line}: {part} imports {target}; it may import {names}")
    return found


def test_imports_run_one_way() -> None:
    assert offences() == []


@pytest.mark.parametrize(
    ("part", "source", "told"),
    [
        (
            "metrics/rate.py",
            "import os\nfrom aftershock.ledger.store import Store\n",
            "metrics/rate.py:2: metrics imports ledger",
        ),
        ("adapters/n8n.py", "def f():\n    import aftershock.metrics\n", "adapters/n8n.py:2: adapters imports metrics"),
        ("ledger/store.py", "from aftershock import adapters\n", "ledger/store.py:1: ledger imports adapters"),
        ("ledger/deep/store.py", "from ...metrics import rate\n", "ledger/deep/store.py:1: ledger imports metrics"),
        ("errors.py", "from aftershock.model import TABLES\n", "errors.py:1: errors imports model"),
        ("metrics/rate.py", "import aftershock\naftershock.open()\n", "metrics/rate.py:1: metrics imports __init__"),
        ("rumours/x.py", "", "rumours/x.py:1: rumours is no known part"),
    ],
)
def test_an_import_against_the_layers_is_told_with_file_and_line(
    tmp_path: Path, part: str, source: str, told: str
) -> None:
    for name in ("adapters", "ledger", "metrics"):
        (tmp_path / name).mkdir()
    file = tmp_path / part
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    (offence,) = offences(tmp_path)
    assert offence.removeprefix(f"{tmp_path}/").startswith(told)


def test_an_import_within_a_part_or_of_the_ground_is_fine(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "rate.py").write_text(
        "from .intervals import wilson\nfrom aftershock.metrics.periods import Period\nfrom aftershock.errors import PeriodError\n"
        "from aftershock import __version__\nimport ibis\n"
    )
    assert offences(tmp_path) == []


def _is_part(package: Path, name: str) -> bool:
    return name in MAY_IMPORT or name in TOP or (package / name).is_dir() or (package / f"{name}.py").is_file()
