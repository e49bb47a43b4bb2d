"""What the tests of this folder run in processes of their own: `python worker.py JOB PROJECT ...`.

A line of JSON on standard output for each thing done, flushed at once, so that the test knows what was acknowledged.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aftershock
from aftershock.adapters.registry import adapters
from aftershock.errors import AftershockError
from aftershock.ingest.pipeline import FileResult, ingest
from aftershock.ledger.reader import Ledger
from aftershock.ledger.store import Store
from aftershock.project import load

TORN = """
select (select count(*) from runs), (select count(*) from steps), (select count(*) from imports),
       (select sum(runs_new) from imports),
       (select count(*) from (select run_id from runs left join steps using (run_id) group by run_id having count(step_id) <> 3))
"""


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def take(project: str, *files: str) -> None:
    """Take in files; a line for each that is committed."""
    adapters()
    say(ready=True)

    def acknowledge(result: FileResult) -> None:
        say(file=Path(result.path).name, outcome=result.outcome)

    result = ingest(load(Path(project)), [Path(file) for file in files], on_file=acknowledge)
    say(snapshot=result.snapshot)


def write_for(project: str, seconds: str, pages: str) -> None:
    """Take in page after page, one ingest each."""
    end = time.monotonic() + float(seconds)
    count = 0
    for page in sorted(Path(pages).iterdir()):
        if time.monotonic() > end:
            break
        [file] = ingest(load(Path(project)), [page]).files
        assert file.outcome == "taken", file
        count += 1
    say(written=count, left=time.monotonic() < end)


def read_for(project: str, seconds: str) -> None:
    """Look at snapshot after snapshot: refreshed and opened anew by turns."""
    end = time.monotonic() + float(seconds)
    seen: set[int] = set()
    torn: list[object] = []
    reads = 0
    ledger = aftershock.open(project)
    while time.monotonic() < end or (len(seen) < 2 and time.monotonic() < end + 60):  # a busy machine gets more time
        if reads % 2:
            ledger.refresh()
        else:
            ledger.close()
            ledger = aftershock.open(project)
        torn += _torn(ledger)
        seen.add(ledger.snapshot)
        reads += 1
    ledger.close()
    say(reads=reads, snapshots=len(seen), torn=torn)


def _torn(ledger: Ledger) -> list[object]:
    """Counts that cannot be: pages hold 20 runs of 3 steps each, and are there wholly or not at all."""
    [(runs, steps, imports, told, uneven)] = ledger.sql(TORN).fetchall()
    through_ibis = int(ledger.runs.count().execute())
    sound = runs == 20 * imports == told == through_ibis and steps == 3 * runs and not uneven
    return [] if sound else [(ledger.snapshot, runs, steps, imports, told, uneven, through_ibis)]


def hold(project: str, seconds: str) -> None:
    """Hold the write lock for a while."""
    with Store(load(Path(project)).ledger_folder).write():
        say(holding=True)
        time.sleep(float(seconds))
    say(released=True)


def take_limited(project: str, limit: str, *files: str) -> None:
    """Take in files where no file may grow beyond `limit` bytes: writing more fails as on a full disk."""
    adapters()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    take(project, *files)


JOBS: dict[str, Callable[..., None]] = {job.__name__: job for job in (take, write_for, read_for, hold, take_limited)}

if __name__ == "__main__":
    try:
        JOBS[sys.argv[1]](*sys.argv[2:])
    except AftershockError as error:
        say(error=type(error).__name__, text=str(error))
        sys.exit(1)
