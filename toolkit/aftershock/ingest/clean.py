"""Texts as they may be kept: without secrets, not too long, and with a fingerprint.

Only distinct texts that look suspicious go through the long chain of patterns; most files hold none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from aftershock.adapters.base import CANONICAL, CANONICAL_TYPES
from aftershock.ingest.redact import needs_redaction_sql, redact_sql
from aftershock.masks import masked_sql
from aftershock.project import Privacy

MAX_TEXT: Final = 4000
_LOOKED_AT: Final = 4 * MAX_TEXT
_NO_TEXT: Final = frozenset({
    "scope", "native_id", "automation_native_id", "automation_scope", "retry_of", "parent_scope", "parent_native_id", "notice",
    "payload", "status", "role", "operation", "joined_by", "completeness",
})  # fmt: skip
"""Ids, and words of our own. Payloads are not stored: keys and clients are yet to be found in them."""
_TEXTS: Final = {
    f"sel_{table}": tuple(name for name in names if name not in CANONICAL_TYPES and name not in _NO_TEXT)
    for table, names in CANONICAL.items()
} | {"staged_rejects": ("seen", "reason", "raw")}
_NOTE: Final = r" … \(\d+ characters\)$"


def clean_texts(con: duckdb.DuckDBPyConnection, privacy: Privacy, tables: Sequence[str]) -> None:
    """Take secrets out of every text that will be stored, then cut what is long: half a secret is none that a pattern knows."""
    filled = [f"sel_{table}" for table in tables]
    if con.execute("select 1 from staged_rejects limit 1").fetchall():
        filled.append("staged_rejects")
    long = [table for table in ("sel_runs", "sel_steps") if table in filled and _has_long(con, table)]
    for table in long:
        con.execute(f"""
            update {table} set error_message = left(error_message, {_LOOKED_AT}) || ' … (' || length(error_message) || ' characters)'
            where length(error_message) > {MAX_TEXT}
        """).fetchall()
    _redact(con, privacy, {table: columns for table, columns in _TEXTS.items() if table in filled})
    for table in long:
        con.execute(f"""
            update {table} set error_message = left(error_message, {MAX_TEXT}) || regexp_extract(error_message, '{_NOTE}')
            where length(error_message) > {MAX_TEXT} + 40
        """).fetchall()
    if "staged_rejects" in filled:
        con.execute("update staged_rejects set seen = left(seen, 200), raw = left(raw, 2000)").fetchall()


def _has_long(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(con.execute(f"select 1 from {table} where length(error_message) > {MAX_TEXT} limit 1").fetchall())


def _redact(con: duckdb.DuckDBPyConnection, privacy: Privacy, texts: Mapping[str, Sequence[str]]) -> None:
    every = " union all ".join(
        f'select "{column}" as text from {table}' for table, columns in texts.items() for column in columns
    )
    if not every:
        return
    suspicious = needs_redaction_sql("text", emails=privacy.redact_emails, personal_fields=privacy.personal_fields)
    con.execute(
        f"create or replace temp table dirty as select distinct text from ({every}) where {suspicious}"
    ).fetchall()
    if not con.execute("select count(*) from dirty").fetchall()[0][0]:
        return
    clean = redact_sql("text", emails=privacy.redact_emails, personal_fields=privacy.personal_fields)
    con.execute(f"create or replace temp table cleaned as select text, {clean} as clean from dirty").fetchall()
    for table, columns in texts.items():
        for column in columns:
            con.execute(
                f'update {table} set "{column}" = clean from cleaned where {table}."{column}" = cleaned.text'
            ).fetchall()


def fingerprint_texts(con: duckdb.DuckDBPyConnection) -> None:
    """The temporary table `fingerprints`: error type and message (empty for null) -> fingerprint."""
    con.execute(f"""
        create or replace temp table fingerprints as
        select *, {_fingerprint("error_type", "error_message")} as fingerprint
        from (select distinct coalesce(error_type, '') as error_type, coalesce(error_message, '') as error_message
              from (select error_type, error_message from sel_runs union all select error_type, error_message from sel_steps)
              where error_type is not null or error_message is not null)
    """).fetchall()


def _fingerprint(kind: str, message: str) -> str:
    """The same for messages that differ only in what `aftershock.masks` takes out: ids, numbers, times, paths, quoted values."""
    return f"left(md5({kind} || '|' || lower({masked_sql(f'left({message}, 2000)')})), 16)"
