"""Whose file is it? By content, never by name. Exactly one adapter claims a file, or the message says which two did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aftershock.adapters.base import Adapter, Export, Sample

_LOOKS: Final = 5
_NEAR: Final = 0.5
"""From which share of what an export requires on it is worth a guess."""
_COMMON: Final = {"data", "items", "value", "values", "results", "records", ""}


@dataclass(frozen=True)
class Claim:
    """An adapter that can read a file, and as which of its exports."""

    adapter: Adapter
    export: Export
    sample: Sample

    @property
    def tool(self) -> str:
        """The tool that wrote the file: the adapter's own, unless the content names another."""
        named = self.export.tool_of(self.sample) if self.export.tool_of else None
        return named or self.adapter.tool


@dataclass(frozen=True)
class Verdict:
    """`claim` where exactly one adapter claims the file, else None and why."""

    claim: Claim | None
    outcome: str
    message: str


def recognise(samples: Sequence[Sample], adapters: Iterable[Adapter]) -> Verdict:
    """The one adapter that claims the file. An unknown file gets the nearest guess and what it lacked."""
    claims: list[Claim] = []
    near: list[tuple[float, str]] = []
    for adapter in adapters:
        for export in adapter.exports:
            for sample in (sample for sample in samples if sample.form == export.form):
                missing, share = _looked_at(export, sample)
                if not missing:
                    claims.append(Claim(adapter, export, sample))
                elif share >= (
                    0.01 if adapter.name.startswith("mapping:") else _NEAR
                ):  # a profile was written for such files
                    near.append(
                        (share, f"nearest is {adapter.name} ({export.name}), but there is no {', '.join(missing)}")
                    )
    claims = [claim for claim in claims if not claim.export.generic] or claims
    if all(_is_empty(claim) for claim in claims):  # only the envelope can tell: whoever looks at it goes first
        claims = [claim for claim in claims if claim.export.claims] or claims
    if len(claims) == 1 or (claims and _same_empty(claims)):
        return Verdict(claims[0], "taken", "")
    if claims:
        names = " and ".join(sorted({f"{claim.adapter.name} ({claim.export.name})" for claim in claims}))
        return Verdict(None, "ambiguous", f"claimed by {names}; one of them must look closer")
    guess = max(near)[1] if near else "no known format comes near it"
    return Verdict(None, "unknown", guess)


def _same_empty(claims: Sequence[Claim]) -> bool:
    """Several exports of one adapter over an empty page: whichever reads nothing from it."""
    return len({claim.adapter.name for claim in claims}) == 1 and all(_is_empty(claim) for claim in claims)


def _is_empty(claim: Claim) -> bool:
    return claim.export.form == "json" and not first_records(claim.sample, claim.export.records)


def _looked_at(export: Export, sample: Sample) -> tuple[list[str], float]:
    """The best that one of the first few records says; an adapter's own look that fails says no."""
    found = first_records(sample, export.records) if export.form == "json" else [None]
    if not found:
        return _empty_page(export, sample)
    looks = []
    for record in found:
        try:
            looks.append(_missing(export, sample, record))
        except Exception as error:  # a look at hostile content, perhaps an outside package's
            looks.append(([f"a readable beginning ({type(error).__name__})"], 0.0))
    return max(looks, key=lambda look: (not look[0], look[1]))


def _missing(export: Export, sample: Sample, record: Any) -> tuple[list[str], float]:
    """What the file lacks to be this export, and which share of what is required it has."""
    if export.form == "json":
        if not isinstance(record, Mapping):
            return ["records in the place where they should be"], 0.0
        found = {name for name in export.requires | export.one_of | export.forbids if _has(record, name)}
    else:
        record = {}
        present = set(sample.header) | ({sample.root} if sample.root else set())
        found = {name for name in export.requires | export.one_of | export.forbids if name in present}
    missing = sorted(export.requires - found)
    if export.one_of and not export.one_of & found:
        missing.append(f"any of {', '.join(sorted(export.one_of))}")
    share = len(export.requires & found) / max(len(export.requires), 1)
    missing += [f"absence of {name}" for name in sorted(export.forbids & found)]
    if not missing and export.where and not export.where(record):
        missing.append("the values that tell it from its neighbours")
        share /= 2
    if not missing and export.claims and not export.claims(sample):
        missing.append("the marks of this format")
        share /= 2
    return missing, share


def _empty_page(export: Export, sample: Sample) -> tuple[list[str], float]:
    """A page without records is ours if its envelope says so: by a telling name, or by the export's own look."""
    if navigate(sample.top, export.records) != [] or not export.records:
        return ["records in the place where they should be"], 0.0
    if export.claims:
        return ([], 1.0) if export.claims(sample) else (["the marks of this format"], 0.0)
    return ([], 1.0) if export.records.rpartition(".")[2] not in _COMMON else (["any record"], 0.0)


def navigate(value: Any, path: str) -> Any:
    """What lies at a dotted path of a JSON value; None where there is nothing."""
    if isinstance(value, list) and path:  # pages after one another: the first
        value = value[0] if value else None
    for part in path.split(".") if path else ():
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def first_records(sample: Sample, path: str) -> list[Any]:
    """The first few records of a JSON sample; none for an empty page. What is no object comes last."""
    found = navigate(sample.top, path)
    if found is None:
        return []
    records = [
        item
        for part in (found if isinstance(found, list) else [found])
        for item in (part if isinstance(part, list) else [part])
    ]
    return sorted((item for item in records if item is not None), key=lambda item: not isinstance(item, Mapping))[
        :_LOOKS
    ]


def _has(record: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    if first not in record:
        return False
    inner = record[first]
    return not rest or (isinstance(inner, Mapping) and _has(inner, rest))
