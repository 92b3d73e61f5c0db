-- Written for the widest form of version 1: `store/migrate.py` adds what an older form lacks before this runs.
-- Each table is made anew, and filled from the old one.

DROP INDEX IF EXISTS tasks_due;
DROP INDEX IF EXISTS problems_of_file;
DROP INDEX IF EXISTS runs_slot;
DROP INDEX IF EXISTS runs_running;
DROP INDEX IF EXISTS runs_waiting;
DROP INDEX IF EXISTS runs_of_task;
DROP TRIGGER IF EXISTS runs_end_once;

ALTER TABLE catalog RENAME TO old_catalog;
ALTER TABLE remote RENAME TO old_remote;
ALTER TABLE versions RENAME TO old_versions;
ALTER TABLE tasks RENAME TO old_tasks;
ALTER TABLE problems RENAME TO old_problems;
ALTER TABLE runs RENAME TO old_runs;
ALTER TABLE attempts RENAME TO old_attempts;

-- One row: the commit of the tasks below, its settings, and the time that the last deciding tick knew.
CREATE TABLE catalog (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    store_id       TEXT NOT NULL,      -- names this store in the marks of its processes
    commit_id      TEXT,               -- the commit whose tasks are in force; NULL before the first one
    head_id        TEXT,               -- the commit of HEAD, whose runner.yaml says which ref is followed
    ref            TEXT NOT NULL DEFAULT 'HEAD',
    ref_path       TEXT NOT NULL DEFAULT 'HEAD',  -- the full name of ref, where it has one
    settings_blob  TEXT NOT NULL DEFAULT '',      -- the runner.yaml in force; '' where there is none
    settings_seen  TEXT NOT NULL DEFAULT '',      -- the runner.yaml of the commit; another one where that is invalid
    head_settings  TEXT NOT NULL DEFAULT '',      -- the runner.yaml of HEAD, from which ref was read
    max_parallel   INTEGER NOT NULL DEFAULT 4 CHECK (max_parallel > 0),
    shutdown_grace INTEGER NOT NULL DEFAULT 30000 CHECK (shutdown_grace >= 0),  -- milliseconds
    secrets_file   TEXT NOT NULL DEFAULT '',      -- '' where there is none
    files          TEXT NOT NULL DEFAULT '',      -- the paths of their commit that runs see, one a line; '': default
    -- The commit whose files runs see where those of commit_id are refused: '' for none, NULL for commit_id itself.
    files_commit   TEXT,
    files_seen     TEXT NOT NULL DEFAULT '',      -- commits that were checked when the files were accepted
    fetch_every    INTEGER CHECK (fetch_every > 0),  -- milliseconds; NULL where nothing is fetched
    require_signed INTEGER NOT NULL DEFAULT 0 CHECK (require_signed IN (0, 1)),
    allowed_signers TEXT NOT NULL DEFAULT '',     -- '' where there is no such file
    -- The full name of the branch that HEAD was on: '' for none, NULL where ref is not HEAD.
    branch         TEXT,
    branch_before  TEXT,               -- the branch before a switch of HEAD; NULL where there was no switch
    branch_since   INTEGER,            -- when a command noticed the switch
    seen           TEXT NOT NULL DEFAULT '',      -- commits whose signatures were checked, by `repo.trust`
    -- When a tick last decided something. If the present is earlier, the clock was set back.
    decided_at     INTEGER,
    clock_behind_until INTEGER,        -- the instant from which the clock was set back; NULL once it is reached
    zones          TEXT NOT NULL DEFAULT '',      -- the zone files from which next_slot was computed
    CHECK ((branch_before IS NULL) = (branch_since IS NULL))
);
INSERT INTO catalog (id, store_id, commit_id, head_id, ref, ref_path, settings_blob, settings_seen, head_settings,
                     max_parallel, shutdown_grace, secrets_file, fetch_every, require_signed, allowed_signers,
                     decided_at)
SELECT id, store_id, commit_id, head_id, ref, ref_path, settings_blob, settings_seen, head_settings,
       max_parallel, shutdown_grace, secrets_file, fetch_every, require_signed, allowed_signers,
       (SELECT decided_at FROM old_runs ORDER BY id DESC LIMIT 1)
FROM old_catalog;

-- One row: the state of the remote that ticks follow, if there is one.
CREATE TABLE remote (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    tried_at       INTEGER,            -- the minute of the last fetch, however it ended
    fetched_at     INTEGER,            -- when one last succeeded
    failing_since  INTEGER,
    failure        TEXT,               -- the error message of git
    stuck_since    INTEGER,            -- since when what was fetched cannot be read
    stuck          TEXT,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK ((stuck_since IS NULL) = (stuck IS NULL))
);
INSERT INTO remote SELECT id, tried_at, fetched_at, failing_since, failure, stuck_since, stuck FROM old_remote;

-- A compiled task file. Never changed: what a run was pinned to stays readable.
-- What decides about slots stands in columns; `definition` is a JSON object with all else that the file declares.
CREATE TABLE versions (
    id             INTEGER PRIMARY KEY,
    blob           TEXT NOT NULL,
    settings_blob  TEXT NOT NULL,
    timezone       TEXT NOT NULL,
    frequency      INTEGER,
    unit           TEXT,
    cron           TEXT,
    rrule          TEXT,
    "start"        TEXT,
    "end"          TEXT,
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    concurrency_policy TEXT NOT NULL CHECK (concurrency_policy IN ('forbid', 'allow', 'replace')),
    catchup        TEXT NOT NULL CHECK (catchup IN ('none', 'latest', 'all')),
    starting_deadline INTEGER,         -- milliseconds
    jitter         INTEGER NOT NULL,   -- milliseconds
    definition     TEXT NOT NULL,
    UNIQUE (blob, settings_blob),
    CHECK ((frequency IS NOT NULL) + (cron IS NOT NULL) + (rrule IS NOT NULL) = 1)
);
INSERT INTO versions
SELECT id, blob, settings_blob, timezone, frequency, unit, cron, rrule, "start", "end", active,
       concurrency_policy, catchup, starting_deadline, jitter,
       definition_of_version_1(code, code_line, timeout, kill_grace, description, owner, tags, env, secrets,
                               retry_attempts, retry_delay, retry_backoff, retry_max_delay,
                               memory, cpu, processes, open_files, file_size)
FROM old_versions;

-- Every task file that a tick has ever read, and up to when its slots are decided. A rename changes only `id`.
CREATE TABLE tasks (
    key            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    blob           TEXT,               -- the file in the commit; NULL once it is gone
    data           TEXT UNIQUE,        -- the folder that the task keeps from run to run; NULL before its first run
    version        INTEGER REFERENCES versions (id),  -- in force; NULL while the file was never valid
    valid_commit   TEXT,               -- degraded: the commit that the version in force is from
    invalid_commit TEXT,               -- degraded: the commit since which the file is invalid
    anchor         INTEGER,            -- the anchor of an interval without `start`; a changed clock never moves it
    watermark      INTEGER,            -- up to when its slots have been decided
    watermark_wall TEXT,               -- the wall time of the watermark, by the rules of the zone at that moment
    -- Up to when its slots have been decided since the clock was set back; NULL where the clock was not set back.
    resumed_at     INTEGER,
    last_run_slot  INTEGER,
    next_slot      INTEGER,            -- the next slot, by the rules of the zone when it was computed
    next_due       INTEGER,            -- when it is to be decided: the slot, plus the jitter
    next_local     TEXT,               -- next_due on the task's wall clock, for messages
    CHECK ((valid_commit IS NULL) = (invalid_commit IS NULL)),
    CHECK (next_due IS NULL OR (version IS NOT NULL AND blob IS NOT NULL)),
    CHECK ((next_due IS NULL) = (next_local IS NULL)),
    CHECK ((next_due IS NULL) = (next_slot IS NULL)),
    CHECK (next_due >= next_slot)
);
-- Before the first run of a task, its watermark is just before its first slot, so that this slot is still due.
INSERT INTO tasks (key, id, blob, version, valid_commit, invalid_commit, anchor, watermark, last_run_slot, next_slot,
                   next_due, next_local)
SELECT key, id, blob, version, valid_commit, invalid_commit, anchor, coalesce(watermark, next_slot - 1, next_due - 1),
       last_run_slot, coalesce(next_slot, next_due), next_due, next_local
FROM old_tasks;

-- An idle tick reads one row of this, however many tasks there are.
CREATE INDEX tasks_due ON tasks (next_due, id) WHERE next_due IS NOT NULL;

-- The problems of the commit's files.
CREATE TABLE problems (
    file     TEXT NOT NULL,
    line     INTEGER NOT NULL,
    "column" INTEGER NOT NULL,
    code     TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
    message  TEXT NOT NULL,
    hint     TEXT NOT NULL
);
INSERT INTO problems SELECT file, line, "column", code, severity, message, hint FROM old_problems;
CREATE INDEX problems_of_file ON problems (file);

-- Every slot that was decided, and every run by hand. The state machine is drawn in docs/glossary.md.
CREATE TABLE runs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    task          INTEGER NOT NULL REFERENCES tasks (key),
    version       INTEGER NOT NULL REFERENCES versions (id),
    commit_id     TEXT,
    "trigger"     TEXT NOT NULL CHECK ("trigger" IN ('schedule', 'catchup', 'retry', 'manual', 'replay')),
    status        TEXT NOT NULL CHECK (
        status IN ('running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'skipped')
    ),
    reason        TEXT,
    scheduled_for INTEGER,             -- the slot; NULL for a run by hand
    through       INTEGER,             -- skipped: the last of the slots that this row records
    missed        INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0),
    blocked_by    INTEGER REFERENCES runs (id),
    decided_at    INTEGER NOT NULL,
    due_at        INTEGER,             -- when the next attempt may start; the earliest starts first
    started_at    INTEGER,             -- of the first attempt
    finished_at   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    supervisor    TEXT,                -- the owner of the run: the name of a locked file; NULL while it waits for one
    -- When an owner that has not ended the attempt counts as failed: overdue_at if its process is stopped; in any case
    -- overdue_monotonic (CLOCK_MONOTONIC, which cannot be set, in milliseconds, of the boot in the name of the owner).
    overdue_at    INTEGER,
    overdue_monotonic INTEGER,
    cancel_reason TEXT,                -- why its supervisor was asked to end it
    CHECK (scheduled_for IS NOT NULL OR "trigger" IN ('manual', 'replay')),
    CHECK (status <> 'running' OR (finished_at IS NULL AND due_at IS NOT NULL)),
    CHECK (status <> 'skipped' OR (started_at IS NULL AND finished_at IS NULL AND reason IS NOT NULL)),
    CHECK (status IN ('running', 'skipped') OR finished_at IS NOT NULL),
    CHECK (status NOT IN ('succeeded', 'failed', 'timed_out') OR attempts > 0 OR reason IS NOT NULL)
);
INSERT INTO runs (id, task, version, commit_id, "trigger", status, reason, scheduled_for, through, missed, blocked_by,
                  decided_at, due_at, started_at, finished_at, attempts, supervisor, cancel_reason)
SELECT id, task, version, commit_id, "trigger", status, reason, scheduled_for, through, missed, blocked_by, decided_at,
       CASE WHEN status = 'running' THEN coalesce(due_at, decided_at) ELSE due_at END,
       started_at, finished_at, attempts, supervisor, cancel_reason
FROM old_runs;

-- A slot is started at most once, by whatever ticks. Only a replay runs it again, as another trigger.
CREATE UNIQUE INDEX runs_slot ON runs (task, scheduled_for) WHERE "trigger" <> 'replay';
CREATE INDEX runs_running ON runs (task) WHERE status = 'running';
CREATE INDEX runs_waiting ON runs (due_at, id) WHERE status = 'running' AND supervisor IS NULL;
CREATE INDEX runs_of_task ON runs (task, id);
-- For queries: the last runs of a status, and the runs that ended in a period.
CREATE INDEX runs_of_status ON runs (status, id);
CREATE INDEX runs_ended ON runs (finished_at, status) WHERE finished_at IS NOT NULL;

CREATE TRIGGER runs_end_once BEFORE UPDATE OF status ON runs
WHEN OLD.status <> NEW.status AND OLD.status <> 'running'
BEGIN
    SELECT RAISE(ABORT, 'a run that has ended stays as it is');
END;

-- One row for each child process. A retry is another attempt of the same run.
CREATE TABLE attempts (
    run            INTEGER NOT NULL REFERENCES runs (id),
    number         INTEGER NOT NULL CHECK (number > 0),
    status         TEXT NOT NULL CHECK (
        status IN ('running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost')
    ),
    reason         TEXT,
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER,
    exit_code      INTEGER,
    signal         INTEGER,
    error_type     TEXT,
    error_message  TEXT,
    error_file     TEXT,
    error_line     INTEGER,
    output_dropped_bytes INTEGER NOT NULL DEFAULT 0 CHECK (output_dropped_bytes >= 0),
    traceback      TEXT,
    PRIMARY KEY (run, number),
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK (status <> 'succeeded' OR exit_code = 0),
    CHECK (exit_code IS NULL OR signal IS NULL)
);
INSERT INTO attempts
SELECT run, number, status, reason, started_at, finished_at, exit_code, signal, error_type, error_message, error_file,
       error_line, output_dropped_bytes, traceback
FROM old_attempts;
-- 0.1.0 recorded no attempt before its end: an attempt under way has only the row of its run.
INSERT INTO attempts (run, number, status, started_at)
SELECT id, attempts, 'running', started_at FROM old_runs r
WHERE status = 'running' AND attempts > 0 AND started_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM old_attempts a WHERE a.run = r.id AND a.number = r.attempts);

-- The output of each attempt: in its own table, so that lists never read it, and it can be deleted before its run.
CREATE TABLE outputs (
    run            INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    output         BLOB NOT NULL,
    PRIMARY KEY (run, attempt),
    FOREIGN KEY (run, attempt) REFERENCES attempts (run, number)
);
INSERT INTO outputs SELECT run, number, output FROM old_attempts WHERE length(output) > 0;

-- What happened to a run or a task, recorded in the same transaction. Notifications will read this table.
CREATE TABLE events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL,
    kind           TEXT NOT NULL,      -- the words of model/event.py
    task           INTEGER REFERENCES tasks (key),
    run            INTEGER REFERENCES runs (id),
    attempt        INTEGER,
    commit_id      TEXT,
    detail         TEXT                -- more about it, for people
);
CREATE INDEX events_of_task ON events (task, at) WHERE run IS NULL;
CREATE INDEX events_of_run ON events (run) WHERE run IS NOT NULL;

DROP TABLE old_attempts;
DROP TABLE old_runs;
DROP TABLE old_problems;
DROP TABLE old_tasks;
DROP TABLE old_versions;
DROP TABLE old_remote;
DROP TABLE old_catalog;
