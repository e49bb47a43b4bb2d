"""Which run a notice is about, and which run made a change: found across tools, once per ingestion, never guessed.

A record that names its run itself is left alone. For the others the runs around it are asked in this order, and the first that
gives exactly one answer counts (`joined_by`):

- `id`: a run's id, or its address, stands in the key, title or text;
- `key`: a business record that it names was touched by a failed run of one automation, or its key names one automation;
- `text`: its title or text names one automation;
- `time`: a single run, of all tools, failed just before.

Of one automation's failed runs it is the one that had begun before the notice and ended nearest to it. Two answers, or two runs
that ended together, are none: `run_id` stays null.
Only then is the automation that it names written down alone.

What is read depends on nothing but the settled tables, so any order of files joins the same. Settling remembers in `ledger_state`
between which times runs and notices changed; only notices that this can concern are joined again, also after an ingestion that was
killed before.
"""

from __future__ import annotations

from typing import Final

import duckdb

from aftershock.model import FAILURES

ID_WINDOW: Final = "interval 7 days"
"""How long after a run its id still means it: a person writes of it days later, but counters (build 42) begin again."""
NAME_WINDOW: Final = "interval 1 hour"
"""How long after a failed run its automation's name means that run: rules are evaluated, and digests sent, up to hourly."""
TIME_WINDOW: Final = "interval 5 minutes"
"""How long after a failed run a notice without any name can mean it: tools alert within a minute or two, and try again."""
EARLY: Final = "interval 1 minute"
"""How much before a run's begin or end a notice of it may stand: clocks differ, and errors are sent from inside the run."""
SAME_S: Final = 1.0
"""Seconds within which two runs of one automation ended together, so that a notice after them can be about either."""
WRITTEN_BY_PEOPLE: Final = ("incident by hand", "status page", "maintenance")
"""Kinds of notices whose time says nothing: people wrote them when they got to it, or about somebody else's system."""

_BAD: Final = (*FAILURES, "partial")
_ID_AFTER_WORD: Final = (  # "execution 13", "Build #42", "run id: nightly-7", ".../executions/13"
    r"(?i)\b(?:executions?|runs?|jobs?|builds?|pipelines?)\b[^\p{L}\p{N}]{0,4}(?:(?:id|no|nr|number)\b)?"
    r"[^\p{L}\p{N}]{0,5}([\p{L}_-]{0,12}[0-9][\w.-]*)"
)


def settle_notices(con: duckdb.DuckDBPyConnection) -> None:
    """What all files say of each touched notice: per column the newest; sent and acknowledged when it first was.

    Its client and automation are the run's, which `join` looks up.
    """
    if not _any(con, "touched_notices"):
        return
    con.execute("""
        create or replace temp table old_notices as
        from notices where notice_id in (select notice_id from touched_notices)""").fetchall()
    con.execute("delete from notices where notice_id in (select notice_id from touched_notices)").fetchall()
    con.execute("""
        insert into notices by name
        with ordered as (
            select *, row_number() over (partition by notice_id order by observed_at nulls first, resolved_at nulls first, sent_at, run_id, kind,
                                         title, text, channel, recipient, "key", joined_by, source) as k
            from notice_observations where notice_id in (select notice_id from touched_notices)
        ), newest as (
            select notice_id, arg_max(run_id, k) as run_id, arg_max(channel, k) as channel, arg_max(recipient, k) as recipient,
                   arg_max(kind, k) as kind, min(sent_at) as sent_at, min(acknowledged_at) as acknowledged_at,
                   arg_max(resolved_at, k) as resolved_at, arg_max(joined_by, k) as joined_by, arg_max(source, k) as source,
                   arg_max(title, k) as title, arg_max(text, k) as text, arg_max("key", k) as "key"
            from ordered group by notice_id
        )
        select newest.* replace (case when run_id is not null then coalesce(joined_by, 'id') end as joined_by) from newest
    """).fetchall()


def settle_changes(con: duckdb.DuckDBPyConnection) -> None:
    """What all files say of each touched change: per column the newest; made when it first was."""
    if not _any(con, "touched_changes"):
        return
    con.execute("delete from changes where change_id in (select change_id from touched_changes)").fetchall()
    names = ("automation_id", "version", "by", "kind", "run_id", "joined_by", "source", "title")
    newest = ", ".join(f'arg_max("{name}", k) as "{name}"' for name in names)
    con.execute(f"""
        insert into changes by name
        with ordered as (
            select *, row_number() over (partition by change_id order by observed_at nulls first, "at", version, kind, "by", run_id, title,
                                         automation_id, joined_by, source) as k
            from change_observations where change_id in (select change_id from touched_changes)
        ), newest as (select change_id, min(import_id) as import_id, min("at") as "at", {newest} from ordered group by change_id)
        select newest.* replace (case when run_id is not null then coalesce(joined_by, 'id') end as joined_by) from newest
    """).fetchall()


def remember(con: duckdb.DuckDBPyConnection) -> None:
    """Widen the stretch in which something changed that notices and changes are joined by."""
    gone = f"union all select {_SENT}, {_SENT} from old_notices" if _any(con, "touched_notices") else ""
    con.execute(f"""
        update ledger_state set joins_from = least(joins_from, first), joins_to = greatest(joins_to, last)
        from (select greatest(min(first), {_NEVER}) as first, least(max(last), {_LAST}) as last from (
            select least(queued_at, started_at, ended_at) as first, greatest(queued_at, started_at, ended_at) as last from told_runs
            union all select least(queued_at, started_at, ended_at), greatest(queued_at, started_at, ended_at) from runs_before
            union all select {_SENT}, {_SENT} from notices
                      where notice_id in (select notice_id from touched_notices) or run_id in (select run_id from touched_runs)
            union all select {_MADE}, {_MADE} from changes
                      where change_id in (select change_id from touched_changes) or run_id in (select run_id from touched_runs)
            {gone}
        ))
        where first is not null
    """).fetchall()


_NEVER: Final = "timestamptz '1970-01-01 00:00:00+00'"
_LAST: Final = "timestamptz '2200-01-01 00:00:00+00'"  # a hostile year must not overflow what is reckoned with it
_SENT: Final = f"coalesce(sent_at, {_NEVER})"
_MADE: Final = f'coalesce("at", {_NEVER})'
_NAMES: Final = "select coalesce(bit_xor(hash(automation_id, name, native_id)), 0) as names from automations"


def are_due(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether something changed since notices and changes were last joined to runs."""
    return bool(
        con.execute(f"""
            select 1 from ledger_state, ({_NAMES})
            where (joins_from is not null or joins_names is distinct from names)
              and (exists (from notices) or exists (from changes)) limit 1
        """).fetchall()
    )


def join(con: duckdb.DuckDBPyConnection) -> None:
    """Join what may be joined differently since the last time. To be called inside a transaction, after `automation_spans`."""
    _macros(con)
    _open_items(con)
    if _any(con, "open_items"):
        _named_automations(con)
        _by_id(con)
        _bad_runs(con)
        _by_record(con)
        _by_name(con, "in_key", "key")
        _by_name(con, "in_text", "text")
        _by_time(con)
    _write(con)
    con.execute(f"update ledger_state set joins_from = null, joins_to = null, joins_names = ({_NAMES})").fetchall()


def _any(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(con.execute(f"select 1 from {table} limit 1").fetchall())


def _macros(con: duckdb.DuckDBPyConnection) -> None:
    # "acme / CRM sync", "acme-crm-sync" and "Acme CRM Sync" are one name
    con.execute(r"""create or replace temp macro slug(text) as (
        trim(regexp_replace(lower(text), '[^\p{L}\p{N}]+', '-', 'g'), '-'))""").fetchall()
    con.execute(
        "create or replace temp macro slug_in(slug, text) as (contains('-' || text || '-', '-' || slug || '-'))"
    ).fetchall()


def _open_items(con: duckdb.DuckDBPyConnection) -> None:
    """`items`: notices and changes that a run or automation since changed can concern; `open_items`: those that name no run of their own."""
    con.execute(f"""
        create or replace temp table items as
        with state as (
            select case when joins_names is distinct from names then '-infinity'::TIMESTAMPTZ else joins_from - {EARLY} end as first,
                   case when joins_names is distinct from names then 'infinity'::TIMESTAMPTZ else joins_to + {ID_WINDOW} end as last
            from ledger_state, ({_NAMES})
        ), told as (
            select notice_id, arg_max(run_id, (observed_at, run_id)) as run_id, list_distinct(flatten(list(coalesce(record_keys, [])))) as record_keys
            from notice_observations group by notice_id
        ), told_changes as (
            select change_id, arg_max(run_id, (observed_at, run_id)) as run_id, arg_max(automation_id, observed_at) as automation_id,
                   arg_max(text, observed_at) as text, arg_max("key", observed_at) as "key"
            from change_observations group by change_id
        )
        select 'notice' as what, notice_id as item, source, sent_at as "at", kind, "key", concat_ws(' ', title, text) as text,
               record_keys, told.run_id as own_run, null::VARCHAR as own_automation
        from notices join told using (notice_id), state where {_SENT} between first and last
        union all
        select 'change', change_id, source, "at", kind, told_changes."key", concat_ws(' ', title, text), null::VARCHAR[], told_changes.run_id,
               told_changes.automation_id
        from changes join told_changes using (change_id), state where {_MADE} between first and last
    """).fetchall()
    con.execute(f"""
        create or replace temp table open_items as
        select *, slug("key") as key_slug, slug(text) as text_slug from items where own_run is null and "at" between {_NEVER} and {_LAST}
    """).fetchall()
    con.execute("create or replace temp table joined (item VARCHAR, run_id VARCHAR, joined_by VARCHAR)").fetchall()
    con.execute(
        "create or replace temp table named (item VARCHAR, automation_id VARCHAR, in_key BOOLEAN, in_text BOOLEAN)"
    ).fetchall()


def _named_automations(con: duckdb.DuckDBPyConnection) -> None:
    """`named`: the automations that an item names, by name or id, and where. Of "invoices" in "invoices EU" only the longer counts.

    A short word alone ("deploy", "main", "sync") is a word of the language, and a name only where it is the whole key.
    """
    con.execute("""
        create or replace temp table slugs as
        select automation_id, source, slug, split_part(slug, '-', 1) as begin, length(slug) >= case when contains(slug, '-') then 5 else 8 end as telling
        from (select automation_id, source, unnest(list_distinct([slug(name), slug(native_id)])) as slug from automations)
        where length(slug) >= 3
    """).fetchall()
    con.execute("""
        insert into named
        with words as (
            select distinct item, unnest(string_split(concat_ws('-', key_slug, text_slug), '-')) as begin from open_items
        ), found as (
            select item, automation_id, slugs.source = open_items.source as is_own, slug, key_slug, text_slug,
                   coalesce(slug = key_slug or (telling and slug_in(slug, key_slug)), false) as in_key,
                   coalesce(telling and slug_in(slug, text_slug), false) as in_text
            from words join slugs using (begin) join open_items using (item)
        ), kept as (
            select one.item, one.automation_id, one.is_own, one.in_key, one.in_text from found one
            where (one.in_key or one.in_text) and not exists (
                from found other where other.item = one.item and (other.in_key or other.in_text)
                 and length(other.slug) > length(one.slug) and slug_in(one.slug, other.slug)
                 and not (one.in_key and slug_in(one.slug, replace(concat('-', one.key_slug, '-'), concat('-', other.slug, '-'), '--')))
                 and not (one.in_text and slug_in(one.slug, replace(concat('-', one.text_slug, '-'), concat('-', other.slug, '-'), '--'))))
        )
        select item, automation_id, bool_or(in_key), bool_or(in_text) from kept
        group by item, automation_id
    """).fetchall()
    # a monitor's own alert is about the monitor, though the job that it watches has the same name
    con.execute("""
        delete from named where exists (
            from named own join automations auto using (automation_id) join open_items using (item)
            where own.item = named.item and auto.source = open_items.source)
          and not exists (
            from automations auto join open_items on open_items.source = auto.source
            where open_items.item = named.item and auto.automation_id = named.automation_id)
    """).fetchall()


def _by_id(con: duckdb.DuckDBPyConnection) -> None:
    """Ids long and odd enough to mean nothing else, anywhere; short ones ("13") in an address or after a word like "execution",
    and only beside the name of their automation."""
    con.execute(rf"""
        create or replace temp table tokens as
        with texts as (select item, concat_ws(' ', "key", text) as text from open_items),
        words as (
            select item, regexp_replace(unnest(string_split_regex(text, '[\s"''<>()\[\]{{}},;|`\\]+')), '^[.:!?*#]+|[.:!?*]+$', '', 'g') as word from texts
        ), parts as (
            select item, word, false as in_address from words
            union all
            select item, unnest(string_split_regex(regexp_extract(word, '^[^?#]*'), '/+')), contains(word, '://') from words where contains(word, '/')
            union all
            select item, unnest(string_split_regex(word, '[/?&=#]+')), false from words where regexp_matches(word, '[?&=#]')
        ), finer as (
            select * from parts
            union all
            select item, unnest(string_split(word, ':')), false from parts where contains(word, ':')
        ), told as (
            select item, coalesce(try(url_decode(word)), word) as token, in_address as is_told from finer
            union all
            select item, unnest(regexp_extract_all(text,
                '{_ID_AFTER_WORD}', 1)), true from texts
        )
        select item, token, bool_or(is_told) as is_told,
               length(token) >= case when regexp_full_match(token, '[0-9]+') then 9 else 8 end
                   and not regexp_full_match(token, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ].*)?') as is_odd
        from (select item, regexp_replace(token, '[.:!?*-]+$', '') as token, is_told from told) where regexp_matches(token, '[0-9]') and length(token) <= 400
        group by all having is_odd or bool_or(is_told)
    """).fetchall()
    con.execute(f"""
        create or replace temp table hits as
        with timed as (
            select item, run_id, automation_id, is_odd, {_BEGAN} as began, {_ENDED} as ended,
                   regexp_replace(run_id, '#[0-9]+$', '') as unit  -- all attempts of a run share its id
            from (from runs join tokens on tokens.token = runs.native_id union from runs join tokens on tokens.token = runs.run_id)
        )
        select timed.*, "at", named.automation_id is not null as is_named
        from timed join open_items using (item) left join named using (item, automation_id)
        where began <= "at" + {EARLY} and ended >= "at" - {ID_WINDOW} and (is_odd or named.automation_id is not null)
    """).fetchall()
    con.execute("""
        insert into joined
        with units as (
            select item, unit, arg_max(run_id, (began <= "at", began, run_id)) as run_id, bool_or(is_named) as is_named from hits group by item, unit
        )
        select item, case when count(*) = 1 then any_value(run_id) else any_value(run_id) filter (is_named) end, 'id'
        from units group by item having count(*) = 1 or count(*) filter (is_named) = 1
    """).fetchall()


_BEGAN: Final = "coalesce(started_at, queued_at, ended_at)"
_ENDED: Final = "coalesce(ended_at, started_at, queued_at)"
_DISTANCE: Final = """abs(epoch(ended - "at")) + case when began > "at" then 1e9 else 0 end"""
_NEAREST: Final = f"arg_min(run_id, ({_DISTANCE}, run_id))"
_ONE_NEAREST: Final = f"(count(*) = 1 or list_sort(list({_DISTANCE}))[2] - min({_DISTANCE}) >= {SAME_S})"
_STILL_OPEN: Final = "(from open_items where what = 'notice' and item not in (select item from joined))"


def _bad_runs(con: duckdb.DuckDBPyConnection) -> None:
    """`near`: for each notice still open, the runs that failed (or partly so) within `NAME_WINDOW` before it."""
    words = ", ".join(f"'{word}'" for word in _BAD)
    con.execute(f"""
        create or replace temp table bad_runs as
        with stretch as (select min("at") as first, max("at") as last from {_STILL_OPEN})
        select run_id, source, automation_id, first_seen_at, {_BEGAN} as began, {_ENDED} as ended
        from runs, stretch where status in ({words}) and {_BEGAN} <= last + {EARLY} and {_ENDED} >= first - {NAME_WINDOW}
    """).fetchall()
    con.execute(f"""
        create or replace temp table near as
        select item, "at", kind, record_keys, bad_runs.*
        from {_STILL_OPEN} notices join bad_runs on began <= "at" + {EARLY} and ended >= "at" - {NAME_WINDOW}
    """).fetchall()


def _by_record(con: duckdb.DuckDBPyConnection) -> None:
    """The runs near it that touched a business record which it names, if they are of one automation."""
    if not con.execute("select 1 from near where len(record_keys) > 0 limit 1").fetchall():
        return
    con.execute(f"""
        insert into joined
        with wanted as (
            select item, "at", run_id, automation_id, began, ended, unnest(record_keys) as record_key from near where len(record_keys) > 0
        ), touching as (
            select item, "at", run_id, automation_id, began, ended from wanted
            join (select distinct run_id, concat_ws('|', entity_type, entity_key) as record_key from touches
                  where run_seen_at >= (select min(first_seen_at) from bad_runs) and run_id in (select run_id from bad_runs)) touched using (run_id, record_key)
        ), fitting as (
            select * from touching where item not in (select item from named) or (item, automation_id) in (select (item, automation_id) from named)
        )
        select item, {_NEAREST}, 'key' from fitting
        group by item having count(distinct coalesce(automation_id, run_id)) = 1 and {_ONE_NEAREST}
    """).fetchall()


def _by_name(con: duckdb.DuckDBPyConnection, where: str, word: str) -> None:
    """The nearest of the runs near it, if one automation only is named there and failed."""
    con.execute(f"""
        insert into joined
        select item, {_NEAREST}, '{word}'
        from near join named using (item, automation_id) where {where} and item not in (select item from joined)
        group by item having count(distinct automation_id) = 1 and {_ONE_NEAREST}
    """).fetchall()


def _by_time(con: duckdb.DuckDBPyConnection) -> None:
    """The only run that failed within `TIME_WINDOW` before it, unless the notice names something else."""
    people = ", ".join(f"'{kind}'" for kind in WRITTEN_BY_PEOPLE)
    con.execute(f"""
        insert into joined
        select item, any_value(run_id), 'time'
        from near where item not in (select item from joined) and ended between "at" - {TIME_WINDOW} and "at" + {EARLY}
        group by item, kind having count(*) = 1 and coalesce(kind, '') not in ({people}) and item not in (select item from named)
    """).fetchall()


def _write(con: duckdb.DuckDBPyConnection) -> None:
    """Runs, automations and clients of `items`, where they are others than before."""
    con.execute("""
        create or replace temp table found as
        with ours as (
            select what, item, coalesce(own_run, joined.run_id) as run_id, own_automation, joined.joined_by
            from items left join joined using (item)
        ), one_named as (
            select item, case when count(*) filter (in_key) > 0 then any_value(automation_id) filter (in_key) else any_value(automation_id) end as automation_id,
                   case when count(*) filter (in_key) > 0 then 'key' else 'text' end as named_by
            from named group by item
            having count(*) filter (in_key) = 1 or (count(*) filter (in_key) = 0 and count(*) = 1)
        )
        select ours.*, runs.client, coalesce(runs.automation_id, own_automation, one_named.automation_id) as automation_id,
               case when own_automation is null and runs.automation_id is null then named_by end as named_by
        from ours left join (select run_id, client, automation_id from runs semi join ours using (run_id)) runs using (run_id)
        left join one_named using (item)
    """).fetchall()
    con.execute("""
        update notices set run_id = found.run_id, client = found.client, automation_id = found.automation_id,
               joined_by = coalesce(found.joined_by, case when found.run_id is not null then notices.joined_by end)
        from found where what = 'notice' and item = notice_id
          and (notices.run_id is distinct from found.run_id or notices.client is distinct from found.client
               or notices.automation_id is distinct from found.automation_id
               or notices.joined_by is distinct from coalesce(found.joined_by, case when found.run_id is not null then notices.joined_by end))
    """).fetchall()
    con.execute("""
        update changes set run_id = found.run_id, automation_id = found.automation_id,
               joined_by = coalesce(found.joined_by, case when found.run_id is not null then changes.joined_by else found.named_by end)
        from found where what = 'change' and item = change_id
          and (changes.run_id is distinct from found.run_id or changes.automation_id is distinct from found.automation_id
               or changes.joined_by is distinct from coalesce(found.joined_by, case when found.run_id is not null then changes.joined_by else found.named_by end))
    """).fetchall()
