"""The colours of pages and charts: one list, from which the style sheet, the charts and their dark form are derived.

Colour means something or is absent, and never speaks alone: shape, hatching or a word stands beside it. The hues are safe
for colour-blind readers (teal, amber, vermilion); text colours have a contrast of at least 4.5 to 1 on `paper` and `wash`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Colour:
    """A colour by its meaning, in light and in dark surroundings."""

    name: str
    light: str
    dark: str
    means: str


COLOURS: Final = (
    Colour("ink", "#15212b", "#e9eef2", "text"),
    Colour("soft", "#56636e", "#9dabb7", "text of second rank"),
    Colour("line", "#e2e6e9", "#2a343d", "hairlines"),
    Colour("paper", "#ffffff", "#11171d", "the page"),
    Colour("wash", "#f5f7f8", "#19212a", "a field that says nothing"),
    Colour("link", "#1c5c9e", "#84b8f1", "something to follow or unfold"),
    Colour("ok", "#17785f", "#5fc4aa", "fine; solid: saved by a retry"),
    Colour("ok-soft", "#cde5dd", "#1d4036", "fine"),
    Colour("partial", "#c98200", "#ebb34f", "a success with a failed step"),
    Colour("partial-ink", "#8a5800", "#ebb34f", "words about it"),
    Colour("partial-soft", "#f7e5c1", "#463511", "its field"),
    Colour("bad", "#bf3f26", "#f08467", "failed"),
    Colour("bad-soft", "#f6d8cf", "#4d251b", "its field, and bands around rates of failure"),
    Colour("none", "#8b96a0", "#6d7984", "no log, cannot tell"),
)
LIGHT: Final = {colour.name: colour.light for colour in COLOURS}
DARK: Final = {colour.name: colour.dark for colour in COLOURS}


def css_variables(colours: dict[str, str]) -> str:
    """`--ink:#15212b;--soft:...`"""
    return "".join(f"--{name}:{value};" for name, value in colours.items())
