"""Clients and business records in payloads: what `aftershock.toml` says to look for, as SQL over text.

Keys are found (and hashed where a rule says so) before secrets are taken out: afterwards they might be gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import duckdb

from aftershock.errors import ProjectError, UnknownNameError
from aftershock.ingest.sql import literal
from aftershock.project import FILE_NAME, Client, Project, RecordKey, RunRule, Source

_MAX_KEY: Final = 200
_NO_KEY: Final = "('', 'null', 'none', 'undefined', 'nan', 'true', 'false')"


def source_of(project: Project, tool: str, file: str, wanted: str | None) -> str:
    """The configured instance that a file belongs to: named by the caller, by its path, or the tool's only one; else the tool's name."""
    if wanted:
        return wanted
    mine = [source for source in project.sources if source.tool == tool]
    named = next((source for source in mine if _lies_in(file, source)), None)
    return named.name if named else next((source.name for source in mine if not source.paths), tool)


def check_source(project: Project, wanted: str | None) -> None:
    """Raises `UnknownNameError` for a source that nobody configured, where any is: a slip would double a whole history."""
    known = [source.name for source in project.sources]
    if wanted and known and wanted not in known:
        raise UnknownNameError("source", wanted, known)


def mapping_of(project: Project, file: str, wanted: str | None) -> str | None:
    """The mapping that `aftershock.toml` prescribes for a file, by the source that the caller or its path names."""
    mine = (source for source in project.sources if source.name == wanted or (not wanted and _lies_in(file, source)))
    return next((source.mapping for source in mine if source.mapping), None)


def _lies_in(file: str, source: Source) -> bool:
    return any(fnmatch(file, pattern) or fnmatch(file, f"*/{pattern}") for pattern in source.paths)


def rule_name(client: Client, rule: RunRule) -> str:
    """A name for a client's rule that stays the same while the rule does."""
    return f"{client.id}:{hashlib.sha256(rule.model_dump_json().encode()).hexdigest()[:8]}"


def load_client_rules(con: duckdb.DuckDBPyConnection, project: Project) -> None:
    """The temporary table `client_rules` that settling matches automations and payloads against."""
    con.execute("""create or replace temp table client_rules
        (rule VARCHAR, client VARCHAR, source VARCHAR, automation VARCHAR, needs_payload BOOLEAN)""").fetchall()
    rows = [
        (
            rule_name(client, rule),
            client.id,
            rule.source,
            rule.automation.lower() if rule.automation else None,
            bool(rule.tag or rule.path),
        )
        for client in project.clients
        for rule in client.runs
    ]
    if rows:
        values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
        con.execute(f"insert into client_rules values {values}").fetchall()


def matched_rules(project: Project, payload: str, tags: str) -> str:
    """A SQL list of the rules whose tag and payload conditions hold, for a payload and a tag list column."""
    cases = []
    for client in project.clients:
        for rule in client.runs:
            conditions = []
            if rule.tag:
                conditions.append(f"list_contains({tags}, {literal(rule.tag)})")
            if rule.path and rule.equals is not None:
                conditions.append(_path_equals(payload, rule.path, rule.equals))
            if conditions:
                cases.append(f"case when {' and '.join(conditions)} then {literal(rule_name(client, rule))} end")
    if not cases:
        return "null::VARCHAR[]"
    return f"list_filter([{', '.join(cases)}], lambda found: found is not null)"


def needs_payload(project: Project) -> bool:
    """Whether anything is looked for in payloads: record keys, or whose client a run is."""
    return bool(project.records) or any(rule.path for client in project.clients for rule in client.runs)


def touches_sql(project: Project, payload: str) -> str | None:
    """A SQL list of structs, one for each record key that a payload holds; None where the project looks for none.

    Fields: entity_type, entity_key, client, found_by, value_hash. Distinct.
    """
    found = [_found_by_name(rule, name, payload) for rule in project.records for name in rule.keys]
    found += [_found_by_pattern(rule, payload) for rule in project.records if rule.pattern and not rule.keys]
    if not found:
        return None
    return f"list_distinct(flatten([{', '.join(found)}]))"


def check_patterns(con: duckdb.DuckDBPyConnection, project: Project) -> None:
    """DuckDB's regular expressions know no look-around: say so before any file is read. Raises `ProjectError`."""
    for i, rule in enumerate(project.records):
        if rule.pattern:
            try:
                con.execute(f"select regexp_matches('', {literal(rule.pattern)})").fetchall()
            except duckdb.Error as error:
                file = Path(project.folder) / FILE_NAME
                raise ProjectError(
                    file, f"records.{i}.pattern", rule.pattern, f"not a pattern that DuckDB knows: {error}"
                ) from None


def values_under(names: Sequence[str], payload: str) -> str:
    """A SQL list of the values that stand under one of these names: in JSON (also quoted JSON), a repr, logfmt or a query.

    A quoted value is read to its closing quote, a bare one to the next blank or separator.
    """
    words = "|".join(re.escape(name) for name in names)
    begin = rf"""(?i)\b(?:{words})\\*["']?\s*(?:[:=]|%3D)\s*"""
    value = r"""(\\*"[^"\\]+\\*"|'[^'\\]+'|[^"',;:}\]\[{\s&\\<>]+)"""
    tokens = f"regexp_extract_all({payload}, {literal(begin + value)}, 1)"
    bare = f"list_transform({tokens}, lambda token: trim(token, {literal(chr(34) + chr(39) + chr(92))}))"
    # not {1,200} in the pattern: bounded repetition is many times slower
    return f"list_filter({bare}, lambda value: length(value) between 1 and {_MAX_KEY})"


def _path_equals(payload: str, path: str, equals: str) -> str:
    if path.startswith("$") or "." in path:
        pointer = path if path.startswith("$") else f"$.{path}"
        return f"try(json_extract_string({payload}, {literal(pointer)})) = {literal(equals)}"
    values = values_under([path], payload)
    return f"list_contains(list_transform({values}, lambda value: lower(value)), {literal(equals.lower())})"


def _found_by_name(rule: RecordKey, name: str, payload: str) -> str:
    values = values_under([name], payload)
    fits = f"and regexp_full_match(value, {literal(rule.pattern)})" if rule.pattern else ""
    kept = f"list_filter({values}, lambda value: lower(value) not in {_NO_KEY} {fits})"
    return _structs(rule, f"key {name}", kept)


def _found_by_pattern(rule: RecordKey, payload: str) -> str:
    assert rule.pattern is not None  # noqa: S101  the caller asked
    return _structs(rule, f"pattern {rule.pattern}", f"regexp_extract_all({payload}, {literal(rule.pattern)})")


def _structs(rule: RecordKey, found_by: str, values: str) -> str:
    key = "case when contains(value, '@') then lower(trim(value)) else trim(value) end"
    shown = f"left(sha256({key}), 16)" if rule.hashed else key
    client = literal(rule.client) if rule.client else "null::VARCHAR"
    return (
        f"list_transform({values}, lambda value: struct_pack(entity_type := {literal(rule.entity)}, entity_key := {shown}, "
        f"client := {client}, found_by := {literal(found_by)}, value_hash := left(sha256({key}), 16)))"
    )
