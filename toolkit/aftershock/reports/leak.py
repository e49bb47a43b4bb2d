"""The leak test: does a client's finished page, or a file beside it, hold anything that belongs only to other clients?

It reads the finished bytes: record keys, run ids, names of clients and of automations that other clients have and this one
has not; of the notebook what it says, not how an nbformat file is built. Where a page marks a key or a name as one
(`<bdi class="key">`), any length counts. In free text a word counts if it cannot be an ordinary one: several parts, a digit
beside letters, an underscore, an inner capital, or seven digits and more. Clients' ids count if they are such words
(`globex-eu`, not `week`); their names always count, as whole words. So `1001` or `Orders` in a sentence raises no alarm,
`GLX-1001` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aftershock.errors import LeakError

if TYPE_CHECKING:
    from aftershock.ledger.reader import Ledger

_PACKED: Final = re.compile(r'<script type="text/plain" id="plotly-gz">.*?</script>|<style>.*?</style>', re.DOTALL)
_MARKED: Final = re.compile(r'<bdi class="(?:key|name)">(.*?)</bdi>', re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOKEN: Final = re.compile(r"\w+")
_END: Final = object()


@dataclass(frozen=True)
class Foreign:
    """What only other clients have: `always` counts wherever it stands, `words` by the rules of this module."""

    always: frozenset[str] = field(default=frozenset())
    words: frozenset[str] = field(default=frozenset())


def foreign_to(ledger: Ledger, client: str) -> Foreign:
    """Everything in the ledger and the configuration that belongs to other clients and not to this one."""
    others = [other for other in ledger.project.clients if other.id != client]
    names = {other.name for other in others}
    mine = ledger.project.client(client)
    touches, runs = ledger.touches, ledger.runs
    words = {other.id for other in others if is_distinctive(other.id)}
    for table, column in ((touches, "entity_key"), (runs, "run_id"), (runs, "automation"), (runs, "correlation_id")):
        rows = (
            table.filter(table.client.notnull(), table[column].notnull())
            .select("client", word=table[column])
            .distinct()
        )
        of_others = rows.filter(rows.client != client).select("word").distinct()
        own = rows.filter(rows.client == client).select("word").distinct()
        words |= set(of_others.anti_join(own, "word").execute()["word"])
    shared = (
        ledger.runs.filter(ledger.runs.shared.fill_null(False)).select("automation").distinct().execute()["automation"]
    )
    return Foreign(
        frozenset(names - {mine.id, mine.name}), frozenset(words - set(shared.dropna()) - {mine.id, mine.name})
    )


def find_leaks(content: str, foreign: Foreign) -> list[str]:
    """The foreign words that a page or its report.json holds, sorted."""
    text = unescape(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), _PACKED.sub(" ", content)))
    marked = {unescape(_TAG.sub("", found)).strip() for found in _MARKED.findall(content)}
    found = marked & foreign.words
    free = [word for word in foreign.words if is_distinctive(word)]
    found |= set(_standing_in(text, [*free, *foreign.always]))
    return sorted(found)


def check_leaks(page: Path, client: str, foreign: Foreign) -> None:
    """Read a finished page and every file beside it: they move into the client's folder together. Raises `LeakError`."""
    found: dict[str, None] = {}
    for file in sorted(path for path in page.parent.rglob("*") if path.is_file()):
        content = file.read_text(encoding="utf-8", errors="replace")
        if file.name == "report.json":
            texts = set(_texts(json.loads(content)))
            found |= dict.fromkeys(sorted(texts & foreign.words))
            content = "\n".join(texts)
        elif file.suffix == ".ipynb":
            content = "\n".join(_texts(_said_in(json.loads(content))))
        found |= dict.fromkeys(find_leaks(content, foreign))
    if found:
        raise LeakError(page, client, list(found))


def is_distinctive(word: str) -> bool:
    """Whether a word standing in free text can hardly be there by chance."""
    if len(word) < 5:
        return False
    tokens = _TOKEN.findall(word)
    digits = sum(letter.isdigit() for letter in word)
    if word.isdigit():
        return digits >= 7
    letters = any(letter.isalpha() for letter in word)
    if not letters:
        return digits >= 7 and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", word)
    return len(tokens) > 1 or digits > 0 or "_" in word or bool(re.search(r"[a-z][A-Z]", word))


def _standing_in(text: str, words: Iterable[str]) -> Iterator[str]:
    """Words that stand in a text as a whole, without regard to case: one walk along the text, however many words.

    The words are a tree of their parts (`GLX`, `1001`); at every part of the text the walk goes down as far as the parts agree.
    """
    tree: dict[Any, Any] = {}
    for word in words:
        branch = tree
        for part in _TOKEN.findall(word.casefold()):
            branch = branch.setdefault(part, {})
        branch.setdefault(_END, []).append(word)
    tree.pop(_END, None)  # a word without any part matches nowhere
    folded = text.casefold()
    tokens = [(found[0], found.start()) for found in _TOKEN.finditer(folded)]
    for i, (_, start) in enumerate(tokens):
        node: Any = tree
        for j in range(i, len(tokens)):
            node = node.get(tokens[j][0])
            if node is None:
                break
            for word in node.get(_END, ()):
                lower = word.casefold()
                offset = _TOKEN.search(lower).start()  # type: ignore[union-attr]  # it has parts, else it were not in the tree
                if start >= offset and folded.startswith(lower, start - offset):
                    yield word


def _said_in(notebook: dict[str, Any]) -> list[Any]:
    """What stands in the cells of a notebook: sources, attachments and outputs, joined where the file has them in lines."""
    said: list[Any] = []
    for cell in notebook["cells"]:
        said += ["".join(cell["source"]), cell.get("attachments", {})]
        for output in cell.get("outputs", []):
            parts = output.get("data", {}).items()
            said += [(_joined(part) if mime.startswith("text/") else part) for mime, part in parts]
            said += [_joined(output.get("text", "")), output.get("evalue", ""), output.get("traceback", [])]
    return said


def _joined(text: Any) -> Any:
    return "".join(text) if isinstance(text, list) else text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
