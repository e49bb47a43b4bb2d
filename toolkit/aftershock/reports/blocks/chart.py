"""A chart with its message above and its table beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, folded, join, table


def chart(
    name: str,
    figure: Any,
    *,
    head: Sequence[str],
    rows: Iterable[Sequence[Markup | str | int]],
    numbers: Mapping[str, Any],
    numeric: Sequence[int] = (),
    said: Sequence[Markup | str] = (),
) -> Block:
    """A figure and the table that says the same; the page's text goes into the notebook's markdown or a `section`.

    `said` are sentences below the picture: what its marks mean.
    """
    beside = folded(
        "The numbers of this chart",
        table(head, rows, caption="The numbers of this chart", numeric=numeric),
        open=True,
        cls="numbers",
    )
    lines = join(Markup('<p class="note">{}</p>').format(line) for line in said)
    return Block(name, lines + beside, numbers, figure)
