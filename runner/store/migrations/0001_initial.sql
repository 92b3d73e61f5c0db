-- Instants are whole milliseconds since 1970-01-01T00:00:00Z.

-- One row: from where the tasks below were read.
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
    max_parallel   INTEGER NOT NULL DEFAULT 4 CHECK (max_parallel > 0)
);

INSERT INTO catalog (id, store_id) VALUES (1, lower(substr(hex(randomblob(3)), 1, 5)));

-- A compiled task file. Never changed: what a run was pinned to stays readable.
CREATE TABLE versions (
    id             INTEGER PRIMARY KEY,
    blob           TEXT NOT NULL,
    settings_blob  TEXT NOT NULL,
    description    TEXT NOT NULL,
    owner          TEXT NOT NULL,
    tags           TEXT NOT NULL,      -- separated by spaces
    timezone       TEXT NOT NULL,
    frequency      INTEGER,
    unit           TEXT,
    cron           TEXT,
    rrule          TEXT,
    "start"        TEXT,
    "end"          TEXT,
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    timeout        INTEGER NOT NULL,   -- milliseconds
    kill_grace     INTEGER NOT NULL,   -- milliseconds
    code           TEXT NOT NULL,
    code_line      INTEGER NOT NULL,
    UNIQUE (blob, settings_blob),
    CHECK ((frequency IS NOT NULL) + (cron IS NOT NULL) + (rrule IS NOT NULL) = 1)
);

-- Every task file that was ever seen, and where its task stands in time. A rename changes `id` and nothing else.
CREATE TABLE tasks (
    key            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    blob           TEXT,               -- the file in the commit; NULL once it is gone
    version        INTEGER REFERENCES versions (id),  -- in force; NULL while the file was never valid
    valid_commit   TEXT,               -- degraded: the commit that the version in force is from
    invalid_commit TEXT,               -- degraded: the commit since which the file is invalid
    anchor         INTEGER,
    watermark      INTEGER,
    last_run_slot  INTEGER,
    next_due       INTEGER,
    next_local     TEXT,               -- next_due on the task's wall clock, for messages
    CHECK ((valid_commit IS NULL) = (invalid_commit IS NULL)),
    CHECK (next_due IS NULL OR (version IS NOT NULL AND blob IS NOT NULL)),
    CHECK ((next_due IS NULL) = (next_local IS NULL))
);

-- An idle tick reads one row of this, however many tasks there are.
CREATE INDEX tasks_due ON tasks (next_due) WHERE next_due IS NOT NULL;

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
    through       INTEGER,             -- skipped: the last slot of the stretch that this row stands for
    missed        INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0),
    blocked_by    INTEGER REFERENCES runs (id),
    decided_at    INTEGER NOT NULL,
    started_at    INTEGER,
    finished_at   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    supervisor    TEXT,                -- the process that answers for the run: boot id, pid and its start time
    -- A slot is started at most once, whoever ticks and how often.
    UNIQUE (task, scheduled_for),
    CHECK (scheduled_for IS NOT NULL OR "trigger" IN ('manual', 'replay')),
    CHECK (status <> 'running' OR (finished_at IS NULL AND supervisor IS NOT NULL)),
    CHECK (status <> 'skipped' OR (started_at IS NULL AND finished_at IS NULL AND reason IS NOT NULL)),
    CHECK (status IN ('running', 'skipped') OR finished_at IS NOT NULL),
    CHECK (status NOT IN ('succeeded', 'failed', 'timed_out') OR attempts > 0 OR reason IS NOT NULL)
);
CREATE INDEX runs_running ON runs (task) WHERE status = 'running';
CREATE INDEX runs_of_task ON runs (task, id);

CREATE TRIGGER runs_end_once BEFORE UPDATE OF status ON runs
WHEN OLD.status <> NEW.status AND OLD.status <> 'running'
BEGIN
    SELECT RAISE(ABORT, 'a run that has ended stays as it is');
END;

-- One child process each; a retry is another attempt of the same run.
CREATE TABLE attempts (
    run            INTEGER NOT NULL REFERENCES runs (id),
    number         INTEGER NOT NULL CHECK (number > 0),
    status         TEXT NOT NULL CHECK (status IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost')),
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER NOT NULL,
    exit_code      INTEGER,
    signal         INTEGER,
    error_type     TEXT,
    error_message  TEXT,
    error_file     TEXT,
    error_line     INTEGER,
    traceback      TEXT,
    output         BLOB NOT NULL,
    output_dropped_bytes INTEGER NOT NULL CHECK (output_dropped_bytes >= 0),
    PRIMARY KEY (run, number),
    CHECK (status <> 'succeeded' OR exit_code = 0),
    CHECK (exit_code IS NULL OR signal IS NULL)
);
