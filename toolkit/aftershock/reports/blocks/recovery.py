"""If a step fails: what happened when it failed, who was told, how it recovered; from what the logs show, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, lasting, name, number, section, table

FEWEST = 5  # incidents, to speak of half of them


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """An automation's failures in a stretch of time and what became of them. Counts are failed work (retries taken together).

    `halted`: it ended failed, with no later success of the same work. `retried`: a later attempt succeeded. `silent`: a step
    failed and the tool said success. `told`: failures with a notice. `told_s`, `recovered_s`: medians; None where none.
    """

    automation: str
    n: int
    halted: int = 0
    retried: int = 0
    silent: int = 0
    told: int = 0
    told_s: float | None = None
    recovered_s: float | None = None
    recipients: Sequence[str] = ()
    next_success: int = 0
    notices_known: bool = True

    @property
    def failures(self) -> int:
        """Work that met a failure, whatever became of it."""
        return self.halted + self.retried + self.silent


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """How long incidents last: from an automation's first failed run to its next good one, `unseen` of n not seen to end.

    `half_s` and `most_s`: within which half and nine of ten are over, each with its bounds; None: not seen.
    """

    n: int
    unseen: int = 0
    half_s: float | None = None
    half_low_s: float | None = None
    half_high_s: float | None = None
    most_s: float | None = None
    most_low_s: float | None = None
    most_high_s: float | None = None


def if_a_step_fails(rows: Sequence[Recovery], *, stretch: str, incidents: Lasting | None = None) -> Block:
    """A row per automation, those with most unrecovered failures first; above them how long it took until a run was good again."""
    ranked = sorted(rows, key=lambda row: (-row.halted, -row.silent, -row.failures, row.automation))
    body = table(
        ("Automation", "What happened when it failed", "Who was told", "How it recovered"),
        [(name(row.automation), what_happened(row), who_was_told(row), how_it_recovered(row)) for row in ranked],
        caption="If a step fails",
        stack=True,
    )
    lead = f"What the logs of {stretch} show for each automation."
    above = [Markup('<p class="note">{}</p>').format(how_long(incidents))] if incidents and incidents.n else []
    numbers = {"automations": ranked, "incidents": incidents}
    return Block("if_a_step_fails", section("If a step fails", lead, [*above, body], id="if-a-step-fails"), numbers)


def how_long(found: Lasting) -> str:
    """`Half of n = 12 were over within 36 min (95%: 18 min to 1 h 10 min), 9 of 10 within 4 h (...).`; those not over count in n."""
    what = "From an automation's first failed run to its next good one: "
    if found.n < FEWEST:
        over = f", {number(found.n - found.unseen)} of them seen to end" if found.unseen else ", all over"
        return f"{what}{count(found.n, 'incident')}{over}; too few to say how long one takes."
    if found.half_s is None:
        return f"{what}of n = {number(found.n)} incidents only {number(found.n - found.unseen)} were seen to end: how long half of them take, nobody can tell."
    text = f"{what}half of n = {number(found.n)} incidents were over within {_within(found.half_s, found.half_low_s, found.half_high_s)}"
    if found.most_s is None:
        text += "; within which time 9 of 10 are over, nobody can tell yet"
    else:
        text += f", 9 of 10 within {_within(found.most_s, found.most_low_s, found.most_high_s)}"
    if found.unseen:
        text += f". {number(found.unseen)} {'was' if found.unseen == 1 else 'were'} not seen to end: counted with the time so far"
    return text + ". A good run does not repair what the failed one left undone."


def _within(at: float, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return lasting(at)
    if high is None:
        return f"{lasting(at)} (95%: {lasting(low)} or more)"
    return f"{lasting(at)} (95%: {lasting(low) if low is not None else 'anything'} to {lasting(high)})"


def what_happened(row: Recovery) -> str:
    """`12 failures: 9 saved by a retry, 2 halted, 1 silent`."""
    if not row.n:
        return "cannot tell: no finished run in the logs"
    if not row.failures:
        return f"never seen to fail in {count(row.n, 'run')}: unproven"
    parts = ((row.retried, "saved by a retry"), (row.halted, "halted"), (row.silent, "silent"))
    return f"{count(row.failures, 'failure')} in {count(row.n, 'run')}: " + ", ".join(
        f"{number(k)} {word}" for k, word in parts if k
    )


def who_was_told(row: Recovery) -> str:
    """`operator, 4 min median; 2 of 12 failures unannounced`; "cannot tell" where no log of notices was taken in."""
    if not row.failures:
        return "no evidence"
    if row.told:
        whom = ", ".join(row.recipients) or "somebody"
        after = f", {lasting(row.told_s)} median" if row.told_s is not None else ""
        untold = row.failures - row.told
        return f"{whom}{after}: {number(row.told)} of {number(row.failures)}" + (
            f"; {number(untold)} told to nobody" if untold else ""
        )
    if not row.notices_known:
        return "cannot tell: no log of notices"
    return f"nobody, as far as the logs show: 0 of {number(row.failures)}"


def how_it_recovered(row: Recovery) -> str:
    """`9 by retry, 10 min median; 2 open`."""
    if not row.failures:
        return "no evidence"
    parts = []
    if row.retried:
        parts.append(
            f"{number(row.retried)} by retry"
            + (f", {lasting(row.recovered_s)} median" if row.recovered_s is not None else "")
        )
    if row.halted:
        parts.append(f"{number(row.halted)} with no later success of the same work")
    if row.silent:
        parts.append(f"{number(row.silent)} not seen to recover")
    if row.next_success:
        parts.append(f"the next run succeeded after {number(row.next_success)} of them")
    return "; ".join(parts)
