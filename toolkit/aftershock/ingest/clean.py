"""Texts as they may be kept: without secrets, not too long, and with a fingerprint.

Only distinct texts that look suspicious go through the long chain of patterns; most files hold none.
"""

from __future__ import annotations

from typing import Final

import duckdb

from aftershock.ingest.redact import needs_redaction_sql, redact_sql
from aftershock.project import Privacy

MAX_TEXT: Final = 4000
_TEXTS: Final = {
    "sel_runs": ("automation", "status_raw", "trigger", "correlation_id", "error_type", "error_message"),
    "sel_steps": ("name", "key", "system", "status_raw", "error_type", "error_message"),
    "sel_notices": ("channel", "recipient"),
    "sel_changes": ("by",),
    "sel_automations": ("owner",),
    "staged_rejects": ("seen", "reason", "raw"),
}


def clean_texts(con: duckdb.DuckDBPyConnection, privacy: Privacy) -> None:
    """Take secrets out of every text that will be stored, and cut error messages at `MAX_TEXT` characters, saying so."""
    for table in ("sel_runs", "sel_steps"):
        con.execute(f"""
            update {table} set error_message = left(error_message, {MAX_TEXT}) || ' … (' || length(error_message) || ' characters)'
            where length(error_message) > {MAX_TEXT}
        """).fetchall()
    every = " union all ".join(
        f'select "{column}" as text from {table}' for table, columns in _TEXTS.items() for column in columns
    )
    suspicious = needs_redaction_sql("text", emails=privacy.redact_emails, personal_fields=privacy.personal_fields)
    con.execute(
        f"create or replace temp table dirty as select distinct text from ({every}) where {suspicious}"
    ).fetchall()
    if not con.execute("select count(*) from dirty").fetchall()[0][0]:
        return
    clean = redact_sql("text", emails=privacy.redact_emails, personal_fields=privacy.personal_fields)
    con.execute(f"create or replace temp table cleaned as select text, {clean} as clean from dirty").fetchall()
    for table, columns in _TEXTS.items():
        for column in columns:
            con.execute(f'update {table} set "{column}" = clean from cleaned where "{column}" = text').fetchall()


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
    """The same for messages that differ only in quoted values, addresses, ids, times and numbers."""
    masked = f"left({message}, 2000)"
    for pattern, word in (
        (r"https?://[^\s\"''<>]+", "<url>"),
        (r"[\w.+-]+@[\w-]+\.[\w.]+", "<mail>"),
        (r"\"[^\"]*\"|''[^'']*''", "<text>"),
        (r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}", "<id>"),
        (r"\b[A-Z]{2,}-\d+\b", "<key>"),
        (r"\b(?:0x)?[0-9a-fA-F]*\d[0-9a-fA-F]*\b", "<n>"),
    ):
        masked = f"regexp_replace({masked}, '{pattern}', '{word}', 'g')"
    return f"left(md5({kind} || '|' || lower({masked})), 16)"
