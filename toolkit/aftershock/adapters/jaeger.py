"""Jaeger: traces as its UI downloads them and `GET /api/traces` and `GET /api/traces/{id}` give them (`{"data": [{"traceID": ..., "spans": [...],
"processes": {...}}]}`), one trace of these alone, and spans as Jaeger keeps them in Elasticsearch, a document each (`jaeger-span-*`).

A trace is a run, its root span says how it went, and all other spans are its steps, as with `otlp`; the traces of `/api/v3` and of the storage of
Jaeger 2 are OTLP and read there. The trace is the record, or the span where there is one a line.

- A span is an error by its tag `error` or `otel.status_code`; nothing else says how it ended, so all others count as successes.
- The parent is the span that `references` name (CHILD_OF before FOLLOWS_FROM) or, long ago, `parentSpanID`. A span whose parent is not in the
  file is no root: the UI's warnings about such are not believed. References to other traces are links: a single one of a root names its parent.
- Times are microseconds. Ids may lack their leading zeros, and are filled up.
"""

from typing import Any, Final

from aftershock.adapters import _spans
from aftershock.adapters.base import Export, Fidelity, Sample, StatusTable

TOOL = "jaeger"
DOCS = "https://www.jaegertracing.io/docs/1.76/architecture/apis/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="documented",
    retention="as its storage is set; sampled traces are incomplete",
    inferred="success, from no error being told; parents, from a single reference to another trace",
)
STATUS = StatusTable(_spans.STATUS_WORDS)

_TAGS: Final = 'STRUCT("key" VARCHAR, "value" VARCHAR)[]'
_SPAN: Final = {
    "traceID": "VARCHAR",
    "spanID": "VARCHAR",
    "parentSpanID": "VARCHAR",
    "operationName": "VARCHAR",
    "references": "STRUCT(refType VARCHAR, traceID VARCHAR, spanID VARCHAR)[]",
    "startTime": "VARCHAR",
    "duration": "VARCHAR",
    "tags": _TAGS,
    "logs": f"STRUCT(fields {_TAGS})[]",
    "processID": "VARCHAR",
    "process": f"STRUCT(serviceName VARCHAR, tags {_TAGS})",
}
_SPANS_OF_TRACE: Final = "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in _SPAN.items()) + ")[]"
_TRACE: Final = {"traceID": "VARCHAR", "spans": _SPANS_OF_TRACE, "processes": "JSON"}


def _id(column: str, digits: int) -> str:
    return f"nullif(lpad(lower(nullif(trim({column}), '')), {digits}, '0'), '{'0' * digits}')"


def _attribute(name: str) -> str:
    return f"texts[list_position(keys, '{name}')]"


def _tag(tags: str, name: str) -> str:
    return f"(list_filter({tags}, lambda one: one.key = '{name}')[1]).value"


def _field(*names: str) -> str:
    """SQL: the last of the fields of these names in the log of a span."""
    return f"(list_filter(flatten(list_transform(logs, lambda one: one.fields)), lambda one: one.key in ({', '.join(map(repr, names))}))[-1]).value"


def _object(tags: str) -> str:
    """SQL: tags as the inside of a JSON object."""
    return f"array_to_string(list_transform({tags}, lambda one: to_json(one.key)::VARCHAR || ':' || coalesce(to_json(one.value)::VARCHAR, 'null')), ',')"


# The process is beside the span in a document, else in the trace's list, by its key.
_OF_TRACE: Final = """
    select place, span.traceID, span.spanID, span.parentSpanID, span.operationName, span."references", span.startTime, span.duration, span.tags, span.logs,
           coalesce(span.process, try(json_transform(json_extract(processes, '$."' || span.processID || '"'),
               '{"serviceName": "VARCHAR", "tags": [{"key": "VARCHAR", "value": "VARCHAR"}]}'))) as process
    from (select place, processes, unnest(spans) as span from records)
"""
_OF_DOCUMENT: Final = "from records"


def _flat(source: str) -> str:
    code = f"upper(coalesce({_attribute('otel.status_code')}, case when lower({_attribute('error')}) in ('true', '1') then 'ERROR' end, 'UNSET'))"
    inside = "list_filter(\"references\", lambda one: coalesce(nullif(one.traceID, ''), traceID) = traceID)"
    return f"""
    select place, {_id("traceID", 32)} as trace_id, {_id("spanID", 16)} as span_id,
           {_id(f"coalesce((list_filter({inside}, lambda one: one.refType = 'CHILD_OF')[1]).spanID, ({inside}[1]).spanID, parentSpanID)", 16)} as parent_id,
           operationName as name, {_attribute("span.kind")} as kind, process.serviceName as service, {_tag("process.tags", "service.version")} as version,
           null::VARCHAR as of_resource_result, null::VARCHAR as of_resource_pipeline, {code} as code,
           {_attribute("otel.status_description")} as message, make_timestamptz(nullif(try_cast(startTime as BIGINT), 0)) as started_at,
           make_timestamptz(nullif(try_cast(startTime as BIGINT), 0) + try_cast(duration as BIGINT)) as ended_at,
           {_field("exception.type", "error.kind")} as exception_type, {_field("exception.message", "message", "error.object")} as exception_message,
           null::VARCHAR as retry_of,
           list_transform(list_filter("references", lambda one: nullif(one.traceID, '') <> traceID), lambda one: {_id("one.traceID", 32)}) as linked,
           keys, texts, '{{' || concat_ws(',', '"name":' || to_json(operationName)::VARCHAR, nullif({_object("tags")}, ''),
               '"logs":{{' || {_object("flatten(list_transform(logs, lambda entry: entry.fields))")} || '}}') || '}}' as payload
    from (select *, list_transform(tags, lambda one: one.key) as keys, list_transform(tags, lambda one: one.value) as texts from ({source}))
    """


def _selects(source: str) -> dict[str, str]:
    flat = _flat(source)
    return {
        "runs": _spans.runs(flat, _attribute),
        "steps": _spans.steps(flat, _attribute),
        "rejects": f"select place, 'traceID, spanID' as field, null as seen, 'a span has no id' as reason from ({flat}) where trace_id is null or span_id is null",
    }


_NO_SPANS: Final = {
    "set_aside": "select place, 'holds no spans' as reason from records where coalesce(len(spans), 0) = 0"
}


def _is_trace(record: Any) -> bool:
    spans = record["spans"]
    return isinstance(spans, list) and (
        not spans or any(isinstance(span, dict) and "operationName" in span for span in spans)
    )


def _is_page(sample: Sample) -> bool:
    """What the API and the UI put around traces, also where there are none."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, dict) and (bool(first.get("data")) or {"total", "limit", "offset", "errors"} <= set(first))


EXPORTS = (
    Export(
        name="traces",
        form="json",
        records="data",
        requires=frozenset({"traceID", "spans"}),
        where=_is_trace,
        claims=_is_page,
        columns=_TRACE,
        select=_selects(_OF_TRACE) | _NO_SPANS,
    ),
    Export(
        name="trace",
        form="json",
        requires=frozenset({"traceID", "spans"}),
        where=_is_trace,
        columns=_TRACE,
        select=_selects(_OF_TRACE) | _NO_SPANS,
    ),
    Export(
        name="spans kept in Elasticsearch",
        form="json",
        requires=frozenset({"traceID", "spanID", "operationName", "startTime"}),
        columns=_SPAN,
        select=_selects(_OF_DOCUMENT),
    ),
)
