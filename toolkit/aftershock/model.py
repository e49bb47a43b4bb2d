"""The ledger's tables and the status vocabulary: the one list from which DDL, docs and tests derive.

Names of tables and columns are a contract (docs/ledger.md is made from this file).
Times are TIMESTAMPTZ in UTC with microseconds. Shares are 0 to 1, durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMA_VERSION: Final = 5


@dataclass(frozen=True)
class Status:
    """One word of the status vocabulary.

    `is_finished`: the run has ended. `counts`: it stands in the n of `failure_rate`. `is_failure`: it counts as failed there.
    """

    word: str
    is_finished: bool
    counts: bool
    is_failure: bool
    meaning: str


STATUSES: Final = (
    Status("succeeded", True, True, False, "the tool says success and nothing known contradicts it"),
    Status(
        "partial",
        True,
        True,
        False,
        "the tool says success, yet a step's last attempt failed or an item carries an error",
    ),
    Status("failed", True, True, True, "it ended with an error"),
    Status("timed_out", True, True, True, "it was stopped for taking too long"),
    Status("crashed", True, True, True, "it ended without saying so"),
    Status("cancelled", True, False, False, "somebody or something stopped it on purpose"),
    Status("skipped", True, False, False, "it was decided that it need not run"),
    Status("running", False, False, False, "not ended yet"),
    Status("queued", False, False, False, "not started yet"),
    Status("waiting", False, False, False, "paused: for a time, a person or another system"),
    Status("unknown", False, False, False, "a word never seen, or a record that cannot say"),
)
STATUS_WORDS: Final = tuple(status.word for status in STATUSES)
FINISHED: Final = tuple(status.word for status in STATUSES if status.is_finished)
COUNTED: Final = tuple(status.word for status in STATUSES if status.counts)
FAILURES: Final = tuple(status.word for status in STATUSES if status.is_failure)
ROLES: Final = ("work", "error_handler", "test", "manual")
OPERATIONS: Final = ("create", "update", "upsert", "delete", "read", "send", "unknown")


@dataclass(frozen=True)
class Column:
    """A column of a ledger table: its name, DuckDB type and meaning."""

    name: str
    type: str
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the ledger. `public` tables are the contract; the others hold observations that settling reads.

    `rows`: the SELECT of one that is a view.
    """

    name: str
    row_per: str
    columns: tuple[Column, ...]
    public: bool = True
    rows: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def ddl(self) -> str:
        """The statement that makes it where it is not there yet."""
        if self.rows:
            return f"CREATE OR REPLACE VIEW {self.name} AS {self.rows}"
        body = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({body})"


def _columns(text: str) -> tuple[Column, ...]:
    """Columns written one a line: `name TYPE  meaning`."""
    rows = (line.split(maxsplit=2) for line in text.splitlines() if line.strip())
    return tuple(Column(row[0], row[1], row[2] if len(row) > 2 else "") for row in rows)


_RUN_FACTS = """
attempt INTEGER  the attempt as the tool counts, else 1
role VARCHAR  work, error_handler, test or manual
status VARCHAR  the tool's word in our vocabulary
status_raw VARCHAR  the tool's own word or words
trigger VARCHAR  what started it, in the tool's word
queued_at TIMESTAMPTZ
started_at TIMESTAMPTZ
ended_at TIMESTAMPTZ
duration_s DOUBLE  seconds from start to end
items_in BIGINT  items read, where the tool counts them
items_out BIGINT  items written, where the tool counts them
version VARCHAR  version of the automation that ran
correlation_id VARCHAR  an id the tool carries across runs
error_type VARCHAR
error_message VARCHAR  redacted and shortened
fingerprint VARCHAR  the same for messages that differ only in ids, numbers and times
tz_assumed BOOLEAN  a time of this run came without a zone
"""
_STEP_FACTS = """
step_key VARCHAR  what identifies the step within its automation
name VARCHAR
kind VARCHAR  the node, operator or action type
system VARCHAR  the app or host that the step calls
attempt INTEGER
map_index INTEGER  which of several parallel or looped instances, else 0
status VARCHAR
status_raw VARCHAR
started_at TIMESTAMPTZ
ended_at TIMESTAMPTZ
duration_s DOUBLE
items_in BIGINT
items_out BIGINT
error_type VARCHAR
error_message VARCHAR
fingerprint VARCHAR
"""
_TOUCH_FACTS = """
system VARCHAR  the system that was read or written
entity_type VARCHAR  the kind of business record
entity_key VARCHAR  its key, normalised
operation VARCHAR  create, update, upsert, delete, read, send or unknown
field VARCHAR
value VARCHAR
value_hash VARCHAR
found_by VARCHAR  the rule that found it
at TIMESTAMPTZ
"""
_OBSERVED = """
import_id VARCHAR
observed_at TIMESTAMPTZ  when the record was so
rank INTEGER  0 a tool's own record, 1 a secondary source such as an event log
"""
_SEEN = "run_id VARCHAR\nstatus VARCHAR\nstatus_raw VARCHAR\nseen_at TIMESTAMPTZ\nimport_id VARCHAR\n"
_WRITE = "write_no BIGINT  number of the write that stored this row\n"
_RUN_SEEN = "run_seen_at TIMESTAMPTZ  when its run was first seen\n"

_RUN = (
    """
run_id VARCHAR
tool VARCHAR
source VARCHAR
client VARCHAR  null: no client, or shared by several
automation_id VARCHAR
automation VARCHAR  its newest name
native_id VARCHAR  the id as the tool gives it
root_run_id VARCHAR  the first of a chain of retries and re-executions
parent_run_id VARCHAR  the run that started this one
retry_of VARCHAR  an earlier run of the same chain
is_finished BOOLEAN
had_failed_step BOOLEAN  a step's last attempt failed or carries an error
first_seen_at TIMESTAMPTZ
last_seen_at TIMESTAMPTZ
shared BOOLEAN  it fits more than one client
"""
    + _RUN_FACTS
)
_TOLD = """
told_in BIGINT  where one file alone told of it, and just this: the number of that write; it has no row in run_observations
told_as INTEGER  of such, the sum of what the file left out (1 attempt, 2 role, 4 duration_s), and 8 if it is a secondary source
"""

TABLES: Final = (
    Table(
        "imports",
        "file taken in",
        _columns("""
import_id VARCHAR
path VARCHAR
sha256 VARCHAR
bytes BIGINT
adapter VARCHAR
adapter_version VARCHAR
observed_at TIMESTAMPTZ
records_read BIGINT
mapped BIGINT
set_aside BIGINT
rejects BIGINT
runs_new BIGINT
runs_changed BIGINT
started_at TIMESTAMPTZ
finished_at TIMESTAMPTZ
source VARCHAR  the configured instance the file belongs to
config_hash VARCHAR  the configuration it was read with
write_no BIGINT  number of the write that stored it
"""),
    ),
    Table(
        "coverage",
        "stretch of history a file claims to cover",
        _columns("""
import_id VARCHAR
source VARCHAR
automation VARCHAR  null: all automations of the source
covers_from TIMESTAMPTZ
covers_to TIMESTAMPTZ
completeness VARCHAR  complete, filtered or unknown
"""),
    ),
    Table(
        "automations",
        "automation",
        _columns("""
automation_id VARCHAR
tool VARCHAR
source VARCHAR
client VARCHAR
name VARCHAR
native_id VARCHAR
owner VARCHAR
schedule VARCHAR
enabled BOOLEAN
first_run_at TIMESTAMPTZ
last_run_at TIMESTAMPTZ
"""),
    ),
    Table(
        "runs",
        "run, latest known state",
        _columns(_RUN),
        rows=f"select {', '.join(column.name for column in _columns(_RUN))} from run_rows",
    ),
    Table("steps", "step attempt", _columns("step_id VARCHAR\nrun_id VARCHAR\n" + _STEP_FACTS + _RUN_SEEN)),
    Table(
        "touches",
        "time a run read or wrote a record",
        _columns("touch_id VARCHAR\nrun_id VARCHAR\nstep_id VARCHAR\nclient VARCHAR\n" + _TOUCH_FACTS + _RUN_SEEN),
    ),
    Table(
        "notices",
        "notification that was sent",
        _columns("""
notice_id VARCHAR
run_id VARCHAR  the run it is about; null where none, or more than one, fits
client VARCHAR  its run's
channel VARCHAR
recipient VARCHAR
kind VARCHAR  incident, alert, issue, error workflow, callback, status page and the like
sent_at TIMESTAMPTZ
acknowledged_at TIMESTAMPTZ  when first; null: never
resolved_at TIMESTAMPTZ
joined_by VARCHAR  how its run was found: id, key, text or time
automation_id VARCHAR  its run's, else the one automation that it names
source VARCHAR  the configured instance that sent it
title VARCHAR
text VARCHAR  what it says, redacted and shortened
key VARCHAR  what its tool groups repetitions by: dedup key, alias, monitor
"""),
    ),
    Table(
        "changes",
        "change of an automation",
        _columns("""
import_id VARCHAR
change_id VARCHAR
automation_id VARCHAR
version VARCHAR
at TIMESTAMPTZ
by VARCHAR
kind VARCHAR
run_id VARCHAR  the run that made it, such as a deployment's
joined_by VARCHAR  how its run (id), else its automation (key, text) was found; null where the record says it or nothing does
source VARCHAR  the configured instance that tells of it
title VARCHAR  what changed, redacted
"""),
    ),
    Table(
        "status_history",
        "observed status of a run",
        _columns(_SEEN),
        rows=f"""
            select {", ".join(column.name for column in _columns(_SEEN))} from status_changes
            union all
            select run_id, status, status_raw, first_seen_at, import_id from run_rows join imports on imports.write_no = told_in""",
    ),
    Table(
        "rejects",
        "record that could not be mapped",
        _columns("""
import_id VARCHAR
record BIGINT  its number in the file, from 1
place VARCHAR
field VARCHAR
seen VARCHAR
reason VARCHAR
raw VARCHAR  redacted and shortened
"""),
    ),
    Table("set_aside", "record with no run in it", _columns("import_id VARCHAR\nrecord BIGINT\nreason VARCHAR\n")),
    Table(
        "findings",
        "finding",
        _columns("""
finding_id VARCHAR
detector VARCHAR
client VARCHAR
subject VARCHAR
title VARCHAR
severity VARCHAR
verdict VARCHAR  certain, likely or cannot tell
first_seen_at TIMESTAMPTZ
last_seen_at TIMESTAMPTZ
state VARCHAR  open, watching, repaired, closed or returned
run_ids VARCHAR[]
records VARCHAR[]
automations VARCHAR[]
clients VARCHAR[]
cause_id VARCHAR
query VARCHAR
next_step VARCHAR
"""),
    ),
    Table(
        "report_runs",
        "rendering of a report",
        _columns("""
report_run_id VARCHAR
report VARCHAR
client VARCHAR
period_start TIMESTAMPTZ
period_end TIMESTAMPTZ
snapshot BIGINT
status VARCHAR
started_at TIMESTAMPTZ
ended_at TIMESTAMPTZ
path VARCHAR
error VARCHAR
"""),
    ),
    Table("run_rows", "run: what `runs` shows, and what settling keeps of it", _columns(_RUN + _TOLD), public=False),
    Table(
        "status_changes",
        "status of `status_history` that is not all that is known of its run",
        _columns(_SEEN),
        public=False,
    ),
    # Observations: what each file said, append-only. Settling folds them into the tables above.
    Table(
        "run_observations",
        "statement of a file about a run",
        _columns(
            _OBSERVED
            + "run_id VARCHAR\ntool VARCHAR\nsource VARCHAR\nautomation_id VARCHAR\nnative_id VARCHAR\n"
            + "retry_of VARCHAR  run_id of the attempt before\nparent_run_id VARCHAR\nclients VARCHAR[]\n"
            + _RUN_FACTS
            + _WRITE
        ),
        public=False,
    ),
    Table(
        "step_observations",
        "statement of a file about a step attempt",
        _columns(_OBSERVED + "step_id VARCHAR\nrun_id VARCHAR\n" + _STEP_FACTS + _WRITE),
        public=False,
    ),
    Table(
        "touch_observations",
        "statement of a file about a touch",
        _columns(
            "import_id VARCHAR\ntouch_id VARCHAR\nrun_id VARCHAR\nstep_id VARCHAR\nclient VARCHAR\n"
            + _TOUCH_FACTS
            + _WRITE
        ),
        public=False,
    ),
    Table(
        "notice_observations",
        "statement of a file about a notification",
        _columns("""
import_id VARCHAR
observed_at TIMESTAMPTZ
notice_id VARCHAR
run_id VARCHAR
channel VARCHAR
recipient VARCHAR
kind VARCHAR
sent_at TIMESTAMPTZ
acknowledged_at TIMESTAMPTZ
resolved_at TIMESTAMPTZ
joined_by VARCHAR
source VARCHAR
title VARCHAR
text VARCHAR
key VARCHAR
record_keys VARCHAR[]  business records that it names: type and key
"""),
        public=False,
    ),
    Table(
        "change_observations",
        "statement of a file about a change",
        _columns("""
import_id VARCHAR
observed_at TIMESTAMPTZ
change_id VARCHAR
automation_id VARCHAR
version VARCHAR
at TIMESTAMPTZ
by VARCHAR
kind VARCHAR
run_id VARCHAR
joined_by VARCHAR
source VARCHAR
title VARCHAR
text VARCHAR
key VARCHAR
"""),
        public=False,
    ),
    Table(
        "automation_observations",
        "statement of a file about an automation",
        _columns("""
import_id VARCHAR
observed_at TIMESTAMPTZ
automation_id VARCHAR
tool VARCHAR
source VARCHAR
name VARCHAR
native_id VARCHAR
owner VARCHAR
schedule VARCHAR
enabled BOOLEAN
"""),
        public=False,
    ),
    Table(
        "ledger_state",
        "ledger (one row)",
        _columns("""
commits BIGINT  number of the last committed write
joins_from TIMESTAMPTZ  runs and notices changed since notices were last joined: from when
joins_to TIMESTAMPTZ  until when
joins_names UBIGINT  the automations' names as they were then
"""),
        public=False,
    ),
    Table("schema_version", "applied migration", _columns("version INTEGER\napplied_at TIMESTAMPTZ\n"), public=False),
)
BY_NAME: Final = {table.name: table for table in TABLES}
PUBLIC_TABLES: Final = tuple(table.name for table in TABLES if table.public)
