"""Which automations fail in the same hours, beyond chance and a common timetable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aftershock.metrics import co_failure
from aftershock.reports.blocks.together import Together
from aftershock.reports.views.pictures import within

if TYPE_CHECKING:
    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope

_PERMUTATIONS: Final = 1999  # a q-value to a hundredth needs no more, and a page is not to wait for it
_WORDS: Final = {"error_type": "the error {}", "source": "the source {}", "tool": "the tool {}"}


@dataclass(frozen=True)
class SharedCauses:
    """The groups, how many pairs were compared, and what `co_failure` says of it."""

    groups: list[Together]
    tested: int
    verdict: str


def together_of(scope: Scope, stretch: Period) -> SharedCauses:
    """Groups of automations that fail together in a stretch of time."""
    runs = within(scope.runs, stretch)
    # By id: automations of two clients may have the same name.
    found = co_failure(runs, by="automation_id", time_zone=stretch.time_zone, permutations=_PERMUTATIONS)
    if not found.groups:
        return SharedCauses([], found.tested, found.verdict)
    names = runs.group_by("automation_id").aggregate(name=runs.automation.max()).execute()
    called = {row.automation_id: str(row.name) for row in names.itertuples()}
    groups = [
        Together(
            automations=[called.get(one, one) for one in group.automations],
            hours=group.bins,
            q_value=_largest_q(found.table, group.automations),
            shared=[_WORDS[column].format(value) for column, value in group.shared if column in _WORDS],
        )
        for group in found.groups
    ]
    return SharedCauses(groups, found.tested, found.verdict)


def _largest_q(table: Any, members: tuple[str, ...]) -> float:
    inside = table[table["a"].isin(members) & table["b"].isin(members) & (table["verdict"] == "together")]
    return float(inside["q_shift"].max())
