"""Ansible: what `ansible-playbook` wrote, by three ways, and what AWX kept of it.

- `ANSIBLE_STDOUT_CALLBACK=ansible.posix.json`: one JSON document for each playbook, printed when it ends. The best source.
- `ansible.posix.jsonl`: one event a line, as they happen.
- AWX and the Automation Platform: `GET /api/v2/jobs/` and `/api/v2/unified_jobs/`, one job, `/api/v2/jobs/<n>/job_events/`.
- Text: the file of `log_path` (`ANSIBLE_LOG_PATH`), in which any number of runs follow one another, and the screen output of the
  default callback, also with `-v`, `profile_tasks` and YAML results. JUnit XML of Ansible's callback is read by the `junit` adapter.

A run is one playbook of a command; a step is a task on a host, with `system` the host. Steps that failed and were ignored or rescued stay
failed steps: such a playbook is `partial`. Only the sums at the end say whether a run failed (`unreachable` wins, as in the exit code);
of two playbooks in one command the second repeats the first, its tasks (JSON) and its sums, which is taken out here.
`until:` gives attempts of a step; of exhausted ones Ansible counts one less than it made. A loop is one step with `items_in` and `items_out`.
A check mode run (`--check`) is a test, where some result says so.

What cannot be told: the same run written as JSON and as text are two runs, for they share no id; take in one of them. Screen output
has no times (but with profile_tasks) and no ids, so two runs with the very same output are one. Text without `-v` does not name the playbook: its first
play names it. Times in `log_path` are local to the machine (`time_zone`). With `json`, a step ends when its task's last host was done. A
playbook that was killed leaves nothing (`json`) or no end (`jsonl`, text), and reads as running for ever; one that could not be parsed
leaves its error on stderr alone, which is taken in as text without a time. Trigger, version and parent are known to AWX alone; of a job that
was relaunched it does not say which one it repeats.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._ansible import INTERRUPTED, MOST_TEXT, Playbook, Result, Stats, base_name
from aftershock.adapters._ansible_text import Reader, explain, is_text
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "ansible"
DOCS = "https://docs.ansible.com/ansible/latest/collections/ansible/posix/json_callback.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="as long as the log file or the kept output",
    inferred="the ids of text, from process and first line; earlier attempts from their number; check mode from what results say",
)

_AWX: Final = {
    "new": "queued",
    "pending": "queued",
    "waiting": "queued",
    "running": "running",
    "successful": "succeeded",
    "failed": "failed",
    "error": "crashed",  # AWX could not run it, or lost it
    "canceled": "cancelled",
}
STATUS = StatusTable(
    {
        # The sums at the end, in the order in which the exit code heeds them.
        "unreachable": "failed",  # exit 4
        "failures": "failed",  # exit 2
        "ok": "succeeded",
        "no hosts matched": "skipped",  # exit 0
        # no sums
        "interrupted": "cancelled",  # exit 99
        "error": "failed",  # no play began: exit 4 or 1
        "no stats": "running",
        # results of a task on a host
        "changed": "succeeded",
        "skipped": "skipped",
        "failed": "failed",
        "timed out": "timed_out",
        "retried": "failed",
        # AWX's words for a job
        **{("awx", word): ours for word, ours in _AWX.items()},
        ("awx", "failed", "timeout"): "timed_out",
    }
)

_NOT_SEARCHED: Final = (
    "ansible_facts",
    "invocation",
    "exception",
    "_ansible_no_log",
    "stdout_lines",
    "stderr_lines",
    "diff",
)


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A run for each document of the `json` callback."""
    known: set[str] = set()
    before: Stats = {}
    text = _Text()
    for value in _values(path, text):
        if isinstance(value, RecordError):
            yield value
        elif not isinstance(value.get("plays"), list):
            yield RecordError("is no output of the json callback", json.dumps(value)[:2000], field="plays")
        else:
            plays = [play for play in value["plays"] if isinstance(play, dict)]
            ids = {_play_id(play) for play in plays}
            if ids and ids <= known:  # the same document once more
                known, before = set(), {}
            goes_on = bool(known & ids)  # a further playbook of the same command repeats those before it
            new = [play for play in plays if _play_id(play) not in known]
            book = _of_document(new, value, text)
            book.before = before if goes_on else {}
            yield book.record()
            known, before = (known | ids if goes_on else ids), book.stats or {}
    yield from text.left_over()


def _of_document(plays: list[dict[str, Any]], document: Mapping[str, Any], text: _Text) -> Playbook:
    book = Playbook(
        stats=_stats(document.get("stats")), custom=[document.get("custom_stats"), document.get("global_custom_stats")]
    )
    for play in plays:
        about = _dict(play.get("play"))
        _begin(book, about)
        tasks = play.get("tasks")
        for task in tasks if isinstance(tasks, list) else []:
            for host, result in _dict(_dict(task).get("hosts")).items():
                about_task = _dict(task.get("task"))
                _add(book, about_task, str(host), _dict(result), _word(_dict(result)), None)
        ended = _dict(about.get("duration")).get("end")
        book.ended = book.last = ended or book.ended
    if not book.native_id:
        book.native_id = "#" + hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]
    if text.take_interruption():
        book.is_interrupted, book.error = True, INTERRUPTED
    return book


def read_lines(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A run for each stretch of events of the `jsonl` callback up to its statistics."""
    text = _Text()
    book: Playbook | None = None
    before: tuple[str, Stats] = ("", {})
    for event in _values(path, text):
        if isinstance(event, RecordError):
            yield event
            continue
        name, at = str(event.get("_event") or ""), event.get("_timestamp")
        if book is None:
            book = Playbook(started=at)
        book.last = at or book.last
        if name == "v2_playbook_on_play_start":
            about = _dict(event.get("play"))
            if _is_of_another(book, about, text):  # which never came to its statistics
                yield _named(book).record()
                book = Playbook(started=at, last=at)
            _begin(book, about)
            process = str(about.get("id") or "").rpartition("-")[0]
            book.before = before[1] if process and process == before[0] else book.before
            before = (process, before[1]) if process == before[0] else (process, {})
        elif name.startswith("v2_runner_"):
            task = _dict(event.get("task"))
            for host, result in _dict(event.get("hosts")).items():
                told = name.removeprefix("v2_runner_").removeprefix("item_").removeprefix("on_")
                if told in ("ok", "failed", "skipped", "unreachable") and "_item_" not in name:
                    _add(book, task, str(host), _dict(result), _word(_dict(result), told), at)
        elif name == "v2_playbook_on_stats":
            book.stats, book.ended = _stats(event.get("stats")) or {}, at
            book.custom = [event.get("custom_stats"), event.get("global_custom_stats")]
            yield _named(book).record()
            before, book = (before[0], book.stats or {}), None
    if book is not None:
        _interrupt(book, text)
        yield _named(book).record()
    yield from text.left_over()


def _is_of_another(book: Playbook, play: Mapping[str, Any], text: _Text) -> bool:
    """Whether a play that begins is not one of this playbook: of another process, the same once more, or after an interruption."""
    return bool(book.plays) and (
        _interrupt(book, text) or str(play.get("id")) in book.play_ids or not _is_same_process(book, play)
    )


def _is_same_process(book: Playbook, play: Mapping[str, Any]) -> bool:
    processes = {str(one).rpartition("-")[0] for one in (*book.play_ids, play.get("id")) if one}
    return len(processes) < 2


def _interrupt(book: Playbook, text: _Text) -> bool:
    if text.take_interruption():
        book.is_interrupted, book.error, book.ended = True, INTERRUPTED, book.last
    return book.is_interrupted


def _named(book: Playbook) -> Playbook:
    if not book.native_id:
        book.native_id = f"{book.plays[0] if book.plays else 'playbook'}@{book.started or book.last or '?'}"
    return book


def read_text(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A run for each playbook of the text."""
    reader = Reader()
    for book in reader.read(path):
        yield book.record()
    if reader.outside:
        yield {"aside": f"lines that belong to no playbook: {reader.outside}"}


class _Text:
    """Lines of text that went into the same stream as the JSON."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def take_interruption(self) -> bool:
        found = [line for line in self.lines if INTERRUPTED in line]
        self.lines = [line for line in self.lines if line not in found]
        return bool(found)

    def left_over(self) -> Iterator[Mapping[str, Any]]:
        if self.lines:
            yield {"aside": f"lines of text between the JSON: {len(self.lines)}"}


def _values(path: Path, text: _Text) -> Iterator[dict[str, Any] | RecordError]:
    """The JSON objects of a stream that other text got into: each begins a line."""
    whole = path.read_text(encoding="utf-8", errors="replace")
    decoder = json.JSONDecoder(parse_constant=str)
    at = 0
    while at < len(whole):
        end = whole.find("\n", at)
        line = whole[at : end if end >= 0 else len(whole)]
        if not line.startswith("{"):
            if line.strip():
                text.lines.append(line.strip()[:2000])
            at += len(line) + 1
            continue
        try:
            value, at = decoder.raw_decode(whole, at)
            yield value
        except (ValueError, RecursionError) as error:
            following = re.compile(r"^\{", re.M).search(whole, at + 1)
            yield RecordError(f"breaks off or is no JSON: {error}", whole[at : at + 2000])
            at = following.start() if following else len(whole)


def _begin(book: Playbook, about: Mapping[str, Any]) -> None:
    """A play begins: the first one names the run."""
    started = _dict(about.get("duration")).get("start")
    if not book.plays:
        book.name = base_name(about.get("path"))
        book.started = started or book.started
        book.native_id = "@".join(str(part) for part in (about.get("id"), started) if part)
    book.plays.append(str(about.get("name") or "unnamed"))
    book.play_ids.append(str(about.get("id") or ""))


def _add(book: Playbook, task: Mapping[str, Any], host: str, told: dict[str, Any], word: str, at: str | None) -> None:
    lasted = _dict(task.get("duration"))
    result = Result(
        task=str(task.get("name") or told.get("action") or "unnamed"),
        host=host,
        word=word,
        kind=told.get("action"),
        started=lasted.get("start"),
        ended=at or lasted.get("end"),
        payload=_searched(told),
    )
    explain(result, told)
    items = [_dict(item) for item in told.get("results") or []] if isinstance(told.get("results"), list) else []
    result.items = [_word(item) for item in items]
    if result.has_failed:
        bad = Result("", host, "failed")
        for item in items:
            if _word(item) in ("failed", "unreachable"):
                explain(bad, item)
                result.message, result.is_timeout = bad.message or result.message, bad.is_timeout
                break
    texts = [str(part.get("msg") or "") for part in (told, *items)]
    book.is_check = book.is_check or any("if not in check mode" in one for one in texts)
    book.results.append(result)


def _word(told: Mapping[str, Any], event: str = "ok") -> str:
    """One word for a result. A failed one may have changed something too."""
    if told.get("unreachable") or event == "unreachable":
        return "unreachable"
    if told.get("failed") or event == "failed":
        return "failed"
    if told.get("skipped") or event == "skipped":
        return "skipped"
    return "changed" if told.get("changed") else "ok"


def _searched(told: Mapping[str, Any]) -> str:
    """A result as text in which keys are looked for: not the facts, and nothing twice."""
    kept = {name: value for name, value in told.items() if name not in _NOT_SEARCHED and name != "results"}
    items = told.get("results")
    if isinstance(items, list):
        kept["results"] = [
            {name: value for name, value in _dict(item).items() if name not in _NOT_SEARCHED} for item in items[:200]
        ]
    return json.dumps(kept, ensure_ascii=False, default=str)[:MOST_TEXT]


def _stats(value: Any) -> Stats | None:
    if not isinstance(value, dict):
        return None
    return {
        str(host): {name: number for name, number in _dict(counts).items() if isinstance(number, int)}
        for host, counts in value.items()
    }


def _play_id(play: Mapping[str, Any]) -> str:
    about = _dict(play.get("play"))
    return str(about.get("id") or json.dumps(about, sort_keys=True))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_document(value: Mapping[str, Any]) -> bool:
    plays = value["plays"]
    return isinstance(plays, list) and all(isinstance(play, dict) and "play" in play for play in plays[:1])


def _is_event(value: Mapping[str, Any]) -> bool:
    return str(value["_event"]).startswith("v2_")


def _is_log(sample: Sample) -> bool:
    return is_text(sample.text)


_COLUMNS: Final = {
    "native_id": "VARCHAR",
    "playbook": "VARCHAR",
    "plays": "VARCHAR[]",
    "word": "VARCHAR",
    "role": "VARCHAR",
    "started": TIME,
    "ended": TIME,
    "last": TIME,
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "payload": "JSON",
    "steps": 'STRUCT("key" VARCHAR, map_index INTEGER, "name" VARCHAR, kind VARCHAR, system VARCHAR, attempt INTEGER, word VARCHAR, started VARCHAR,'
    " ended VARCHAR, items_in BIGINT, items_out BIGINT, error_type VARCHAR, error_message VARCHAR, payload VARCHAR)[]",
    "aside": "VARCHAR",
}
_SELECT: Final = {
    "runs": """
select place, native_id, playbook as automation_native_id, playbook as automation, role, word as status_raw,
       started as started_at, ended as ended_at, error_type, error_message, payload, last as updated_at
from records where native_id is not null
""",
    "steps": """
with steps as (select place, native_id, last, unnest(steps) as step from records where native_id is not null)
select place, native_id, step.key as key, step.name as name, step.kind as kind, step.system as system, step.attempt as attempt,
       step.map_index as map_index, step.word as status_raw, as_time(step.started) as started_at, as_time(step.ended) as ended_at,
       step.items_in as items_in, step.items_out as items_out, step.error_type as error_type, step.error_message as error_message,
       step.payload as payload, coalesce(as_time(step.ended), as_time(step.started), last) as updated_at
from steps
""",
    "set_aside": "select place, aside as reason from records where aside is not null",
}

# AWX: the numbers of jobs of all kinds are one series.
_PAGES: Final = (("jobs of AWX", "results"), ("a job of AWX", ""))
_IS_AWX_JOB: Final = frozenset({"id", "type", "name", "status", "launch_type", "started", "finished", "elapsed"})
_IS_AWX_EVENT: Final = frozenset({"id", "type", "job", "event", "event_data", "counter"})
_AWX_JOB: Final = {
    "id": "BIGINT",
    "type": "VARCHAR",
    "name": "VARCHAR",
    "description": "VARCHAR",
    "job_type": "VARCHAR",
    "playbook": "VARCHAR",
    "status": "VARCHAR",
    "launch_type": "VARCHAR",
    "created": TIME,
    "started": TIME,
    "finished": TIME,
    "modified": TIME,
    "elapsed": "DOUBLE",
    "job_explanation": "VARCHAR",
    "scm_revision": "VARCHAR",
    "limit": "VARCHAR",
    "job_tags": "VARCHAR",
    "extra_vars": "JSON",
    "artifacts": "JSON",
    "summary_fields": 'STRUCT(source_workflow_job STRUCT(id BIGINT), job_template STRUCT("name" VARCHAR), inventory STRUCT("name" VARCHAR))',
}
_AWX_HAS_ENDED: Final = "lower(status) in ('successful', 'failed', 'error', 'canceled')"
_AWX_JOBS: Final = {
    "runs": f"""
        select place, 'awx ' || id as native_id, coalesce(summary_fields.job_template.name, name) as automation_native_id,
               coalesce(summary_fields.job_template.name, name) as automation, if(job_type = 'check', 'test', 'work') as role,
               if(lower(status) = 'failed' and job_explanation ilike '%due to timeout%', ['awx', status, 'timeout'], ['awx', status]) as status_raw,
               launch_type as "trigger", created as queued_at, started as started_at, case when {_AWX_HAS_ENDED} then finished end as ended_at,
               case when {_AWX_HAS_ENDED} then nullif(elapsed, 0) end as duration_s, nullif(scm_revision, '') as version,
               nullif(job_explanation, '') as error_message, 'awx ' || summary_fields.source_workflow_job.id as parent_native_id,
               json_object('name', name, 'playbook', playbook, 'description', description, 'limit', "limit", 'tags', job_tags,
                           'inventory', summary_fields.inventory.name, 'extra_vars', extra_vars, 'artifacts', artifacts) as payload,
               coalesce(finished, started, created, modified) as updated_at
        from records
    """
}
_AWX_EVENT: Final = {
    "id": "BIGINT",
    "job": "BIGINT",
    "event": "VARCHAR",
    "counter": "BIGINT",
    "created": TIME,
    "host_name": "VARCHAR",
    "task": "VARCHAR",
    "event_data": 'STRUCT("start" VARCHAR, "end" VARCHAR, duration DOUBLE, host VARCHAR, task VARCHAR, task_action VARCHAR,'
    " res STRUCT(changed BOOLEAN, attempts INTEGER, msg JSON))",
    "stdout": "VARCHAR",
}
_AWX_RESULTS: Final = (
    "('runner_on_ok', 'runner_on_failed', 'runner_on_skipped', 'runner_on_unreachable', 'runner_retry')"
)
_AWX_EVENTS: Final = {
    "runs": "select min(place) as place, 'awx ' || job as native_id, max(created) as updated_at from records where job is not null group by job",
    # A task of one name may stand in several places of a playbook: only what `runner_retry` tells are earlier attempts.
    "steps": f"""
        with results as (
            select *, 'awx ' || job as native_id, replace(replace(event, 'runner_on_', ''), 'runner_', '') as word,
                   coalesce(nullif(task, ''), event_data.task, 'unnamed') as name, coalesce(nullif(host_name, ''), event_data.host) as system
            from records where event in {_AWX_RESULTS} and job is not null
        ), numbered as (
            select *, coalesce(sum(if(word = 'retry', 0, 1)) over (partition by native_id, name, system order by counter
                      rows between unbounded preceding and 1 preceding), 0)::INTEGER as map_index from results
        )
        select place, native_id, concat_ws('@', name, system) as key, name, event_data.task_action as kind, system, map_index,
               row_number() over (partition by native_id, name, system, map_index order by counter) as attempt,
               case when word = 'ok' and event_data.res.changed then 'changed' when word = 'retry' then 'retried' else word end as status_raw,
               as_time(event_data."start") as started_at, coalesce(as_time(event_data."end"), created) as ended_at, event_data.duration as duration_s,
               case when word in ('failed', 'unreachable') then json_extract_string(event_data.res.msg, '$') end as error_message,
               stdout as payload, created as updated_at
        from numbered
    """,
    "set_aside": f"select place, 'an event that is no result of a task' as reason from records where coalesce(event not in {_AWX_RESULTS}, true)",
}


def _is_awx_event(value: Mapping[str, Any]) -> bool:
    return str(value["type"]) == "job_event"


EXPORTS = (
    Export(
        name="json callback",
        form="json",
        requires=frozenset({"plays"}),
        one_of=frozenset({"stats", "custom_stats"}),
        where=_is_document,
        reader=read_json,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="jsonl callback",
        form="json",
        requires=frozenset({"_event", "_timestamp"}),
        where=_is_event,
        reader=read_lines,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    *(
        Export(name=name, form="json", records=records, requires=_IS_AWX_JOB, columns=_AWX_JOB, select=_AWX_JOBS)
        for name, records in _PAGES
    ),
    *(
        Export(
            name=f"events of {name}",
            form="json",
            records=records,
            requires=_IS_AWX_EVENT,
            where=_is_awx_event,
            columns=_AWX_EVENT,
            select=_AWX_EVENTS,
        )
        for name, records in _PAGES
    ),
    Export(name="text", form="text", claims=_is_log, reader=read_text, columns=_COLUMNS, select=_SELECT),
)
