"""What was left out, and how to read the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, count, folded, join, section, table

DEFINITIONS = {
    "Run": "One execution of an automation, as its tool reports it. After retries: a run and all its retries taken as one.",
    "n and the range": "Each share says what it was counted on. The range holds the true share 95 times in 100, if runs fail "
    "independently of one another; failures that come in bursts make it wider than it looks.",
    "Success with a failed step": "The tool called the run a success, but a step's last attempt failed or an item carries an error.",
    "In step": "A record that one automation handled was handled by the next one too, within the time agreed.",
    "Cannot tell": "The log that would say is missing. It is neither good nor bad news; the missing input is named.",
    "Change": "“Beyond chance” means that the 95% range of the difference leaves out zero.",
    "Since about": "The likeliest first day of another failure rate; in brackets the days that it may have been, at 95%. "
    "That something began then does not make it the reason.",
}


def left_out(counts: Mapping[str, int], *, reasons: Mapping[str, str]) -> Block:
    """What no number on the page contains, with the reason. `reasons` has the keys of `counts`."""
    parts = [
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(f"{amount:,} {what}", reasons.get(what, ""))
        for what, amount in counts.items()
        if amount
    ]
    body = (
        Markup('<dl class="cols">{}</dl>').format(join(parts))
        if parts
        else Markup('<p class="fine">Nothing was left out.</p>')
    )
    lead = "These stand in no share on this page."
    return Block(
        "left_out", section("What was left out", lead if parts else "", [body], id="left-out"), {"counts": dict(counts)}
    )


def how_to_read(
    *,
    sources: Sequence[Mapping[str, Any]],
    files: Mapping[str, int] | None,
    snapshot: int,
    version: str,
    brand: str,
) -> Block:
    """Definitions, the sources with their limits, what could not be read.

    `sources`: name, tool, covered (words), last (words), limits (words). `files`: records_read, mapped, set_aside, rejects,
    or None where the page is not to tell.
    """
    terms = join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(term, text) for term, text in DEFINITIONS.items())
    rows = [(source["name"], source["tool"], source["covered"], source["last"], source["limits"]) for source in sources]
    listed = folded(
        f"{count(len(rows), 'source')} and what their logs cannot tell",
        table(
            ("Source", "Tool", "Log covers", "Newest record", "What its logs cannot tell"),
            rows,
            caption="Sources",
            stack=True,
        ),
        open=len(rows) <= 6,
    )
    read = (
        f"{count(files['records_read'], 'log record')} read: {files['mapped']:,} taken in, {files['set_aside']:,} set aside "
        f"(no run in them), {files['rejects']:,} could not be read. "
        if files
        else ""
    )
    body = [Markup('<dl class="cols">{}</dl>').format(terms), listed]
    body.append(Markup("<p class=note>{}Ledger snapshot {}.</p>").format(read, snapshot))
    foot = Markup("<footer>{} · made with Aftershock {} · snapshot {}</footer>").format(brand, version, snapshot)
    numbers = {"sources": list(sources), "snapshot": snapshot, "version": version}
    numbers |= {"files": dict(files)} if files else {}
    return Block("how_to_read", section("How to read this", "", body, id="how-to-read") + foot, numbers)
