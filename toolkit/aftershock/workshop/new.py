"""`aftershock adapter new`: an adapter that works at once, with every guess marked as one."""

from __future__ import annotations

import keyword
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftershock.adapters.base import StatusTable
from aftershock.adapters.registry import adapters
from aftershock.errors import AdapterError
from aftershock.workshop.shape import ColumnShape, Shape, shape_of

GUESS: Final = "GUESS"
"""Marks what was guessed; `aftershock adapter check` counts the marks that are left."""

_WORDS: Final = {
    "true": "succeeded", "false": "failed", "ok": "succeeded", "done": "succeeded", "passed": "succeeded", "finished": "succeeded",
    "complete": "succeeded", "completed": "succeeded", "error": "failed", "aborted": "cancelled", "killed": "crashed", "0": "succeeded",
}  # fmt: skip
"""Words that tools use whose adapters are not here."""
_MEANINGS: Final = (
    ("native_id", r"^(?:run|execution|job|build|process|task|flow|batch|order)?[_. ]?(?:id|uuid|guid|key|no|nr|number|handle)$"),
    ("native_id", r"id$|uuid|guid|number|ref(?:erence)?$|(?:^|[_. -])(?:nr|no|key|code)$"),
    ("status_raw", r"^(?:run|job|execution)?[_. ]?(?:status|state|result|outcome|conclusion|verdict|phase)$"),
    ("status_raw", r"status|state|result|outcome|success|verdict"),
    ("automation", r"^(?:workflow|job|flow|pipeline|scenario|recipe|dag|process|automation|task|bot|zap|schedule)[_. ]?(?:name|title)?$"),
    ("automation", r"(?:workflow|job|flow|pipeline|process|task).*name|^name$|^title$|gate|queue"),
    ("queued_at", r"queued|requested|scheduled|created"),
    ("started_at", r"start|begin|began|entered|opened"),
    ("ended_at", r"end|finish|stop|complet|closed|left"),
    ("updated_at", r"updated|modified|changed"),
    ("duration_s", r"duration|elapsed|runtime|seconds"),
    ("error_message", r"error|exception|reason|failure|message"),
    ("attempt", r"attempt|tries|try_?number"),
    ("trigger", r"trigger|event|source|cause|mode"),
    ("version", r"version|revision|commit|sha$"),
    ("items_in", r"(?:rows|items|records)[_. ]?(?:in|read)"),
    ("items_out", r"(?:rows|items|records)[_. ]?(?:out|written)"),
)  # fmt: skip
"""Canonical columns and what the columns that hold them tend to be called; the first that fits, by this order."""
_TIMES: Final = frozenset({"queued_at", "started_at", "ended_at", "updated_at"})
_WHOLE: Final = frozenset({"attempt", "items_in", "items_out"})


@dataclass(frozen=True)
class Made:
    """The files that were written, and what was guessed: canonical column -> the samples' column."""

    module: Path
    samples: tuple[Path, ...]
    guesses: dict[str, str]
    n: int


def new_adapter(name: str, files: Sequence[Path], *, modules: Path, samples: Path) -> Made:
    """Write `modules/<name>.py` from samples, and copy these into `samples/<name>/`.

    Raises: `AdapterError` for a name that cannot be one or is taken; `UnreadableFileError` for samples without a common shape;
    `FileNotFoundError`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise AdapterError(name, "name", "must be a Python name in small letters, such as acme_jobs")
    module, folder = modules / f"{name}.py", samples / name
    if name in adapters() or module.exists():
        raise AdapterError(name, "name", f"is taken; there is {module} or an adapter of this name")
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file")
    shape = shape_of(files)
    guesses = guess(shape)
    folder.mkdir(parents=True, exist_ok=True)
    copies = tuple(Path(shutil.copyfile(file, folder / file.name)) for file in files)
    source = folder / "SOURCE.md"
    if not source.exists():
        told = "\n".join(f"- `{file.name}`:" for file in files)
        source.write_text(
            f"# {name}\n\n{GUESS} Where each sample is from, which version wrote it, and what really happened:\n\n{told}\n"
        )
    modules.mkdir(parents=True, exist_ok=True)
    module.write_text(_module(name, shape, guesses), encoding="utf-8")
    return Made(module, copies, {meaning: column.name for meaning, column in guesses.items()}, shape.n)


def guess(shape: Shape) -> dict[str, ColumnShape]:
    """Which column seems to hold what. A column has one meaning at most; an id must be different in every record."""
    found: dict[str, ColumnShape] = {}
    for meaning, pattern in _MEANINGS:
        if meaning in found:
            continue
        fits = [
            column
            for column in shape.columns
            if column not in found.values()
            and re.search(pattern, _spaced(column.name), re.IGNORECASE)
            and _can_be(meaning, column, shape.n)
        ]
        if fits:
            found[meaning] = fits[0]
    return {
        meaning: found[meaning] for meaning in dict.fromkeys(meaning for meaning, _ in _MEANINGS) if meaning in found
    }


def _spaced(name: str) -> str:
    """`run_id` of `runId` and `Run ID`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\s+", "_", name).lower()


def _can_be(meaning: str, column: ColumnShape, n: int) -> bool:
    if meaning == "native_id":
        return column.distinct == n and column.type in ("VARCHAR", "BIGINT")
    if meaning == "status_raw":
        return column.type in ("VARCHAR", "BOOLEAN", "BIGINT") and 0 < column.distinct <= 20
    if meaning in _TIMES:
        return column.type == "TIME"
    if meaning in _WHOLE:
        return column.type == "BIGINT"
    if meaning == "duration_s":
        return column.type in ("BIGINT", "DOUBLE")
    if meaning == "automation":
        return column.type == "VARCHAR" and (column.distinct < column.filled or n <= 2)
    return column.type == "VARCHAR"


def known_words() -> dict[str, str]:
    """The status words of all adapters, and what most of them mean by each."""
    votes: dict[str, Counter[str]] = {}
    for adapter in adapters().values():
        for raw, ours in adapter.status.words.items():
            if raw and "|" not in raw:
                votes.setdefault(raw, Counter())[ours] += 1
    return {**_WORDS, **{word: counted.most_common()[0][0] for word, counted in sorted(votes.items())}}


def _module(name: str, shape: Shape, guesses: dict[str, ColumnShape]) -> str:
    parts = [
        f'"""{name}: {GUESS} which endpoint, command or file of the vendor this is.\n\nWhat it tells, what it leaves out, what is special.\n"""',
        _imports(shape),
        f'TOOL = "{name}"\nDOCS = "https://"  # {GUESS} the vendor\'s page about it',
        _fidelity(guesses),
        _status(guesses),
        *_reader(shape),
        _select(guesses, shape),
        _exports(shape, guesses),
    ]
    head, imports, tool, fidelity, status, *rest = parts
    return (
        "\n\n".join([head, imports, f"{tool}\n{fidelity}\n{status}"]) + "".join(f"\n\n\n{part}" for part in rest) + "\n"
    )


def _imports(shape: Shape) -> str:
    from_base = "TIME, Export, Fidelity, StatusTable" if _has_times(shape) else "Export, Fidelity, StatusTable"
    ours = [f"from aftershock.adapters.base import {from_base}"]
    lines: list[str] = []
    if shape.form in ("xml", "sqlite", "text"):
        lines = ["from collections.abc import Iterator, Mapping", "from pathlib import Path", "from typing import Any"]
        ours = [f"from aftershock.adapters.base import {from_base.replace('Fidelity', 'Fidelity, RecordError')}"]
    if shape.form == "xml":
        ours.insert(0, "from aftershock.adapters._xml import each, local_name")
        lines.append("from xml.etree.ElementTree import Element")
    if shape.form == "sqlite":
        lines.insert(0, "import sqlite3")
    if shape.form == "text":
        ours = [one.replace("Export, ", "Export, ").replace("RecordError, ", "RecordError, Sample, ") for one in ours]
    return "\n".join([*sorted(lines, key=lambda line: line.startswith("from")), *([""] if lines else []), *ours])


def _has_times(shape: Shape) -> bool:
    return any(column.type == "TIME" for column in shape.columns)


def _fidelity(guesses: dict[str, ColumnShape]) -> str:
    facts = {
        "attempts": "attempt" in guesses, "steps": False, "items": bool({"items_in", "items_out"} & set(guesses)),
        "trigger": "trigger" in guesses, "versions": "version" in guesses, "parents": False, "keys": True,
    }  # fmt: skip
    body = "\n".join(f"    {fact}={value}," for fact, value in facts.items())
    return (
        f'FIDELITY = Fidelity(  # {GUESS} what such a file can tell at all, not what it tells today\n{body}\n    evidence="captured",\n'
        f'    retention="unknown",  # {GUESS} how long the tool keeps its history\n    inferred="nothing",\n)'
    )


def _status(guesses: dict[str, ColumnShape]) -> str:
    known = known_words()
    words = guesses["status_raw"].values if "status_raw" in guesses else ()
    lines = []
    for word in words:
        lines.append(f"        {_text(word)}: {_text(known.get(StatusTable.key(word), 'unknown'))},  # {GUESS}")
    body = "\n".join(lines) or f"        # {GUESS} no column looks like a status"
    return f"STATUS = StatusTable(\n    {{\n{body}\n        # {GUESS} the other words of the vendor's list\n    }}\n)"


def _reader(shape: Shape) -> list[str]:
    if shape.form == "xml":
        return [
            f'''def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each `{shape.element}`."""
    return each(path, ("{shape.element}",), _record)


def _record(element: Element) -> Mapping[str, Any]:
    return {{**{{local_name(child.tag): (child.text or "").strip() or None for child in element}}, **element.attrib}}'''
        ]
    if shape.form == "sqlite":
        return [
            f'''def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The rows of the table `{shape.table}`. `path` is a private copy."""
    connection = sqlite3.connect(f"file:{{path}}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield from map(dict, connection.execute('select * from "{shape.table}"'))
    finally:
        connection.close()'''
        ]
    if shape.form == "text":
        return [
            f'''def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """{GUESS} a record for each line. Fold the lines of one run into one record here, and give it an id."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield {{"line": line.rstrip()}}


def _is_ours(sample: Sample) -> bool:
    """{GUESS} by what the beginning of such a file is told from all other logs."""
    return sample.text.startswith("...")'''
        ]
    return []


def _select(guesses: dict[str, ColumnShape], shape: Shape) -> str:
    if "native_id" not in guesses:
        return (
            f"# {GUESS} no column is different in every record: what tells one run from another?\n"
            '_SET_ASIDE = """\nselect place, \'not mapped yet\' as reason from records\n"""'
        )
    columns = []
    for meaning, column in guesses.items():
        value = _quoted(column.name)
        if meaning in ("native_id", "status_raw") and column.type != "VARCHAR":
            value = f"{value}::VARCHAR"
        columns.append(f"{value} as {_quoted(meaning) if meaning == 'trigger' else meaning}")
    used = {column.name for column in guesses.values() if column.type != "JSON"}
    rest = [column.name for column in shape.columns if column.name not in used and column.type != "TIME"]
    pairs = ", ".join("'" + name.replace("'", "''") + "', " + _quoted(name) for name in rest)
    columns.append(f"json_object({pairs}) as payload" if rest else "null as payload")
    body = ",\n       ".join(columns)
    return f'# {GUESS} what each column means. `payload` is where business keys and clients are looked for.\n_RUNS = """\nselect place, {body}\nfrom records\n"""'


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _exports(shape: Shape, guesses: dict[str, ColumnShape]) -> str:
    columns = "\n".join(
        f"            {_text(column.name)}: {'TIME' if column.type == 'TIME' else _text(column.type)},"
        for column in shape.columns
    )
    requires = [column.name for column in shape.columns if column.filled == shape.n][:6] or [shape.columns[0].name]
    lines = [f'        name="runs",\n        form="{shape.form}",']
    if shape.form == "text":
        lines.append("        claims=_is_ours,")
    elif shape.form == "xml":
        lines.append(
            f"        requires=frozenset({{{_text(shape.root)}}}),  # {GUESS} the root element; add `claims` if others have it"
        )
    elif shape.form == "sqlite":
        lines.append(
            f"        requires=frozenset({{{_text(shape.table)}}}),  # {GUESS} the tables that make it unmistakable"
        )
    else:
        names = ", ".join(_text(name) for name in requires)
        lines.append(
            f"        # {GUESS} the fewest names that make it unmistakable\n        requires=frozenset({{{names}}}),"
        )
    if shape.records:
        lines.append(f"        records={_text(shape.records)},")
    if shape.form in ("xml", "sqlite", "text"):
        lines.append("        reader=read,")
    select = '{"runs": _RUNS}' if "native_id" in guesses else '{"set_aside": _SET_ASIDE}'
    body = "\n".join(lines)
    return f"EXPORTS = (\n    Export(\n{body}\n        columns={{\n{columns}\n        }},\n        select={select},\n    ),\n)"


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
