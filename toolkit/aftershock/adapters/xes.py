"""XES (IEEE 1849), the event log that process mining reads: what ERP, ticket and workflow systems, Celonis, ProM, PM4Py and Disco export as `.xes`.

A case (`<trace>`) is a run of the process, known by its `concept:name` in the log's own `concept:name` (or in the file's name, where the log has
none: cases are often numbered from 1). The log is the automation. An activity is a step; one that comes again in the same case is its next attempt.

- A log never says that a case is over. One whose activities all ended is taken for done, and a later export with more events corrects that;
  one in which an activity is open still runs; `pi_abort` ends a case as cancelled, an activity aborted at last makes it partial.
- start, suspend, complete and the like of one activity are paired by `concept:instance`, else in their order. A lone `complete`, or an event
  without a transition, is an activity of which only the end is known, and no duration.
- What stands in `<global>` are defaults for writers, never events. Attributes of cases and events, nested and in lists, are searched for keys.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from aftershock.adapters._lifecycle import STATUS_WORDS
from aftershock.adapters._xml import elements, local_name
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "xes"
DOCS = "https://xes-standard.org/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="as the log was cut when it was exported",
    inferred="that a case is done: all its activities ended; attempts: activities that come again",
)

STATUS = StatusTable(
    {
        **STATUS_WORDS,
        # Of a case, in our words.
        "all activities ended": "succeeded",
        "an activity is open": "running",
        "an activity is in an unknown state": "unknown",
    }
)
_MARK: Final = re.compile(
    r"""<(?:\w+:)?(?:trace\b|global\s+scope=|(?:string|date|int|float|boolean|id)\s+key=["'][^"'<>]*["']\s+value=)|xes\.version"""
)
_OF_OCEL: Final = re.compile(
    r"""<(?:object-types|event-types|events|objects)[\s/>]|key=["']attribute-names["']|scope=["']object["']"""
)
_OPEN: Final = ("queued", "running", "waiting")


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The cases of a log, one after the other."""
    log_name = None
    for element in elements(path, "trace", "event", "global", "classifier", "string"):
        if isinstance(element, RecordError):
            yield element
            continue
        match local_name(element.tag):
            case "string" if element.get("key") == "concept:name":
                log_name = element.get("value")
            case "event":
                yield {"log": log_name, "set_aside": "event of no case"}
            case "trace":
                yield _case(element, log_name)


def _case(trace: Element, log_name: str | None) -> Mapping[str, Any]:
    about = _attributes(trace)
    events = [event for event in trace if local_name(event.tag) == "event"]
    steps = _activities(events)
    times = [time for step in steps for time in step.pop("times") if time]
    states = {STATUS[step["state"]] for step in steps}
    is_aborted = any(step["state"].casefold() == "pi_abort" for step in steps)
    state = (
        "an activity is open"
        if states & set(_OPEN)
        else "an activity is in an unknown state"
        if "unknown" in states
        else "all activities ended"
    )
    return {
        "log": log_name,
        "case": about.get("concept:name") or about.get("identity:id"),
        "state": "pi_abort" if is_aborted else state,
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
        "times": times,
        "attributes": _everything(child for child in trace if local_name(child.tag) != "event"),
        "steps": steps,
        "set_aside": None if events else "case without events",
    }


def _activities(events: list[Element]) -> list[dict[str, Any]]:
    """Events folded to activities, in the order of their first event."""
    found: list[dict[str, Any]] = []
    attempts: dict[str, int] = {}
    for event in events:
        about = _attributes(event)
        name = about.get("concept:name") or "event"
        transition = about.get("lifecycle:transition") or ""
        state = (
            transition
            if STATUS.key(transition) in STATUS.words
            else about.get("lifecycle:state") or transition or "complete"
        )
        time, ours = about.get("time:timestamp"), STATUS[state]
        step = _open_one(
            found, name, about.get("concept:instance"), begins=ours == "running" and state.casefold() != "resume"
        )
        if step is None:
            attempts[name] = attempts.get(name, 0) + 1
            step = {"key": name, "attempt": attempts[name], "instance": about.get("concept:instance"), "times": [],
                    "started_at": None, "ended_at": None, "attributes": []}  # fmt: skip
            found.append(step)
        step["state"] = state
        step["times"].append(time)
        step["attributes"].append(_everything(event))
        if ours == "running" and state.casefold() != "resume":
            step["started_at"] = time
        if ours not in (*_OPEN, "unknown"):
            step["ended_at"] = time
    return found


def _open_one(found: list[dict[str, Any]], name: str, instance: str | None, *, begins: bool) -> dict[str, Any] | None:
    """The activity that an event goes on with: the first of its name, and instance where it has one, that is still open.

    A second start is that of another, unless instances say otherwise.
    """
    for step in found:
        if step["key"] == name and step["instance"] == instance and STATUS[step["state"]] in _OPEN:
            if begins and step["started_at"] and instance is None:
                continue
            return step
    return None


def _attributes(element: Element) -> dict[str, str]:
    """The attributes of a case or an event by key, without those nested in others."""
    return {child.get("key", ""): child.get("value", "") for child in element if child.get("key")}


def _everything(parts: Iterable[Element]) -> dict[str, Any]:
    """All attributes below, nested ones and those of lists too; a key that comes again, again under its name."""
    found: dict[str, Any] = {}
    again: list[dict[str, str]] = []
    for part in parts:
        for one in part.iter():
            key, value = one.get("key"), one.get("value")
            if key and value is not None:
                if key in found:
                    again.append({key: value})
                else:
                    found[key] = value
    return {**found, "again": again} if again else found


def _is_xes(sample: Sample) -> bool:
    """A `<log>` with what only XES puts into one; before the first case there may be more about the log than recognition sees."""
    return (
        sample.root.rpartition(":")[2] == "log"
        and not _OF_OCEL.search(sample.text)
        and _MARK.search(sample.text) is not None
    )


_NAME: Final = r"coalesce(log, regexp_replace(file_name, '(?i)(\.xes)?(\.xml)?$', ''))"
_CASES: Final = f"select *, {_NAME} as process from records where set_aside is null"

EXPORTS = (
    Export(
        name="event log",
        form="xml",
        claims=_is_xes,
        reader=read,
        columns={
            "log": "VARCHAR",
            "case": "VARCHAR",
            "state": "VARCHAR",
            "first": TIME,
            "last": TIME,
            "times": "VARCHAR[]",
            "attributes": "JSON",
            "steps": 'STRUCT("key" VARCHAR, attempt INTEGER, "state" VARCHAR, started_at VARCHAR, ended_at VARCHAR, attributes JSON)[]',
            "set_aside": "VARCHAR",
        },
        select={
            "runs": f"""
select place, process as scope, "case" as native_id, process as automation_native_id, process as automation, state as status_raw,
       list_min(moments) as started_at, case when state <> 'an activity is open' then list_max(moments) end as ended_at,
       attributes as payload, list_max(moments) as updated_at
from (select *, list_transform(times, lambda one: as_time(one)) as moments from ({_CASES}))
""",
            "steps": f"""
select place, process as scope, "case" as native_id, step.key as key, step.attempt as attempt, 'activity' as kind, step.state as status_raw,
       as_time(step.started_at) as started_at, as_time(step.ended_at) as ended_at, step.attributes as payload,
       coalesce(as_time(step.ended_at), as_time(step.started_at), "last") as updated_at
from (select *, unnest(steps) as step from ({_CASES}))
""",
            "set_aside": "select place, set_aside as reason from records where set_aside is not null",
        },
    ),
)
