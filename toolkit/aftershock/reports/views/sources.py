"""Where the numbers come from: sources with coverage, freshness and limits; records read, set aside and refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ibis

from aftershock.adapters.registry import adapters
from aftershock.reports.blocks.markup import moment, percent

if TYPE_CHECKING:
    from aftershock.adapters.base import Fidelity
    from aftershock.reports.views.scope import Scope

_CANNOT = {
    "attempts": "retries of a run",
    "steps": "single steps",
    "items": "item counts",
    "trigger": "what started a run",
    "versions": "versions",
    "parents": "which run started which",
    "keys": "record keys",
}


def sources_of_page(scope: Scope) -> list[dict[str, Any]]:
    """A dict per source: name, tool, covered, share, last, limits; words for people beside the share."""
    zone = scope.period.time_zone
    shares = {row.source: float(row.share) for row in scope.coverage.to_pandas().itertuples()}
    newest = _newest(scope)
    tools = _tools(scope)
    readers = _readers(scope)
    return [
        {
            "name": source,
            "tool": tools.get(source, source),
            "covered": percent(shares[source]) if shares.get(source) else "nothing",
            "share": shares.get(source),
            "last": moment(newest[source], zone) if source in newest else "never",
            "limits": limits_of(tools.get(source, source), readers.get(source, ())),
        }
        for source in scope.sources
    ]


def limits_of(tool: str, readers: Sequence[str] = ()) -> str:
    """What the exports of a tool cannot tell, from its adapters; the best of them where a tool has several.

    `readers`: the adapters that read its files, for a tool that has none of its own (a test runner that writes JUnit XML).
    """
    found = [adapter.fidelity for adapter in adapters().values() if adapter.tool == tool]
    found = found or [adapters()[name].fidelity for name in readers if name in adapters()]
    if not found:
        return "as far as its mapping goes"
    cannot = [words for flag, words in _CANNOT.items() if not any(getattr(fidelity, flag) for fidelity in found)]
    inferred = list(dict.fromkeys(fidelity.inferred for fidelity in found if fidelity.inferred != "nothing"))
    parts = [", ".join(cannot)] if cannot else ["nothing that this page needs"]
    parts += [f"inferred: {'; '.join(inferred)}"] if inferred else []
    return ". ".join(parts + _kept(found))


def _readers(scope: Scope) -> dict[str, list[str]]:
    """source -> the adapters that its files were read with."""
    imports = scope.ledger.imports
    pairs = imports.select("source", "adapter").distinct().order_by("source", "adapter").execute()
    found: dict[str, list[str]] = {}
    for row in pairs.itertuples():
        found.setdefault(row.source, []).append(row.adapter)
    return found


def files_of(scope: Scope) -> Mapping[str, int] | None:
    """Records read, mapped, set aside and rejected, over all files; None for one client, whose files hold others' records too."""
    if scope.client_id:
        return None
    imports = scope.ledger.imports
    names = ("records_read", "mapped", "set_aside", "rejects")
    row = imports.aggregate(**{name: imports[name].sum().fill_null(0) for name in names}).execute()
    return {name: int(row[name].iloc[0]) for name in names}


def refused_of(scope: Scope) -> dict[str, tuple[int, int, int]]:
    """source -> (records read, set aside, refused)."""
    imports = scope.ledger.imports
    rows = imports.group_by("source").aggregate(
        read=imports.records_read.sum(), aside=imports.set_aside.sum(), refused=imports.rejects.sum()
    )
    return {str(row.source): (int(row.read), int(row.aside), int(row.refused)) for row in rows.execute().itertuples()}


def _kept(found: list[Fidelity]) -> list[str]:
    kept = next((fidelity.retention for fidelity in found if fidelity.retention != "unknown"), "")
    return [f"kept by the tool: {kept}"] if kept else []


def _newest(scope: Scope) -> dict[str, Any]:
    """When the newest run of each source (on a client's page: of that client's) ended or began: when a file was copied says nothing about that."""
    runs = scope.runs
    latest = ibis.coalesce(runs.ended_at, runs.started_at, runs.queued_at)
    rows = runs.group_by("source").aggregate(newest=latest.max()).execute()
    return {row.source: row.newest.to_pydatetime() for row in rows.itertuples() if row.newest == row.newest}


def _tools(scope: Scope) -> dict[str, str]:
    runs = scope.ledger.runs.select("source", "tool").distinct().execute()
    return {source.name: source.tool for source in scope.project.sources} | dict(
        zip(runs.source, runs.tool, strict=True)
    )
