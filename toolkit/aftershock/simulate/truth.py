"""What a ledger that took in every file must say: the answer sheet of a simulation, written as `truth.json`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from aftershock.model import COUNTED, FAILURES
from aftershock.simulate import fleet
from aftershock.simulate.errors import PLANTED_SECRETS
from aftershock.simulate.fleet import Promise
from aftershock.simulate.rhythm import BERLIN, midnight, week_of
from aftershock.simulate.story import Story
from aftershock.simulate.world import GOOD, Run


@dataclass(frozen=True)
class Truth:
    """The answer sheet. Statuses are the ledger's, ids are the ledger's, weeks are local.

    `runs`: a row per tool, client, automation, role and week with `statuses` (runs by status) and `roots` (chains of
    retries, counted in the week of their first run, by the status of their last one). `totals`: the same per tool, with
    the derived numbers. `promises`: per expectation and client the number of orders by verdict. `orders`: each order
    that is not in step, with the run that caused it, where one did. `faults`: what was planted and what it hit. `gaps`:
    days without a log.
    """

    seed: int
    days: int
    until: str
    time_zone: str
    covers_from: str
    covers_to: str
    totals: dict[str, dict[str, Any]]
    runs: list[dict[str, Any]]
    notices: list[dict[str, str]]
    promises: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    gaps: list[dict[str, str]]
    secrets: list[str]

    def to_json(self) -> str:
        """As text: keys in order, a line per row."""
        lines = [f"  {json.dumps(key)}: {_block(value)}" for key, value in vars(self).items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def _block(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


def tell(story: Story, withheld: set[tuple[str, str]]) -> Truth:
    """The truth of a story as its exports show it. `withheld`: (source, day) without a log."""
    shown = [run for run in story.runs if (run.automation.tool, _day(run)) not in withheld]
    gaps = [{"source": source, "day": day} for source, day in sorted(withheld)]
    verdicts = [row for promise in fleet.PROMISES for row in _verdicts(story, shown, promise, gaps)]
    return Truth(
        seed=story.seed,
        days=(story.until - story.first).days + 1,
        until=story.until.isoformat(),
        time_zone=fleet.ZONE,
        covers_from=midnight(story.first).isoformat(),
        covers_to=story.end.isoformat(),
        totals=_totals(story, shown),
        runs=_rows(story, shown),
        notices=[{"by": run.run_id, "about": run.about.run_id} for run in shown if run.about],
        promises=_promises(verdicts),
        orders=[row for row in verdicts if row["verdict"] != "in_step"],
        faults=_faults(story, shown),
        gaps=gaps,
        secrets=list(PLANTED_SECRETS),
    )


def _day(run: Run) -> str:
    return run.at.astimezone(BERLIN).date().isoformat()


def _final(story: Story, run: Run) -> str:
    """The status that the last export shows."""
    return run.status_at(story.end) or "queued"


def _chains(runs: Iterable[Run]) -> dict[int, list[Run]]:
    chains = defaultdict[int, list[Run]](list)
    for run in runs:
        chains[id(run.root)].append(run)
    return chains


def _rows(story: Story, shown: Sequence[Run]) -> list[dict[str, Any]]:
    cells = defaultdict[tuple[str, ...], dict[str, Counter[str]]](lambda: {"statuses": Counter(), "roots": Counter()})
    for run in shown:
        cells[_key(run)]["statuses"][_final(story, run)] += 1
    for chain in _chains(shown).values():
        last = max(chain, key=lambda run: (run.queued_at, run.attempt))
        cells[_key(chain[0].root)]["roots"][_final(story, last)] += 1
    return [
        {
            **dict(zip(("tool", "client", "automation", "role", "week"), (part or None for part in key), strict=True)),
            "statuses": dict(sorted(cell["statuses"].items())),
            "roots": dict(sorted(cell["roots"].items())),
        }
        for key, cell in sorted(cells.items())
    ]


def _key(run: Run) -> tuple[str, ...]:
    return run.automation.tool, run.client or "", run.automation.name, run.role, week_of(run.at)


def _totals(story: Story, shown: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Per tool: error handlers are in `runs` and `statuses`, and left out of the rest."""
    totals: dict[str, dict[str, Any]] = {}
    for tool in sorted({run.automation.tool for run in shown}):
        there = [run for run in shown if run.automation.tool == tool]
        words = Counter(_final(story, run) for run in there)
        work = Counter(_final(story, run) for run in there if run.role == "work")
        totals[tool] = {
            "runs": len(there),
            "roots": len(_chains(there)),
            "statuses": dict(sorted(words.items())),
            "error_handlers": sum(run.role == "error_handler" for run in there),
            "counted": sum(work[word] for word in COUNTED),
            "failures": sum(work[word] for word in FAILURES),
            "silent_failures": work["partial"],
            "left_out": sum(count for word, count in work.items() if word not in COUNTED),
        }
    return totals


def _verdicts(story: Story, shown: Sequence[Run], promise: Promise, gaps: list[dict[str, str]]) -> list[dict[str, Any]]:
    """A verdict per order that a run of `after` has seen, however that run went. Only success of `then` keeps a promise."""
    of_order = defaultdict[str, list[Run]](list)
    for run in shown:
        if run.order:
            of_order[run.order.number].append(run)
    blind = _gaps_of(promise, gaps)
    rows = []
    for order in story.orders:
        before = [run for run in of_order[order.number] if fnmatchcase(run.automation.name, promise.after)]
        behind = [run for run in of_order[order.number] if fnmatchcase(run.automation.name, promise.then)]
        if not before:
            continue
        begun = min(run.at for run in before)
        deadline = begun + timedelta(minutes=promise.within_minutes)
        done = min((run for run in behind if _final(story, run) == "succeeded"), key=lambda run: run.at, default=None)
        verdict = _verdict(story, done.at if done else None, (begun, deadline), blind)
        others = [run for run in of_order[order.number] if run not in behind]
        cause = _cause(story, behind, others, done, (begun, deadline)) if verdict in ("late", "missing") else None
        hit = [name for name, numbers in story.handovers.items() if order.number in numbers]
        rows.append(
            {
                "expectation": promise.name,
                "client": order.client.id,
                "order": order.number,
                "verdict": verdict,
                "begun_at": begun.isoformat(),
                "done_at": done.at.isoformat() if done else None,
                "cause": cause.run_id if cause else None,
                "fault": cause.fault if cause else ", ".join(sorted(hit)),
            }
        )
    return rows


def _verdict(
    story: Story, done: datetime | None, window: tuple[datetime, datetime], blind: list[tuple[datetime, datetime]]
) -> str:
    begun, deadline = window
    if done is not None and done <= deadline:
        return "in_step"
    if done is None and deadline > story.end:
        return "pending"
    if any(start < deadline and begun < end for start, end in blind):
        return "cannot_tell"
    return "missing" if done is None else "late"


def _gaps_of(promise: Promise, gaps: list[dict[str, str]]) -> list[tuple[datetime, datetime]]:
    """The gaps in the log of the tool that should have dealt with the order."""
    tools = {automation.tool for automation in fleet.AUTOMATIONS if fnmatchcase(automation.name, promise.then)}
    days = [date.fromisoformat(gap["day"]) for gap in gaps if gap["source"] in tools]
    return [(midnight(day), midnight(day + timedelta(days=1))) for day in days]


def _cause(
    story: Story, behind: Sequence[Run], others: Sequence[Run], done: Run | None, window: tuple[datetime, datetime]
) -> Run | None:
    """The last run of `then` that went wrong before the order got through, if it did; else where it was stuck by the deadline.

    An order is stuck where the newest run of an automation on its way went wrong: what a retry put right stops nothing.
    """
    wrong = [run for run in behind if _final(story, run) not in GOOD and (done is None or run.at < done.at)]
    if not wrong:
        newest = {
            run.automation.name: run
            for run in sorted(others, key=lambda run: run.at)
            if window[0] <= run.at <= window[1] and run.role in ("work", "manual")
        }
        wrong = [run for run in newest.values() if _final(story, run) in (*FAILURES, "partial")]
    return max(wrong, key=lambda run: run.at, default=None)


def _promises(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = defaultdict[tuple[str, str], Counter[str]](Counter)
    for row in verdicts:
        counts[row["expectation"], row["client"]][row["verdict"]] += 1
    return [
        {"expectation": name, "client": client, "orders": sum(count.values()), **dict(sorted(count.items()))}
        for (name, client), count in counts.items()
    ]


def _faults(story: Story, shown: Sequence[Run]) -> list[dict[str, Any]]:
    rows = []
    for fault in story.faults:
        hit = [run for run in shown if run.fault == fault.name]
        orders = {run.order.number for run in hit if run.order} | set(story.handovers.get(fault.name, ()))
        times = [run.at for run in hit]
        rows.append(
            {
                "name": fault.name,
                "what": fault.what,
                "first": min(times).isoformat() if times else None,
                "last": max(times).isoformat() if times else None,
                "runs": [run.run_id for run in hit],
                "orders": sorted(orders),
            }
        )
    return rows
