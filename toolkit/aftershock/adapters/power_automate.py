"""Power Automate and Azure Logic Apps: runs, their actions, flows.

`GET .../flows/{flow}/runs` of the flow API, one run, also with `$expand=properties/actions`; `m365 flow run list|get --output json` (also
`--withActions`); `Get-FlowRun | ConvertTo-Json`; `GET .../Microsoft.Logic/workflows/{workflow}/runs` of Azure, `.../runs/{run}/actions` and
`.../repetitions`; the Dataverse table `flowruns` as JSON or as CSV with the table's own column names; lists of flows and workflows, for
their names. (The portal's own CSV has localised columns: a mapping profile reads it.)

A run's `name` is its id, the same in all of these. A resubmitted run is a run of its own, linked to the first by its client tracking id:
where both stand in one file it is a retry of it. Runs started as tests in the editor (`testFlow`) are tests. A run is a success although
an action failed when the flow goes on after failures: only its actions tell, and then it is partial. Addresses of inputs and outputs hold
signatures (`sig=`): they are not kept.

Dataverse may hold a start without its time of day: it is then end less duration, in seconds. The table is documented as lossy, and
forgets after 28 days.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from aftershock.adapters._documents import CutOff, as_dict, as_text, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "power_automate"
DOCS = "https://learn.microsoft.com/en-us/power-automate/dataverse/cloud-flow-run-metadata"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="28 days (flows), 90 days (Logic Apps)",
    inferred="which run was resubmitted, from the client tracking id; the start of a Dataverse run whose start is only a date. Versions: Logic Apps only",
)

STATUS = StatusTable(
    {
        "NotSpecified": "unknown",
        "Paused": "waiting",
        "Running": "running",
        "Waiting": "waiting",
        "Succeeded": "succeeded",
        "Skipped": "skipped",
        "Suspended": "waiting",
        "Cancelled": "cancelled",
        "Failed": "failed",
        "Faulted": "failed",
        "TimedOut": "timed_out",
        "Aborted": "crashed",
        "Ignored": "skipped",
        # Dataverse's word.
        "Success": "succeeded",
    }
)

_FAILED: Final = frozenset({"failed", "timed_out", "crashed"})
_OF: Final = re.compile(r"/(flows|workflows|runs|actions|repetitions|scopeRepetitions|resourceGroups)/([^/?]+)", re.I)
_RUN_IN_LINK: Final = re.compile(r"/runs/([^/?]+)/")
_TYPES: Final = re.compile(r"(?i)^Microsoft\.(ProcessSimple|Logic)/.*?(flows|workflows|runs|actions|repetitions)$")


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every run, action, map of actions and flow."""
    for value in values(path):
        if isinstance(value, CutOff):
            inside: Iterator[Any] = value.items("value")
        else:
            page = value.get("value") if isinstance(value, Mapping) else None
            inside = iter(page if isinstance(page, list) else [value])
        for item in inside:
            if isinstance(item, RecordError):
                yield item
            elif isinstance(item, Mapping):
                yield _record(item)
            else:
                yield RecordError("is no object", str(item)[:1000])


def _record(item: Mapping[str, Any]) -> Mapping[str, Any] | RecordError:
    item = as_dict(item.get("Internal")) or dict(item)  # what PowerShell wraps
    kind = _kind(item)
    if kind == "map":
        return _of_map(item)
    if kind is None:
        return RecordError("is no run, action or flow", json.dumps(item, default=str)[:1000], "type")
    about, at = (
        as_dict(item.get("properties")),
        {part.casefold(): value for part, value in _OF.findall(str(item.get("id") or ""))},
    )
    common = {"is": kind, "automation_id": _automation(at), **_correlation(about.get("correlation"))}
    if kind == "action":
        steps = list(_steps(_key(item, at), about, _map_index(item, about, at)))
        return {**common, "native_id": at.get("runs"), "actions": steps}
    if kind == "flow":
        return {
            **common,
            "native_id": _automation(at) or item.get("name"),
            "name": about.get("displayName") or item.get("displayName") or item.get("name"),
            "owner": as_dict(about.get("creator")).get("userId"),
            "state": about.get("state"),
            "changed_at": about.get("lastModifiedTime") or about.get("changedTime"),
        }
    actions = as_dict(about.get("actions")) or as_dict(item.get("actions"))
    trigger = as_dict(about.get("trigger"))
    error_type, error_message = _error(about)
    return {
        **common,
        "native_id": item.get("name") or at.get("runs"),
        "status": about.get("status") or item.get("status"),
        "start_time": about.get("startTime") or item.get("startTime"),
        "end_time": about.get("endTime"),
        "scheduled_time": trigger.get("scheduledTime"),
        "trigger": trigger.get("name"),
        "error_type": error_type,
        "error_message": error_message,
        "version": as_dict(about.get("workflow")).get("name"),
        "payload": _payload({**trigger, **{k: v for k, v in about.items() if k == "outputs" and v}}, item.get("triggerInformation")),
        "actions": [step for name, one in actions.items() for step in _steps(name, as_dict(one), 0)],
    }  # fmt: skip


def _kind(item: Mapping[str, Any]) -> str | None:
    if item.get("type") and not isinstance(item["type"], Mapping):
        found = _TYPES.match(str(item["type"]))
        if found is None:
            return None
        last = found[2].lower()
        return {"runs": "run", "flows": "flow", "workflows": "flow"}.get(last, "action")
    if _is_map(item):
        return "map"
    about = item.get("properties")
    if isinstance(about, Mapping) and "status" in about and ("startTime" in about or "trigger" in about):
        return "action" if "/actions/" in str(item.get("id")) else "run"
    return None


def _is_map(item: Mapping[str, Any]) -> bool:
    """Names and actions, as `properties.actions` is where somebody kept only that."""
    actions = [one for one in item.values() if isinstance(one, Mapping)]
    return len(actions) == len(item) > 0 and any(
        "status" in one and "actionTrackingId" in as_dict(one.get("correlation")) for one in actions
    )


def _of_map(item: Mapping[str, Any]) -> Mapping[str, Any] | RecordError:
    """Actions by name. The run they belong to is named only in the addresses of their inputs and outputs."""
    runs = {found[1] for one in item.values() for link in _links(one) if (found := _RUN_IN_LINK.search(link))}
    if len(runs) != 1:
        return RecordError("the actions name no run, or several", ", ".join(sorted(runs))[:200], "inputsLink.uri")
    first = next(iter(item.values()))
    steps = [step for name, one in item.items() for step in _steps(name, as_dict(one), 0)]
    return {"is": "action", "native_id": runs.pop(), "actions": steps, **_correlation(first.get("correlation"))}


def _links(action: Any) -> Iterator[str]:
    for name in ("inputsLink", "outputsLink"):
        yield str(as_dict(as_dict(action).get(name)).get("uri") or "")


def _automation(at: Mapping[str, str]) -> str | None:
    """A flow's id is one of all flows; the name of a workflow only one of its resource group."""
    if "flows" in at:
        return at["flows"].lower()
    return "/".join(part for part in (at.get("resourcegroups"), at.get("workflows")) if part) or None


def _correlation(value: Any) -> dict[str, Any]:
    about = as_dict(value)
    words = about.get("clientKeywords")
    return {
        "tracking_id": about.get("clientTrackingId"),
        "keywords": [str(word) for word in words] if isinstance(words, list) else [],
    }


def _key(item: Mapping[str, Any], at: Mapping[str, str]) -> str:
    name = str(at.get("actions") or item.get("name") or "action")
    return f"{name} repetition" if "repetitions" in at or "scoperepetitions" in at else name


def _map_index(item: Mapping[str, Any], about: Mapping[str, Any], at: Mapping[str, str]) -> int:
    """Which turn of its loop, of the innermost with those around it in the thousands."""
    if "repetitions" not in at and "scoperepetitions" not in at:
        return 0
    turns = about.get("repetitionIndexes")
    numbers = [as_dict(turn).get("itemIndex") for turn in turns] if isinstance(turns, list) else []
    if not numbers:
        numbers = [int(part) for part in re.findall(r"\d{1,6}", str(item.get("name")))]
    index = 0
    for number in numbers[-3:]:
        index = index * 1000 + (number if isinstance(number, int) else 0)
    return index % 2**31


def _steps(name: str, action: Mapping[str, Any], map_index: int) -> Iterator[Mapping[str, Any]]:
    """An action's tries: the ones that its retry policy repeated, then the last."""
    history = action.get("retryHistory")
    earlier = [as_dict(one) for one in history] if isinstance(history, list) else []
    step = {"key": name, "map_index": map_index}
    for attempt, one in enumerate(earlier, start=1):
        error = as_dict(one.get("error"))
        yield {
            **step,
            "attempt": attempt,
            "status": "Failed",
            "start_time": one.get("startTime"),
            "end_time": one.get("endTime"),
            "error_type": as_text(error.get("code") or one.get("code")),
            "error_message": as_text(error.get("message")),
        }
    error_type, error_message = _error(action)
    yield {
        **step,
        "attempt": len(earlier) + 1,
        "status": as_text(action.get("status")),
        "start_time": action.get("startTime"),
        "end_time": action.get("endTime"),
        "error_type": error_type,
        "error_message": error_message,
        "payload": as_text(_payload(action, action.get("trackedProperties"))),
    }


def _error(about: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What went wrong: a code stands everywhere (`OK`, `ActionSkipped`), so it is an error only where something failed."""
    if STATUS[str(about.get("status") or "")] not in _FAILED:
        return None, None
    error = as_dict(about.get("error"))
    return as_text(error.get("code") or about.get("code")), as_text(error.get("message"))


def _payload(about: Mapping[str, Any], more: Any) -> Mapping[str, Any] | None:
    """Inputs and outputs where they stand in the file; never the addresses that lead to them."""
    found = {name: about[name] for name in ("inputs", "outputs") if about.get(name)}
    return {**found, "more": more} if more else found or None


def _is_ours(record: Mapping[str, Any]) -> bool:
    return _kind(as_dict(record.get("Internal")) or record) is not None


def _is_map_only(sample: Sample) -> bool:
    return isinstance(sample.top, Mapping) and _is_map(sample.top)


_ACTION: Final = (
    'STRUCT("key" VARCHAR, map_index INTEGER, attempt INTEGER, status VARCHAR, start_time VARCHAR, end_time VARCHAR,'
    " error_type VARCHAR, error_message VARCHAR, payload VARCHAR)[]"
)
_COLUMNS: Final = {
    "is": "VARCHAR",
    "native_id": "VARCHAR",
    "automation_id": "VARCHAR",
    "status": "VARCHAR",
    "start_time": TIME,
    "end_time": TIME,
    "scheduled_time": TIME,
    "trigger": "VARCHAR",
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "version": "VARCHAR",
    "tracking_id": "VARCHAR",
    "keywords": "VARCHAR[]",
    "payload": "JSON",
    "actions": _ACTION,
    "name": "VARCHAR",
    "owner": "VARCHAR",
    "state": "VARCHAR",
    "changed_at": TIME,
}
_ROLE: Final = "case when list_contains(keywords, 'testFlow') then 'test' end as role"
_SELECT: Final = {
    "runs": f"""
with told as (
    select *, lag(native_id) over (partition by tracking_id order by start_time, native_id) as before from records where "is" = 'run'
)
select place, native_id, automation_id as automation_native_id, status as status_raw, {_ROLE}, "trigger", scheduled_time as queued_at,
       start_time as started_at, end_time as ended_at, version, tracking_id as correlation_id, error_type, error_message,
       case when list_contains(keywords, 'resubmitFlow') and tracking_id is not null and before <> native_id then before end as retry_of,
       payload, greatest(start_time, end_time) as updated_at
from told
union all by name
select min(place) as place, native_id, any_value(automation_id) as automation_native_id, min({_ROLE.removesuffix(" as role")}) as role,
       min(tracking_id) as correlation_id, max(list_max(list_transform(actions, lambda one: as_time(one.start_time)))) as updated_at
from records where "is" = 'action' group by native_id
""",
    "steps": """
select place, native_id, action."key" as key, 'action' as kind, action.map_index as map_index, action.attempt as attempt, action.status as status_raw,
       as_time(action.start_time) as started_at, as_time(action.end_time) as ended_at, action.error_type as error_type,
       action.error_message as error_message, action.payload as payload,
       coalesce(greatest(as_time(action.start_time), as_time(action.end_time)), start_time) as updated_at
from (select place, native_id, start_time, unnest(actions) as action from records where "is" in ('run', 'action'))
""",
    "automations": """
select place, native_id, name, owner, lower(state) in ('started', 'enabled') as enabled, changed_at as updated_at
from records where "is" = 'flow' and native_id is not null
""",
}

_FLOWRUN: Final = {
    "name": "VARCHAR",
    "starttime": TIME,
    "endtime": TIME,
    "modifiedon": TIME,
    "duration": "DOUBLE",
    "status": "VARCHAR",
    "errorcode": "VARCHAR",
    "errormessage": "VARCHAR",
    "parentrunid": "VARCHAR",
    "workflowid": "VARCHAR",
    "resourceid": "VARCHAR",
    "triggertype": "VARCHAR",
}
# A start at midnight sharp beside an end and a duration that say otherwise is a date.
_FLOWRUNS: Final = {
    "runs": """
select place, name as native_id, lower(coalesce(resourceid, workflowid)) as automation_native_id, status as status_raw, triggertype as "trigger",
       case when is_date and endtime is not null and duration is not null then endtime - to_milliseconds(duration * 1000) else starttime end as started_at,
       endtime as ended_at, case when is_date then duration end as duration_s,
       case when lower(status) in ('failed', 'faulted', 'timedout', 'aborted', 'cancelled') then errorcode end as error_type, errormessage as error_message,
       parentrunid as parent_native_id, json_object('errormessage', errormessage) as payload, coalesce(modifiedon, endtime, starttime) as updated_at
from (select *, coalesce(epoch_us(starttime) % 1000000 = 0 and strftime(timezone('UTC', starttime), '%M%S') = '0000'
                         and abs(date_diff('second', starttime, endtime) - duration) > 2, false) as is_date from records)
"""
}


def _flowruns(name: str, form: Literal["json", "csv"], records: str = "") -> Export:
    return Export(
        name=name,
        form=form,
        records=records,
        requires=frozenset({"name", "starttime", "status"}),
        one_of=frozenset({"flowrunid", "parentrunid", "triggertype"}),
        columns=_FLOWRUN,
        select=_FLOWRUNS,
    )


_IS_RUN: Final = frozenset({"name", "id", "type", "properties"})

EXPORTS = (
    Export(
        name="runs, actions, flows: a page",
        form="json",
        records="value",
        requires=_IS_RUN,
        where=_is_ours,
        reader=read,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="runs, actions, flows",
        form="json",
        requires=_IS_RUN,
        where=_is_ours,
        reader=read,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="Get-FlowRun",
        form="json",
        requires=frozenset({"FlowRunName", "Internal"}),
        where=_is_ours,
        reader=read,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(name="actions of a run", form="json", claims=_is_map_only, reader=read, columns=_COLUMNS, select=_SELECT),
    _flowruns("Dataverse flowruns: a page", "json", "value"),
    _flowruns("Dataverse flowruns", "json"),
    _flowruns("Dataverse flowruns as CSV", "csv"),
)
