"""OCEL, the object-centric event log: version 2.0 as JSON, XML and SQLite, and version 1.0 as JSON and XML, as Celonis, PM4Py, OCPQ and exporters of ERP
systems write it.

Here no event belongs to one case: it touches any number of objects (an order, its invoices, a payment). So an event is a run, its type the
automation, and its objects are the business records it touched: `keys = ["Invoice"]` in `[[records]]` finds the objects of that type.

- An event that stands in the log has happened; a life cycle attribute, where a writer adds one, may say otherwise. Its one time is start and end.
- A log has no name and numbers its events from 1, so the file's name without its endings is the scope: one log in three formats is one.
- Objects and what changes in them are no runs and are not counted; 1970 is OCEL's word for "from the beginning". SQLite and XML often hold local times
  without a zone.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from aftershock.adapters._lifecycle import STATUS_WORDS
from aftershock.adapters._xml import elements, local_name
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "ocel"
DOCS = "https://www.ocel-standard.org/"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="as the log was cut when it was exported",
    inferred="success: an event that stands in the log has happened",
)
STATUS = StatusTable({**STATUS_WORDS, "happened": "succeeded"})

_LIFECYCLE: Final = ("lifecycle:transition", "lifecycle", "lifecycle:state", "lifecycle_transition")
Pairs = Iterable[tuple[str, Any]]


def _event(identity: Any, kind: Any, time: Any, attributes: Pairs, objects: Pairs) -> Mapping[str, Any]:
    """An event as a record; `objects` are (type, id). A name that comes again is listed again, so that each of its values is found."""
    payload: dict[str, Any] = {}
    again: list[dict[str, Any]] = []
    pairs = [(str(name), value) for name, value in attributes]
    for name, value in (*pairs, *objects):
        if name in payload:
            again.append({name: value})
        else:
            payload[name] = value
    word = next((value for name, value in pairs if name in _LIFECYCLE and value), None)
    state = word if isinstance(word, str) and STATUS.key(word) in STATUS.words else "happened"
    return {
        "id": identity,
        "type": kind,
        "time": time,
        "state": state,
        "payload": {**payload, "again": again} if again else payload,
    }


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The events of a log in JSON, of either version."""
    try:
        log = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"), parse_constant=str)
        events, types = _parts(log)
    except (ValueError, RecursionError) as error:
        yield RecordError(f"cannot be read as JSON: {error}")
        return
    except (AttributeError, TypeError) as error:
        yield RecordError(f"is no log: {error}")
        return
    for event in events:
        try:
            yield (
                _first_version(event[0], event[1], types) if isinstance(event, tuple) else _second_version(event, types)
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield RecordError(f"is no event: {type(error).__name__}: {error}", str(event)[:4000])


def _parts(log: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
    """The events of a log, in the first version each beside its id, and the types of its objects."""
    if "ocel:events" in log:
        objects = log.get("ocel:objects") or {}
        return list(log["ocel:events"].items()), {key: about.get("ocel:type") for key, about in objects.items()}
    objects = [one for one in log.get("objects") or [] if isinstance(one, dict)]
    return list(log.get("events") or []), {str(one.get("id")): one.get("type") for one in objects}


def _second_version(event: Mapping[str, Any], types: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = [(one["name"], one.get("value")) for one in event.get("attributes") or []]
    objects = [(_type(types, one["objectId"]), one["objectId"]) for one in event.get("relationships") or []]
    return _event(event.get("id"), event.get("type"), event.get("time"), attributes, objects)


def _first_version(identity: str, event: Mapping[str, Any], types: Mapping[str, Any]) -> Mapping[str, Any]:
    objects = [(_type(types, one), one) for one in event.get("ocel:omap") or []]
    return _event(
        identity,
        event.get("ocel:activity"),
        event.get("ocel:timestamp"),
        (event.get("ocel:vmap") or {}).items(),
        objects,
    )


def _type(types: Mapping[str, Any], key: str) -> str:
    return str(types.get(key) or "object")


def read_xml(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The events of a log in XML: twice through the file, since the objects may stand before or behind the events."""
    types: dict[str, str] = {}
    for element in elements(path, "object", "event"):
        if isinstance(element, Element) and local_name(element.tag) == "object":
            about = _keyed(element)
            types[element.get("id") or str(about.get("id"))] = element.get("type") or str(about.get("type") or "object")
    for element in elements(path, "event", "object"):
        if isinstance(element, RecordError):
            yield element
        elif local_name(element.tag) == "event":
            yield _event_of_xml(element, types)


def _event_of_xml(event: Element, types: Mapping[str, str]) -> Mapping[str, Any]:
    if event.get("id") is not None or event.get("type") is not None:
        attributes = [(one.get("name", ""), one.text) for one in event.iter() if local_name(one.tag) == "attribute"]
        related = [
            one.get("object-id") for one in event.iter() if local_name(one.tag) in ("relationship", "relobj", "object")
        ]
        objects = [(_type(types, key), key) for key in related if key]
        return _event(event.get("id"), event.get("type"), event.get("time"), attributes, objects)
    about = _keyed(event)
    lists = {child.get("key"): child for child in event if local_name(child.tag) == "list"}
    omap = [str(one.get("value")) for one in lists.get("omap", ())]
    vmap = [(one.get("key", ""), one.get("value")) for one in lists.get("vmap", ())]
    return _event(
        about.get("id"), about.get("activity"), about.get("timestamp"), vmap, [(_type(types, key), key) for key in omap]
    )


def _keyed(element: Element) -> dict[str | None, str | None]:
    return {child.get("key"): child.get("value") for child in element if child.get("key")}


def read_sqlite(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The events of a log in SQLite: a table for each type of event."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            types = dict(tuple(row) for row in database.execute("select ocel_id, ocel_type from object"))
            told = _told_by_type(database)
            related: dict[Any, list[Any]] = {}
            for event, key in database.execute("select ocel_event_id, ocel_object_id from event_object order by rowid"):
                related.setdefault(event, []).append(key)
            for identity, kind in database.execute("select ocel_id, ocel_type from event"):
                more = told.get(identity, {})
                attributes = [(name, value) for name, value in more.items() if name not in ("ocel_id", "ocel_time")]
                objects = [(_type(types, key), key) for key in related.get(identity, [])]
                yield _event(identity, kind, more.get("ocel_time"), attributes, objects)
    except sqlite3.Error as error:
        yield RecordError(f"cannot be read from here on: {error}")


def _told_by_type(database: sqlite3.Connection) -> dict[Any, dict[str, Any]]:
    """What the tables of the types of events say, by the event's id."""
    tables = {row[0] for row in database.execute("select name from sqlite_master where type in ('table', 'view')")}
    told: dict[Any, dict[str, Any]] = {}
    for (name,) in database.execute("select ocel_type_map from event_map_type").fetchall():
        if f"event_{name}" in tables:
            quoted = f"event_{name}".replace('"', '""')
            for row in database.execute(f'select * from "{quoted}"'):
                known = dict(zip(row.keys(), row, strict=True))
                told[known.get("ocel_id")] = {
                    key: value for key, value in known.items() if not isinstance(value, bytes)
                }
    return told


def _is_json(sample: Sample) -> bool:
    """By whatever of the log comes first: the lists may stand in any order, and any of them may be longer than what recognition sees."""
    log = sample.top
    if not isinstance(log, dict):
        return False
    if any(str(name).startswith("ocel:") for name in log):
        return "ocel:events" in log or "ocel:objects" in log or "ocel:global-log" in log
    if "objectTypes" in log or "eventTypes" in log:
        return bool({"objectTypes", "eventTypes", "objects", "events"} & (set(log) - {next(iter(log))})) or _has(
            log, "attributes"
        )
    return _has(log, "relationships", "time") and _has(log, "id", "type")


def _has(log: Mapping[str, Any], *names: str) -> bool:
    lists = [log.get(name) for name in ("events", "objects", "objectTypes", "eventTypes")]
    return any(
        isinstance(one, dict) and set(names) <= set(one) for items in lists if isinstance(items, list) for one in items
    )


_XML_MARK: Final = re.compile(
    r"""<(?:object-types|event-types)[\s/>]|key=["']attribute-names["']|scope=["']object["']|<relationship\s[^>]*object-id="""
)
_SCOPE: Final = r"regexp_replace(file_name, '(?i)([.](json|xml|sqlite3?|db|ocel2?|jsonocel|xmlocel))+$', '')"
_COLUMNS: Final = {"id": "VARCHAR", "type": "VARCHAR", "time": TIME, "state": "VARCHAR", "payload": "JSON"}
_SELECT: Final = {
    "runs": f"""
select place, {_SCOPE} as scope, id as native_id, concat_ws('/', {_SCOPE}, "type") as automation_native_id, "type" as automation, state as status_raw,
       "time" as started_at, "time" as ended_at, payload, "time" as updated_at
from records
"""
}

EXPORTS = (
    Export(name="log in JSON", form="json", claims=_is_json, reader=read_json, columns=_COLUMNS, select=_SELECT),
    Export(
        name="log in XML",
        form="xml",
        claims=lambda sample: sample.root.rpartition(":")[2] == "log" and _XML_MARK.search(sample.text) is not None,
        reader=read_xml,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="log in SQLite",
        form="sqlite",
        requires=frozenset({"event", "object", "event_object", "event_map_type", "object_map_type"}),
        reader=read_sqlite,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)
