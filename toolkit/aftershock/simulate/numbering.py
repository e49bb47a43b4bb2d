"""The ids that the tools give their runs, counted in the order in which each tool learned of them."""

from __future__ import annotations

from random import Random
from typing import Final

from aftershock.simulate import fleet
from aftershock.simulate.world import Run

_FIRST_EXECUTION: Final = 48_211
_FIRST_BOOKING: Final = 104_201
_FIRST_ACTION: Final = 19_534_000_000


def number(runs: list[Run], seed: int) -> None:
    """Sort the runs by time and give each its id."""
    runs.sort(key=lambda run: (run.queued_at, run.automation.name, run.client or "", run.about is not None))
    for serial, run in enumerate(runs):
        run.serial = serial
    for n, run in enumerate(_of(runs, "n8n"), start=_FIRST_EXECUTION):
        run.native_id = str(n)
    for n, run in enumerate(_of(runs, "ledgerline"), start=_FIRST_BOOKING):
        run.native_id = f"LL-{run.queued_at:%Y}-{n}"
    for run in _of(runs, "airflow"):
        run.native_id = dag_run_id(run)
    _actions(_of(runs, "github_actions"), Random(f"{seed}:actions"))


def dag_run_id(run: Run) -> str:
    """Airflow names a run by what started it and when it was due."""
    if run.trigger == "schedule":
        return f"scheduled__{run.queued_at.replace(second=0, microsecond=0).isoformat()}"
    return f"manual__{run.queued_at.isoformat()}"


def _of(runs: list[Run], tool: str) -> list[Run]:
    return [run for run in runs if run.automation.tool == tool]


def _actions(runs: list[Run], random: Random) -> None:
    """GitHub's ids grow over all of GitHub, run numbers per workflow; all attempts of a run share both."""
    names = sorted(automation.name for automation in fleet.AUTOMATIONS)
    counts = {name: 80 + 37 * i for i, name in enumerate(names)}
    last = _FIRST_ACTION
    for run in runs:
        if run.attempt == 1:
            last += 1 + random.randrange(90_000)
            counts[run.automation.name] += 1
            run.native_id, run.number = str(last), counts[run.automation.name]
        else:
            run.native_id, run.number = run.root.native_id, run.root.number
