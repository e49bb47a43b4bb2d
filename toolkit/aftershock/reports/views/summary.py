"""The answer in three sentences, from the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftershock.reports.blocks.answer import Sentence
from aftershock.reports.blocks.markup import count, percent
from aftershock.reports.views.records import Arrived

if TYPE_CHECKING:
    from aftershock.metrics.proportions.failure_rates import FailureRates
    from aftershock.metrics.proportions.silent import SilentFailures


def sentences_of(
    after_retries: FailureRates,
    silent: SilentFailures,
    arrived: Arrived | None,
    *,
    hollow: int,
    covered: float | None,
    word: str,
    things: int,
) -> tuple[list[Sentence], str]:
    """(the headline's sentences, the one below).

    `hollow`: how many of `after_retries` ended as a success with a failed step; `word`: week, month, day; `things`: how many
    need attention.
    """
    headline = [_runs(after_retries, covered, word, hollow, flawless=not (hollow or silent.silent))]
    if covered:
        headline.append(_records(arrived))
    lead = []
    if silent.silent:
        verb = "was" if silent.silent == 1 else "were"
        lead.append(f"{count(silent.silent, 'run')} that said success {verb} none: a step inside failed.")
    if covered:
        lead.append(_attention(things))
    lead.append(_coverage(covered, word))
    return headline, " ".join(part for part in lead if part)


def _runs(rates: FailureRates, covered: float | None, word: str, hollow: int, *, flawless: bool) -> Sentence:
    """`flawless`: no run said success that was none; only then those that did not fail have succeeded."""
    if not covered:
        return Sentence(f"We cannot tell how this {word} went: no log covers it.")
    if not rates.n:
        return Sentence(f"No run ended in this {word}, as far as the logs reach.")
    ended = "succeeded" if flawless else "ended without a failure"
    if rates.n == 1 and not rates.failures:
        return Sentence(f"The one run in the logs {ended}{', but only on the surface' if hollow else ''}.")
    surface = f", {hollow:,} of them only on the surface" if hollow else ""
    if not rates.failures:
        return Sentence(f"All {rates.n:,} runs in the logs {ended}, retries included{surface}.")
    return Sentence(f"{rates.n - rates.failures:,} of {rates.n:,} runs {ended}, retries included{surface}.")


def _records(arrived: Arrived | None) -> Sentence:
    if arrived is None:
        return Sentence("Whether the data is in step we cannot tell: nothing says which records should go where.")
    many = f"{arrived.entity}s"
    if not arrived.n:
        why = (
            f"the logs that would say are missing for {arrived.cannot_tell:,} {many}"
            if arrived.cannot_tell
            else f"the logs name no {many}"
        )
        return Sentence(f"Whether the data is in step we cannot tell: {why}.")
    if not arrived.late and not arrived.missing:
        return Sentence(
            f"All {arrived.n:,} {many} that can be judged are in step."
            if arrived.unclear
            else f"All {arrived.n:,} {many} are in step."
        )
    parts = []
    if arrived.missing:
        parts.append(f"{arrived.missing:,} {'is' if arrived.missing == 1 else 'are'} missing along the way")
    if arrived.late:
        parts.append(f"{arrived.late:,} came late")
    of = f"Of {arrived.n:,} {many}" if arrived.n > 1 else f"The one {arrived.entity} in the logs"
    text = (
        f"{of}, {' and '.join(parts)}."
        if arrived.n > 1
        else f"{of} {'is missing along the way' if arrived.missing else 'came late'}."
    )
    return Sentence(text, "bad" if arrived.missing else "partial")


def _attention(things: int) -> str:
    if not things:
        return "Nothing in the logs needs attention."
    return (
        "One thing needs attention." if things == 1 else f"{_spelled(things)} things need attention, worst first below."
    )


def _coverage(covered: float | None, word: str) -> str:
    if not covered:
        return "Take in the exports of that time, and this page can say."
    if covered > 0.9995:
        return f"The logs cover the whole {word}."
    return f"The logs cover {percent(covered)} of the {word}; for the rest we cannot tell."


def _spelled(n: int) -> str:
    words = ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return words[n] if n < len(words) else f"{n:,}"
