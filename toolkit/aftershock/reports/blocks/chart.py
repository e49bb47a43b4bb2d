"""A chart with its message above and its table beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, folded, table


def chart(
    name: str,
    figure: Any,
    *,
    head: Sequence[str],
    rows: Iterable[Sequence[Markup | str | int]],
    numbers: Mapping[str, Any],
    numeric: Sequence[int] = (),
) -> Block:
    """A figure and the table that says the same; the page's text goes into the notebook's markdown or a `section`."""
    beside = folded(
        "The numbers of this chart",
        table(head, rows, caption="The numbers of this chart", numeric=numeric),
        open=True,
        cls="numbers",
    )
    return Block(name, beside, numbers, figure)
