"""`adapter new`, `adapter check`: reading one more tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aftershock.cli.common import CommandError, count, shorten

adapter = typer.Typer(help="Make an adapter for one more tool from samples of its exports.", no_args_is_help=True)
Into = Annotated[
    Path | None,
    typer.Option(
        "--into",
        metavar="DIR",
        help="Where the adapter lies: DIR/NAME.py, DIR/samples, DIR/tests. Default: this checkout.",
    ),
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="What the adapter is called: small letters, such as acme_jobs.")
]


@adapter.command("new")
def new(
    name: Name,
    samples: Annotated[
        list[Path], typer.Argument(metavar="SAMPLE...", help="Real exports of the tool, all of one kind.")
    ],
    into: Into = None,
) -> None:
    """Write an adapter and its folder of samples from real exports. What it guesses is marked as a guess."""
    from aftershock.workshop import new_adapter

    for sample in samples:
        if not sample.is_file():
            raise CommandError(f"{sample}: no such file")
    modules, folder, _ = _places(into)
    made = new_adapter(name, samples, modules=modules, samples=folder)
    typer.echo(f"wrote {_short(made.module)} and {count(len(made.samples), 'sample')} in {_short(folder / name)}")
    typer.echo(f"read {count(made.n, 'record')}. Guessed:")
    for meaning, column in made.guesses.items():
        typer.echo(f"  {meaning:<15} {column}")
    if "native_id" not in made.guesses:
        typer.echo("  no column is different in every record: say in the adapter what tells one run from another")
    if into:
        typer.echo(
            f'\nTo use it, a package declares: [project.entry-points."aftershock.adapters"] {name} = "your_package.{name}"'
        )
    typer.echo(f"\nNext: confirm the guesses, then aftershock adapter check {name}{f' --into {into}' if into else ''}")


@adapter.command("check")
def check(name: Name, into: Into = None) -> None:
    """Say what an adapter still lacks. Exit code 1 if anything."""
    from aftershock.workshop import check_adapter

    modules, folder, tests = _places(into)
    missing = check_adapter(name, modules=modules, samples=folder, tests=tests)
    for sentence in missing:
        typer.echo(f"- {sentence}")
    typer.echo(f"{name}: {count(len(missing), 'thing')} to do" if missing else f"{name}: complete")
    if missing:
        raise typer.Exit(1)


def _places(into: Path | None) -> tuple[Path, Path, Path]:
    """Where adapters, samples and tests lie."""
    from aftershock.assets import origin

    if into:
        return into, into / "samples", into / "tests"
    root = origin()
    modules = root / "toolkit" / "aftershock" / "adapters"
    if not modules.is_dir():
        raise CommandError("this is no checkout of aftershock: say with --into DIR where your adapter shall lie")
    return modules, root / "tests" / "adapters", root / "tests" / "adapters"


def _short(path: Path) -> str:
    return shorten(path.absolute(), Path.cwd())
