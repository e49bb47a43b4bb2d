"""Robot Framework: `output.xml` of any version (schemas 2 to 5, also `--legacyoutput`) and `output.json` (7.2 and later).

A run is a task (or test): it has the tags (`client:acme`, `order_id:…`), is run again by `--rerunfailed` and passes or fails. Its steps are its
topmost keywords and control structures with setup and teardown; what lies deeper is searched for keys. Failures that a keyword caught stay FAIL
in the tree of keywords and are no failed steps, but where it ignores errors (`Run Keyword And Ignore Error`, `... And Warn On Failure`): then the task
is `partial`. `Wait Until Keyword Succeeds` gives a step with attempts, a FOR loop one with `items_in` and `items_out`.

FAIL is not always a failure: with the tag `robot:exit` the task never ran (`--exitonfailure`, a fatal error, a signal); the task that a signal struck is
`cancelled`. PASS is not always a success: of a `--dryrun` every task is a `test`. Tasks whose suite setup failed did not run and have failed.

There are no ids: a run is the full name of its task and the millisecond it began, so output.xml, output.json and what `rebot` made of
them tell of one run, and a task that was executed again is another. `rebot --merge` keeps of the first execution only its message: the two are not linked.
Times are local to the machine (`time_zone`). A killed Robot Framework leaves a file that breaks off: whole tasks of the XML are taken in; in JSON
the names of suites stand behind their tasks and are lost with the end. The report of `--xunit` is read by the `junit` adapter and knows no time of a task,
so it gives other runs: take in one of them.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters._robot import Node, Task, metadata_of_xml, task_of_xml, tasks_of_json
from aftershock.adapters._xml import local_name, walk
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "robot"
DOCS = "https://robotframework.org/robotframework/latest/RobotFrameworkUserGuide.html#output-file"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as long as the output file is not written over",
    inferred="ids, from name and start; cancelled and timed_out from messages; dry runs from keywords none of which ran",
)

STATUS = StatusTable(
    {
        "PASS": "succeeded",
        "FAIL": "failed",
        "SKIP": "skipped",
        "NOT RUN": "skipped",
        "NOT SET": "unknown",
        ("FAIL", "robot:exit"): "skipped",
        ("FAIL", "terminated by signal"): "cancelled",
        ("FAIL", "timeout"): "timed_out",
        ("PASS", "error ignored"): "partial",
    }
)

_IGNORES: Final = ("run keyword and ignore error", "run keyword and warn on failure")
_TIMEOUT: Final = re.compile(r"(?:Test|Task|Keyword) timeout .{1,60} exceeded\.")
_SIGNAL: Final = "Execution terminated by signal"
_NEW_MESSAGE: Final = re.compile(r"New message:</span> ?(.*?)(?:<br>)?<hr>", re.S)
_ERROR_TYPE: Final = re.compile(
    r"(?m)^(?:\d+\) )?((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Timeout|Interrupt|Failed|Failure|Warning)): "
)
_DRY: Final = frozenset(
    {"no operation", "import library", "import resource", "import variables", "set tags", "remove tags"}
)


def read_xml(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each task of an output.xml."""
    names: list[str] = []
    sources: list[str | None] = []
    open_tasks: list[list[Task]] = []
    tasks: list[Task | RecordError] = []
    for seen in walk(path, frozenset({"suite"}), frozenset({"test", "task"})):
        if isinstance(seen, RecordError):
            tasks.append(seen)
        elif seen.event == "open":
            if names and not seen.above:  # the output before broke off
                yield from _records(tasks)
                names, sources, open_tasks, tasks = [], [], [], []
            names.append(seen.element.get("name") or "")
            sources.append(seen.element.get("source"))
            open_tasks.append([])
        elif seen.event == "close":
            metadata = metadata_of_xml(seen.element)
            inside = open_tasks.pop()
            for task in inside:
                task.metadata = {**metadata, **task.metadata}
            if open_tasks:
                open_tasks[-1] += inside
            names.pop()
            sources.pop()
            if not names:  # a further output in the same file has its own ids
                yield from _records(tasks)
                tasks = []
        else:
            try:
                task = task_of_xml(seen.element, tuple(names), sources[-1] if sources else None)
            except (ValueError, RecursionError) as error:
                tasks.append(RecordError(f"cannot be read: {error}", seen.element.get("name") or ""))
                continue
            tasks.append(task)
            if open_tasks:
                open_tasks[-1].append(task)
    yield from _records(tasks)


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each task of an output.json."""
    for result in values(path):
        if isinstance(result, CutOff):
            yield RecordError(
                "breaks off or is no JSON, and the names of the suites are at its end", result.text[:2000]
            )
        elif isinstance(result, dict):
            yield from _records(list(tasks_of_json(result)))
        else:
            yield RecordError("is no result", str(result)[:2000])


def _records(tasks: Sequence[Task | RecordError]) -> Iterator[Mapping[str, Any] | RecordError]:
    is_dry = _is_dry_run([task for task in tasks if isinstance(task, Task)])
    taken: dict[str, int] = {}
    digest = ""
    for task in tasks:
        if isinstance(task, RecordError):
            yield task
            continue
        if not task.start and not digest:
            told = [(one.full_name, one.status, one.message, one.seconds) for one in tasks if isinstance(one, Task)]
            digest = hashlib.sha256(repr(told).encode(errors="replace")).hexdigest()[:12]
        # whole milliseconds: older files have no more, and `rebot` cuts them off
        native = f"{task.full_name}@{task.start[:23] if task.start else '#' + digest}"
        taken[native] = taken.get(native, 0) + 1
        yield _record(task, native if taken[native] == 1 else f"{native} ({taken[native]})", is_dry)


def _record(task: Task, native_id: str, is_dry: bool) -> Mapping[str, Any]:
    message = _plain(task.message)
    steps = _steps(task)
    swallowed = next((step for step in steps if step["words"] == ["PASS", "error ignored"]), None)
    words = [task.status]
    if task.status == "FAIL":
        if "robot:exit" in task.tags:
            words.append("robot:exit")
        elif _SIGNAL in (message or ""):
            words.append("terminated by signal")
        elif _TIMEOUT.search(message or ""):
            words.append("timeout")
    has_error = task.status in ("FAIL", "SKIP")
    error = message if has_error else swallowed["error_message"] if swallowed else None
    kind = _ERROR_TYPE.search(error or "")
    return {
        "native_id": native_id,
        "automation": task.full_name,
        "words": words,
        "role": "test" if is_dry else "work",
        "start": task.start,
        "end": task.end,
        "seconds": task.seconds,
        "error_type": kind[1] if kind and task.status != "SKIP" else None,
        "error_message": error,
        "tags": task.tags,
        "payload": {"name": task.name, "tags": task.tags, "metadata": task.metadata, "message": message},
        "steps": steps,
    }


def _steps(task: Task) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    counted: dict[str, int] = {}
    for node in task.nodes:
        tries = _tries(node)
        name = tries[-1].name or node.kind.upper()
        key = f"{node.kind}: {name}" if node.kind in ("setup", "teardown") else name
        place = counted[key] = counted.get(key, -1) + 1
        for number, one in enumerate(tries, start=1):
            loops = [child for child in one.children if child.kind == "iter" and child.status != "NOT RUN"]
            steps.append(
                {
                    "key": key, "map_index": place, "name": name, "kind": node.kind,
                    "system": one.owner if one.owner != "BuiltIn" else None,
                    "attempt": number, **_outcome(one),
                    "start": one.start, "end": one.end, "seconds": one.seconds,
                    "items_in": len(loops) or None,
                    "items_out": sum(child.status == "PASS" for child in loops) if loops else None,
                    "payload": one.searched() or None,
                }
            )  # fmt: skip
    return steps


def _tries(node: Node) -> list[Node]:
    """The executions of the keyword that `Wait Until Keyword Succeeds` repeats; else the node itself."""
    if node.name.casefold().endswith("wait until keyword succeeds"):
        again = [child for child in node.children if child.kind == "keyword"]
        if again and len({child.name for child in again}) == 1:
            return again
    return [node]


def _outcome(node: Node) -> dict[str, Any]:
    """Status and error of a step; of one that passed, the error that it ignored."""
    message, words = _plain(node.message), [node.status]
    if node.status == "FAIL" and _SIGNAL in (message or ""):
        words.append("terminated by signal")
    elif node.status == "FAIL" and _TIMEOUT.search(message or ""):
        words.append("timeout")
    elif node.status == "PASS":
        message = None
        ignored = next((bad for one in node.below() if one.name.casefold().split(".")[-1] in _IGNORES
                        for bad in one.children if bad.status == "FAIL"), None)  # fmt: skip
        if ignored:
            words.append("error ignored")
            message = _plain(ignored.message) or "an error was ignored"
    kind = _ERROR_TYPE.search(message or "")
    bad = node.status in ("FAIL", "PASS")
    return {"words": words, "error_type": kind[1] if kind and bad else None, "error_message": message if bad else None}


def _is_dry_run(tasks: Sequence[Task]) -> bool:
    """Whether tasks passed while not one keyword ran."""
    has_keywords = False
    for task in tasks:
        for node in task.nodes:
            for one in node.below():
                if one.kind != "keyword" or any(child.kind != "message" for child in one.children):
                    continue
                if one.status == "NOT RUN":
                    has_keywords = has_keywords or task.status == "PASS"
                elif one.status == "PASS" and one.name.casefold() not in _DRY:
                    return False
    return has_keywords


def _plain(message: str | None) -> str | None:
    """A message as plain text; of a merged one what the last execution said."""
    if not message or not message.startswith("*HTML*"):
        return message
    if "re-executed" in message or "merged" in message:
        new = _NEW_MESSAGE.search(message)
        message = new[1] if new else ""
    text = re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>", "\n", message.removeprefix("*HTML*")))
    return html.unescape(text).strip() or None


def _is_output(sample: Sample) -> bool:
    return local_name(sample.root) == "robot"


def _is_result(value: Mapping[str, Any]) -> bool:
    suite = value["suite"]
    if not isinstance(suite, dict):
        return False
    generator = str(value.get("generator") or "")
    return generator.startswith(("Robot ", "Rebot ")) or str(suite.get("id") or "") == "s1"


_COLUMNS: Final = {
    "native_id": "VARCHAR",
    "automation": "VARCHAR",
    "words": "VARCHAR[]",
    "role": "VARCHAR",
    "start": TIME,
    "end": TIME,
    "seconds": "DOUBLE",
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "tags": "VARCHAR[]",
    "payload": "JSON",
    "steps": 'STRUCT("key" VARCHAR, map_index INTEGER, "name" VARCHAR, kind VARCHAR, system VARCHAR, attempt INTEGER, words VARCHAR[],'
    ' "start" VARCHAR, "end" VARCHAR, seconds DOUBLE, items_in BIGINT, items_out BIGINT, error_type VARCHAR, error_message VARCHAR, payload VARCHAR)[]',
}
_SELECT: Final = {
    "runs": """
select place, native_id, automation as automation_native_id, automation, role, words as status_raw, "start" as started_at, "end" as ended_at,
       seconds as duration_s, error_type, error_message, tags, payload, coalesce("end", "start") as updated_at
from records
""",
    "steps": """
with steps as (select place, native_id, coalesce("end", "start") as changed_at, unnest(steps) as step from records)
select place, native_id, step.key as key, step.name as name, step.kind as kind, step.system as system, step.attempt as attempt,
       step.map_index as map_index, step.words as status_raw, as_time(step."start") as started_at, as_time(step."end") as ended_at,
       step.seconds as duration_s, step.items_in as items_in, step.items_out as items_out, step.error_type as error_type,
       step.error_message as error_message, step.payload as payload, changed_at as updated_at
from steps
""",
}

EXPORTS = (
    Export(name="output.xml", form="xml", claims=_is_output, reader=read_xml, columns=_COLUMNS, select=_SELECT),
    Export(
        name="output.json",
        form="json",
        requires=frozenset({"suite"}),
        one_of=frozenset({"generator", "statistics"}),
        where=_is_result,
        reader=read_json,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)
