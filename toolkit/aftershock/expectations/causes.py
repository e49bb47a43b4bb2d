"""Why a record is not in step, in plain words, and the key under which records with the same cause are one finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ibis

from aftershock.expectations.matching import utc_text

if TYPE_CHECKING:
    import ibis.expr.types as ir


_LOST: Final = " touched it before the deadline, and no failed run shows why"
_MISSING: Final = {
    "missing_source": "string",
    "missing_from": "timestamp('UTC')",
    "missing_to": "timestamp('UTC')",
}
_WORDS: Final = {
    "failed": "failed",
    "timed_out": "timed out",
    "crashed": "ended without saying so",
    "partial": "said success, yet a step of it failed",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
    "running": "has not ended",
    "queued": "has not started",
    "waiting": "is waiting",
    "unknown": "does not say how it ended",
    "succeeded": "succeeded, but for a client that cannot be told",
}


def explained(rows: ir.Table) -> ir.Table:
    """Why a record is not in step: cause_run_id, cause, cause_key and missing_input."""
    nothing, fine = ibis.null("string"), rows.verdict == "in_step"
    unsure = rows.verdict == "cannot_tell"
    blamed_then = rows.trouble_run_id.notnull()
    blamed_stop = rows.stop_run_id.notnull()
    idle = (rows.next_start.isnull() | (rows.next_start > rows.deadline)) & ~fine & ~blamed_then & ~blamed_stop
    # One record without a run proves no outage: where each record has its own run, that is how a lost one looks.
    together = ibis.window(group_by=[idle, rows.expectation, rows.client, rows.next_start])
    quiet = idle & (rows.count().over(together) > 1)
    waiting = rows.verdict == "pending"
    why = {
        "cause_run_id": (rows.trouble_run_id, rows.stop_run_id, nothing, nothing),
        "cause": (
            _said(rows, "trouble"),
            _said(rows, "stop"),
            _joined_words("no run of ", rows.then_pattern, " started at all before the deadline"),
            _joined_words("no run of ", rows.then_pattern, _LOST),
        ),
        "cause_key": (
            _joined("then", rows.trouble_automation, rows.trouble_status, rows.trouble_print),
            _joined("before", rows.stop_automation, rows.stop_status, rows.stop_print),
            _joined("quiet", ibis.coalesce(utc_text(rows.next_start), "")),
            ibis.literal("never touched"),
        ),
    }
    columns = {
        name: ibis.cases(
            (fine, nothing),
            (blamed_then, from_then),
            (unsure | waiting, nothing),
            (blamed_stop, from_stop),
            (quiet, from_quiet),
            else_=from_rest,
        )
        for name, (from_then, from_stop, from_quiet, from_rest) in why.items()
    }
    blind = rows.missing_from.notnull()
    missing_input = ibis.cases(
        (~unsure, nothing),
        (blind, hole_text(rows.missing_source, rows.missing_from, rows.missing_to)),
        (
            rows.doubt == "whose",
            _joined_words("whose record ", rows.trouble_run_id, " touched: clients share this key"),
        ),
        (rows.doubt == "which", _joined_words("which of its records ", rows.trouble_run_id, " left out")),
        (rows.doubt == "whether", _joined_words("whether the step that failed in ", rows.trouble_run_id, " mattered")),
        (rows.doubt == "how", _joined_words("how ", rows.trouble_run_id, " ended")),
        else_=_joined_words("a log with any run of ", rows.then_pattern),
    )
    gap_key = ibis.cases(
        (blind, _joined("gap", rows.missing_source, utc_text(rows.reached), utc_text(rows.gap_end))),
        (rows.doubt == "which", _joined("doubt", rows.doubt, rows.trouble_run_id)),
        (rows.doubt.notnull(), _joined("doubt", rows.doubt, rows.trouble_automation, rows.trouble_print)),
        else_=ibis.literal("no log"),
    )
    columns["cause_key"] = unsure.ifelse(gap_key, columns["cause_key"])
    for name, type_ in _MISSING.items():
        columns[name] = unsure.ifelse(rows[name], ibis.null(type_))
    return rows.mutate(missing_input=missing_input, **columns)


def hole_text(source: Any, start: Any, end: Any) -> Any:
    """`the log of n8n from 2026-11-18 12:00 to 2026-11-18 12:30 UTC`."""
    span = (utc_text(start), " to ", utc_text(end), " UTC")
    return _joined_words("the log of ", source, " from ", *span)


def _said(rows: ir.Table, prefix: str) -> Any:
    """`invoice_export failed: ReadTimeout`, in plain words."""
    status = rows[f"{prefix}_status"]
    word = ibis.cases(*((status == key, text) for key, text in _WORDS.items()), else_=status)
    error = ibis.coalesce(ibis.literal(": ") + rows[f"{prefix}_error"].substr(0, 200), "")
    return _joined_words(rows[f"{prefix}_automation"].fill_null("a run"), " ", word, error)


def _joined_words(*parts: Any) -> Any:
    whole: Any = ibis.literal("")
    for part in parts:
        whole = whole + part
    return whole


def _joined(*parts: Any) -> Any:
    words: list[Any] = []
    for part in parts:
        words += [part.fill_null("") if hasattr(part, "fill_null") else part, "|"]
    return _joined_words(*words[:-1])
