"""`error_families`: the failures of runs or steps by what went wrong, the most frequent first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis

from aftershock.errors import UnknownColumnError
from aftershock.masks import WILD, masked
from aftershock.metrics.fingerprints.templates import mask, template_id, with_known
from aftershock.metrics.fingerprints.tracebacks import frame, headline, kind
from aftershock.metrics.proportions.intervals import check_level, wilson
from aftershock.metrics.units import check_groups, named
from aftershock.model import FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

_READ: Final = ("status", "error_type", "error_message")
_KEY: Final = ["tool", "error_type", "code", "frame"]
_FAMILY: Final = ["fingerprint", *_KEY, "template", "first_seen", "last_seen"]
_LONGEST: Final = 4_000
# The number alone tells a refused login from a broken server: masked, they would be one family.
_NAME_ALONE: Final = r"^(?:[A-Za-z_.]+: )?['\"][A-Za-z_ .-]{1,80}['\"]$"
_FEW_NAMES: Final = 4
"""So many names alone are so many errors; of more, the name is a value."""
_CODE: Final = r"(?:[Ss]tatus(?: ?[Cc]ode)?|HTTP(?:/[0-9.]+)?|[Ee]rror [Cc]ode)[\s\"']*[:=]?[\s\"']*([45][0-9][0-9])\b"


@dataclass(frozen=True)
class ErrorFamilies:
    """What `error_families` gives. `table` has a row per family of these failures; `families` also those known from before."""

    table: pd.DataFrame = field(repr=False, compare=False)
    families: pd.DataFrame = field(repr=False, compare=False)
    n: int
    left_out: int
    level: float

    @property
    def interval(self) -> None:
        """None: each family has its own share with low and high."""
        return

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per family, the most frequent first."""
        return self.table.copy()


def error_families(
    runs: ir.Table,
    *,
    known: ErrorFamilies | pd.DataFrame | None = None,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
    quiet_days: float = 30,
) -> ErrorFamilies:
    """Failed runs (or steps) by error family: same tool, exception type, HTTP status, frame of own code, and template of the message.

    A row per family, the most frequent first: fingerprint, tool, error_type, code, frame, template, n, automations and clients
    (how many different ones; null where the table has no such column), first_seen, last_seen, example, share of all failures with
    its Wilson interval low and high, cumulative share, is_new, returned. Reads status, error_type, error_message; tool, automation_id,
    client, role and the times where there are any. `n` counts failures with a type or message; those without are `left_out`, yet
    in the denominator of the shares. Without failures: no row, n = 0.

    `known`: the result (or its `families`) of an earlier call. Families keep their fingerprints, whatever is new since; `is_new` marks
    the others, and `returned` a known one that failed again after `quiet_days` without it. Both are null without `known`.
    The own client's name in a message is `<*>`; a message without a type takes the only one that it has elsewhere; a quoted name
    alone (`'total'`) stays while there are at most four of a type. Of a traceback counts its last exception; its frame is the
    innermost one of own code, as `file:function`.

    Raises: UnknownColumnError if a column is missing; UnknownNameError for an unknown role; ValueError for a level outside (0, 1)
    or negative `quiet_days`.
    Source: templates as `mine_templates`; Wilson (1927) JASA 22:209.
    """
    import pandas as pd

    roles = named(roles)
    _check(runs, level, roles, quiet_days)
    held = known.families if isinstance(known, ErrorFamilies) else known
    failures = _failures(runs, roles)
    since = None if held is None or held.empty else held["last_seen"].max()
    groups = _groups(failures, since)
    silent = groups.error_type.isna() & groups.error_message.isna()
    left_out = int(groups.n[silent].sum())
    kinds = _named(groups[~silent], held)
    table = _table(kinds, left_out, level)
    table["is_new"], table["returned"] = _news(table, kinds, held, quiet_days)
    columns = {"automation_id": "automations", "client": "clients"}
    for column, name in columns.items():
        if column not in runs.columns:
            table[name] = pd.array([None] * len(table), dtype="Int64")
    return ErrorFamilies(table, _families(table, held), int(table.n.sum()), left_out, level)


def _check(runs: ir.Table, level: float, roles: Sequence[str], quiet_days: float) -> None:
    for column in _READ:
        if column not in runs.columns:
            raise UnknownColumnError(column, runs.columns)
    check_groups(runs, roles=roles)
    check_level(level)
    if not quiet_days >= 0:
        raise ValueError(f"quiet_days: {quiet_days}: write 0 or more days")


def _failures(runs: ir.Table, roles: Sequence[str]) -> ir.Table:
    """What is read of each failure; columns that the table lacks are null."""
    kept = runs.filter(runs.status.isin(FAILURES))
    if "role" in runs.columns:
        kept = kept.filter(kept.role.fill_null("work").isin(list(roles)))
    times = [kept[name] for name in ("started_at", "queued_at", "ended_at") if name in runs.columns]
    words = {
        name: kept[name] if name in runs.columns else ibis.null("string")
        for name in ("tool", "automation_id", "client")
    }
    message = kept.error_message.nullif("")
    # A traceback is read line by line, so it stays as it is; a line can be masked where it lies. Of a quoted name alone nothing would
    # be left: `KeyError: 'total'`.
    plain = message.contains("\n") | message.re_search(_NAME_ALONE)
    text = plain.ifelse(message.left(_LONGEST), mask(message.left(_LONGEST)))
    return kept.select(
        **words,
        error_type=kept.error_type.nullif(""),
        error_message=message,
        text=text,
        code=message.left(_LONGEST).re_extract(_CODE, 1).nullif(""),
        moment=ibis.coalesce(*times) if times else ibis.null("timestamp('UTC')"),
    )


def _groups(failures: ir.Table, since: Any) -> pd.DataFrame:
    """A row per tool, type, masked text, code, automation and client: few, however many failures there are."""
    keys = ["tool", "error_type", "text", "code", "automation_id", "client"]
    after = (
        failures.moment
        if since is None
        else (failures.moment > ibis.literal(since)).ifelse(failures.moment, ibis.null())
    )
    import pandas as pd

    groups = (
        failures.group_by(keys)
        .aggregate(
            n=failures.count(),
            error_message=failures.error_message.min(),
            first_seen=failures.moment.min(),
            last_seen=failures.moment.max(),
            again=after.min(),
        )
        .execute()
    )
    for name in ("first_seen", "last_seen", "again"):
        groups[name] = pd.to_datetime(groups[name], utc=True)  # Spark's come without a zone
    return groups


def _named(groups: pd.DataFrame, held: pd.DataFrame | None) -> pd.DataFrame:
    """Each group with its frame, template and fingerprint."""
    groups = groups.assign(text=_without_client(groups))
    texts = groups[["tool", "error_type", "code", "text"]].drop_duplicates().astype(object)
    texts = texts.where(texts.notna(), None)
    said = {text: _said(text) for text in texts.text.unique()}
    texts["frame"] = [said[text][1] for text in texts.text]
    texts["line"] = [said[text][0] for text in texts.text]
    # Where the tool names no type, the message may: `ValueError: no such day`; or the same message has one elsewhere.
    texts["said_type"] = [own or said[text][2] for own, text in zip(texts.error_type, texts.text, strict=True)]
    texts["said_type"] = _types(texts, held)
    rows = []
    for key, part in texts.groupby(["tool", "said_type", "code", "frame"], dropna=False, sort=False):
        clean = tuple(None if value != value else value for value in key)
        old = _of_key(held, clean)
        templates = with_known(_names_as_values(part.line.tolist(), old), list(old))
        ids = [old.get(template) or template_id(*clean, template) for template in templates]
        rows.append(part.assign(template=templates, fingerprint=ids))
    import pandas as pd

    names = pd.concat(rows) if rows else texts.assign(template=None, fingerprint=None)
    joined = groups.astype(dict.fromkeys(("tool", "error_type", "code", "text"), object))
    joined = joined.where(joined.notna(), None).merge(names, on=["tool", "error_type", "code", "text"], how="left")
    return joined.drop(columns=["error_type", "text", "line"]).rename(columns={"said_type": "error_type"})


def _without_client(groups: pd.DataFrame) -> list[str | None]:
    """The texts, with `<*>` for the name of the client whose run failed: the same error at two clients is one."""
    found: list[str | None] = []
    for text, client in zip(groups.text, groups.client, strict=True):
        if isinstance(text, str) and isinstance(client, str) and len(client) > 2 and client.lower() in text.lower():
            name = rf"(?<![^\W_]){re.escape(client)}(?![^\W_])"
            text = re.sub(name, WILD, text, flags=re.IGNORECASE)
        found.append(text if isinstance(text, str) else None)
    return found


def _types(texts: pd.DataFrame, held: pd.DataFrame | None) -> list[str | None]:
    """The type of each text; where there is none, the only one that the same tool, code, frame and message have elsewhere."""
    known: list[tuple[Any, ...]] = []
    if held is not None:
        known = list(held[["tool", "code", "frame", "template", "error_type"]].itertuples(index=False, name=None))
    seen = texts[["tool", "code", "frame", "line", "said_type"]].itertuples(index=False, name=None)
    rows = [tuple(None if value != value else value for value in row) for row in (*known, *seen)]
    types: dict[tuple[Any, ...], set[str]] = {}
    for *place, one in rows:
        if one:
            types.setdefault(tuple(place), set()).add(one)
    untyped = {tuple(row[:4]) for row in rows[: len(known)] if not row[4]}  # keeps its fingerprint
    found: list[str | None] = []
    for *place, one in rows[len(known) :]:
        others = types.get(tuple(place), set()) if tuple(place) not in untyped else set()
        found.append(one or (next(iter(others)) if len(others) == 1 else None))
    return found


def _names_as_values(lines: list[str], old: dict[str, str]) -> list[str]:
    """A quoted name that is a message alone stays while there are few such, else it is a value; and once a value, it stays one."""
    alone = {line: masked(line) for line in lines if line not in old and re.search(_NAME_ALONE, line)}
    many = len(alone) > _FEW_NAMES
    return [alone[line] if line in alone and (many or alone[line] in old) else line for line in lines]


def _said(text: str | None) -> tuple[str, str | None, str | None]:
    """(the masked line that names the error, the frame, the type it names)."""
    if text is None:
        return "", None, None
    line = headline(text)
    alone = re.search(_NAME_ALONE, line)
    return (masked(line) if "\n" in text and not alone else line), frame(text) if "\n" in text else None, kind(line)


def _of_key(held: pd.DataFrame | None, key: tuple[str | None, ...]) -> dict[str, str]:
    """The known templates of a key, the earliest first, with their fingerprints."""
    if held is None or held.empty:
        return {}
    own = [
        tuple(None if value != value else value for value in row) == key for row in held[_KEY].itertuples(index=False)
    ]
    mine = held[own].sort_values(["first_seen", "fingerprint"])
    return dict(zip(mine.template, mine.fingerprint, strict=True))


def _table(named: pd.DataFrame, left_out: int, level: float) -> pd.DataFrame:
    import pandas as pd

    families = named.groupby("fingerprint", sort=False)
    first = families[["tool", "error_type", "code", "frame", "template"]].first()
    counts = families.agg(
        n=("n", "sum"),
        automations=("automation_id", "nunique"),
        clients=("client", "nunique"),
        first_seen=("first_seen", "min"),
        last_seen=("last_seen", "max"),
        example=("error_message", "min"),
    )
    table = pd.concat([first, counts], axis=1).rename_axis("fingerprint").reset_index()
    table = table.astype({"n": "int64"}).sort_values(["n", "fingerprint"], ascending=[False, True], ignore_index=True)
    total = int(table.n.sum()) + left_out
    table["share"] = table.n / total if total else 0.0
    bounds = [wilson(int(count), total, level) for count in table.n]
    table["low"], table["high"] = [bound.low for bound in bounds], [bound.high for bound in bounds]
    table[_KEY] = table[_KEY].astype(object).where(table[_KEY].notna(), None)
    table["cumulative"] = table.n.cumsum() / total if total else 0.0
    return table


def _news(
    table: pd.DataFrame, named: pd.DataFrame, held: pd.DataFrame | None, quiet_days: float
) -> tuple[pd.Series, pd.Series]:
    """Which families are new, and which have come back."""
    import pandas as pd

    if held is None:
        nothing = pd.Series(pd.NA, index=table.index, dtype="boolean")
        return nothing, nothing.copy()
    old = table.fingerprint.isin(held.fingerprint).astype("boolean")
    if not old.any():
        return ~old, old
    before = table.fingerprint.map(held.set_index("fingerprint").last_seen)
    again = table.fingerprint.map(named.groupby("fingerprint")["again"].min())
    return ~old, old & ((again - before) >= pd.Timedelta(days=quiet_days))


def _families(table: pd.DataFrame, held: pd.DataFrame | None) -> pd.DataFrame:
    """All families that were ever seen, with when they were first and last."""
    import pandas as pd

    parts = [part[_FAMILY] for part in (held, table) if part is not None and not part.empty]
    if not parts:
        return table[_FAMILY].copy()
    every = pd.concat(parts)
    seen = every.groupby("fingerprint", sort=True)
    firsts = seen[[*_KEY, "template"]].first()
    return firsts.join(seen.agg(first_seen=("first_seen", "min"), last_seen=("last_seen", "max"))).reset_index()
