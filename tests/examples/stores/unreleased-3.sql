-- A store as runner unreleased-3 wrote it; tests/acceptance/test_upgrades.py opens it. PRAGMA user_version = 1.
BEGIN TRANSACTION;
CREATE TABLE attempts (
    run            INTEGER NOT NULL REFERENCES runs (id),
    number         INTEGER NOT NULL CHECK (number > 0),
    status         TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost')),
    reason         TEXT,
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER,
    exit_code      INTEGER,
    signal         INTEGER,
    error_type     TEXT,
    error_message  TEXT,
    error_file     TEXT,
    error_line     INTEGER,
    traceback      TEXT,
    output         BLOB NOT NULL DEFAULT x'',
    output_dropped_bytes INTEGER NOT NULL DEFAULT 0 CHECK (output_dropped_bytes >= 0),
    PRIMARY KEY (run, number),
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK (status <> 'succeeded' OR exit_code = 0),
    CHECK (exit_code IS NULL OR signal IS NULL)
);
INSERT INTO "attempts" VALUES(1,1,'succeeded',NULL,1781092800089,1781092800228,0,NULL,NULL,NULL,NULL,NULL,NULL,X'676F6E650A',0);
INSERT INTO "attempts" VALUES(2,1,'failed','ValueError: no rows',1781092800151,1781092800228,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(3,1,'succeeded',NULL,1781092800153,1781092800228,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(4,1,'failed','ValueError: no rows',1781093102519,1781093102686,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(5,1,'succeeded',NULL,1781093102680,1781093102760,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(6,1,'failed','ValueError: no rows',1781093404839,1781093405021,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(7,1,'succeeded',NULL,1781093404962,1781093405022,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(8,1,'succeeded',NULL,1781093460130,1781093460170,0,NULL,NULL,NULL,NULL,NULL,NULL,X'676F6E650A',0);
INSERT INTO "attempts" VALUES(9,1,'running',NULL,1781093520096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,X'',0);
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
    fetch_every    INTEGER CHECK (fetch_every > 0)  -- milliseconds; NULL where nothing is fetched
);
INSERT INTO "catalog" VALUES(1,'fd4a7','b170058144f8095762bebd8048138a6fac81c8c6','b170058144f8095762bebd8048138a6fac81c8c6','HEAD','HEAD','','','',4,30000,'',NULL);
CREATE TABLE problems (
    file     TEXT NOT NULL,
    line     INTEGER NOT NULL,
    "column" INTEGER NOT NULL,
    code     TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
    message  TEXT NOT NULL,
    hint     TEXT NOT NULL
);
INSERT INTO "problems" VALUES('tasks/often.yaml',1,1,'missing-key','error','`active` is missing','add `active: true`');
INSERT INTO "problems" VALUES('tasks/often.yaml',1,1,'missing-key','error','`code` is missing','add `code: |` and the Python below it, indented');
INSERT INTO "problems" VALUES('tasks/often.yaml',1,1,'schedule','error','`frequency` without `unit`','add for example `unit: days`');
INSERT INTO "problems" VALUES('tasks/often.yaml',1,12,'type','error','`frequency` must be a whole number, not ''x''','for example 15');
CREATE TABLE remote (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    tried_at       INTEGER,            -- the minute of the last fetch, however it ended
    fetched_at     INTEGER,            -- when one last succeeded
    failing_since  INTEGER,
    failure        TEXT,               -- what git said
    stuck_since    INTEGER,            -- since when what was fetched cannot be read
    stuck          TEXT,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK ((stuck_since IS NULL) = (stuck IS NULL))
);
INSERT INTO "remote" VALUES(1,NULL,NULL,NULL,NULL,NULL,NULL);
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
    due_at        INTEGER,             -- when the next attempt may start; what waits longest comes first
    started_at    INTEGER,             -- of the first attempt
    finished_at   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- The process that has the run in its hands: boot id, pid and its start time. NULL while it waits for one, any one.
    supervisor    TEXT,
    cancel_reason TEXT,                -- why its supervisor is asked to end it
    CHECK (scheduled_for IS NOT NULL OR "trigger" IN ('manual', 'replay')),
    CHECK (status <> 'running' OR (finished_at IS NULL AND due_at IS NOT NULL)),
    CHECK (status <> 'skipped' OR (started_at IS NULL AND finished_at IS NULL AND reason IS NOT NULL)),
    CHECK (status IN ('running', 'skipped') OR finished_at IS NOT NULL),
    CHECK (status NOT IN ('succeeded', 'failed', 'timed_out') OR attempts > 0 OR reason IS NOT NULL)
);
INSERT INTO "runs" VALUES(1,1,1,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781092800000,NULL,0,NULL,1781092803145,1781092800000,1781092800089,1781092800228,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4001:305622',NULL);
INSERT INTO "runs" VALUES(2,2,2,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','failed','ValueError: no rows',1781092800000,NULL,0,NULL,1781092803145,1781092800000,1781092800151,1781092800228,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4001:305622',NULL);
INSERT INTO "runs" VALUES(3,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781092800000,NULL,0,NULL,1781092803145,1781092800000,1781092800153,1781092800228,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4001:305622',NULL);
INSERT INTO "runs" VALUES(4,2,2,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','failed','ValueError: no rows',1781093100000,NULL,0,NULL,1781093101909,1781093100000,1781093102519,1781093102686,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4349:306384',NULL);
INSERT INTO "runs" VALUES(5,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781093100000,NULL,0,NULL,1781093101909,1781093100000,1781093102680,1781093102760,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4349:306384',NULL);
INSERT INTO "runs" VALUES(6,2,2,'b170058144f8095762bebd8048138a6fac81c8c6','schedule','failed','ValueError: no rows',1781093400000,NULL,0,NULL,1781093404252,1781093400000,1781093404839,1781093405021,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4513:306896',NULL);
INSERT INTO "runs" VALUES(7,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781093400000,NULL,0,NULL,1781093404252,1781093400000,1781093404962,1781093405022,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4513:306896',NULL);
INSERT INTO "runs" VALUES(8,1,1,'b170058144f8095762bebd8048138a6fac81c8c6','manual','succeeded','asked for by hand',NULL,NULL,0,NULL,1781093460000,1781093460000,1781093460130,1781093460170,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:4776:307614',NULL);
INSERT INTO "runs" VALUES(9,6,6,'b170058144f8095762bebd8048138a6fac81c8c6','manual','running','asked for by hand',NULL,NULL,0,NULL,1781093520000,1781093520000,1781093520096,NULL,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:5142:308519',NULL);
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
    next_slot      INTEGER,            -- the next slot to decide
    next_due       INTEGER,            -- when it is to be decided: later than the slot where jitter says so
    next_local     TEXT,               -- next_due on the task's wall clock, for messages
    CHECK ((valid_commit IS NULL) = (invalid_commit IS NULL)),
    CHECK (next_due IS NULL OR (version IS NOT NULL AND blob IS NOT NULL)),
    CHECK ((next_due IS NULL) = (next_local IS NULL)),
    CHECK ((next_due IS NULL) = (next_slot IS NULL)),
    CHECK (next_due >= next_slot)
);
INSERT INTO "tasks" VALUES(1,'daily','1965a0ba2ae6ced844aac2e867b608a078e84781',1,NULL,NULL,1781092800000,1781092800000,1781092800000,1781179200000,1781179200000,'2026-06-11 12:00 UTC');
INSERT INTO "tasks" VALUES(2,'fails','30ab8fa050df0d505eefe95b2fb2323e6112d80d',2,NULL,NULL,1781092800000,1781093400000,1781093400000,1781093700000,1781093700000,'2026-06-10 12:15 UTC');
INSERT INTO "tasks" VALUES(3,'nightly','aedd7620f06842501b4ba65bb56d391038b6e508',3,NULL,NULL,1781092800000,NULL,NULL,1781139600000,1781139600000,'2026-06-11 03:00 CEST');
INSERT INTO "tasks" VALUES(4,'off','9775fd82287e9ea13b07369e439638b1c372dd01',4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(5,'often','e86c231a6787e40009b363446a63b3002fddcbad',5,'380372d4f70d536e9f03adb80aceed96309b3f56','b170058144f8095762bebd8048138a6fac81c8c6',1781092800000,1781093400000,1781093400000,1781093700000,1781093700000,'2026-06-10 12:15 UTC');
INSERT INTO "tasks" VALUES(6,'slow','3f0c68ca0abc8d02f741c6cb6f839c458c454742',6,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
    concurrency_policy TEXT NOT NULL CHECK (concurrency_policy IN ('forbid', 'allow', 'replace')),
    catchup        TEXT NOT NULL CHECK (catchup IN ('none', 'latest', 'all')),
    starting_deadline INTEGER,         -- milliseconds
    jitter         INTEGER NOT NULL,   -- milliseconds
    retry_attempts INTEGER NOT NULL CHECK (retry_attempts > 0),  -- how many in all, the first one included
    retry_delay    INTEGER NOT NULL,   -- milliseconds
    retry_backoff  REAL NOT NULL,
    retry_max_delay INTEGER NOT NULL,  -- milliseconds
    memory         INTEGER,            -- limits: bytes
    cpu            INTEGER,            -- milliseconds
    processes      INTEGER,
    open_files     INTEGER,
    file_size      INTEGER,            -- bytes
    env            TEXT NOT NULL,      -- NAME=value, separated by NUL, as execve(2) takes them
    secrets        TEXT NOT NULL,      -- names, separated by spaces
    code           TEXT NOT NULL,
    code_line      INTEGER NOT NULL,
    UNIQUE (blob, settings_blob),
    CHECK ((frequency IS NOT NULL) + (cron IS NOT NULL) + (rrule IS NOT NULL) = 1)
);
INSERT INTO "versions" VALUES(1,'1965a0ba2ae6ced844aac2e867b608a078e84781','','','','','UTC',1,'days',NULL,NULL,NULL,NULL,1,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','print("gone")
',5);
INSERT INTO "versions" VALUES(2,'30ab8fa050df0d505eefe95b2fb2323e6112d80d','','','','','UTC',5,'minutes',NULL,NULL,NULL,NULL,1,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','raise ValueError("no rows")
',5);
INSERT INTO "versions" VALUES(3,'aedd7620f06842501b4ba65bb56d391038b6e508','','','','','Europe/Berlin',NULL,NULL,'0 3 * * *',NULL,NULL,NULL,1,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','print("night")
',5);
INSERT INTO "versions" VALUES(4,'9775fd82287e9ea13b07369e439638b1c372dd01','','','','','UTC',5,'minutes',NULL,NULL,NULL,NULL,0,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','print(1)
',5);
INSERT INTO "versions" VALUES(5,'69016185219d04ae74f4ac8ab880bfd987f172dd','','','ada','mail','UTC',5,'minutes',NULL,NULL,NULL,NULL,1,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','print("hello")
',7);
INSERT INTO "versions" VALUES(6,'3f0c68ca0abc8d02f741c6cb6f839c458c454742','','','','','UTC',1,'days',NULL,NULL,NULL,NULL,0,3600000,10000,'forbid','latest',NULL,0,1,30000,2.0,3600000,NULL,NULL,NULL,NULL,NULL,'','','import time
print("slow", flush=True)
time.sleep(100)
',5);
CREATE INDEX tasks_due ON tasks (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX problems_of_file ON problems (file);
CREATE UNIQUE INDEX runs_slot ON runs (task, scheduled_for) WHERE "trigger" <> 'replay';
CREATE INDEX runs_running ON runs (task) WHERE status = 'running';
CREATE INDEX runs_waiting ON runs (due_at, id) WHERE status = 'running' AND supervisor IS NULL;
CREATE INDEX runs_of_task ON runs (task, id);
CREATE TRIGGER runs_end_once BEFORE UPDATE OF status ON runs
WHEN OLD.status <> NEW.status AND OLD.status <> 'running'
BEGIN
    SELECT RAISE(ABORT, 'a run that has ended stays as it is');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',9);
COMMIT;
