"""The answer, in sentences, before anything else: a reader on a phone can stop here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from aftershock.reports.blocks.markup import Block, join


@dataclass(frozen=True)
class Sentence:
    """One sentence; `tone` colours it where it means something."""

    text: str
    tone: Literal["", "bad", "partial"] = ""


def answer(headline: Sequence[Sentence], lead: str) -> Block:
    """The headline's sentences as one h1, and the sentence below it."""
    parts = [
        Markup('<span class="{}">{}</span>').format(sentence.tone, sentence.text) if sentence.tone else sentence.text
        for sentence in headline
    ]
    html = Markup('<h1>{}</h1><p class="lead">{}</p>').format(join(parts, " "), lead)
    return Block("answer", html, {"headline": [sentence.text for sentence in headline], "lead": lead})
