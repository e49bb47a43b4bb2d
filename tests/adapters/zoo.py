"""All samples of all adapters, by family: `n8n/` holds those of `n8n`, `n8n_events` and `n8n_database`."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
NOT_SAMPLES = ("SOURCE.md", "truth", "golden")
"""Beginnings of the names of files that tell about samples."""
FAMILIES = sorted(folder for folder in FOLDER.iterdir() if folder.is_dir() and not folder.name.startswith("_"))


def samples_of(folder: Path) -> list[Path]:
    """The samples of a folder; `not_ours/` holds what the tool writes too, and nobody shall claim."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [file for file in files if not file.name.startswith(NOT_SAMPLES) and "not_ours" not in file.parts]


def is_of_family(adapter: str, folder: str) -> bool:
    """`n8n_events` is of the family `n8n`."""
    return adapter == folder or adapter.startswith(f"{folder}_")
