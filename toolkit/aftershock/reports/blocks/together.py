"""Automations that fail in the same hours, beyond chance and beyond their common timetable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, join, name
from aftershock.reports.blocks.statements import Statement, statements


@dataclass(frozen=True, kw_only=True)
class Together:
    """A group: in `hours` hours at least two of them failed. `q_value`: the largest q-value among its pairs; `shared`: what their errors share."""

    automations: Sequence[str]
    hours: int
    q_value: float
    shared: Sequence[str] = ()


def fail_together(groups: Sequence[Together], *, tested: int, verdict: str, stretch: str) -> Block:
    """A statement per group; nothing where there is none. `tested` pairs were compared."""
    lead = (
        f"Automations that failed in the same hours of {stretch} more often than chance and a common timetable explain; "
        f"{count(tested, 'pair')} compared. They may have one cause."
    )
    items = [
        Statement(
            Markup("{} fail together").format(join((name(one) for one in group.automations), ", ")),
            f"In {count(group.hours, 'hour')} at least two of them failed (q = {_q(group.q_value)})."
            + (f" Most of these failures have in common: {'; '.join(group.shared)}." if group.shared else ""),
        )
        for group in groups
    ]
    numbers = {"groups": list(groups), "pairs_compared": tested, "verdict": verdict}
    return statements("Fail together", lead, items, id="fail-together", numbers=numbers)


def _q(q: float) -> str:
    return f"{q:.2g}" if q >= 0.001 else "under 0.001"
