"""What needs attention: one cause, one item, with every run and record it hit. Worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import ibis
from markupsafe import Markup

from aftershock.metrics.proportions.shares import UNFINISHED
from aftershock.metrics.units import dated, roots
from aftershock.model import FAILURES
from aftershock.reports.blocks.attention import Attention
from aftershock.reports.blocks.markup import count, key, lasting, moment, name
from aftershock.reports.views.records import plain_cause, short

if TYPE_CHECKING:
    from aftershock.expectations import Reconciliation
    from aftershock.reports.views.scope import Scope

_Identity = tuple[str, ...]
_BLAMES_A_RUN = ("then", "before", "after")
_SHOWN = {True: 5, False: 3}  # records, runs
_STUCK = timedelta(days=1)
_WORDS = {"failed": "failed", "timed_out": "timed out", "crashed": "ended without saying so"}


@dataclass
class Cause:
    """Everything that one thing hit. `kind`: run (an error of an automation), gap (a hole in a log), else."""

    kind: str
    automation: str = ""
    status: str = ""
    message: str = ""
    runs: dict[str, None] = field(default_factory=dict)
    n_runs: int = 0
    missing: dict[str, None] = field(default_factory=dict)
    late: dict[str, None] = field(default_factory=dict)
    unclear: dict[str, None] = field(default_factory=dict)
    broken: dict[str, None] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    entity: str = "record"
    first: datetime | None = None
    lost_s: float = 0.0
    severe: bool = False
    unquoted: bool = False  # a run of several clients, on the page of one
    then: str = ""
    risen: str = ""

    @property
    def records(self) -> list[str]:
        """The keys of all records it hit."""
        return list({**self.missing, **self.late, **self.unclear})


def attention_of(scope: Scope, records: Reconciliation, rises: Mapping[str, str] | None = None) -> list[Attention]:
    """One item per cause: records out of step, work that ended failed, successes that were none, holes in the log, stuck runs.

    `rises`: automation -> a sentence that says since when it fails more often; the cause that hit most of its runs carries it.
    """
    causes: dict[_Identity, Cause] = {}
    _from_runs(causes, scope)
    _from_records(causes, records, scope)
    _from_gaps(causes, scope)
    _from_stuck(causes, scope)
    for automation, sentence in (rises or {}).items():
        failed = [cause for cause in causes.values() if cause.automation == automation and cause.status in FAILURES]
        if failed:
            max(failed, key=lambda cause: cause.n_runs).risen = sentence
    zone, fleet = scope.period.time_zone, scope.client is None
    return sorted((_item(cause, zone, fleet) for cause in causes.values()), key=lambda item: -item.weight)


def _from_runs(causes: dict[_Identity, Cause], scope: Scope) -> None:
    """Work of the period that failed, or said success and was none; retries are taken together as in the failure rate."""
    work = roots(scope.runs)
    work = work.filter(
        work.role == "work", work.status.isin([*FAILURES, "partial"]), scope.period.holds(work.moment)
    ).select(root=ibis.coalesce(work.root_run_id, work.run_id), became=work.status)
    runs = dated(scope.runs)
    runs = runs.mutate(of=ibis.coalesce(runs.root_run_id, runs.run_id))
    runs = runs.inner_join(work, [runs.of == work.root, runs.status == work.became])
    # The newest attempt that ended as the whole did is the one that decided it.
    newest = [ibis.desc(runs[column], nulls_first=False) for column in ("moment", "attempt", "run_id")]
    runs = runs.mutate(place=ibis.row_number().over(ibis.window(group_by="root", order_by=newest)))
    bad = runs.filter(runs.place == 0)
    steps = scope.ledger.steps
    steps = (
        steps.filter(steps.error_message.notnull()).group_by("run_id").aggregate(step_said=steps.error_message.max())
    )
    bad = bad.left_join(steps, "run_id")
    said = ibis.coalesce(bad.error_message, bad.step_said, bad.error_type, "")
    groups = bad.group_by(
        automation=bad.automation.fill_null(""),
        status=bad.status,
        print=ibis.coalesce(bad.fingerprint, bad.error_type, bad.error_message, ""),
    ).aggregate(
        n=bad.count(),
        first=bad.moment.min(),
        message=said.max(),
        runs=bad.run_id.collect(),
        clients=bad.client.collect(),
    )
    for row in groups.execute().itertuples():
        cause = causes.setdefault(("run", row.automation, row.status, row.print), Cause("run"))
        cause.automation, cause.status, cause.message, cause.n_runs = (
            row.automation,
            row.status,
            row.message,
            int(row.n),
        )
        cause.runs.update(dict.fromkeys(sorted(row.runs)))
        cause.clients.update(row.clients if isinstance(row.clients, Iterable) else ())  # null: all without a client
        cause.first = row.first.to_pydatetime()


def _from_records(causes: dict[_Identity, Cause], records: Reconciliation, scope: Scope) -> None:
    severe = {expectation.name for expectation in records.expectations if expectation.severe}
    thens = {expectation.name: short(expectation.then) for expectation in records.expectations}
    rows = records.table.filter(records.table.verdict.isin(["missing", "late", "cannot_tell"])).execute()
    of_several = _shared_among(rows.cause_run_id.dropna(), scope)
    of_run = {run: identity for identity, cause in causes.items() for run in cause.runs}
    for row in rows.sort_values(["activated_at", "entity_key"]).itertuples():
        identity = _identity(row, of_run)
        cause = causes.setdefault(identity, Cause(identity[0]))
        where = {"missing": cause.missing, "late": cause.late, "cannot_tell": cause.unclear}[row.verdict]
        where[str(row.entity_key)] = None
        cause.broken[row.expectation] = None
        cause.entity, cause.then = str(row.entity_type), cause.then or thens[row.expectation]
        cause.severe |= row.expectation in severe and row.verdict == "missing"
        if isinstance(row.client, str):
            cause.clients.add(row.client)
        if isinstance(row.cause_run_id, str):
            cause.runs[row.cause_run_id] = None
            cause.unquoted |= row.cause_run_id in of_several
        if cause.kind != "run":
            cause.message = cause.message or plain_cause(row, records) or str(row.missing_input or "")
        elif not cause.automation:
            cause.automation, cause.status = identity[1:3]
            cause.message = plain_cause(row, records).partition(": ")[2]
        begun = row.activated_at.to_pydatetime()
        cause.first = min(cause.first or begun, begun)


def _shared_among(run_ids: Iterable[str], scope: Scope) -> frozenset[str]:
    """Those of these runs that a client's page must not quote; none for the fleet."""
    if scope.client_id is None:
        return frozenset()
    runs = scope.handling
    found = runs.filter(runs.run_id.isin([*run_ids, ""]), runs.shared.fill_null(False)).select("run_id").execute()
    return frozenset(found["run_id"])


def _identity(row: Any, of_run: Mapping[str, _Identity]) -> _Identity:
    """What makes two records' causes the same one, across expectations: the run to blame, else what `reconcile` groups by."""
    if row.cause_run_id in of_run:
        return of_run[row.cause_run_id]
    kind, _, rest = str(row.cause_key).partition("|")
    if kind in _BLAMES_A_RUN:
        return ("run", *rest.split("|", 2))
    if kind == "gap":
        return ("gap", rest.partition("|")[0])
    return (kind, row.expectation, rest)


def _from_gaps(causes: dict[_Identity, Cause], scope: Scope) -> None:
    for row in scope.coverage.gaps.execute().itertuples():
        cause = causes.setdefault(("gap", row.source), Cause("gap"))
        begun, ended = row.gap_from.to_pydatetime(), row.gap_to.to_pydatetime()
        cause.automation = row.source
        cause.lost_s += (ended - begun).total_seconds()
        cause.first = min(cause.first or begun, begun)


def _from_stuck(causes: dict[_Identity, Cause], scope: Scope) -> None:
    """Runs of the period that a day after they began had not ended, as far as the logs reach."""
    if scope.as_of is None:
        return
    runs = dated(scope.runs)
    open_ = runs.filter(
        runs.status.isin(list(UNFINISHED)), scope.period.holds(runs.moment), runs.moment < scope.as_of - _STUCK
    )
    for row in (
        open_.order_by("moment").select("run_id", "automation", "status", "moment", "client").execute().itertuples()
    ):
        cause = causes.setdefault(("stuck", str(row.automation)), Cause("stuck", str(row.automation), row.status))
        cause.n_runs += 1
        cause.runs[row.run_id] = None
        cause.first = cause.first or row.moment.to_pydatetime()
        if isinstance(row.client, str):
            cause.clients.add(row.client)


def _item(cause: Cause, zone: str, fleet: bool) -> Attention:
    title, detail, step = {"run": _run, "gap": _gap, "stuck": _stuck}.get(cause.kind, _other)(cause)
    tone: Literal["bad", "partial", "none"] = "none"
    if cause.missing or cause.late or (cause.kind == "run" and cause.status in FAILURES):
        tone = "bad" if cause.missing or cause.status in FAILURES else "partial"
    elif cause.kind == "run":
        tone = "partial"
    tags = [count(len(cause.records), cause.entity)] if cause.records else []
    tags += [count(cause.n_runs, "run")] if cause.n_runs else []
    tags += ["cannot tell" if tone == "none" else "certain"]
    tags += [", ".join(sorted(cause.clients))] if fleet and cause.clients else []
    return Attention(
        title=title,
        detail=detail,
        tone=tone,
        weight=_weight(cause),
        tags=tags,
        since=f"since {moment(cause.first, zone)}" if cause.first else "",
        next_step=step,
        runs=list(cause.runs),
        records=cause.records,
    )


def _weight(cause: Cause) -> float:
    damage = 50 * len(cause.missing) + 10 * len(cause.late) + 0.2 * len(cause.unclear)
    runs = {"run": 5.0 if cause.status in FAILURES else 4.0}.get(cause.kind, 0.5) * cause.n_runs
    return damage + runs + (1000 if cause.severe and cause.missing else 0) + cause.lost_s / 86400


def _run(cause: Cause) -> tuple[Markup, Markup, str]:
    who = name(cause.automation or "an automation")
    silent = cause.status == "partial"
    hit = _hit(cause)
    if hit:
        why = (
            Markup("{} said success, but a step of it failed").format(who)
            if silent
            else Markup("{} {}").format(who, _word(cause.status))
        )
        title = Markup("{}: {}").format(hit, why)
    elif silent:
        title = Markup("{} said success {}, but a step of it failed").format(who, _times(cause.n_runs))
    else:
        title = Markup("{} {} {}").format(who, _word(cause.status), _times(cause.n_runs))
    said = (
        Markup("The log says: “{}”. ").format(_cut(cause.message))
        if cause.message
        else Markup("Several clients share it, so its log is not quoted here. ")
        if cause.unquoted
        else Markup("The log gives no reason. ")
    )
    if cause.unclear and not hit:
        said += Markup("Whether {} got through, nobody can tell. ").format(count(len(cause.unclear), cause.entity))
    step = "check the targets, then replay what is not there" if cause.records else "look at the first of these runs"
    risen = Markup(" {}").format(cause.risen) if cause.risen else Markup("")
    return title, said + _names(cause) + risen, step


def _gap(cause: Cause) -> tuple[Markup, Markup, str]:
    source = cause.automation or "a source"
    title = Markup("Cannot tell: no log of {} for {}").format(name(source), lasting(cause.lost_s))
    if not cause.automation:
        title = Markup("Cannot tell for {}: a log is missing").format(count(len(cause.unclear), cause.entity))
    detail = Markup("What ran in that time may have gone well or not. {}").format(_names(cause))
    return title, detail, f"missing input: {cause.message or f'an export of {source} for that time'}"


def _stuck(cause: Cause) -> tuple[Markup, Markup, str]:
    title = Markup("{} of {} had not ended a day later").format(count(cause.n_runs, "run"), name(cause.automation))
    return (
        title,
        Markup("The newest log still says “{}”. {}").format(cause.status, _names(cause)),
        "look in the tool, or take in a newer export",
    )


def _other(cause: Cause) -> tuple[Markup, Markup, str]:
    hit = _hit(cause)
    if not hit:
        unclear = count(len(cause.unclear), cause.entity)
        return (
            Markup("Cannot tell for {}: {} is missing").format(unclear, _cut(cause.message)),
            _names(cause),
            "take in the missing input",
        )
    step = (
        "check the targets, then replay what is not there"
        if cause.missing
        else "nothing to repair; mend the delay if it comes again"
    )
    return Markup("{}").format(hit), Markup("{}. {}").format(_upper(_cut(cause.message)), _names(cause)), step


def _hit(cause: Cause) -> str:
    """`3 orders never reached CRM sync, 1 late`."""
    parts = []
    if cause.missing:
        parts.append(f"{count(len(cause.missing), cause.entity)} never reached {cause.then}")
    if cause.late:
        word = f"{len(cause.late)}" if parts else count(len(cause.late), cause.entity)
        parts.append(f"{word} late" if parts else f"{word} reached {cause.then} late")
    return ", ".join(parts)


def _names(cause: Cause) -> Markup:
    """The first few records, else the first few runs."""
    shown: Iterable[str] = cause.records or cause.runs
    many = list(shown)
    if not many:
        return Markup("")
    most = _SHOWN[bool(cause.records)]
    listed = Markup(", ").join(key(item) for item in many[:most])
    more = f" and {len(many) - most:,} more" if len(many) > most else ""
    what = cause.entity if cause.records else "run"
    return Markup("{} {}{}.").format((what + "s" if len(many) > 1 else what).capitalize(), listed, more)


def _word(status: str) -> str:
    return _WORDS.get(status, status)


def _times(n: int) -> str:
    return "once" if n == 1 else "twice" if n == 2 else f"{n:,} times"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:159] + "…"
