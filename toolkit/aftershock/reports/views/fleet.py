"""What only the agency sees: all clients side by side, the worst automations, sources, runs that belong to nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ibis
from markupsafe import Markup

from aftershock.expectations import Reconciliation
from aftershock.metrics import Ranking, coverage, ranking
from aftershock.metrics.units import dated
from aftershock.model import FAILURES
from aftershock.reports.blocks.markup import interval, name, number, percent
from aftershock.reports.views.scope import sources_of

if TYPE_CHECKING:
    from aftershock.metrics.proportions.failure_rates import FailureRates
    from aftershock.metrics.proportions.silent import SilentFailures
    from aftershock.reports.views.scope import Scope

Row = tuple[Markup | str, ...]
FALSE: Final = 0.05  # the share of changes called real that may be chance


def clients_of_fleet(
    scope: Scope, rates: FailureRates, silent: SilentFailures, records: Reconciliation
) -> tuple[list[Row], list[dict[str, Any]]]:
    """(rows to show, numbers): a row per configured client, and one for runs of no client, most failures first."""
    by_client = {_key(row.client): row for row in rates.to_pandas().itertuples()}
    hollow = {_key(row.client): row for row in silent.to_pandas().itertuples()}
    step = {_key(row.client): row for row in _in_step(records).itertuples()}
    names: dict[str | None, str] = {client.id: client.name for client in scope.project.clients}
    if None in by_client:
        names[None] = "no client, or several"
    rows, numbers = [], []
    for client, shown in names.items():
        covered = (
            coverage(scope.ledger.coverage, scope.period, sources=sources_of(scope.ledger, client)).share
            if client
            else None
        )
        numbers.append(_numbers(client, shown, covered, by_client.get(client), hollow.get(client), step.get(client)))
    numbers.sort(key=lambda item: -(item["failure_rate"] or 0))
    for item in numbers:
        rows.append(_row(item))
    return rows, numbers


@dataclass(frozen=True)
class Worst:
    """The automations that fail most: what is shown of them, their numbers, and the sentence that says how they are ordered."""

    rows: list[Row]
    numbers: list[dict[str, Any]]
    order: str


def worst_automations(rates: FailureRates, most: int = 15) -> Worst:
    """Automations with failures, by what each surely fails at: the lower end of an estimate that learns from all of them.

    A change counts as one only where its q-value says so, since all automations are compared.
    """
    table = rates.to_pandas()
    table = table[table.n > 0].reset_index(drop=True)
    ranked = ranking(table.failures, table.n)
    table = table.join(ranked.table.set_index("name")[["posterior", "posterior_low", "posterior_high"]])
    told_apart = ranked.fit.alpha is not None
    order = ["posterior_low", "rate", "n"] if told_apart else ["low", "rate", "n"]
    table = table[table.failures > 0].sort_values(order, ascending=False, kind="stable").head(most)
    numbers = [_plain(row) for row in table.to_dict("records")]
    rows: list[Row] = [
        (
            Markup("{}<br><small>{} · {}</small>").format(
                name(row["automation"]), row["client"] or "no client", row["tool"]
            ),
            number(row["failures"]),
            number(row["n"]),
            percent(row["rate"]),
            Markup("{}<br><small>{}</small>").format(
                percent(row["posterior"]), interval(row["posterior_low"], row["posterior_high"])
            ),
            _moved(row),
        )
        for row in numbers
    ]
    return Worst(rows, numbers, _order(ranked, told_apart))


def _order(ranked: Ranking, told_apart: bool) -> str:
    overall = f"{percent(ranked.interval.estimate)} of n = {number(ranked.n)}"
    if not told_apart:
        return f"Their rates differ no more than chance makes them: each is likely to fail as all do, {overall}. In order of the lower end of their own interval."
    return (
        f"In order of the lower end of the likely share: what each surely fails at. It draws the raw share towards that of all ({overall}), "
        "the more the fewer its runs, so that a few runs do not make an automation the worst. Chance: a change with q above 5%."
    )


def runs_of_nobody(scope: Scope) -> tuple[list[Row], list[dict[str, Any]]]:
    """Automations with runs in the period that fit no client, or several."""
    runs = dated(scope.runs)
    mine = runs.filter(runs.client.isnull(), scope.period.holds(runs.moment))
    shared = mine.shared.fill_null(False)
    groups = mine.group_by(automation=mine.automation, source=mine.source, shared=shared).aggregate(
        runs=mine.count(), failures=mine.count(where=mine.status.isin(FAILURES))
    )
    numbers = [_plain(row) for row in groups.order_by(ibis.desc("runs"), "automation").execute().to_dict("records")]
    rows: list[Row] = [
        (
            name(row["automation"] or "without a name"),
            row["source"],
            "several clients" if row["shared"] else "no client: add a rule to [[clients]]",
            number(row["runs"]),
            number(row["failures"]),
        )
        for row in numbers
    ]
    return rows, numbers


def _in_step(records: Reconciliation) -> Any:
    return records.summary(by=("client",)).execute()


def _numbers(
    client: str | None, shown: str, covered: float | None, rate: Any, hollow: Any, step: Any
) -> dict[str, Any]:
    return {
        "client": client,
        "name": shown,
        "covered": covered,
        "n": int(rate.n) if rate is not None else 0,
        "failures": int(rate.failures) if rate is not None else 0,
        "failure_rate": _value(rate, "rate"),
        "low": _value(rate, "low"),
        "high": _value(rate, "high"),
        "change": _value(rate, "change"),
        "verdict": getattr(rate, "verdict", "") or "",
        "q_value": _value(rate, "q_value"),
        "silent": int(hollow.silent) if hollow is not None else 0,
        "judged": int(step.n) if step is not None else 0,
        "in_step": int(step.in_step) if step is not None else 0,
        "out_of_step": int(step.late + step.missing) if step is not None else 0,
        "cannot_tell": int(step.cannot_tell) if step is not None else 0,
    }


def _row(item: dict[str, Any]) -> Row:
    unclear = f"; {number(item['cannot_tell'])} cannot tell" if item["cannot_tell"] else ""
    steps = (
        f"{number(item['in_step'])} of {number(item['judged'])}{unclear}"
        if item["judged"]
        else "cannot tell"
        if unclear
        else "–"
    )
    rate = Markup("{}<br><small>{}</small>").format(
        percent(item["failure_rate"]), interval(item["low"], item["high"]) if item["n"] else "nothing to count"
    )
    return (
        name(item["name"]),
        number(item["n"]),
        rate,
        _moved(item),
        number(item["silent"]),
        steps,
        percent(item["covered"]) if item["covered"] else "no log" if item["client"] else "–",
    )


def _moved(row: dict[str, Any]) -> str:
    if row.get("change") is None:
        return "–"
    if row["verdict"] == "too few to compare":
        return "too few"
    arrow = "▲" if row["change"] > 0 else "▼" if row["change"] < 0 else "="
    moved = f"{arrow} {abs(100 * row['change']):.1f}"
    q = row.get("q_value")
    stands = row["verdict"] == "beyond chance" and (q is None or q <= FALSE)
    return moved if stands else f"{moved} (chance)"


def _value(row: Any, field: str) -> float | None:
    value = getattr(row, field, None)
    return None if value is None or value != value else float(value)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value is None or value != value else value for key, value in row.items()}


def _key(client: Any) -> str | None:
    return client if isinstance(client, str) else None
