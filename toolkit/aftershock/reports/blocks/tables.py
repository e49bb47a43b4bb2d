"""A plain table under a heading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, folded, join, section, table


def listing(
    title: str,
    lead: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Markup | str | int]],
    *,
    id: str,
    numbers: Any = None,
    numeric: Sequence[int] = (),
    nothing: str = "Nothing to list.",
    most: int = 20,
) -> Block:
    """Rows under a heading; those after `most` are folded away, and `nothing` is said where there are none."""
    shown = table(head, rows[:most], caption=title, numeric=numeric)
    body = [shown if rows else Markup('<p class="fine">{}</p>').format(nothing)]
    if rows[most:]:
        body.append(
            folded(
                f"{count(len(rows) - most, 'more row')}",
                table(head, rows[most:], caption=f"{title}, continued", numeric=numeric),
            )
        )
    return Block(
        id.replace("-", "_"),
        section(title, lead, [join(body)], id=id),
        {"rows": numbers if numbers is not None else len(rows)},
    )
