"""OpenTelemetry traces as OTLP/JSON: what the file exporters of the SDKs and of the collector write, a line, an array or one value after another
(`{"resourceSpans": [...]}`), an OTLP/HTTP body that protobuf made JSON of (ids in base64, enums by name), the pages of Tempo
(`GET /api/traces/{id}`: `batches`, or `trace`) and of Jaeger's `GET /api/v3/traces` (`result`); and what Python's `ConsoleSpanExporter` prints.

A trace is a run, by its trace id. Its root span says how it went; the others are steps, in whatever file and order they come. The root's
name is the automation's, within its `service.name`: of a pipeline `cicd.pipeline.name`, of an agent its name. A line is the record.

- A span is written when it ends. A trace whose root never came (its process was killed, or another system began it) is a run of which
  nothing is known but its steps: `unknown`. One of which no span ended left no trace at all.
- UNSET is success as far as OpenTelemetry can tell: nobody recorded an error. So an exit code, a cancellation or a job that had nothing to
  do look like success, unless an attribute says otherwise (`cicd.pipeline.result` and its like; an own `job.status` of cancelled or skipped).
- Of several roots in one trace the last to end speaks for the run. A failed root is a step as well, so that it is not lost.
- A link that says it is a retry makes its trace the run before; one single other link of a root, the parent.
- Spans that say which try they are (`http.request.resend_count`, `retry.attempt`) are attempts of one step; the first, which conventions let
  go without a number, stays a step of its own.
Log records and metrics in the same export are set aside.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters import _spans
from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "otlp"
DOCS = "https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="as the exporter's or the backend's files are kept; sampled traces are incomplete",
    inferred="success, from nobody having recorded an error; parents, from a single link",
)
STATUS = StatusTable(_spans.STATUS_WORDS)

_ATTRIBUTES: Final = """STRUCT("key" VARCHAR, "value" STRUCT(stringValue VARCHAR, intValue VARCHAR, boolValue VARCHAR, doubleValue VARCHAR,
    arrayValue JSON, kvlistValue JSON))[]"""
_SPAN: Final = f"""STRUCT(traceId VARCHAR, spanId VARCHAR, parentSpanId VARCHAR, "name" VARCHAR, kind VARCHAR, startTimeUnixNano VARCHAR,
    endTimeUnixNano VARCHAR, attributes {_ATTRIBUTES}, status STRUCT(code VARCHAR, message VARCHAR),
    "events" STRUCT("name" VARCHAR, attributes {_ATTRIBUTES})[], links STRUCT(traceId VARCHAR, attributes {_ATTRIBUTES})[])"""
_GROUPS: Final = f"""STRUCT(resource STRUCT(attributes {_ATTRIBUTES}), scopeSpans STRUCT(spans {_SPAN}[])[],
    instrumentationLibrarySpans STRUCT(spans {_SPAN}[])[])[]"""
_COLUMNS: Final = {
    "resourceSpans": _GROUPS,
    "batches": _GROUPS,
    "trace": f"STRUCT(resourceSpans {_GROUPS})",
    "result": f"STRUCT(resourceSpans {_GROUPS})",
    "resourceLogs": "STRUCT(schemaUrl VARCHAR)[]",
    "resourceMetrics": "STRUCT(schemaUrl VARCHAR)[]",
}
_ALL_GROUPS: Final = "coalesce(resourceSpans, batches, trace.resourceSpans, result.resourceSpans)"


def _id(column: str, digits: int) -> str:
    """SQL: an id in lower hex: given so, with `0x`, shortened, or in base64 of either alphabet. Null for an empty or zero one."""
    base64 = (
        f"lower(hex(try(from_base64(rpad(translate(rtrim({column}, '='), '-_', '+/'), {-(-digits // 6) * 4}, '=')))))"
    )
    return f"""nullif(case when length({column}) = {digits} then lower({column})
        when {column} = '' or {column} is null then null
        when starts_with({column}, '0x') then lpad(lower({column}[3:]), {digits}, '0')
        when length(rtrim({column}, '=')) = {-(-digits * 4 // 6)} then coalesce({base64}, lower({column}))
        else lpad(lower({column}), {digits}, '0') end, '{"0" * digits}')"""


def _time(column: str) -> str:
    return f"make_timestamptz(nullif(try_cast({column} as BIGINT), 0) // 1000)"


def _text(value: str) -> str:
    return f"coalesce({value}.stringValue, {value}.intValue, {value}.boolValue, {value}.doubleValue)"


def _attribute(name: str) -> str:
    return f"texts[list_position(keys, '{name}')]"


def _of_resource(name: str) -> str:
    return _text(f"(list_filter(resource, lambda one: one.key = '{name}')[1]).value")


def _pairs(attributes: str, lead: str) -> str:
    """SQL: attributes as the inside of a JSON object, each after `lead`."""
    value = """coalesce(to_json(one.value.stringValue)::VARCHAR, one.value.intValue, one.value.boolValue, one.value.doubleValue,
            one.value.arrayValue::VARCHAR, one.value.kvlistValue::VARCHAR, 'null')"""
    joined = (
        f"array_to_string(list_transform({attributes}, lambda one: to_json(one.key)::VARCHAR || ':' || {value}), ',')"
    )
    return f"coalesce('{lead}' || nullif({joined}, ''), '')"


_EXCEPTION: Final = "list_filter(events, lambda event: event.name = 'exception')[-1].attributes"
_IS_RETRY: Final = (
    "coalesce(len(list_filter(link.attributes, lambda one: lower(one.value.stringValue) = 'retry')) > 0, false)"
)
_IS_ROOT: Final = "coalesce(trim(span.parentSpanId, '0A='), '') = ''"
_FAILED: Final = "coalesce(span.status.code, '') in ('2', 'ERROR', 'STATUS_CODE_ERROR')"


def _unnested(which: str | None = None) -> str:
    """SQL: spans in the flat shape; where a SELECT needs but few of them, `which` spares unnesting the others."""
    chosen = f"list_filter(scope.spans, lambda span: {which})" if which else "scope.spans"
    return f"""
    select place, {_id("span.traceId", 32)} as trace_id, {_id("span.spanId", 16)} as span_id, {_id("span.parentSpanId", 16)} as parent_id,
           span.name as name, lower(case span.kind when '1' then 'internal' when '2' then 'server' when '3' then 'client' when '4' then 'producer'
               when '5' then 'consumer' else nullif(nullif(replace(span.kind, 'SPAN_KIND_', ''), '0'), 'UNSPECIFIED') end) as kind,
           service, version, of_resource_result, of_resource_pipeline,
           list_filter(span.attributes, lambda one: one.key in {_spans.READ}) as attributes,
           list_transform(attributes, lambda one: one.key) as keys, list_transform(attributes, lambda one: {_text("one.value")}) as texts,
           case when {_time("span.endTimeUnixNano")} is null then 'NOT ENDED' else
               case replace(span.status.code, 'STATUS_CODE_', '') when '1' then 'OK' when 'OK' then 'OK' when '2' then 'ERROR' when 'ERROR' then 'ERROR'
                   when '0' then 'UNSET' else coalesce(nullif(upper(replace(span.status.code, 'STATUS_CODE_', '')), ''), 'UNSET') end end as code,
           span.status.message as message, {_time("span.startTimeUnixNano")} as started_at, {_time("span.endTimeUnixNano")} as ended_at,
           span.events as events, {_EXCEPTION.replace("events", "span.events")} as exception,
           {_text("list_filter(exception, lambda one: one.key = 'exception.type')[1].value")} as exception_type,
           {_text("list_filter(exception, lambda one: one.key = 'exception.message')[1].value")} as exception_message,
           {_id(f"(list_filter(span.links, lambda link: {_IS_RETRY})[1]).traceId", 32)} as retry_of,
           list_transform(list_filter(span.links, lambda link: not ({_IS_RETRY})), lambda link: {_id("link.traceId", 32)}) as linked,
           '{{"name":' || coalesce(to_json(span.name)::VARCHAR, 'null') || {_pairs("span.attributes", ",")} || ',"events":['
               || coalesce(array_to_string(list_transform(span.events, lambda event: '{{' || {_pairs("event.attributes", "")} || '}}'), ','), '')
               || '],"resource":{{' || {_pairs("resource", "")} || '}}}}' as payload
    from (
        select place, resource, {_of_resource("service.name")} as service,
               coalesce({_of_resource("vcs.ref.head.revision")}, {_of_resource("service.version")}) as version,
               {_spans.first(_of_resource, *_spans.RESULTS)} as of_resource_result, {_of_resource("cicd.pipeline.name")} as of_resource_pipeline,
               unnest(spans) as span
        from (
            select place, part.resource.attributes as resource,
                   flatten(list_transform(coalesce(part.scopeSpans, part.instrumentationLibrarySpans),
                           lambda scope: {chosen})) as spans
            from (select place, unnest({_ALL_GROUPS}) as part from records)
        )
    )
"""


def _each(what: str) -> str:
    """SQL: one thing of each span of a record, in a list."""
    return f"""flatten(flatten(list_transform({_ALL_GROUPS}, lambda part:
        list_transform(coalesce(part.scopeSpans, part.instrumentationLibrarySpans), lambda scope: list_transform(scope.spans, lambda span: {what})))))"""


# Where spans are only looked at from afar, unnesting them whole would be most of the work.
_AFAR: Final = "{'trace': span.traceId, 'parent': span.parentSpanId, 'began': span.startTimeUnixNano, 'ended': span.endTimeUnixNano}"
_SLIM: Final = f"""
    select place, {_id("span.trace", 32)} as trace_id, {_id("span.parent", 16)} as parent_id, {_time("span.began")} as started_at, {_time("span.ended")} as ended_at
    from (select place, unnest({_each(_AFAR)}) as span from records)
"""
_WITHOUT_ID: Final = f"""list_contains({_each("trim(coalesce(span.traceId, ''), '0=A') = '' or trim(coalesce(span.spanId, ''), '0=A') = ''")}, true)"""


def _is_traces(record: Mapping[str, Any]) -> bool:
    """Whether what lies under these names, some of which anybody may use, is made as OTLP says."""
    for name in ("resourceSpans", "batches", "resourceLogs", "resourceMetrics"):
        if isinstance(record.get(name), list):
            return name != "batches" or any(
                isinstance(one, Mapping) and ("scopeSpans" in one or "instrumentationLibrarySpans" in one)
                for one in record[name]
            )
    return any(
        isinstance(record.get(name), Mapping) and "resourceSpans" in record[name] for name in ("trace", "result")
    )


def _printed_attribute(name: str) -> str:
    return f"""(attributes ->> '$."{name}"')"""


def _printed_resource(name: str) -> str:
    return f"""(resource.attributes ->> '$."{name}"')"""


_PRINTED: Final = f"""
    select place, {_id("context.trace_id", 32)} as trace_id, {_id("context.span_id", 16)} as span_id, {_id("parent_id", 16)} as parent_id,
           name, nullif(lower(replace(kind, 'SpanKind.', '')), '') as kind, {_printed_resource("service.name")} as service,
           coalesce({_printed_resource("vcs.ref.head.revision")}, {_printed_resource("service.version")}) as version,
           {_spans.first(_printed_resource, *_spans.RESULTS)} as of_resource_result,
           {_printed_resource("cicd.pipeline.name")} as of_resource_pipeline, attributes,
           case when end_time is null then 'NOT ENDED' else coalesce(nullif(upper(status.status_code), ''), 'UNSET') end as code,
           status.description as message, start_time as started_at, end_time as ended_at,
           list_filter("events", lambda event: event.name = 'exception')[-1].attributes as exception,
           exception ->> '$."exception.type"' as exception_type, exception ->> '$."exception.message"' as exception_message,
           {_id("(list_filter(links, lambda link: lower(link.attributes ->> '$.reason') = 'retry')[1]).context.trace_id", 32)} as retry_of,
           list_transform(list_filter(links, lambda link: coalesce(lower(link.attributes ->> '$.reason'), '') <> 'retry'),
                          lambda link: {_id("link.context.trace_id", 32)}) as linked,
           json_merge_patch(coalesce(attributes, '{{}}'::JSON), json_object('name', name, 'events', to_json("events"), 'resource', resource.attributes)) as payload
    from records
"""

EXPORTS = (
    Export(
        name="traces",
        form="json",
        generic=True,
        one_of=frozenset(_COLUMNS),
        where=_is_traces,
        claims=lambda sample: "resource" in sample.text,
        columns=_COLUMNS,
        select={
            "runs": _spans.runs(_unnested(), _attribute, _SLIM),
            "steps": _spans.steps(_unnested(f"not ({_IS_ROOT}) or {_FAILED}"), _attribute),
            "rejects": f"select place, 'traceId, spanId' as field, null as seen, 'a span has no id' as reason from records where {_WITHOUT_ID}",
            "set_aside": f"""select place, case when resourceLogs is not null then 'log records, no spans' when resourceMetrics is not null then 'metrics, no spans'
                else 'holds no spans' end as reason from records where coalesce(len({_each("true")}), 0) = 0""",
        },
    ),
    Export(
        name="console exporter",
        form="json",
        generic=True,
        requires=frozenset({"context.trace_id", "context.span_id", "start_time", "kind", "status"}),
        columns={
            "name": "VARCHAR",
            "context": "STRUCT(trace_id VARCHAR, span_id VARCHAR)",
            "kind": "VARCHAR",
            "parent_id": "VARCHAR",
            "start_time": TIME,
            "end_time": TIME,
            "status": "STRUCT(status_code VARCHAR, description VARCHAR)",
            "attributes": "JSON",
            "events": 'STRUCT("name" VARCHAR, attributes JSON)[]',
            "links": "STRUCT(context STRUCT(trace_id VARCHAR), attributes JSON)[]",
            "resource": "STRUCT(attributes JSON)",
        },
        select={
            "runs": _spans.runs(_PRINTED, _printed_attribute),
            "steps": _spans.steps(_PRINTED, _printed_attribute),
            "rejects": f"select place, 'context' as field, null as seen, 'a span has no id' as reason from ({_PRINTED}) where trace_id is null or span_id is null",
        },
    ),
)
