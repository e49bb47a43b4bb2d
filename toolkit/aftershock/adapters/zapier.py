"""Zapier: runs of Zaps, `GET https://api.zapier.com/v2/zap-runs`; `Zapfile.json` for their names.

Pages as answered, in a list or not, or a run a line. A replay runs the failed steps of the same run again and keeps its id: its word goes
from error to success, and the newer export wins. Halted is a stop on purpose and, like filtered, no failure. Held runs were never executed
(flood protection, task limit, a disconnected app): they wait. Steps have neither name, id nor end: they are numbered. The title is the one
that the Zap had when it ran. The API gives the last 30 days unless asked with `from_date`, and does not say what went wrong.

The history's own CSV is read through a mapping profile: `aftershock init DIR --mapping zapier_portal`.
"""

from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "zapier"
DOCS = "https://docs.zapier.com/powered-by-zapier/api-reference/zap-runs/get-zap-runs"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="29 to 69 days by plan",
    inferred="nothing",
)

STATUS = StatusTable(
    {
        "success": "succeeded",
        "error": "failed",
        "error_handled": "partial",
        "halted": "skipped",
        "filtered": "skipped",
        "skipped": "skipped",
        "held": "waiting",
        "throttled": "waiting",
        "delayed": "waiting",
        "scheduled": "waiting",  # for its automatic replay
        "pending": "queued",
        "playing": "running",  # the editor's word
    }
)

_COLUMNS: Final = {
    "id": "VARCHAR",
    "zap_id": "VARCHAR",
    "zap_title": "VARCHAR",
    "start_time": TIME,
    "end_time": TIME,
    "status": "VARCHAR",
    "steps": "STRUCT(status VARCHAR, start_time VARCHAR)[]",
    "data_in": "JSON",
    "data_out": "JSON",
}
# A replay moves the end and the starts of the steps that it runs again.
_UPDATED: Final = (
    "greatest(start_time, end_time, list_max(list_transform(steps, lambda step: as_time(step.start_time))))"
)
_SELECT: Final = {
    "runs": f"""
select place, id as native_id, zap_id as automation_native_id, nullif(zap_title, '') as automation, status as status_raw,
       start_time as started_at, end_time as ended_at, json_object('in', data_in, 'out', data_out, 'title', zap_title) as payload,
       {_UPDATED} as updated_at
from records
""",
    "steps": f"""
select place, id as native_id, number::VARCHAR as key, 'step ' || number as name, step.status as status_raw,
       as_time(step.start_time) as started_at, {_UPDATED} as updated_at
from (select *, unnest(steps) as step, unnest(range(1, len(steps) + 1)) as number from records) where step is not null
""",
}
_IS_RUN: Final = frozenset({"id", "zap_id", "status", "start_time"})

EXPORTS = (
    Export(name="zap runs", form="json", records="data", requires=_IS_RUN, columns=_COLUMNS, select=_SELECT),
    Export(name="zap runs, bare", form="json", requires=_IS_RUN, columns=_COLUMNS, select=_SELECT),
    Export(
        name="Zapfile",
        form="json",
        records="zaps",
        requires=frozenset({"id", "title", "nodes"}),
        columns={"id": "VARCHAR", "title": "VARCHAR", "status": "VARCHAR"},
        select={
            "automations": "select place, id as native_id, title as name, lower(status) = 'on' as enabled from records where id is not null"
        },
    ),
)
