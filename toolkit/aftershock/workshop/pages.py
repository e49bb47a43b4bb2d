"""A page for each adapter, made from its docstring and its declarations: `make docs`.

    python -m aftershock.workshop.pages docs/adapters

makes the pages that are not there yet; cog then writes what stands in them, and checks it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aftershock.adapters.base import Adapter, Export
from aftershock.adapters.registry import adapters

FACTS: Final = ("attempts", "steps", "items", "trigger", "versions", "parents", "keys")
_STUB: Final = """<!-- [[[cog
import cog
from aftershock.workshop.pages import page
cog.outl(page("{name}"))
]]] -->
<!-- [[[end]]] -->
"""


def page(name: str) -> str:
    """What there is to know about an adapter, as Markdown. Raises `KeyError` for a name that nothing has."""
    return "\n".join(_lines(name, adapters()[name]))


def _lines(name: str, adapter: Adapter) -> Iterator[str]:
    fidelity = adapter.fidelity
    yield f"# {name}\n"
    yield f"{adapter.about}\n"
    yield f"Tool: `{adapter.tool}`. Evidence: {fidelity.evidence}. Vendor's page: <{adapter.docs}>.\n"
    yield f"Inferred: {fidelity.inferred}.\n\nHow long the tool keeps it: {fidelity.retention}.\n"
    yield "| " + " | ".join(FACTS) + " |\n" + "|---" * len(FACTS) + "|"
    yield "| " + " | ".join("yes" if getattr(fidelity, fact) else "no" for fact in FACTS) + " |\n"
    yield "## What it reads\n\n| export | form | gives | told by |\n|---|---|---|---|"
    for export in adapter.exports:
        gives = ", ".join(table for table in export.select if table not in ("rejects", "set_aside", "coverage"))
        yield f"| {export.name} | {export.form} | {gives or 'nothing: it is set aside'} | {_told_by(export)} |"
    yield "\n## What its words become\n\n| the tool's word | status |\n|---|---|"
    for raw, ours in sorted(adapter.status.words.items(), key=lambda word: (word[1], word[0])):
        yield f"| {_words(raw)} | {ours} |"


def _told_by(export: Export) -> str:
    """What recognises it."""
    names = [*sorted(export.requires), *(f"one of {', '.join(sorted(export.one_of))}" for _ in [0] if export.one_of)]
    told = ", ".join(f"`{name}`" if " " not in name else name for name in names)
    where = f" in `{export.records}`" if export.records and told else ""
    looks = "its content" if export.claims or export.where else ""
    return f"{told}{where}{' and ' if told and looks else ''}{looks}"


def _words(raw: str) -> str:
    return " + ".join(f"`{word}`" if word else "*nothing*" for word in raw.split("|"))


def make_pages(folder: Path) -> list[Path]:
    """Make the pages that are missing; those of adapters that are gone are removed. What was made."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.md"):
        if file.stem not in adapters():
            file.unlink()
    missing = [folder / f"{name}.md" for name in adapters() if not (folder / f"{name}.md").exists()]
    for file in missing:
        file.write_text(_STUB.format(name=file.stem), encoding="utf-8")
    return missing


if __name__ == "__main__":
    for made in make_pages(Path(sys.argv[1])):
        print(made)
