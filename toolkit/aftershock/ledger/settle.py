"""Settling: observations in, the public tables out, for just the runs that a file touched.

Per column the newest value that is not null. "Newest" orders observations by rank (a tool's own record before an event
log), then `observed_at`, then finished before unfinished, then by content: so any order of the same files settles the same.
Across files are derived here: parents and roots, `had_failed_step`, computed `partial`, client, names of automations.

The cost grows with the file, hardly with the ledger: one narrow scan of `runs` finds the known ones among the touched; every
other table is read only from when one of them was first seen: `run_seen_at`, `seen_at`, `observed_at` and, where records carry
times of their own, the number of the write. All grow with the ledger, so DuckDB skips what lies before.

Most runs are told of by one file, once, and settle as they were told. What was said of such a run is not stored a second time:
the run's own row stands for it (`told_in`, `told_as`), and for its status in `status_history`, until another file touches the run.

Callers put what they are told of runs into the temporary table `told_now`, the ids of what they touched into those of `TOUCHED`, and
the client rules into `client_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

from aftershock.ledger import joins
from aftershock.model import BY_NAME, COUNTED, FAILURES, FINISHED

TOUCHED: Final = ("touched_runs", "touched_automations", "touched_notices", "touched_changes")
_AGGREGATED: Final = ("attempt", "role", "status", "status_raw", "trigger", "queued_at", "started_at", "ended_at", "duration_s",
                      "items_in", "items_out", "version", "correlation_id", "error_type", "error_message", "fingerprint",
                      "tz_assumed")  # fmt: skip
_GOING_ON: Final = ("running", "queued", "waiting")
_NAMES: Final = ("run_id", "tool", "source", "automation_id", "native_id", "retry_of", "parent_run_id")
_LEFT_OUT: Final = {"attempt": 1, "role": 2, "duration_s": 4}
"""What settling fills in where a file says nothing, and its number in `told_as`."""
_SECONDARY: Final = 8
"""The number of a secondary source (rank 1) in `told_as`."""
_ERROR: Final = "STRUCT(kind VARCHAR, text VARCHAR, print VARCHAR)"
_NO_FACTS: Final = ("root_run_id", "first_seen_at", "last_seen_at")
_STEP_FACTS: Final = [name for name in BY_NAME["steps"].names if name not in ("step_id", "run_id", "run_seen_at")]


@dataclass(frozen=True)
class Settled:
    """How many runs of one settling were new, and how many known ones changed."""

    runs_new: int
    runs_changed: int


@dataclass(frozen=True)
class _Since:
    """From when on the tables hold something of a touched run: the moment it was first seen, as SQL, and the write that told of it.

    `none_known`: nothing does, all of them are new.
    """

    seen: str
    write: int
    none_known: bool


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty temporary tables that name what was touched."""
    con.execute("create or replace temp table told_now as from run_observations limit 0").fetchall()
    con.execute("create or replace temp table touched_runs (run_id VARCHAR)").fetchall()
    con.execute("create or replace temp table touched_automations (automation_id VARCHAR)").fetchall()
    con.execute("create or replace temp table touched_notices (notice_id VARCHAR)").fetchall()
    con.execute("create or replace temp table touched_changes (change_id VARCHAR)").fetchall()
    con.execute("set variable write_no = (select commits + 1 from ledger_state)").fetchall()


def settle(con: duckdb.DuckDBPyConnection) -> Settled:
    """Bring every touched run, step, touch, notice and automation up to date. To be called inside a transaction."""
    _distinct(con)
    _automations(con)
    of_any_scope = any(_any(con, f"{told} where {_OF_ANY_SCOPE}") for told in ("told_now", "run_observations"))
    if of_any_scope:
        _children_of_any_scope(con)
    since = _known_runs(con)
    _runs(con, since, of_any_scope=of_any_scope)
    _steps(con, since)
    result = _replace_runs(con, since)
    _keep_told(con)
    _roots(con)
    _status_history(con, since)
    _touches(con, since)
    joins.settle_notices(con)
    joins.settle_changes(con)
    joins.remember(con)
    return result


_OF_ANY_SCOPE: Final = "contains(parent_run_id, ':*/')"


def _any(con: duckdb.DuckDBPyConnection, rows: str) -> bool:
    return bool(con.execute(f"select 1 from {rows} limit 1").fetchall())


def _none_told(con: duckdb.DuckDBPyConnection, table: str, since: _Since) -> bool:
    """Whether there is nothing to settle from this table: no touched run was known, and this write tells nothing."""
    return since.none_known and not _any(con, f"{table} where write_no = getvariable('write_no')")


_SPANS: Final = """
    select automation_id, min(coalesce(started_at, queued_at, ended_at)) as first, max(coalesce(started_at, queued_at, ended_at)) as last
    from runs group by automation_id"""


def spans_are_stale(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether an automation's first or last run is not what its runs say."""
    stale = "first_run_at is distinct from first or last_run_at is distinct from last"
    return bool(
        con.execute(f"select 1 from automations join ({_SPANS}) using (automation_id) where {stale} limit 1").fetchall()
    )


def automation_spans(con: duckdb.DuckDBPyConnection) -> None:
    """First and last run of every automation: once per ingestion, since it reads all runs."""
    con.execute(f"""
        update automations set first_run_at = spans.first, last_run_at = spans.last
        from ({_SPANS}) spans where spans.automation_id = automations.automation_id
          and (spans.first is distinct from first_run_at or spans.last is distinct from last_run_at)
    """).fetchall()


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _distinct(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create or replace temp table touched_runs as select distinct run_id from touched_runs where run_id is not null"
    ).fetchall()
    con.execute("""create or replace temp table touched_automations as
        select distinct automation_id from touched_automations where automation_id is not null""").fetchall()


def _automations(con: duckdb.DuckDBPyConnection) -> None:
    """Names and clients of the touched automations; runs of those that changed are touched too."""
    if not _any(con, "touched_automations"):
        return
    con.execute("""
        create or replace temp table settled_automations as
        with ordered as (
            select *, row_number() over (partition by automation_id order by observed_at nulls first, name, owner, schedule, enabled) as k
            from automation_observations semi join touched_automations using (automation_id)
        ), newest as (
            select automation_id, arg_max(tool, k) as tool, arg_max(source, k) as source, arg_max(name, k) as name,
                   arg_max(native_id, k) as native_id, arg_max(owner, k) as owner, arg_max(schedule, k) as schedule,
                   arg_max(enabled, k) as enabled
            from ordered group by automation_id
        )
        select newest.* replace (coalesce(newest.name, newest.native_id) as name),
               (select case when count(distinct rule.client) = 1 then min(rule.client) end from client_rules rule
                where not rule.needs_payload and (rule.source is null or rule.source = newest.source)
                  and (rule.automation is null or lower(coalesce(newest.name, newest.native_id)) glob rule.automation)) as client,
               old.first_run_at, old.last_run_at
        from newest left join automations old using (automation_id)
    """).fetchall()
    changed = """settled_automations new join automations old using (automation_id)
            where new.name is distinct from old.name or new.client is distinct from old.client"""
    if _any(con, changed):
        con.execute(f"""
            create or replace temp table touched_runs as
            select run_id from touched_runs union
            select run_id from runs where automation_id in (select automation_id from {changed})
        """).fetchall()
    con.execute(
        "delete from automations where automation_id in (select automation_id from touched_automations)"
    ).fetchall()
    con.execute("insert into automations by name select * from settled_automations").fetchall()


def _children_of_any_scope(con: duckdb.DuckDBPyConnection) -> None:
    """A child may know its parent's id without the scope (`airflow:*/id`): those of touched runs are touched too."""
    con.execute(f"""
        create or replace temp table touched_runs as
        with told as (select run_id, source, native_id from told_now),
        parents as (
            select source, native_id from told union
            select source, native_id from runs semi join (select run_id from touched_runs except select run_id from told) using (run_id)
        )
        select run_id from touched_runs
        union
        select child.run_id
        from (select run_id, source, parent_run_id from run_observations union all select run_id, source, parent_run_id from told_now) child
        join parents on parents.source = child.source and parents.native_id = split_part(child.parent_run_id, ':*/', 2)
        where {_OF_ANY_SCOPE}
    """).fetchall()


def _parents_of_any_scope(con: duckdb.DuckDBPyConnection) -> None:
    """Where exactly one run of the source has the id, that is the parent; else it stays unknown."""
    con.execute("""
        create or replace temp table children as
        select run_id as child, source, split_part(parent_run_id, ':*/', 2) as native_id
        from facts_of_several where contains(parent_run_id, ':*/')
    """).fetchall()
    con.execute("""
        update facts_of_several set parent_run_id = named.parent
        from (
            select child, case when count(distinct run_id) = 1 then min(run_id) end as parent
            from children left join (
                select run_id, source, native_id from runs semi join children using (source, native_id) union all
                select run_id, source, native_id from facts_of_several semi join children using (source, native_id)
            ) using (source, native_id)
            group by child
        ) named where named.child = facts_of_several.run_id
    """).fetchall()


def _known_runs(con: duckdb.DuckDBPyConnection) -> _Since:
    """Move the touched runs that the ledger knows from `runs` to `runs_before`, and gather what is told of all touched ones."""
    con.execute("""
        create or replace temp table known as
        select rowid as place, run_id, first_seen_at from run_rows semi join touched_runs using (run_id)
    """).fetchall()
    [(count, first, last, seen)] = con.execute("""
        select count(*), coalesce(min(place), 0), coalesce(max(place), -1), coalesce(min(first_seen_at), 'infinity')::VARCHAR from known
    """).fetchall()
    here = f"rowid between {first} and {last} and rowid in (select place from known)"
    con.execute(f"create or replace temp table runs_before as from run_rows where {here}").fetchall()
    if count == 0:
        con.execute("create or replace temp view told_runs as from told_now").fetchall()
        return _Since(f"TIMESTAMPTZ '{seen}'", _write_no(con), none_known=True)
    con.execute(f"delete from run_rows where {here}").fetchall()
    _write_out(con)
    con.execute(f"""
        create or replace temp table told_of_known as
        from told_now where run_id in (select run_id from touched_runs)
        union all by name
        from run_observations
        where observed_at >= '{seen}' and run_id in (select run_id from known)
    """).fetchall()
    con.execute("create or replace temp view told_runs as from told_of_known").fetchall()
    [(write,)] = con.execute("select coalesce(min(write_no), getvariable('write_no')) from told_runs").fetchall()
    return _Since(f"TIMESTAMPTZ '{seen}'", int(write), none_known=False)


def _write_out(con: duckdb.DuckDBPyConnection) -> None:
    """What was told of the known runs that stood for it themselves; of a file that is taken back, and so has no import, nothing."""
    same = (*_NAMES, *(name for name in _AGGREGATED if name not in _LEFT_OUT))
    left_out = (f"case when told_as & {bit} = 0 then {name} end as {name}" for name, bit in _LEFT_OUT.items())
    con.execute(f"""
        insert into run_observations by name
        select imports.import_id, told_in as write_no, first_seen_at as observed_at, told_as // {_SECONDARY} as rank,
               {", ".join(f'runs_before."{name}"' for name in same)}, {", ".join(left_out)}
        from runs_before join imports on imports.write_no = told_in
    """).fetchall()


def _keep_told(con: duckdb.DuckDBPyConnection) -> None:
    """Store what this write tells of runs, but of those that stand for it themselves; the others are in the table `in_pieces`."""
    con.execute("create or replace temp table in_pieces as select run_id from of_runs where told_as is null").fetchall()
    con.execute("insert into run_observations by name from told_now semi join in_pieces using (run_id)").fetchall()


def _write_no(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute("select getvariable('write_no')").fetchall()[0][0])


def _take_out(con: duckdb.DuckDBPyConnection, table: str, column: str, since: _Since) -> None:
    """Delete the settled rows of touched runs."""
    con.execute(
        f"delete from {table} where {column} >= {since.seen} and run_id in (select run_id from touched_runs)"
    ).fetchall()


def _told(table: str, since: _Since) -> str:
    """The observations of touched runs."""
    return f"(from {table} where write_no >= {since.write} and run_id in (select run_id from touched_runs))"


def _runs(con: duckdb.DuckDBPyConnection, since: _Since, *, of_any_scope: bool) -> None:
    """The view `run_facts`: what is known of each touched run; and the table `owners`: whose they are, few rows for all of them."""
    [(statements, runs)] = con.execute("select count(*), count(distinct run_id) from told_runs").fetchall()
    if statements == runs and since.none_known and not of_any_scope:  # nothing to fold
        con.execute(f"""
            create or replace temp view run_facts as
            select {", ".join(_NAMES)}, observed_at as first_seen_at,
                   observed_at as last_seen_at, coalesce(clients, []) as rules, rank, true as is_lone, {", ".join(_AGGREGATED)}
            from told_runs
        """).fetchall()
    else:
        _fold(con)
        if of_any_scope:
            _parents_of_any_scope(con)
        con.execute("create or replace temp view run_facts as from facts_of_several").fetchall()
    con.execute("""
        create or replace temp table owners as
        with kinds as (select distinct source, coalesce(automation_id, '') as automation_id, rules from run_facts)
        select kinds.source, kinds.automation_id, kinds.rules, list_sort(list_distinct(list(rule.client))) as clients
        from kinds
        left join automations auto on auto.automation_id = kinds.automation_id
        join client_rules rule
          on (rule.source is null or rule.source = kinds.source)
         and (rule.automation is null or lower(auto.name) glob rule.automation)
         and (not rule.needs_payload or list_contains(kinds.rules, rule.rule))
        group by all
    """).fetchall()


def _fold(con: duckdb.DuckDBPyConnection) -> None:
    ended = f"status in ({_words(FINISHED)})"  # "cannot say" gives way to an end that another file knows
    newest = ", ".join(
        f"case when arg_max(status, k) = 'unknown' then coalesce(arg_max({name}, k) filter ({ended}), arg_max({name}, k)) else arg_max({name}, k) end as {name}"
        if name in ("status", "status_raw")
        else f"arg_max({name}, k) as {name}"
        for name in _AGGREGATED
    )
    con.execute(f"""
        create or replace temp table facts_of_several as
        with ordered as (
            select *, row_number() over (
                partition by run_id order by rank desc, observed_at nulls first, coalesce(status in ({_words(FINISHED)}), false),
                status, status_raw, started_at, ended_at, queued_at, items_out, error_message, version, "trigger", correlation_id, duration_s,
                automation_id, parent_run_id, retry_of, role, attempt, items_in, error_type, fingerprint, tz_assumed) as k
            from told_runs
        )
        select run_id, arg_max(tool, k) as tool, arg_max(source, k) as source, arg_max(automation_id, k) as automation_id,
               arg_max(native_id, k) as native_id, arg_max(retry_of, k) as retry_of, arg_max(parent_run_id, k) as parent_run_id,
               min(observed_at) as first_seen_at, max(observed_at) as last_seen_at,
               list_distinct(flatten(list(coalesce(clients, [])))) as rules, any_value(rank) as rank,
               count(*) = 1 and bool_and(write_no = getvariable('write_no') and not coalesce({_OF_ANY_SCOPE}, false)) as is_lone, {newest}
        from ordered group by run_id
    """).fetchall()


def _steps(con: duckdb.DuckDBPyConnection, since: _Since) -> None:
    """The steps of touched runs, and the table `failed_steps`."""
    if _none_told(con, "step_observations", since):
        con.execute(
            f"create or replace temp table failed_steps (run_id VARCHAR, had_failed_step BOOLEAN, error {_ERROR})"
        ).fetchall()
        return
    newest = ", ".join(f"arg_max({name}, k) as {name}" for name in _STEP_FACTS)
    con.execute(f"""
        create or replace temp table settled_steps as
        with ordered as (
            select *, row_number() over (
                partition by step_id order by rank desc, observed_at nulls first, coalesce(status in ({_words(FINISHED)}), false),
                status, status_raw, started_at, ended_at, items_out, error_message, error_type, items_in, duration_s, name, kind, system,
                step_key, attempt, map_index, fingerprint) as k
            from {_told("step_observations", since)}
        )
        select step_id, any_value(run_id) as run_id, {newest} from ordered group by step_id
    """).fetchall()
    con.execute("""update settled_steps set status = coalesce(status, 'unknown'), name = coalesce(name, step_key),
        duration_s = coalesce(duration_s, (epoch_us(ended_at) - epoch_us(started_at)) / 1e6)""").fetchall()
    _take_out(con, "steps", "run_seen_at", since)
    con.execute("""
        insert into steps by name
        select steps.*, first_seen_at as run_seen_at from settled_steps steps left join run_facts using (run_id)
    """).fetchall()
    _failed_steps(con)


def _failed_steps(con: duckdb.DuckDBPyConnection) -> None:
    """Runs in which the last attempt of some step failed, or ended well over an item with an error; and that step's error."""
    bad = f"status in ({_words((*FAILURES, 'partial'))})"
    con.execute(f"""
        create or replace temp table failed_steps as
        with ordered as (
            select *, row_number() over (partition by run_id, step_key, coalesce(map_index, 0) order by coalesce(attempt, 1) desc) as recency,
                   row_number() over (partition by run_id order by coalesce(ended_at, started_at) nulls first, step_id) as k
            from settled_steps
        )
        select run_id, bool_or({bad}) filter (recency = 1) as had_failed_step,
               arg_max(struct_pack(kind := error_type, text := error_message, print := fingerprint), k)
                   filter (recency = 1 and {bad} and fingerprint is not null) as error
        from ordered group by run_id
    """).fetchall()


def _replace_runs(con: duckdb.DuckDBPyConnection, since: _Since) -> Settled:
    is_as_told = f"""is_lone and rules = [] and rank in (0, 1) and status is not null and not (status = 'succeeded' and coalesce(had_failed_step, false))
        and (status not in ({_words(_GOING_ON)}) or (ended_at is null and duration_s is null))
        and error_type is not distinct from error.kind and error_message is not distinct from error.text and fingerprint is not distinct from error.print"""
    told_as = " + ".join(
        [f"{_SECONDARY} * rank", *(f"if({name} is null, {bit}, 0)" for name, bit in _LEFT_OUT.items())]
    )
    with_steps = (  # a join that finds nothing costs as much as one that does
        "select run_facts.*, had_failed_step, failed.error as of_step from run_facts left join failed_steps failed using (run_id)"
        if _any(con, "failed_steps")
        else f"select *, null::BOOLEAN as had_failed_step, null::{_ERROR} as of_step from run_facts"
    )
    with_owners = (
        """select facts.*, owners.clients from of_runs facts
           left join owners on owners.source = facts.source and owners.rules = facts.rules and owners.automation_id = coalesce(facts.automation_id, '')"""
        if _any(con, "owners")
        else "select *, null::VARCHAR[] as clients from of_runs"
    )
    con.execute(f"""
        create or replace temp view of_runs as
        with failing as (  -- a run's own error, else its last failed step's; what an earlier attempt said is no error of a run that succeeded
            select facts.* exclude (of_step),
                   case when facts.status = 'succeeded' and not coalesce(had_failed_step, false) then null
                        when facts.fingerprint is null then of_step
                        else struct_pack(kind := facts.error_type, text := facts.error_message, print := facts.fingerprint) end as error
            from ({with_steps}) facts
        )
        select *, case when {is_as_told} then {told_as} end as told_as from failing
    """).fetchall()
    con.execute(f"""
        create or replace temp view settled_runs as
        select facts.* exclude (clients, rules, rank, is_lone, status, error_type, error_message, fingerprint, ended_at, duration_s, attempt, role, error),
               coalesce(attempt, 1) as attempt, coalesce(role, 'work') as role,
               case when facts.status = 'succeeded' and facts.had_failed_step then 'partial' else coalesce(facts.status, 'unknown') end as status,
               coalesce(facts.status in ({_words(FINISHED)}), false) as is_finished,
               case when coalesce(facts.status, '') not in ({_words(_GOING_ON)}) then ended_at end as ended_at,  -- of an earlier attempt
               facts.error.kind as error_type, facts.error.text as error_message, facts.error.print as fingerprint,
               case when facts.status in ({_words(COUNTED)})
                    then coalesce(duration_s, case when facts.ended_at >= started_at then (epoch_us(facts.ended_at) - epoch_us(started_at)) / 1e6 end)
                    when coalesce(facts.status, '') not in ({_words(_GOING_ON)}) then duration_s end as duration_s,
               auto.name as automation,
               case when len(clients) = 1 then clients[1] end as client, coalesce(len(clients) > 1, false) as shared,
               facts.run_id as root_run_id, case when told_as is not null then getvariable('write_no') end as told_in
        from ({with_owners}) facts
        left join automations auto using (automation_id)
    """).fetchall()
    if since.none_known:
        [(new,)] = con.execute("select count(*) from run_facts").fetchall()
        con.execute("insert into run_rows by name select * from settled_runs").fetchall()
        return Settled(int(new), 0)
    columns = ", ".join(f'"{name}"' for name in BY_NAME["runs"].names if name not in _NO_FACTS)
    new, changed = con.execute(f"""
        select count(*) filter (old.run_id is null), count(*) filter (old.run_id is not null and old.facts is distinct from new.facts)
        from (select run_id, row({columns}) as facts from settled_runs) new
        left join (select run_id, row({columns}) as facts from runs_before) old using (run_id)
    """).fetchall()[0]
    con.execute("insert into run_rows by name select * from settled_runs").fetchall()
    return Settled(new, changed)


def _roots(con: duckdb.DuckDBPyConnection) -> None:
    """The first run of each chain of retries that a touched run belongs to; runs further down the chain follow."""
    if not _any(con, "runs where retry_of is not null"):
        return
    con.execute(
        "create or replace temp table links as select run_id, retry_of from runs where retry_of is not null"
    ).fetchall()
    con.execute("""
        create or replace temp table roots as
        with recursive
        below(run_id) as (
            select run_id from touched_runs
            union
            select links.run_id from links join below on links.retry_of = below.run_id
        ),
        above(run_id, ancestor, depth) as (
            select run_id, retry_of, 1 from links semi join below using (run_id)
            union all
            select above.run_id, links.retry_of, depth + 1 from above join links on links.run_id = above.ancestor where depth < 1000
        )
        select run_id, arg_max(ancestor, depth) as root_run_id from above group by run_id
    """).fetchall()
    con.execute(
        "update run_rows set root_run_id = roots.root_run_id from roots where roots.run_id = run_rows.run_id"
    ).fetchall()


def _status_history(con: duckdb.DuckDBPyConnection, since: _Since) -> None:
    """A row whenever a run was seen in another status than before."""
    if not since.none_known:
        _take_out(con, "status_changes", "seen_at", since)
    con.execute(f"""
        insert into status_changes by name
        with seen as (
            select run_id, status, status_raw, observed_at as seen_at, min(import_id) as import_id
            from told_runs semi join in_pieces using (run_id) where status is not null
            group by run_id, status, status_raw, observed_at
        ), ordered as (
            select *, lag(status) over w as before from seen
            window w as (partition by run_id order by seen_at nulls first, status in ({_words(FINISHED)}), status, status_raw)
        )
        select run_id, status, status_raw, seen_at, import_id from ordered where status is distinct from before
    """).fetchall()


def _touches(con: duckdb.DuckDBPyConnection, since: _Since) -> None:
    if _none_told(con, "touch_observations", since):
        return
    _take_out(con, "touches", "run_seen_at", since)
    con.execute(f"""
        insert into touches by name
        with seen as (
            select touch_id, min(run_id) as run_id, min(step_id) as step_id, min(client) as own_client, min(system) as system,
                   min(entity_type) as entity_type, min(entity_key) as entity_key, min(operation) as operation, min(field) as field,
                   min(value) as value, min(value_hash) as value_hash, min(found_by) as found_by, max("at") as own_at
            from {_told("touch_observations", since)} group by touch_id
        )
        select seen.* exclude (own_client, own_at), coalesce(own_client, runs.client) as client,
               coalesce(own_at, runs.started_at, runs.queued_at, runs.ended_at) as "at",
               runs.first_seen_at as run_seen_at
        from seen left join settled_runs runs using (run_id)
    """).fetchall()
