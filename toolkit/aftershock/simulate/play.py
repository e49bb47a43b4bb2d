"""How the steps of one run go, given its outcome."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from aftershock.simulate.fleet import Automation, Step
from aftershock.simulate.world import Outcome, StepRun, Try

_RETRY_DELAY_S = {"airflow": 120.0, "n8n": 1.5}


def play_steps(
    random: Random, automation: Automation, outcome: Outcome, started: datetime
) -> tuple[list[StepRun], datetime]:
    """The steps of a run that starts at `started`, and when the last of them is over."""
    if outcome.status == "skipped":
        return [StepRun(step, "skipped") for step in automation.steps], started + timedelta(
            seconds=random.uniform(1, 3)
        )
    target = _target(automation, outcome)
    at, played = started, list[StepRun]()
    for i, step in enumerate(automation.steps):
        needs = step.needs or tuple(before.name for before in automation.steps[max(0, i - 1) : i])
        blocked = any(run.step.name in needs and run.status not in ("succeeded", "errored_item") for run in played)
        if blocked and not step.always:
            played.append(StepRun(step, "skipped"))
            continue
        run, at = _play(random, automation, step, outcome if step is target else Outcome(slow=outcome.slow), at)
        played.append(run)
        if run.status in ("running", "waiting"):
            break
    return played, at


def _target(automation: Automation, outcome: Outcome) -> Step | None:
    """The step that the outcome is about: the named one, any for `*`, the last for a run that does not end."""
    if outcome.status in ("running", "waiting"):
        return automation.steps[-1]
    if outcome.step == "*":
        return automation.steps[0]
    return next((step for step in automation.steps if step.name == outcome.step), None)


def _play(
    random: Random, automation: Automation, step: Step, outcome: Outcome, at: datetime
) -> tuple[StepRun, datetime]:
    tool = automation.tool
    tries = list[Try]()
    for n in range(outcome.tries):
        if n:
            at += timedelta(seconds=_RETRY_DELAY_S.get(tool, 1.0) * random.uniform(1.0, 1.1))
        elif tool == "airflow":
            at += timedelta(seconds=random.uniform(0.8, 5.0))
        seconds = max(0.001, step.seconds * random.lognormvariate(0, 0.35) * outcome.slow)
        ended = at + timedelta(seconds=seconds)
        tries.append(Try("failed", at, ended))
        at = ended
    word = _word(step, outcome)
    tries[-1].status = "failed" if word == "crashed" else word
    error = outcome.error if word in ("failed", "crashed", "errored_item") or outcome.saved else None
    return StepRun(step, word, tries, error), at


def _word(step: Step, outcome: Outcome) -> str:
    """What became of the step that the outcome is about."""
    if outcome.status == "partial":
        return "errored_item" if step.tolerates else "failed"
    if outcome.status == "succeeded" or outcome.saved:
        return "succeeded"
    return outcome.status
