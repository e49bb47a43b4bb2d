"""What several commands share: the project they are about, and how they show a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aftershock.errors import AftershockError

if TYPE_CHECKING:
    from aftershock.project import Project

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="DIR", help="The project folder. Default: the one at or above the current folder."
    ),
]


class CommandError(AftershockError, ValueError):
    """A command line that cannot be carried out as it stands."""


def load_project(folder: Path | None) -> Project:
    """The project of `--project DIR`, else the one at or above the current folder."""
    from aftershock.project import find_folder, load

    return load(folder.resolve() if folder else find_folder(Path.cwd()))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = ()) -> None:
    """Print rows in columns; those of the indices in `numbers` stand to the right. Whatever a cell holds is shown as text."""
    cells = [[plain(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in (headings, ["-" * width for width in widths], *cells):
        parts = [
            text.rjust(width) if i in numbers else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo("  ".join(parts).rstrip())


def plain(value: object) -> str:
    """A value on one line, without control characters: text from logs must not steer the terminal."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def shorten(path: Path, base: Path) -> str:
    """A path as seen from `base` where it lies below it."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `1,204 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
