-- The ledger's tables as version 1 of the schema made them, frozen: tests/ledger/test_migrations.py starts from here.
CREATE TABLE imports (
    "import_id" VARCHAR,
    "path" VARCHAR,
    "sha256" VARCHAR,
    "bytes" BIGINT,
    "adapter" VARCHAR,
    "adapter_version" VARCHAR,
    "observed_at" TIMESTAMPTZ,
    "records_read" BIGINT,
    "mapped" BIGINT,
    "set_aside" BIGINT,
    "rejects" BIGINT,
    "runs_new" BIGINT,
    "runs_changed" BIGINT,
    "started_at" TIMESTAMPTZ,
    "finished_at" TIMESTAMPTZ,
    "source" VARCHAR,
    "config_hash" VARCHAR
);
CREATE TABLE coverage (
    "import_id" VARCHAR,
    "source" VARCHAR,
    "automation" VARCHAR,
    "covers_from" TIMESTAMPTZ,
    "covers_to" TIMESTAMPTZ,
    "completeness" VARCHAR
);
CREATE TABLE automations (
    "automation_id" VARCHAR,
    "tool" VARCHAR,
    "source" VARCHAR,
    "client" VARCHAR,
    "name" VARCHAR,
    "native_id" VARCHAR,
    "owner" VARCHAR,
    "schedule" VARCHAR,
    "enabled" BOOLEAN,
    "first_run_at" TIMESTAMPTZ,
    "last_run_at" TIMESTAMPTZ
);
CREATE TABLE runs (
    "run_id" VARCHAR,
    "tool" VARCHAR,
    "source" VARCHAR,
    "client" VARCHAR,
    "automation_id" VARCHAR,
    "automation" VARCHAR,
    "native_id" VARCHAR,
    "root_run_id" VARCHAR,
    "parent_run_id" VARCHAR,
    "is_finished" BOOLEAN,
    "had_failed_step" BOOLEAN,
    "first_seen_at" TIMESTAMPTZ,
    "last_seen_at" TIMESTAMPTZ,
    "shared" BOOLEAN,
    "attempt" INTEGER,
    "role" VARCHAR,
    "status" VARCHAR,
    "status_raw" VARCHAR,
    "trigger" VARCHAR,
    "queued_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "duration_s" DOUBLE,
    "items_in" BIGINT,
    "items_out" BIGINT,
    "version" VARCHAR,
    "correlation_id" VARCHAR,
    "error_type" VARCHAR,
    "error_message" VARCHAR,
    "fingerprint" VARCHAR,
    "tz_assumed" BOOLEAN
);
CREATE TABLE steps (
    "step_id" VARCHAR,
    "run_id" VARCHAR,
    "name" VARCHAR,
    "kind" VARCHAR,
    "system" VARCHAR,
    "attempt" INTEGER,
    "map_index" INTEGER,
    "status" VARCHAR,
    "status_raw" VARCHAR,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "duration_s" DOUBLE,
    "items_in" BIGINT,
    "items_out" BIGINT,
    "error_type" VARCHAR,
    "error_message" VARCHAR,
    "fingerprint" VARCHAR
);
CREATE TABLE touches (
    "touch_id" VARCHAR,
    "run_id" VARCHAR,
    "step_id" VARCHAR,
    "client" VARCHAR,
    "system" VARCHAR,
    "entity_type" VARCHAR,
    "entity_key" VARCHAR,
    "operation" VARCHAR,
    "field" VARCHAR,
    "value" VARCHAR,
    "value_hash" VARCHAR,
    "found_by" VARCHAR,
    "at" TIMESTAMPTZ
);
CREATE TABLE notices (
    "notice_id" VARCHAR,
    "run_id" VARCHAR,
    "client" VARCHAR,
    "channel" VARCHAR,
    "recipient" VARCHAR,
    "kind" VARCHAR,
    "sent_at" TIMESTAMPTZ,
    "acknowledged_at" TIMESTAMPTZ,
    "resolved_at" TIMESTAMPTZ,
    "joined_by" VARCHAR
);
CREATE TABLE changes (
    "change_id" VARCHAR,
    "automation_id" VARCHAR,
    "version" VARCHAR,
    "at" TIMESTAMPTZ,
    "by" VARCHAR,
    "kind" VARCHAR
);
CREATE TABLE status_history (
    "run_id" VARCHAR,
    "status" VARCHAR,
    "status_raw" VARCHAR,
    "seen_at" TIMESTAMPTZ,
    "import_id" VARCHAR
);
CREATE TABLE rejects (
    "import_id" VARCHAR,
    "record" BIGINT,
    "place" VARCHAR,
    "field" VARCHAR,
    "seen" VARCHAR,
    "reason" VARCHAR,
    "raw" VARCHAR
);
CREATE TABLE set_aside (
    "import_id" VARCHAR,
    "record" BIGINT,
    "reason" VARCHAR
);
CREATE TABLE findings (
    "finding_id" VARCHAR,
    "detector" VARCHAR,
    "client" VARCHAR,
    "subject" VARCHAR,
    "title" VARCHAR,
    "severity" VARCHAR,
    "verdict" VARCHAR,
    "first_seen_at" TIMESTAMPTZ,
    "last_seen_at" TIMESTAMPTZ,
    "state" VARCHAR,
    "run_ids" VARCHAR[],
    "records" VARCHAR[],
    "automations" VARCHAR[],
    "clients" VARCHAR[],
    "cause_id" VARCHAR,
    "query" VARCHAR,
    "next_step" VARCHAR
);
CREATE TABLE report_runs (
    "report_run_id" VARCHAR,
    "report" VARCHAR,
    "client" VARCHAR,
    "period_start" TIMESTAMPTZ,
    "period_end" TIMESTAMPTZ,
    "snapshot" BIGINT,
    "status" VARCHAR,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "path" VARCHAR,
    "error" VARCHAR
);
CREATE TABLE run_observations (
    "import_id" VARCHAR,
    "observed_at" TIMESTAMPTZ,
    "rank" INTEGER,
    "run_id" VARCHAR,
    "tool" VARCHAR,
    "source" VARCHAR,
    "automation_id" VARCHAR,
    "native_id" VARCHAR,
    "retry_of" VARCHAR,
    "parent_run_id" VARCHAR,
    "clients" VARCHAR[],
    "attempt" INTEGER,
    "role" VARCHAR,
    "status" VARCHAR,
    "status_raw" VARCHAR,
    "trigger" VARCHAR,
    "queued_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "duration_s" DOUBLE,
    "items_in" BIGINT,
    "items_out" BIGINT,
    "version" VARCHAR,
    "correlation_id" VARCHAR,
    "error_type" VARCHAR,
    "error_message" VARCHAR,
    "fingerprint" VARCHAR,
    "tz_assumed" BOOLEAN
);
CREATE TABLE step_observations (
    "import_id" VARCHAR,
    "observed_at" TIMESTAMPTZ,
    "rank" INTEGER,
    "step_id" VARCHAR,
    "run_id" VARCHAR,
    "name" VARCHAR,
    "kind" VARCHAR,
    "system" VARCHAR,
    "attempt" INTEGER,
    "map_index" INTEGER,
    "status" VARCHAR,
    "status_raw" VARCHAR,
    "started_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "duration_s" DOUBLE,
    "items_in" BIGINT,
    "items_out" BIGINT,
    "error_type" VARCHAR,
    "error_message" VARCHAR,
    "fingerprint" VARCHAR
);
CREATE TABLE touch_observations (
    "import_id" VARCHAR,
    "touch_id" VARCHAR,
    "run_id" VARCHAR,
    "step_id" VARCHAR,
    "client" VARCHAR,
    "system" VARCHAR,
    "entity_type" VARCHAR,
    "entity_key" VARCHAR,
    "operation" VARCHAR,
    "field" VARCHAR,
    "value" VARCHAR,
    "value_hash" VARCHAR,
    "found_by" VARCHAR,
    "at" TIMESTAMPTZ
);
CREATE TABLE notice_observations (
    "import_id" VARCHAR,
    "observed_at" TIMESTAMPTZ,
    "notice_id" VARCHAR,
    "run_id" VARCHAR,
    "channel" VARCHAR,
    "recipient" VARCHAR,
    "kind" VARCHAR,
    "sent_at" TIMESTAMPTZ,
    "acknowledged_at" TIMESTAMPTZ,
    "resolved_at" TIMESTAMPTZ,
    "joined_by" VARCHAR
);
CREATE TABLE automation_observations (
    "import_id" VARCHAR,
    "observed_at" TIMESTAMPTZ,
    "automation_id" VARCHAR,
    "tool" VARCHAR,
    "source" VARCHAR,
    "name" VARCHAR,
    "native_id" VARCHAR,
    "owner" VARCHAR,
    "schedule" VARCHAR,
    "enabled" BOOLEAN
);
CREATE TABLE schema_version (
    "version" INTEGER,
    "applied_at" TIMESTAMPTZ
);
INSERT INTO schema_version VALUES (1, TIMESTAMPTZ '2026-11-23 03:00:00+00');
