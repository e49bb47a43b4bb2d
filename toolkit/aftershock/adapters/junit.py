"""JUnit XML: the report that nearly every test runner can write, whichever runner it was (`tool_of` reads it from the content).

**A run is a test case.** Agencies let a runner such as pytest or Robot Framework start their jobs: the case is what is scheduled by
name, has its client and order among its properties, is tried again and succeeds or fails; the file around it is one night's
invocation of many such jobs for many clients. So the counts of runs are the runner's own counts. A case's results (a failure,
then an error while tearing down) are its steps. `name[acme]` and `name[globex]` are two runs of the automation `name`.
Ansible's callback is the exception: its cases are the results of tasks on hosts, so there a run is a playbook and cases are steps.

The format has no ids: a run is its suites, class, name and the timestamp of the nearest suite, where there is none a hash of the
report's results. It has no times of cases either (but with gtest and a few others): `queued_at` is when the suite began. Written again by
another converter, the same night is other runs; so is what Robot Framework says in its own output.xml beside `--xunit`: take in one of them.

Several results in one case: error before failure before skipped. Cases of one name in one suite are attempts of one run where
the earlier failed; pytest-rerunfailures writes those earlier ones like passed ones, which is known here. Surefire's `rerunFailure` and
`flakyFailure` are attempts too. A pytest `xfail` failed as foreseen: `partial`. An `xpass` cannot be told from a success.
Sums in attributes are not believed: pytest counts reruns wrongly, and nested suites count their cases again.
A case without a name in a pytest report was under way when pytest was interrupted. A killed runner leaves no report at all.

Ansible's callback does not say which errors were rescued: an error is taken for fatal if its host did no further task. It
leaves out unreachable hosts and shows ignored errors as successes; the `json` callback knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._junit import ATTRIBUTE_WORDS, FLAKES, RERUNS, Case, Try, digest_of, report_of
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "junit"
DOCS = "https://docs.pytest.org/en/stable/how-to/output.html#creating-junitxml-format-files"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="as long as the report is not written over",
    inferred="ids, from names and the suite's timestamp; a case's time is its suite's; attempts from cases of one name; with Ansible, which errors were fatal",
)

STATUS = StatusTable(
    {
        "passed": "succeeded",
        "failure": "failed",
        "error": "failed",
        "rerun": "failed",
        "rerunFailure": "failed",
        "rerunError": "failed",
        "flakyFailure": "failed",
        "flakyError": "failed",
        ("skipped", "pytest.skip"): "skipped",
        ("skipped", "pytest.xfail"): "partial",  # it failed, and was expected to
        "robot:exit": "skipped",  # Robot Framework fails what --exitonfailure or a signal kept from running
        **ATTRIBUTE_WORDS,
    }
)

_SIGNS: Final = (
    ("pytest", r'name="pytest( tests)?"|type="pytest\.(skip|xfail)"|<(error|failure) message="(collection failure|failed on (setup|teardown) with )'),
    ("pytest", r'<testsuite name="[^"]*" errors="\d+" failures="\d+" skipped="\d+" tests="\d+" time="[\d.]+" timestamp="[^"]+" hostname="'),
    ("ansible", r'<testcase [^>]*classname="[^"]*\.ya?ml(:\d+)?"[^>]* name="\[[^"\]]+\] '),
    ("ansible", r'<testcase [^>]*name="\[[^"\]]+\] [^"]*"[^>]* classname="[^"]*\.ya?ml(:\d+)?"'),
    ("ansible", r'<testsuites disabled="\d+"[^>]*>\s*<testsuite disabled="\d+"[^>]*>\s*<testcase [^>]*name="\[[^"\]]+\] '),
    ("surefire", r"surefire-test-report|surefirebooter|maven-surefire"),
    ("jest", r'<testsuites name="jest tests"'),
    ("vitest", r'<testsuites name="vitest tests"'),
    ("mocha", r'<testsuites? name="Mocha Tests"'),
    ("gtest", r'<testsuites [^>]*name="AllTests"'),
    ("go", r'<property name="go\.version"'),
    ("phpunit", r'<testcase [^>]*\bclass="[^"]*" classname="'),
    ("xunit_net", r"xUnit\.net "),
    ("rspec", r'<testsuite name="rspec'),
    ("playwright", r'<testsuites id="[^"]*" name="[^"]*" tests="\d+" failures="\d+" skipped="\d+" errors="\d+" time="'),
    ("nextest", r'<testsuites name="nextest-run"'),
    ("newman", r'classname="JUnitXmlReporter\.constructor"'),
)  # fmt: skip
"""What tells who wrote a report: names and attributes, never what a test printed. First come, first served."""

# Robot Framework's --xunit has no mark of its own, but always these orders of attributes (the second before 4.0) and never an error.
_ROBOT_SUITE: Final = re.compile(
    r'<testsuite (?:name="(?P<name>[^"]*)" tests="\d+" (?:errors="0" )?failures="\d+" (?:errors="0" )?(?:skip|skipped)="\d+"'
    r'|errors="0" failures="\d+" name="(?P<old>[^"]*)" (?:skip|skipped)="\d+" tests="\d+")(?: time="[\d.]+")?(?: timestamp="[^"]*")?>\r?\n<'
)
_CASE_CLASS: Final = re.compile(r'<testcase classname="([^"]*)" name="[^"]*" time="[\d.]+">\r?\n')
_PEEK: Final = 65536

_PARAMETERS: Final = re.compile(r"^([^\s\[\]]+)\[.*\]$", re.S)


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """A record for each named case; for Ansible one for each playbook. Suites that name no case are told too."""
    with path.open("rb") as handle:
        head = handle.read(_PEEK).decode("utf-8", errors="replace")
    tool = tool_of(Sample("xml", text=head)) or TOOL
    report = report_of(path, tool)
    documents: dict[int, list[Case]] = {}
    for case in report.cases:
        documents.setdefault(case.suite.root.number, []).append(case)
    for number, cases in enumerate(documents.values(), start=1):
        digest = digest_of(cases)
        taken: dict[str, int] = {}
        if tool == "ansible":
            yield from _playbooks(cases, digest, is_whole=not report.broken or number < len(documents))
        else:
            for case in cases:
                yield _run_of(case, digest, taken)
    yield from report.empty
    yield from report.broken


def _run_of(case: Case, digest: str, taken: dict[str, int]) -> Mapping[str, Any]:
    """The record of a run: its ids, its tries, and what keys and clients are looked for in."""
    parts = [case.classname or ".".join(case.suite.names), case.name]
    whole = ".".join(part for part in parts if part) if case.name or case.classname else None
    base = _PARAMETERS.match(case.name)
    automation = ".".join(part for part in (parts[0], base[1] if base else case.name) if part) if whole else None
    when = case.timestamp or case.suite.timestamp
    native = f"{whole or 'a case without a name'}@{when or '#' + digest}"
    taken[native] = taken.get(native, 0) + 1
    if taken[native] > 1:
        native += f" ({taken[native]})"
    return {
        "native_id": native,
        "automation": automation,
        "started": case.timestamp,
        "queued": case.suite.timestamp,
        "tags": _tags(case),
        "payload": {
            "name": case.name, "classname": case.classname, "suite": list(case.suite.names), "file": case.file,
            "suite_properties": case.suite.properties, "suite_out": case.suite.printed if case.suite.cases == 1 else "",
        },
        "tries": [_try_of(one, number) for number, one in enumerate(case.tries, start=1)],
    }  # fmt: skip


def _try_of(one: Try, number: int) -> dict[str, Any]:
    bad = [result for result in one.results if result["kind"] not in ("skipped", "ignored", "disabled")]
    cause = (bad or one.results or [{}])[0]
    return {
        "attempt": number,
        "word": one.raw,
        "status": "partial" if one.word == "pytest.xfail" else STATUS[one.word],
        "seconds": one.seconds,
        "error_type": cause.get("type"),
        "error_message": cause.get("message") or ("run again; no reason is told" if one.word == "rerun" else None),
        "payload": {"properties": one.properties, "out": one.printed, "messages": [result["message"] for result in one.results]},
        "steps": [_step_of(result, place, one) for place, result in enumerate(one.results)],
    }  # fmt: skip


def _step_of(result: Mapping[str, Any], place: int, one: Try) -> dict[str, Any]:
    """A result of a case as its step; several of one phase are counted."""
    before = [other["phase"] for other in one.results[:place]]
    word = result["kind"]
    status = STATUS["error" if word in (*RERUNS, *FLAKES) else word]
    if status == "failed" and one.word in ("timed_out", "crashed") and place == 0:
        status = one.word
    if one.word == "robot:exit":
        status = "skipped"
    if one.word == "pytest.xfail":
        status = "failed"  # that it was expected is the run's affair
    return {
        "key": result["phase"], "map_index": before.count(result["phase"]), "name": result["phase"], "kind": word,
        "status": status, "word": word, "error_type": result["type"], "error_message": result["message"],
    }  # fmt: skip


def _playbooks(cases: Sequence[Case], digest: str, *, is_whole: bool) -> Iterator[Mapping[str, Any]]:
    """Ansible: the suite is the run, its cases are tasks on hosts. What became of one that breaks off is not known."""
    books: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        books.setdefault(case.suite.names, []).append(case)
    for names, tasks in books.items():
        files = {re.sub(r":\d+$", "", case.classname).replace("\\", "/").rpartition("/")[2] for case in tasks}
        automation = ".".join(names) or "playbook"
        automation = next(
            (f"{automation}{end}" for end in (".yml", ".yaml") if f"{automation}{end}" in files), automation
        )
        steps = []
        for case in tasks:
            steps += [_task_of(case, one) for one in case.tries]
        last = {step["system"]: step for step in steps}
        fatal = [step for step in last.values() if step["status"] == "failed"]
        counted: dict[tuple[str, int], int] = {}
        for step in steps:
            step["map_index"] = counted[step["key"]] = counted.get(step["key"], -1) + 1
        cause = fatal[0] if fatal else {}
        yield {
            "native_id": f"{automation}@#{digest}",
            "automation": automation,
            "playbook": True,
            "tags": [],
            "payload": {},
            "tries": [
                {
                    "attempt": 1,
                    "word": ["error" if fatal else "passed"],
                    "status": "failed" if fatal and is_whole else "succeeded" if is_whole else "unknown",
                    "error_type": cause.get("error_type"),
                    "error_message": cause.get("error_message"),
                    "payload": {},
                    "steps": steps,
                }
            ],
        }


def _task_of(case: Case, one: Try) -> dict[str, Any]:
    """`[host] play: task` at `…/nightly.yml:12`."""
    host, _, task = case.name.removeprefix("[").partition("] ")
    where = case.classname.replace("\\", "/").rpartition("/")[2]
    cause = (one.results or [{}])[0]
    return {
        "key": f"{where if re.search(r':[0-9]+$', where) else task[:120]}@{host}",
        "name": task[:200],
        "kind": "task",
        "system": host,
        "status": STATUS[one.word],
        "word": one.raw[0],
        "seconds": one.seconds,
        "error_type": None,
        "error_message": cause.get("message"),
        "payload": f"{case.name}\n{one.printed}",
    }


def _tags(case: Case) -> list[str]:
    """Properties of the case as `name:value`; those that are tags by name as they are."""
    tags = []
    for one in case.tries:
        for name, value in one.properties.items():
            tags.append(value if name.casefold() in ("tag", "tags", "marker") else f"{name}:{value}")
    return list(dict.fromkeys(tags))[:100]


def tool_of(sample: Sample) -> str | None:
    """The runner that wrote the report, where it can be told."""
    for tool, sign in _SIGNS:
        if re.search(sign, sample.text):
            return tool
    suite = _ROBOT_SUITE.search(sample.text)
    classes = _CASE_CLASS.findall(sample.text)
    named = suite and (suite["name"] or suite["old"])
    if named and classes and all(name == named or name.startswith(f"{named}.") for name in classes):
        return "robot"
    return None


def _is_report(sample: Sample) -> bool:
    return sample.root.rpartition(":")[2] in ("testsuites", "testsuite")


_STEP: Final = (
    'STRUCT("key" VARCHAR, map_index INTEGER, "name" VARCHAR, kind VARCHAR, system VARCHAR, status VARCHAR, word VARCHAR,'
    " seconds DOUBLE, error_type VARCHAR, error_message VARCHAR, payload VARCHAR)[]"
)
# Ansible's callback writes its file at the end of the playbook and puts that moment into the file's name.
_TRIES: Final = r"""
tries as (
    select place, native_id, automation, started, queued, tags, payload, unnest(tries) as try,
           case when playbook then epoch_time(try_cast(regexp_extract(file_name, '-(\d{10}[.]\d+)[.]xml$', 1) as double)) end as written_at
    from records where native_id is not null
)
"""

EXPORTS = (
    Export(
        name="report",
        form="xml",
        generic=True,
        claims=_is_report,
        tool_of=tool_of,
        reader=read,
        columns={
            "native_id": "VARCHAR",
            "automation": "VARCHAR",
            "playbook": "BOOLEAN",
            "started": TIME,
            "queued": TIME,
            "tags": "VARCHAR[]",
            "payload": "JSON",
            "tries": "STRUCT(attempt INTEGER, word VARCHAR[], status VARCHAR, seconds DOUBLE, error_type VARCHAR, error_message VARCHAR,"
            f" payload JSON, steps {_STEP})[]",
            "empty": "VARCHAR",
            "counts": "STRUCT(tests INTEGER, failures INTEGER, errors INTEGER)",
        },
        select={
            "runs": f"""
with {_TRIES}
select place, native_id, try.attempt as attempt, automation as automation_native_id, automation, try.word as status_raw, try.status as status,
       queued as queued_at, started as started_at, written_at as ended_at, try.seconds as duration_s,
       case when try.attempt > 1 then native_id end as retry_of, case when try.attempt > 1 then try.attempt - 1 end as retry_of_attempt,
       case when try.status <> 'succeeded' then try.error_type end as error_type,
       case when try.status <> 'succeeded' then try.error_message end as error_message,
       tags, json_object('case', payload, 'try', try.payload) as payload, coalesce(written_at, started, queued) as updated_at
from tries
""",
            "steps": f"""
with {_TRIES}, steps as (
    select place, native_id, try.attempt as run_attempt, coalesce(written_at, started, queued) as updated_at, unnest(try.steps) as step from tries
)
select place, native_id, run_attempt, step.key as key, step.name as name, step.kind as kind, step.system as system, 1 as attempt,
       step.map_index as map_index, step.status as status, step.word as status_raw, step.seconds as duration_s,
       step.error_type as error_type, step.error_message as error_message, step.payload as payload, updated_at
from steps
""",
            "set_aside": """
select place, 'a suite in which nothing was run' as reason from records
where empty is not null and coalesce(counts.tests, 0) + coalesce(counts.failures, 0) + coalesce(counts.errors, 0) = 0
""",
            "rejects": """
select place, 'testcase' as field, empty as seen,
       'tells of ' || counts.tests || ' tests and names none of them' as reason from records
where empty is not null and coalesce(counts.tests, 0) + coalesce(counts.failures, 0) + coalesce(counts.errors, 0) > 0
""",
        },
    ),
)
