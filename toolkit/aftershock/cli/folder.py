"""`init`, `lab`, `simulate`: making a project folder, opening it in JupyterLab, filling one with a simulated fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aftershock.cli.common import ProjectOption, count, load_project


def init(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="The folder to make.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="With sample data of a small fleet, ready to be taken in.")
    ] = False,
    mappings: Annotated[
        list[str] | None,
        typer.Option(
            "--mapping",
            metavar="NAME",
            help="With this mapping profile; of a project that is there, add it. Can be repeated.",
        ),
    ] = None,
    list_mappings: Annotated[
        bool, typer.Option("--list-mappings", help="Only show the mapping profiles that there are.")
    ] = False,
) -> None:
    """Make a project folder, empty or with sample data; or add a mapping profile to one."""
    from aftershock.assets import about_profile, add_profiles, check_profiles, make_project, profiles

    if list_mappings:
        for name, file in profiles().items():
            typer.echo(f"{name}\n    {about_profile(file)}")
        return
    if folder is None:
        raise typer.BadParameter("name the folder to make", param_hint="DIR")
    check_profiles(mappings or [])
    if not (mappings and (folder / "aftershock.toml").exists()) or demo:
        for path in make_project(folder, demo=demo):
            typer.echo(f"made {path}")
    if mappings:
        toml = folder / "aftershock.toml"
        added = add_profiles(folder, mappings)
        for name in dict.fromkeys(mappings):
            done = f"added [mappings.{name}] to {toml}" if name in added else f"[mappings.{name}] is in {toml} already"
            typer.echo(f"{done}: look it over, its comment says what to adapt")
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
