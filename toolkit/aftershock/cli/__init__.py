"""The command line: parse, call, print, exit code. Nothing is computed here.

One file per group of commands. Heavy imports stand inside the functions, so that `aftershock --help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aftershock import __version__
from aftershock.cli import folder, formats, loading, query, rendering
from aftershock.errors import AftershockError

app = typer.Typer(
    help="Reads the run logs of all your automation tools, finds what silently went wrong, and says how sure it is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    folder.init,
    loading.ingest,
    loading.rejects,
    loading.status,
    rendering.report,
    query.sql,
    folder.simulate,
):
    app.command()(command)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(folder.lab)
app.add_typer(rendering.schedule, name="schedule")
app.add_typer(formats.adapter, name="adapter")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aftershock {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del debug, version  # `--debug` is looked for by `main`, before anything can go wrong


def main() -> None:
    """Run the command line. An error becomes one line on stderr and exit code 1, and a traceback with `--debug`."""
    if "--debug" in sys.argv:
        sys.argv = [sys.argv[0], *(word for word in sys.argv[1:] if word != "--debug")]
        app()
    try:
        app()
    except AftershockError as error:
        typer.echo(f"error: {error}", err=True)
    except Exception as error:
        kind = type(error).__name__
        typer.echo(
            f"error: {kind}: {error}\nThis was not foreseen. Run it again with --debug for the traceback.", err=True
        )
    sys.exit(1)
