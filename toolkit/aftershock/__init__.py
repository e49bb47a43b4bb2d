"""Aftershock: reads the run logs of all your tools, finds the damage, and says how sure it is.

import aftershock
ledger = aftershock.open("my-project")
ledger.runs                                    # an Ibis table
ledger.sql("select status, count(*) from runs group by all")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aftershock.ledger.reader import Ledger

__version__ = "0.1.0"


def open(project_dir: str | Path = ".", *, snapshot: int | None = None) -> Ledger:
    """The ledger of the project at or above `project_dir`: its newest snapshot, or an older one by number.

    Raises: `NoProjectError`; `NoSnapshotError` if nothing was taken in yet or that snapshot is gone.
    """
    from aftershock.ledger.reader import Ledger
    from aftershock.project import find_folder, load

    return Ledger(load(find_folder(Path(project_dir))), snapshot)


_LAZY = {"Ledger": "aftershock.ledger.reader", "AftershockError": "aftershock.errors"}


def __getattr__(name: str) -> Any:
    """Public names that would make `import aftershock` slow are imported when first used."""
    import importlib

    home = _LAZY.get(name) or "aftershock.metrics"
    try:
        return getattr(importlib.import_module(home), name)
    except AttributeError:
        raise AttributeError(f"module 'aftershock' has no attribute {name!r}") from None
