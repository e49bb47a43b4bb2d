"""Data in step: of the records that one automation touched, which share the next one touched too, in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, folded, join, key, name, number, percent, section, table

MOST = 10


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One expectation and how it was kept.

    `n` = in_step + late + missing. `pending` are too young to judge, `cannot_tell` lack the log that would say.
    """

    expectation: str
    after: str
    then: str
    entity: str
    within: str
    in_step: int = 0
    late: int = 0
    missing: int = 0
    pending: int = 0
    cannot_tell: int = 0
    low: float | None = None
    high: float | None = None
    missing_input: str = ""

    @property
    def n(self) -> int:
        """Records that could be judged."""
        return self.in_step + self.late + self.missing

    @property
    def share(self) -> float | None:
        """The share of those that were in step."""
        return self.in_step / self.n if self.n else None


@dataclass(frozen=True, kw_only=True)
class OutOfStep:
    """A record that is not in step: since when, why, how sure that is, and what to do."""

    record: str
    entity: str
    what: str
    since: str
    cause: str
    verdict: str
    next_step: str
    run_id: str = ""


def in_step(pairs: Sequence[Pair], records: Sequence[OutOfStep]) -> Block:
    """The matrix of expectations and the list of records that are out of step."""
    numbers = {"expectations": [_plain(pair) for pair in pairs], "records": list(records)}
    if not pairs:
        lead = (
            "Cannot tell: no expectation says which records should go where. Add [[expectations]] to aftershock.toml."
        )
        return Block("in_step", section("Data in step", lead, [], id="in-step"), numbers)
    lead = "Of the records that one automation handled (rows), the share that the next one (columns) handled too, in the time agreed."
    body = [_matrix(pairs), _terms(pairs)]
    sure = [record for record in records if record.verdict != "cannot tell"]
    unsure = [record for record in records if record.verdict == "cannot tell"]
    if sure:
        body.append(
            Markup("<h3>{}</h3>").format(f"{count(len({record.record for record in sure}), 'record')} out of step")
        )
        body.append(_list(sure[:MOST]))
    if sure[MOST:]:
        body.append(folded(f"{len(sure) - MOST:,} more", _list(sure[MOST:])))
    if unsure:
        many = count(len({record.record for record in unsure}), "record")
        body.append(folded(f"{many} of which nobody can tell, and the missing input", _list(unsure)))
    return Block("in_step", section("Data in step", lead, body, id="in-step"), numbers)


def _matrix(pairs: Sequence[Pair]) -> Markup:
    rows = list(dict.fromkeys(pair.after for pair in pairs))
    columns = list(dict.fromkeys(pair.then for pair in pairs))
    head = join(Markup('<th scope="col">{}</th>').format(name(column)) for column in columns)
    body = join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name(row),
            join(_cell([pair for pair in pairs if (pair.after, pair.then) == (row, column)]) for column in columns),
        )
        for row in rows
    )
    return Markup(
        '<div class="wide" role="region" aria-label="Data in step" tabindex="0"><table class="matrix"><caption>Share of records in step</caption>'
        '<thead><tr><th scope="col"><span class="quiet">after ↓ then →</span></th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def _cell(pairs: Sequence[Pair]) -> Markup:
    if not pairs:
        return Markup('<td class="x">no promise</td>')
    total, kept = sum(pair.n for pair in pairs), sum(pair.in_step for pair in pairs)
    if not total:
        waiting = sum(pair.pending for pair in pairs)
        if waiting and not sum(pair.cannot_tell for pair in pairs):
            return Markup('<td class="x">pending<br><small>{}</small></td>').format(number(waiting))
        unclear = sum(pair.cannot_tell for pair in pairs)
        words = f"{number(unclear)} unclear" if unclear else "no records"
        return Markup('<td class="none">cannot tell<br><small>{}</small></td>').format(words)
    tone = "ok" if kept == total else "bad" if any(pair.missing for pair in pairs) else "partial"
    return Markup('<td class="{}">{}<br><small>{} of {}{}</small></td>').format(
        tone, percent(kept / total), number(kept), number(total), _why(pairs)
    )


def _why(pairs: Sequence[Pair]) -> str:
    missing, late = sum(pair.missing for pair in pairs), sum(pair.late for pair in pairs)
    words = ([f"{number(missing)} missing"] if missing else []) + ([f"{number(late)} late"] if late else [])
    return " · " + ", ".join(words) if words else ""


def _terms(pairs: Sequence[Pair]) -> Markup:
    rows = [
        (
            pair.expectation,
            pair.entity,
            pair.within,
            number(pair.n),
            f"{percent(pair.low, unit=False)} to {percent(pair.high, unit=False)}" if pair.low is not None else "–",
            number(pair.pending),
            f"{number(pair.cannot_tell)}{': ' + pair.missing_input if pair.missing_input else ''}",
        )
        for pair in pairs
    ]
    head = ("What was agreed", "Record", "Within", "n", "In step, 95%", "Pending", "Cannot tell")
    return folded(
        "What was agreed, and what could not be judged", table(head, rows, caption="Expectations", numeric=(3, 4, 5))
    )


def _list(records: Sequence[OutOfStep]) -> Markup:
    rows = [
        (
            Markup("{}<br><small>{}</small>").format(key(record.record), record.entity),
            Markup("{}<br><small>since {}</small>").format(record.what, record.since),
            Markup("{}<br><small>{}</small>").format(record.cause, key(record.run_id))
            if record.run_id
            else record.cause,
            record.verdict,
            record.next_step,
        )
        for record in records
    ]
    return table(
        ("Record", "What is wrong", "Cause", "How sure", "Next step"), rows, caption="Records out of step", stack=True
    )


def _plain(pair: Pair) -> dict[str, object]:
    return {**vars(pair), "n": pair.n, "share": pair.share}
