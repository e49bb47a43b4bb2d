"""What Celery's exports share: its words, how it writes an exception, and the SELECTs over its events.

An event is the same whether it is JSON, a line of `celery events --dump` or a line of a worker's log: the readers of the last
two give the columns of the first.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aftershock.adapters.base import TIME, StatusTable

# An exception that says more than "failed": the second half of a status.
TELLING: Final = MappingProxyType(
    {
        "SoftTimeLimitExceeded": "timed_out",
        "TimeLimitExceeded": "timed_out",
        "WorkerLostError": "crashed",
        "ChordError": "skipped",  # a chord's body that never ran, because a member failed
    }
)
STATUS: Final = StatusTable(
    {
        # celery.states, and the two words that Celery's own examples add
        "published": "queued",  # a message in a queue
        "PENDING": "queued",
        "RECEIVED": "queued",
        "STARTED": "running",
        "PROGRESS": "running",
        "RETRY": "waiting",
        "SUCCESS": "succeeded",
        "FAILURE": "failed",
        **{("FAILURE", name): word for name, word in TELLING.items()},
        ("FAILURE", "never ran"): "skipped",  # the link of a chain behind one that failed
        "REVOKED": "cancelled",
        "REJECTED": "failed",
        "IGNORED": "skipped",
        # events
        "task-sent": "queued",
        "task-received": "queued",
        "task-started": "running",
        "task-retried": "waiting",
        "task-succeeded": "succeeded",
        "task-failed": "failed",
        **{("task-failed", name): word for name, word in TELLING.items()},
        "task-revoked": "cancelled",
        "task-rejected": "failed",
        ("task-rejected", "requeue"): "queued",
        "task-ignored": "skipped",  # only a worker's log tells that a task raised Ignore
    }
)
EVENT: Final = MappingProxyType(
    {
        **dict.fromkeys(
            ("type", "uuid", "name", "args", "kwargs", "result", "exception", "traceback", "root_id", "parent_id"),
            "VARCHAR",
        ),
        **dict.fromkeys(("hostname", "note"), "VARCHAR"),
        "timestamp": TIME,
        **dict.fromkeys(("retries", "signum"), "INTEGER"),
        "clock": "BIGINT",
        "runtime": "DOUBLE",
        **dict.fromkeys(("requeue", "terminated", "expired"), "BOOLEAN"),
    }
)
_NO_ERROR: Final = "('', 'null', 'none', 'false', 'no', 'ok', '0', '{}', '[]')"
_TELLING: Final = str(tuple(TELLING))


def error_type(exception: str, traceback: str) -> str:
    """The class of an exception, from its repr: the traceback's last line where billiard wrapped it or no class stands there."""
    of_repr = rf"regexp_extract({exception}, '^(?:[\w]+\.)*([A-Za-z_]\w*)\(', 1)"
    return (
        f"case when coalesce({of_repr}, '') not in ('', 'ExceptionWithTraceback') then {of_repr} "
        f"else nullif({of_traceback(traceback, 1)}, '') end"
    )


def error_message(exception: str, traceback: str) -> str:
    """What an exception says, as the result backend words it: one text bare, several arguments side by side."""
    of_repr = rf"regexp_extract(trim({exception}), '(?s)^[\w.]+\((.*?),?\)$', 1)"
    bare = rf"regexp_extract({exception}, '(?s)^[\w.]+\(') <> ''"
    wrapped = f"{exception} is null or starts_with({exception}, 'ExceptionWithTraceback(')"
    # billiard's own exceptions print their repr behind their name: `TimeLimitExceeded: TimeLimitExceeded(2,)`
    last = of_traceback(traceback, 2)
    unwrapped = rf"coalesce(nullif(regexp_extract({last}, '^[A-Z]\w+\((.*?),?\)$', 1), ''), {last})"
    return (
        f"nullif(case when {wrapped} then {unwrapped} when {bare} then {_unquoted(of_repr)} else {exception} end, '')"
    )


def of_traceback(traceback: str, group: int) -> str:
    """The class (1) or the text (2) of the exception in a traceback's last line."""
    return rf"regexp_extract(rtrim({traceback}, ' ' || chr(10)), '(?:^|\n)(?:\w+\.)*([A-Za-z_]\w*)(?:: ([^\n]*))?$', {group})"


def _unquoted(text: str) -> str:
    """The text of a Python string literal; anything else as it is."""
    inner = rf"coalesce(nullif(regexp_extract({text}, '(?s)^''((?:[^''\\]|\\.)*)''$', 1), ''), regexp_extract({text}, '(?s)^\"((?:[^\"\\]|\\.)*)\"$', 1))"
    return rf"case when {inner} <> '' then replace(replace(replace({inner}, '\''', ''''), '\n', chr(10)), '\\', '\') else {text} end"


def plain(text: str) -> str:
    """A Python repr as JSON where it is as simple as that, else as a JSON string: events carry arguments and results so."""
    words = f"regexp_replace(regexp_replace(regexp_replace({text}, '\\bNone\\b', 'null', 'g'), '\\bTrue\\b', 'true', 'g'), '\\bFalse\\b', 'false', 'g')"
    lists = rf"regexp_replace({words}, '^\((.*?),?\)$', '[\1]')"
    json = f"replace({lists}, '''', chr(34))"
    return rf"case when not regexp_matches({text}, '[\"\\]') and json_valid({json}) then {json}::JSON else to_json({text}) end"


def carried_error(result: str) -> str:
    """The error that a returned value carries under `error`, though the task succeeded; `result` is JSON."""
    found = f"json_extract_string({result}, '$.error')"
    return f"case when lower(trim({found})) not in {_NO_ERROR} then {found} end"


# The event that ends an attempt stands a minute later than it was: it must not give way to one that was only late.
# `sent` comes from another clock, often behind `started`, and `retried` behind the next attempt's `received`.
_ENDS: Final = "('task-succeeded', 'task-failed', 'task-revoked', 'task-rejected', 'task-ignored')"
_EVENTS: Final = """('task-sent', 'task-received', 'task-started', 'task-retried', 'task-log',
    'task-succeeded', 'task-failed', 'task-revoked', 'task-rejected', 'task-ignored')"""
_CHANGED_AT: Final = f""""timestamp" + case when type in {_ENDS} then interval 1 minute
    when type = 'task-sent' then interval '-1 minute' else interval 0 minute end"""

# Only `sent` and `received` say which attempt they are about. The others belong to the one after as many retries as
# there were before; a file that begins in the middle counts back from the last that it tells of. A second failure
# without a start in between is the echo of the first: a hard time limit kills the process, whose loss fails it again.
_TOLD: Final = f"""
    in_order as (
        select *, {error_type("exception", "traceback")} as error_type, {error_message("exception", "traceback")} as message,
               {plain("result")} as returned, {carried_error(plain("result"))} as carried,
               max(name) over (partition by uuid) as task,
               max(retries) over (partition by uuid) as last_retry, min(retries) over (partition by uuid) as first_retry,
               count(*) filter (type = 'task-retried') over (partition by uuid) as times_retried,
               count(*) filter (type = 'task-retried') over before as retried_before,
               max("timestamp") filter (type = 'task-started') over before as last_start,
               min("timestamp") filter (type = 'task-started') over (partition by uuid) as first_start,
               max("timestamp") filter (type in {_ENDS}) over before as last_end,
               min("timestamp") filter (type = 'task-received') over (partition by uuid) as first_receipt,
               bool_or(type = 'task-sent' and retries is not distinct from 0) over (partition by uuid) as is_sent_told
        from records where uuid is not null and type in {_EVENTS}
        window before as (partition by uuid order by "timestamp", clock, place rows between unbounded preceding and 1 preceding)
    ), told as (
        select *, coalesce(type = 'task-failed' and last_end is not null and not coalesce(last_start > last_end, false), false) as is_echo,
               case when type in ('task-sent', 'task-received') then retries + 1
                    when last_retry is not null then 1 + retried_before +
                         case when first_retry = 0 then 0 else greatest(last_retry - times_retried, 0) end end as attempt_no,
               case when error_type in {_TELLING} then error_type end as telling
        from in_order
    )"""

EVENTS: Final = MappingProxyType(
    {
        "runs": f"""
with {_TOLD}
select place, uuid as native_id, task as automation,
       case when type = 'task-succeeded' and carried is not null then 'partial' end as status,
       case when type = 'task-log' or is_echo then null
            else concat_ws('|', type, case when type = 'task-failed' then telling when requeue then 'requeue' end) end as status_raw,
       case when type = 'task-sent' and retries = 0 then "timestamp"
            when type = 'task-received' and not is_sent_told and (retries = 0 or (last_retry is null and "timestamp" = first_receipt))
            then "timestamp" end as queued_at,
       case when type = 'task-started' and "timestamp" = first_start and coalesce(attempt_no, 1) = 1 then "timestamp" end as started_at,
       case when type in {_ENDS} and not is_echo then "timestamp" end as ended_at,
       case when times_retried = 0 and coalesce(last_retry, 0) = 0 then runtime end as duration_s,
       root_id as correlation_id, nullif(parent_id, uuid) as parent_native_id,
       case when type in ('task-failed', 'task-rejected') and exception is not null and not is_echo then error_type end as error_type,
       case when type in ('task-failed', 'task-rejected') and exception is not null and not is_echo then message when type = 'task-succeeded' then carried
            when type = 'task-revoked' then concat_ws(' ', case when expired then 'expired' when terminated then 'terminated' else 'revoked' end,
                                                      'by signal ' || signum) end as error_message,
       case when coalesce(args, kwargs, result, exception, note) is not null
            then json_object('args', {plain("args")}, 'kwargs', {plain("kwargs")}, 'result', returned, 'exception', exception, 'log', note) end as payload,
       {_CHANGED_AT} as updated_at
from told
""",
        # An attempt is a step: one task id stays one run, however often it is tried.
        "steps": f"""
with {_TOLD}
select place, uuid as native_id, 'task' as key, task as name, 'task' as kind, attempt_no as attempt,
       case when type = 'task-succeeded' and carried is not null then 'partial'
            when type = 'task-retried' then coalesce({"map " + str(dict(TELLING))}[telling], 'failed') end as status,
       concat_ws('|', type, case when type = 'task-failed' then telling end) as status_raw,
       case when type = 'task-started' then "timestamp" end as started_at,
       case when type <> 'task-started' then "timestamp" end as ended_at, runtime as duration_s,
       case when type in ('task-failed', 'task-retried') then error_type end as error_type,
       case when type in ('task-failed', 'task-retried') then message else carried end as error_message,
       {_CHANGED_AT} as updated_at
from told
where attempt_no is not null and not is_echo
  and (type in ('task-started', 'task-succeeded', 'task-failed', 'task-retried') or (type = 'task-revoked' and terminated))
""",
        "set_aside": f"""
select place, case when starts_with(type, 'worker-') then 'of a worker' when starts_with(type, 'task-') then 'the task''s own event'
                   else coalesce(note, 'not about a task') end as reason
from records where type not in {_EVENTS}
""",
        "rejects": f"""
select place, 'uuid' as field, null as seen, 'an event of a task without its id' as reason
from records where type in {_EVENTS} and uuid is null
""",
    }
)
