"""From an adapter's SELECTs to observations: ids, statuses, redaction, fingerprints, clients, touches.

Each step is one SQL statement over the whole file. Where an adapter's SELECT raises on some record, the file is halved until
the record is found; it becomes a reject and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb

from aftershock.adapters.base import CANONICAL, CANONICAL_TYPES, Adapter, Export
from aftershock.errors import AdapterError
from aftershock.ingest.clean import MAX_TEXT, clean_texts, fingerprint_texts
from aftershock.ingest.keys import matched_rules, needs_payload, touches_sql
from aftershock.ingest.sql import identifier, literal
from aftershock.model import STATUS_WORDS
from aftershock.project import Project

_PRINTS_JOIN: Final = """left join fingerprints prints
    on prints.error_type = coalesce(type, '') and prints.error_message = coalesce(message, '')"""


@dataclass(frozen=True)
class Context:
    """What one file is mapped with. `prefix` begins every id: `n8n:` or `n8n@other:`."""

    project: Project
    adapter: Adapter
    export: Export
    source: str
    import_id: str
    file_time: datetime
    tool: str

    @property
    def prefix(self) -> str:
        return f"{self.tool}:" if self.source == self.tool else f"{self.tool}@{self.source}:"

    @property
    def tables(self) -> tuple[str, ...]:
        """The canonical tables that the adapter selects; those of all others are empty, and nothing is done about them."""
        return tuple(table for table in CANONICAL if table in self.export.select)

    def of_records(self, *but: str) -> tuple[str, ...]:
        """The selected tables with a row for each record, without those named."""
        return tuple(table for table in self.tables if table not in ("coverage", "rejects", *but))


def define_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The empty temporary tables `sel_<table>`, once for a connection."""
    for table in CANONICAL:
        body = ", ".join(f"{identifier(name)} {_type(name)}" for name in _names(table))
        con.execute(f"create or replace temp table sel_{table} ({body})").fetchall()


def select(con: duckdb.DuckDBPyConnection, context: Context, filled: set[str]) -> None:
    """Run the adapter's SELECTs into temporary tables `sel_<table>`, all canonical columns filled up with nulls.

    `filled`: the tables that hold something of the file before; of this one afterwards.
    """
    for table in sorted(filled - set(context.tables)):
        con.execute(f"delete from sel_{table}").fetchall()
        filled.discard(table)
    filled.update(context.tables)
    unread = () if needs_payload(context.project) else ("payload",)
    for table in context.tables:
        query = context.export.select[table]
        have = _columns_of(con, context, table, query)
        body = ", ".join(_column(name, have, unread) for name in _names(table))
        _run_select(con, f"sel_{table}", body, query, halve=table != "coverage")
    _reject_without_id(con, context)


def _names(table: str) -> tuple[str, ...]:
    return (*(() if table == "coverage" else ("place",)), *CANONICAL[table])


_SHAPES: Final[dict[tuple[str, str], Mapping[str, str]]] = {}


def _columns_of(con: duckdb.DuckDBPyConnection, context: Context, table: str, query: str) -> Mapping[str, str]:
    """The columns that a SELECT gives, and their types: the same for every file of an export."""
    key = (query, repr(sorted(context.export.columns.items())))
    if key not in _SHAPES:
        _SHAPES[key] = _described(con, context, table, query)
    return _SHAPES[key]


def _described(con: duckdb.DuckDBPyConnection, context: Context, table: str, query: str) -> Mapping[str, str]:
    try:
        have = {row[0]: row[1] for row in con.execute(f"describe {query}").fetchall()}
    except duckdb.Error as error:
        raise AdapterError(context.adapter.name, f"export {context.export.name}: select {table}", str(error)) from error
    unknown = sorted(set(have) - set(CANONICAL[table]) - {"place"})
    missing = [] if table == "coverage" or "place" in have else ["place"]
    if unknown or missing:
        problem = f"gives unknown column(s) {', '.join(unknown)}" if unknown else "does not give place"
        raise AdapterError(context.adapter.name, f"export {context.export.name}: select {table}", problem)
    return have


def _column(name: str, have: Mapping[str, str], unread: Sequence[str]) -> str:
    kind = _type(name)
    if name not in have or name in unread:
        return f"null::{kind} as {identifier(name)}"
    if name == "status_raw" and have[name].endswith("[]"):
        # one key per record, the words of the tuple side by side
        return f"array_to_string(list_transform({identifier(name)}, lambda word: coalesce(word::VARCHAR, '')), '|') as {identifier(name)}"
    return f"{identifier(name)}::{kind} as {identifier(name)}"


def _type(name: str) -> str:
    return "BIGINT" if name == "place" else CANONICAL_TYPES.get(name, "VARCHAR")


def _run_select(con: duckdb.DuckDBPyConnection, target: str, body: str, query: str, *, halve: bool) -> None:
    try:
        con.execute(f"create or replace temp table {target} as select {body} from ({query})").fetchall()
    except (duckdb.DataError, duckdb.InvalidInputException, UnicodeDecodeError) as error:
        if not halve:
            raise
        con.execute("create or replace temp table all_records as from records").fetchall()
        con.execute("create or replace temp table some_records as from all_records limit 0").fetchall()
        con.execute("create or replace temp view records as from some_records").fetchall()
        con.execute(f"create or replace temp table {target} as select {body} from ({query}) limit 0").fetchall()
        places = [row[0] for row in con.execute("select place from all_records order by place").fetchall()]
        _by_halves(con, f"insert into {target} select {body} from ({query})", places, str(error))
        con.execute(
            "create or replace temp table some_records as from all_records anti join (select record as place from staged_rejects) using (place)"
        ).fetchall()


def _by_halves(con: duckdb.DuckDBPyConnection, statement: str, places: Sequence[int], why: str) -> None:
    """Insert what can be inserted; what fails alone is a reject."""
    con.execute(
        "create or replace temp table some_records as from all_records where place between ? and ?",
        [places[0], places[-1]],
    ).fetchall()
    try:
        con.execute(statement).fetchall()
    except (duckdb.DataError, duckdb.InvalidInputException, UnicodeDecodeError) as error:
        if len(places) == 1:
            reason = f"cannot be mapped: {str(error).splitlines()[0]}"
            con.execute(
                "insert into staged_rejects values (?, '', null, null, ?, null)", [places[0], reason]
            ).fetchall()
            return
        middle = len(places) // 2
        _by_halves(con, statement, places[:middle], why)
        _by_halves(con, statement, places[middle:], why)


def _reject_without_id(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    if "rejects" in context.tables:
        con.execute(
            "insert into staged_rejects select place, '', field, seen, reason, null from sel_rejects"
        ).fetchall()
    for table in ("runs", "steps"):
        if table in context.tables:
            con.execute(f"""
                insert into staged_rejects
                select distinct place, '', 'native_id', null, 'has no id', null from sel_{table} where coalesce(trim(native_id), '') = ''
            """).fetchall()
    if not _any(con, "staged_rejects"):
        return
    for table in context.of_records():
        con.execute(f"delete from sel_{table} where place in (select record from staged_rejects)").fetchall()


def _any(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(con.execute(f"select 1 from {table} limit 1").fetchall())


def account(con: duckdb.DuckDBPyConnection, context: Context) -> tuple[int, int, int]:
    """How many records were mapped, set aside and rejected. Every record is one of the three; a forgotten one is a reject."""
    told = " union all ".join(f"select place from sel_{table}" for table in context.of_records())
    con.execute(f"""
        insert into staged_rejects
        select place, '', null, null, 'nothing in it is known to this adapter', null
        from records anti join ({told or "select null::BIGINT as place"}) using (place)
        where place not in (select record from staged_rejects)
    """).fetchall()
    if "set_aside" in context.tables:
        mapped = " union all ".join(f"select place from sel_{table}" for table in context.of_records("set_aside"))
        if mapped:
            con.execute(f"delete from sel_set_aside where place in ({mapped})").fetchall()
    [(records, set_aside, rejects, broken)] = con.execute("""
        select (select count(*) from records), (select count(distinct place) from sel_set_aside),
               (select count(distinct record) from staged_rejects),
               (select count(distinct record) from staged_rejects semi join records on records.place = staged_rejects.record)
    """).fetchall()
    return int(records) - int(broken) - int(set_aside), int(set_aside), int(rejects)


def clean(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Take secrets out of the texts that will be kept, and fingerprint errors. Payloads stay: keys are found in them yet."""
    clean_texts(con, context.project.privacy, context.tables)
    fingerprint_texts(con)


def observe(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Write the observations of this file, and name what they touch for settling."""
    tables = context.tables
    _status_words(con, context)
    if "runs" in tables:
        _run_rows(con, context)
    if "steps" in tables:
        _step_rows(con, context)
    if "runs" in tables:
        _touch_rows(con, context)
    if "notices" in tables:
        _notice_rows(con, context)
    if "runs" in tables or "automations" in tables:
        _automation_rows(con, context)
    if "changes" in tables:
        _change_rows(con, context)


def _status_words(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    words = ", ".join(f"({literal(raw)}, {literal(ours)})" for raw, ours in context.adapter.status.words.items())
    con.execute(f"""
        create or replace temp table status_words as
        from (values {words or "(null, null)"}) words(raw_key, our_word)
    """).fetchall()


def _status(alias: str) -> str:
    """Our word: the adapter's own if it gave one, else the table's, else unknown; null where the record says nothing."""
    known = ", ".join(f"'{word}'" for word in STATUS_WORDS)
    return (
        f"case when {alias}.status in ({known}) then {alias}.status when {alias}.status_raw is null then null "
        f"else coalesce(words.our_word, 'unknown') end"
    )


def _words_join(alias: str) -> str:
    return f"left join status_words words on words.raw_key = translate(lower({alias}.status_raw), '_- ', '')"


def run_id_sql(context: Context, scope: str, native: str, attempt: str) -> str:
    """`airflow:invoice_export/shop-1001`, `github_actions:acme/shop/3043#2`."""
    return (
        f"{literal(context.prefix)} || coalesce({scope} || '/', '') || {native} || "
        f"case when coalesce({attempt}, 1) > 1 then '#' || {attempt} else '' end"
    )


def _automation_id(context: Context, scope: str, native: str, name: str) -> str:
    return f"{literal(context.prefix)} || coalesce({scope} || '/', '') || coalesce({native}, {name})"


def _run_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    own_chain = "sel.retry_of = sel.native_id and sel.retry_of_attempt is not null"
    con.execute(f"""
        create or replace temp view new_runs as
        with named as (
            select sel.* exclude (payload), {_status("sel")} as our_status, sel.error_message as message, sel.error_type as type,
                   {matched_rules(context.project, "sel.payload", "sel.tags")} as clients, records.tz_assumed as assumed
            from sel_runs sel {_words_join("sel")} left join records using (place)
        )
        select place, {literal(context.import_id)} as import_id, coalesce(updated_at, {literal(context.file_time)}) as observed_at, {context.export.rank} as rank,
               {run_id_sql(context, "scope", "native_id", "attempt")} as run_id, {literal(context.tool)} as tool, {literal(context.source)} as source,
               case when coalesce(automation_native_id, automation) is not null
                    then {_automation_id(context, "null::VARCHAR", "automation_native_id", "automation")} end as automation_id,
               native_id, clients, attempt, role, our_status as status, status_raw, "trigger", queued_at, started_at, ended_at,
               duration_s, items_in, items_out, version, correlation_id, type as error_type, message as error_message,
               prints.fingerprint, assumed as tz_assumed,
               nullif(case when {own_chain.replace("sel.", "")} then {run_id_sql(context, "scope", "retry_of", "1")}
                           when retry_of is not null then {run_id_sql(context, "scope", "retry_of", "retry_of_attempt")} end, run_id) as retry_of,
               case when parent_native_id is not null
                    then {run_id_sql(context, "coalesce(parent_scope, scope)", "parent_native_id", "parent_attempt")} end as parent_run_id
        from named {_PRINTS_JOIN}
    """).fetchall()
    con.execute(
        "create or replace temp table told_now as select * exclude (place), getvariable('write_no') as write_no from new_runs"
    ).fetchall()
    con.execute("insert into touched_runs select run_id from told_now").fetchall()


def _step_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    con.execute(f"""
        create or replace temp table new_steps as
        with named as (
            select sel.* replace (coalesce(key, name, kind, 'step') as key), {run_id_sql(context, "scope", "native_id", "run_attempt")} as run_id,
                   {_status("sel")} as our_status, sel.error_message as message, sel.error_type as type
            from sel_steps sel {_words_join("sel")}
        )
        select place, operation, payload, {literal(context.import_id)} as import_id, coalesce(updated_at, {literal(context.file_time)}) as observed_at,
               {context.export.rank} as rank, run_id || '/' || key || case when coalesce(map_index, 0) > 0 then '[' || map_index || ']' else '' end ||
               case when coalesce(attempt, 1) > 1 then '#' || attempt else '' end as step_id, run_id, key as step_key, name,
               kind, system, coalesce(attempt, 1) as attempt, coalesce(map_index, 0) as map_index, our_status as status,
               status_raw, started_at, ended_at, duration_s, items_in, items_out, type as error_type, message as error_message,
               prints.fingerprint
        from named {_PRINTS_JOIN}
    """).fetchall()
    con.execute(
        "insert into step_observations by name select * exclude (place, operation, payload), getvariable('write_no') as write_no from new_steps"
    ).fetchall()
    con.execute("insert into touched_runs select distinct run_id from new_steps").fetchall()


def _touch_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    found = touches_sql(context.project, "payload")
    if found is None:
        return
    payloads = [
        f"""
            select runs.run_id, null::VARCHAR as step_id, {literal(context.tool)} as system, 'unknown' as operation,
                   concat_ws(' ', sel.payload, array_to_string(sel.tags, ' '), sel.correlation_id) as payload,
                   null::TIMESTAMPTZ as "at"
            from sel_runs sel join (select distinct place, native_id, run_id from new_runs) runs using (place, native_id)
            where coalesce(sel.payload, sel.correlation_id) is not null or len(sel.tags) > 0"""
    ]
    if "steps" in context.tables:
        payloads.append(f"""
            select run_id, step_id, coalesce(system, {literal(context.tool)}), coalesce(operation, 'unknown'), payload,
                   coalesce(ended_at, started_at) as "at"
            from new_steps where payload is not null""")
    con.execute(f"""
        create or replace temp table new_touches as
        with payloads as (
            {" union all ".join(payloads)}
        ), found as (select * exclude (payload), unnest({found}) as hit from payloads)
        select {literal(context.import_id)} as import_id,
               md5(concat_ws('|', run_id, step_id, system, hit.entity_type, hit.entity_key, operation, hit.client)) as touch_id, run_id, step_id,
               hit.client as client, system, hit.entity_type as entity_type, hit.entity_key as entity_key, operation,
               hit.value_hash as value_hash, min(hit.found_by) as found_by, max("at") as "at"
        from found group by all
    """).fetchall()
    con.execute(
        "insert into touch_observations by name select *, getvariable('write_no') as write_no from new_touches"
    ).fetchall()


def _notice_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    keys = touches_sql(context.project, "coalesce(payload, concat_ws(' ', \"key\", title, text))")
    hits = (
        f"list_transform({keys}, lambda hit: concat_ws('|', hit.entity_type, hit.entity_key))"
        if keys
        else "null::VARCHAR[]"
    )
    con.execute(f"""
        create or replace temp table new_notices as
        select {literal(context.import_id)} as import_id, coalesce(updated_at, sent_at, {literal(context.file_time)}) as observed_at,
               {literal(context.prefix)} || 'notice/' || coalesce(notice, md5(concat_ws('|', native_id, channel, recipient, kind, sent_at, title))) as notice_id,
               case when native_id is not null then {run_id_sql(context, "scope", "native_id", "run_attempt")} end as run_id,
               channel, recipient, kind, sent_at, acknowledged_at, resolved_at, joined_by, {literal(context.source)} as source,
               left(nullif(title, ''), {MAX_TEXT}) as title, left(nullif(text, ''), {MAX_TEXT}) as text,
               nullif("key", '') as "key", list_distinct({hits}) as record_keys
        from sel_notices
    """).fetchall()
    con.execute("insert into notice_observations by name from new_notices").fetchall()
    con.execute("insert into touched_notices select notice_id from new_notices").fetchall()


def _automation_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    con.execute(f"""
        create or replace temp table new_automations as
        select {literal(context.import_id)} as import_id, max(observed_at) as observed_at, automation_id, {literal(context.tool)} as tool,
               {literal(context.source)} as source, name, native_id, owner, schedule, enabled
        from (
            select coalesce(updated_at, started_at, queued_at, {literal(context.file_time)}) as observed_at,
                   {_automation_id(context, "null::VARCHAR", "automation_native_id", "automation")} as automation_id,
                   automation as name, coalesce(automation_native_id, automation) as native_id,
                   null::VARCHAR as owner, null::VARCHAR as schedule, null::BOOLEAN as enabled
            from sel_runs where coalesce(automation_native_id, automation) is not null
            union all
            select coalesce(updated_at, {literal(context.file_time)}), {_automation_id(context, "null::VARCHAR", "native_id", "name")},
                   name, coalesce(native_id, name), owner, schedule, enabled
            from sel_automations where coalesce(native_id, name) is not null
        ) group by all
    """).fetchall()
    con.execute("insert into automation_observations by name from new_automations").fetchall()
    con.execute("insert into touched_automations select distinct automation_id from new_automations").fetchall()


def _change_rows(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    con.execute(f"""
        create or replace temp table new_changes as
        select {literal(context.import_id)} as import_id, coalesce(updated_at, "at", {literal(context.file_time)}) as observed_at,
               case when change is null then md5(concat_ws('|', automation_id, version, "at", kind))
                    else {literal(context.prefix)} || 'change/' || change end as change_id, automation_id, version, "at", "by", kind,
               case when native_id is not null then {run_id_sql(context, "scope", "native_id", "run_attempt")} end as run_id, joined_by,
               {literal(context.source)} as source, left(nullif(title, ''), {MAX_TEXT}) as title, left(nullif(text, ''), {MAX_TEXT}) as text,
               nullif("key", '') as "key"
        from (select *, {_automation_id(context, "null::VARCHAR", "automation_native_id", "automation")} as automation_id from sel_changes)
    """).fetchall()
    con.execute("insert into change_observations by name select distinct * from new_changes").fetchall()
    con.execute("insert into touched_changes select distinct change_id from new_changes").fetchall()
