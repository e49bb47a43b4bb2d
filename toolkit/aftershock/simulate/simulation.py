"""`simulate`: play a story, write it down in each tool's own format, and tell the truth about it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from aftershock.simulate.faults import planted
from aftershock.simulate.rhythm import midnight
from aftershock.simulate.story import Story
from aftershock.simulate.truth import Truth, tell
from aftershock.simulate.writers import airflow, airflow_logs, github_actions, ledgerline, n8n, n8n_workflows
from aftershock.simulate.writers.files import Week, weeks


def simulate(folder: Path, *, seed: int, days: int, until: date = date(2026, 11, 22)) -> Truth:
    """Write the exports of `days` days up to and including `until` into `folder`, and `truth.json` beside them.

    The same arguments write the same bytes. Raises `ValueError` for less than one day.
    """
    if days < 1:
        raise ValueError(f"days: {days}: a simulation needs at least one day")
    first = until - timedelta(days=days - 1)
    story = Story(seed, first, until, planted())
    story.play()
    withheld = {found for fault in story.faults if (found := fault.withheld()) and found[1] >= first}
    for week in weeks(first, until):
        n8n.write(folder / "n8n", story.runs, week)
        airflow.write(folder / "airflow", story.runs, week)
        airflow_logs.write(folder / "airflow", story.runs, week)
        ledgerline.write(
            folder / "ledgerline", story.runs, week, [day for source, day in withheld if source == "ledgerline"]
        )
    newest = {run.automation.name: run.version for run in story.runs}  # in the order of time
    n8n_workflows.write(folder / "n8n", midnight(first), newest)
    github_actions.write(folder / "github_actions", story.runs, Week("all", midnight(first), story.end))
    truth = tell(story, {(source, day.isoformat()) for source, day in withheld})
    (folder / "truth.json").write_bytes(truth.to_json().encode())
    return truth
