"""`mask` and `mine_templates`: messages to templates with `<*>` where they vary."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, overload

import ibis.expr.types as ir

from aftershock.masks import STEPS, WILD, masked, masked_sql
from aftershock.metrics.fingerprints.mining import mine
from aftershock.metrics.fingerprints.tracebacks import headline

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FEW: Final = 1_000
"""Up to so many texts Python masks faster than a database has started."""
_PIECE: Final = 30_000
_LETTER: Final = re.compile(r"[^\W\d_]")


@overload
def mask(text: str) -> str: ...
@overload
def mask(text: ir.StringValue) -> ir.StringValue: ...
def mask(text: str | ir.StringValue) -> str | ir.StringValue:
    """A message without what varies: `<*>` for ids, numbers with their units, times, paths, addresses, hashes and quoted values.

    Takes one text, or a text column of an Ibis table and gives an expression (DuckDB and Spark alike). A number at the end of a
    word leaves its letters (`node-246` becomes `node-<*>`), a list of such is one `<*>`. The table of patterns is
    `aftershock.masks.MASKS`. Null stays null, an empty text empty.

    Raises: TypeError for anything but a text or a text column.
    """
    if isinstance(text, str):
        return masked(text)
    if not isinstance(text, ir.StringValue):
        raise TypeError(f"mask: {type(text).__name__}: give a text, or a text column such as runs.error_message")
    for only, steps in groupby(STEPS, key=lambda step: step.only):
        found = text
        for step in steps:
            found = found.replace(step.find, step.put) if step.literal else found.re_replace(step.find, step.put)
        text = text.contains(only).ifelse(found, text) if only else found
    return text


@dataclass(frozen=True)
class Templates:
    """What `mine_templates` gives. `labels` holds, for each message, the number of its template in `templates`; -1 for null."""

    templates: tuple[str, ...]
    ids: tuple[str, ...]
    counts: tuple[int, ...]
    n: int
    left_out: int
    labels: np.ndarray[Any, np.dtype[np.int64]] = field(repr=False, compare=False)

    @property
    def interval(self) -> None:
        """None: nothing is estimated."""
        return

    def to_pandas(self) -> pd.DataFrame:
        """A row per template: id, template, n; the most frequent first."""
        import pandas as pd

        return pd.DataFrame({"id": self.ids, "template": self.templates, "n": self.counts})


def mine_templates(messages: Iterable[str | None], *, known: Sequence[str] | Templates = ()) -> Templates:
    """The templates of log or error messages: what is constant in them, with `<*>` where they vary.

    Distinct messages are masked (see `mask`), the distinct masked ones are compared: words that take many values in one place of
    otherwise equal messages become variables. There is no setting. Of a message with several lines its headline counts:
    the last exception of a traceback, else all lines as one.

    Templates come most frequent first. The same messages in any order, however often each, give the same templates and ids. A
    message that fits a template of `known` is given that one, whatever else is new: ids of old templates never change. Null
    messages are in `left_out`, with label -1. No message gives no template and n = 0.

    Source: own method; its idea (frequent words of equally long messages are the constant ones) is that of Brain, Yu et al. (2023)
    IEEE Trans. Services Computing 16:3219. Accuracy is measured by `benchmarks/fingerprints.py` on labelled logs.
    """
    import numpy as np

    number_of, distinct, left_out = _distinct(messages)
    kinds = _masked(distinct).dictionary_encode()
    named = with_known(kinds.dictionary.to_pylist(), list(known.templates if isinstance(known, Templates) else known))
    names = sorted(set(named))
    number = {name: place for place, name in enumerate(names)}
    name_of = np.array([number[name] for name in named], dtype=np.int64)
    of_distinct = name_of[kinds.indices.to_numpy()] if len(distinct) else name_of
    labels = np.where(number_of >= 0, np.append(of_distinct, -1)[number_of], -1).astype(np.int64)
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    order = np.lexsort((np.arange(len(names)), -counts))
    place = np.empty(len(names) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(names)), -1
    templates = tuple(names[at] for at in order)
    ids = tuple(template_id(template) for template in templates)
    tallies = tuple(int(counts[at]) for at in order)
    return Templates(templates, ids, tallies, sum(tallies), left_out, place[labels])


def with_known(texts: Sequence[str], known: Sequence[str]) -> list[str]:
    """The template of each masked text: the first of `known` that it fits, else what mining the others gives."""
    by_head: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for template in known:
        if not _LETTER.search(template):
            continue  # without a word it would fit everything
        by_head.setdefault(_head(template), []).append((_pattern(template), template))
    exact = set(known)
    found: dict[str, str] = {}
    for text in texts:
        candidates = [*by_head.get(_head(text), ()), *by_head.get("", ())] if known else []
        fits = (
            text
            if text in exact
            else next((template for pattern, template in candidates if pattern.fullmatch(text)), None)
        )
        if fits is not None:
            found[text] = fits
    new = sorted({text for text in texts if text not in found})
    found |= dict(zip(new, mine(new), strict=True))
    return [found[text] for text in texts]


def template_id(*parts: str | None) -> str:
    """Sixteen hexadecimal digits that are the same for the same parts, on every machine and in every version."""
    return hashlib.sha256("\x1f".join(part or "" for part in parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _head(text: str) -> str:
    """The first word, where it is constant."""
    word = text.split(" ", 1)[0]
    return "" if WILD in word else word


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(r"\S.*?".join(re.escape(part) for part in template.split(WILD)), re.DOTALL)


def _distinct(messages: Iterable[str | None]) -> tuple[Any, Any, int]:
    """(the number of each message's text, -1 for null; the distinct texts; how many are null)."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    if isinstance(messages, str):
        raise TypeError("messages: one text: give a list of them")
    try:
        column = pa.array(messages, type=pa.string(), from_pandas=True)
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise TypeError(f"messages: {error}: give texts") from error
    coded = pa.chunked_array([column]).combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = coded.dictionary_encode()
    numbers = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return numbers, coded.dictionary, int(coded.null_count)


def _masked(distinct: Any) -> Any:
    """Each distinct text masked, one headline each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(distinct) and pc.any(pc.match_substring(distinct, "\n")).as_py():
        distinct = pa.array([headline(text) for text in distinct.to_pylist()], type=pa.string())
    if len(distinct) <= _FEW:
        return pa.array([masked(text) for text in distinct.to_pylist()], type=pa.string())
    import duckdb

    # In pieces, so that all threads have some; the database keeps their order.
    texts = pa.Table.from_batches(pa.table({"text": distinct}).to_batches(max_chunksize=_PIECE))
    with duckdb.connect() as con:
        con.register("texts", texts)
        found = con.execute(f"select {masked_sql('text')} from texts").to_arrow_table()
    return found.column(0).combine_chunks()
