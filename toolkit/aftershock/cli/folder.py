"""`init`, `lab`, `simulate`: making a project folder, opening it in JupyterLab, filling one with a simulated fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aftershock.cli.common import ProjectOption, count, load_project


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    demo: Annotated[
        bool, typer.Option("--demo", help="With sample data of a small fleet, ready to be taken in.")
    ] = False,
) -> None:
    """Make a project folder, empty or with sample data."""
    from aftershock.assets import make_project

    for path in make_project(folder, demo=demo):
        typer.echo(f"made {path}")
    sample = "data/sample" if demo else "PATH"
    typer.echo(f"\nNext: cd {folder} && aftershock ingest {sample} && aftershock report")


def lab(context: typer.Context, project: ProjectOption = None) -> None:
    """Open JupyterLab in the project folder. Further options are handed to it."""
    import os
    import sys

    os.chdir(load_project(project).folder)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *context.args])  # noqa: S606  our own interpreter, no shell


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the exports and truth.json.")],
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same files.")],
    days: Annotated[int, typer.Option("--days", min=1, help="How long the fleet runs.")] = 28,
) -> None:
    """Write the exports of a simulated fleet, with the truth about every run."""
    from aftershock.simulate import simulate as play

    play(folder, seed=seed, days=days)
    files = [path for path in folder.rglob("*") if path.is_file()]
    typer.echo(f"{count(len(files), 'file')} in {folder}; the truth is in {folder / 'truth.json'}")
