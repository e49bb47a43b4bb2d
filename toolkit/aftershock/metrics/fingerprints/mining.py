"""From masked messages to templates: words that take many values in one place of an otherwise equal message are variables.

Messages of one *skeleton* (the same punctuation and number of words) are rows, their words columns. Two rows stand in one *context*
if they are equal but for one place, or but for two. What stands in the open places of a context is evidence that they are variables;
how much, says what it looks like. Where it suffices, the context becomes one row. Only more evidence ever follows from more messages:
what was together stays together.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

import numpy as np

from aftershock.masks import WILD

_WORD: Final = re.compile(r"(?:<\*>|[^\s=:,;()\[\]{}|\"'<>])+")
_JOINT: Final = re.compile(r"<\*>(?:[ ,;:|/\\#.@~+*&-]{0,3}<\*>)+")
_SPACES: Final = re.compile(r"\s+")
_IDENTIFIER: Final = re.compile(r"[._$@/\\~]|-.*-|[a-z][A-Z]|[^\x00-\x7f]")
_DOTTED: Final = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[\w$-]+){2,}")
"""A name of three parts or more: of a package, a class, a host, an application."""
# States, constants (`android.intent.action.SCREEN_ON`) and exceptions say what happened, however they are spelt.
_CAPITALS: Final = re.compile(r"(?:[\w$]+\.)*[A-Z][A-Z0-9_]+$|.*(?:Error|Exception|Failure|Fault)$")
_LETTER: Final = re.compile(r"[^\W\d_]")
_FIXED: Final = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off", "ok", "failed", "succeeded"})
_SLOTS: Final = frozenset({
    "user", "username", "account", "host", "hostname", "node", "server", "device", "file", "directory", "folder", "path", "bucket",
    "database", "schema", "table", "view", "column", "field", "attribute", "property", "parameter", "variable", "key", "job", "task",
    "step", "workflow", "pipeline", "dag", "flow", "queue", "topic", "customer", "tenant", "order", "invoice", "record",
})  # fmt: skip
"""Nouns after which a name follows: two names are enough there."""

_LEADS: Final = frozenset({"for", "by", "of", "named", "called", "="})
"""After these a name follows more often than not."""
_LONG: Final = 6
"""With so many constant words the rest of a sentence tells it, so that its first word may be the name of who speaks."""

_NEEDED: Final = {"slot": 2, "dotted": 2, "identifier": 2.5, "led": 4, "word": 5, "head": 16, "fixed": 16}
"""How many values of a kind make a place a variable: three identifiers, or two and a word. What a value looks like decides.

Chosen with excerpts of LogHub in view, and the same for every log."""
_ROUNDS: Final = 8


def mine(texts: Sequence[str]) -> list[str]:
    """The template of each masked text. The same set of texts gives the same, in whatever order and however often each stands."""
    current = {text: _SPACES.sub(" ", text).strip() for text in texts}
    for _ in range(_ROUNDS):
        found = _one_pass(sorted(set(current.values())))
        if all(text == template for text, template in found.items()):
            break
        current = {text: found[before] for text, before in current.items()}
    return [current[text] for text in texts]


def _one_pass(texts: Sequence[str]) -> dict[str, str]:
    skeletons: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for text in texts:
        words, gaps = split(text)
        skeletons[gaps].append((text, words))
    found: dict[str, str] = {}
    for gaps, rows in skeletons.items():
        if len(rows) == 1 or len(gaps) == 1:
            found |= {text: text for text, _ in rows}
            continue
        for (text, _), words in zip(rows, _close([words for _, words in rows], gaps), strict=True):
            woven = "".join(part for pair in zip(gaps, (*words, ""), strict=True) for part in pair)
            found[text] = _JOINT.sub(WILD, woven)
    return found


def split(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the words, what stands before each and after the last). A full stop after a word is no part of it."""
    words, gaps, at = [], [], 0
    for match in _WORD.finditer(text):
        word = match.group().rstrip(".!?") or match.group()
        gaps.append(text[at : match.start()])
        words.append(word)
        at = match.start() + len(word)
    return tuple(words), (*gaps, text[at:])


def _close(rows: list[tuple[str, ...]], gaps: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each row with its variables open, when no context holds any more evidence."""
    numbers = {WILD: 0}
    words = np.array([[numbers.setdefault(word, len(numbers)) for word in row] for row in rows], dtype=np.int64)
    vocabulary = list(numbers)
    width = words.shape[1]
    rng = np.random.default_rng(20_260_101)
    salt = rng.integers(1, 2**63 - 1, size=(width, len(numbers)), dtype=np.uint64)
    of_row = np.arange(len(rows))
    while len(words) > 1:
        evidence = _evidence(words, vocabulary, gaps)
        joined = _join(words, evidence, salt, 1)
        if joined is None:
            joined = _join(words, evidence, salt, 2)
        if joined is None:
            break
        of_row = joined[of_row]
        words = _common(words, joined)
    return [tuple(vocabulary[number] for number in words[place]) for place in of_row]


def _evidence(words: Any, vocabulary: list[str], gaps: tuple[str, ...]) -> Any:
    """For each word of each row, the share of the evidence that its being there gives."""
    out = np.zeros(words.shape)
    for at in range(words.shape[1]):
        spaced = at and gaps[at] == " "
        before = words[:, at - 1] if spaced else np.full(len(words), -1)
        pairs, inverse = np.unique(before * len(vocabulary) + words[:, at], return_inverse=True)
        lead = "=" if gaps[at] == "=" else ""
        kinds = [
            _share(vocabulary[b] if b >= 0 else lead, vocabulary[w])
            for b, w in (divmod(pair, len(vocabulary)) for pair in pairs.tolist())
        ]
        out[:, at] = np.asarray(kinds)[inverse]
    lettered = np.array([bool(_LETTER.search(word)) for word in vocabulary])[words]
    head = np.where(lettered.any(axis=1), lettered.argmax(axis=1), -1)
    rows = np.flatnonzero((head >= 0) & (words[np.arange(len(words)), head] != 0))
    dotted = np.array([bool(_DOTTED.match(word)) for word in vocabulary])[words[rows, head[rows]]]
    speaks = dotted & (((words != 0) & (out > 0)).sum(axis=1)[rows] > _LONG)
    rows = rows[~speaks]
    out[rows, head[rows]] = np.minimum(out[rows, head[rows]], 1 / _NEEDED["head"])
    return out


@lru_cache(maxsize=100_000)
def _share(before: str, word: str) -> float:
    return 1 / _NEEDED[kind] if (kind := _kind(before.lower(), word)) else float(word == WILD)


def _kind(before: str, word: str) -> str | None:
    """What a word looks like in its place; null for `<*>` and for signs."""
    if word == WILD or not _LETTER.search(word):
        return None
    if word.lower() in _FIXED or _CAPITALS.match(word):
        return "fixed"
    if before in _SLOTS:
        return "slot"
    if _IDENTIFIER.search(word):
        return "dotted" if _DOTTED.match(word) else "identifier"
    return "led" if before in _LEADS else "word"


def _join(words: Any, evidence: Any, salt: Any, open_places: int) -> Any:
    """The new row of each row where contexts with `open_places` open places join some, else null."""
    rows, width = words.shape  # a column without evidence over all rows has none in any context
    mixed = salt[np.arange(width), words]
    whole = mixed.sum(axis=1, dtype=np.uint64)
    constant = (words != 0) & (evidence > 0)
    able_columns = [
        at for at in range(width) if _told(np.zeros(rows, dtype=np.int64), words[:, at], evidence[:, at], 2)[0]
    ]
    pairs = [(at,) for at in able_columns] if open_places == 1 else list(combinations(able_columns, 2))
    edges: list[Any] = []
    for places in pairs:
        rest = constant.sum(axis=1) - constant[:, places].sum(axis=1)
        # A sentence is told by its words: under two there is none; with two places open, most must stay.
        enough = rest >= (2 if open_places == 1 else np.maximum(3, np.ceil(0.6 * constant.sum(axis=1))))
        able = np.flatnonzero(enough & (evidence[:, places] > 0).all(axis=1))
        if len(able) < 2:
            continue
        _, context = np.unique(whole[able] - mixed[able][:, places].sum(axis=1, dtype=np.uint64), return_inverse=True)
        told = np.ones(int(context.max()) + 1, dtype=bool)
        for place in places:
            told &= _told(context, words[able, place], evidence[able, place], open_places)
        told &= np.bincount(context) > 1
        kept = told[context]
        if kept.any():
            edges += _chains(able[kept], context[kept])
    return _components(rows, edges) if edges else None


def _told(context: Any, values: Any, shares: Any, open_places: int) -> Any:
    """Whether each context holds enough different values."""
    _, first = np.unique(context * (int(values.max()) + 1) + values, return_index=True)
    sums = np.bincount(context[first], weights=shares[first])
    different = np.bincount(context[first])
    return (sums > 1 - 1e-9) & ((different > 1) | (open_places == 2))


def _chains(rows: Any, context: Any) -> list[Any]:
    order = np.lexsort((rows, context))
    rows, context = rows[order], context[order]
    same = context[1:] == context[:-1]
    return [np.stack([rows[:-1][same], rows[1:][same]])]


def _components(count: int, edges: list[Any]) -> Any:
    """The number of each row's component; components are numbered by their first rows."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in np.unique(np.concatenate(edges, axis=1), axis=1).T.tolist():
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.unique([root(row) for row in range(count)], return_inverse=True)[1]


def _common(words: Any, group: Any) -> Any:
    """A row per group: the words that all its rows share, 0 (`<*>`) elsewhere."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    low, high = (pick.reduceat(words[order], starts, axis=0) for pick in (np.minimum, np.maximum))
    return np.where(low == high, low, 0)
