-- A store as runner 0.1.0 wrote it; tests/acceptance/test_upgrades.py opens it. PRAGMA user_version = 1.
BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(1,1,'succeeded',1781092801022,1781092801073,0,NULL,NULL,NULL,NULL,NULL,NULL,X'676F6E650A',0);
INSERT INTO "attempts" VALUES(2,1,'failed',1781092801036,1781092801074,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(3,1,'succeeded',1781092801052,1781092801074,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(5,1,'succeeded',1781093100486,1781093100508,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(4,1,'failed',1781093100479,1781093100531,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(6,1,'failed',1781093400656,1781093400685,1,NULL,'ValueError','no rows','tasks/fails.yaml',5,'Traceback (most recent call last):
  File "tasks/fails.yaml", line 5, in <module>
    raise ValueError("no rows")
ValueError: no rows
',X'54726163656261636B20286D6F737420726563656E742063616C6C206C617374293A0A202046696C6520227461736B732F6661696C732E79616D6C222C206C696E6520352C20696E203C6D6F64756C653E0A2020202072616973652056616C75654572726F7228226E6F20726F777322290A56616C75654572726F723A206E6F20726F77730A',0);
INSERT INTO "attempts" VALUES(7,1,'succeeded',1781093400662,1781093400686,0,NULL,NULL,NULL,NULL,NULL,NULL,X'68656C6C6F0A',0);
INSERT INTO "attempts" VALUES(8,1,'succeeded',1781093460019,1781093460057,0,NULL,NULL,NULL,NULL,NULL,NULL,X'676F6E650A',0);
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
INSERT INTO "catalog" VALUES(1,'c5121','b170058144f8095762bebd8048138a6fac81c8c6','b170058144f8095762bebd8048138a6fac81c8c6','HEAD','HEAD','','','',4);
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
INSERT INTO "runs" VALUES(1,1,1,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781092800000,NULL,0,NULL,1781092800983,1781092801022,1781092801073,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:1949:301514');
INSERT INTO "runs" VALUES(2,2,2,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','failed','ValueError: no rows',1781092800000,NULL,0,NULL,1781092800983,1781092801036,1781092801074,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:1949:301514');
INSERT INTO "runs" VALUES(3,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781092800000,NULL,0,NULL,1781092800983,1781092801052,1781092801074,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:1949:301514');
INSERT INTO "runs" VALUES(4,2,2,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','failed','ValueError: no rows',1781093100000,NULL,0,NULL,1781093100461,1781093100479,1781093100531,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2007:301657');
INSERT INTO "runs" VALUES(5,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781093100000,NULL,0,NULL,1781093100461,1781093100486,1781093100508,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2007:301657');
INSERT INTO "runs" VALUES(6,2,2,'b170058144f8095762bebd8048138a6fac81c8c6','schedule','failed','ValueError: no rows',1781093400000,NULL,0,NULL,1781093400641,1781093400656,1781093400685,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2018:301741');
INSERT INTO "runs" VALUES(7,5,5,'380372d4f70d536e9f03adb80aceed96309b3f56','schedule','succeeded','due',1781093400000,NULL,0,NULL,1781093400641,1781093400662,1781093400686,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2018:301741');
INSERT INTO "runs" VALUES(8,1,1,'b170058144f8095762bebd8048138a6fac81c8c6','manual','succeeded','asked for by hand',NULL,NULL,0,NULL,1781093460000,1781093460019,1781093460057,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2081:301836');
INSERT INTO "runs" VALUES(9,6,6,'b170058144f8095762bebd8048138a6fac81c8c6','manual','running','asked for by hand',NULL,NULL,0,NULL,1781093520000,1781093520024,NULL,1,'6af0c6be-ac75-43aa-a146-53a088820fa3:2105:301974');
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
INSERT INTO "tasks" VALUES(1,'daily','1965a0ba2ae6ced844aac2e867b608a078e84781',1,NULL,NULL,1781092800000,1781092800000,1781092800000,1781179200000,'2026-06-11 12:00 UTC');
INSERT INTO "tasks" VALUES(2,'fails','30ab8fa050df0d505eefe95b2fb2323e6112d80d',2,NULL,NULL,1781092800000,1781093400000,1781093400000,1781093700000,'2026-06-10 12:15 UTC');
INSERT INTO "tasks" VALUES(3,'nightly','aedd7620f06842501b4ba65bb56d391038b6e508',3,NULL,NULL,1781092800000,NULL,NULL,1781139600000,'2026-06-11 03:00 CEST');
INSERT INTO "tasks" VALUES(4,'off','9775fd82287e9ea13b07369e439638b1c372dd01',4,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(5,'often','e86c231a6787e40009b363446a63b3002fddcbad',5,'380372d4f70d536e9f03adb80aceed96309b3f56','b170058144f8095762bebd8048138a6fac81c8c6',1781092800000,1781093400000,1781093400000,1781093700000,'2026-06-10 12:15 UTC');
INSERT INTO "tasks" VALUES(6,'slow','3f0c68ca0abc8d02f741c6cb6f839c458c454742',6,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "versions" VALUES(1,'1965a0ba2ae6ced844aac2e867b608a078e84781','','','','','UTC',1,'days',NULL,NULL,NULL,NULL,1,3600000,10000,'print("gone")
',5);
INSERT INTO "versions" VALUES(2,'30ab8fa050df0d505eefe95b2fb2323e6112d80d','','','','','UTC',5,'minutes',NULL,NULL,NULL,NULL,1,3600000,10000,'raise ValueError("no rows")
',5);
INSERT INTO "versions" VALUES(3,'aedd7620f06842501b4ba65bb56d391038b6e508','','','','','Europe/Berlin',NULL,NULL,'0 3 * * *',NULL,NULL,NULL,1,3600000,10000,'print("night")
',5);
INSERT INTO "versions" VALUES(4,'9775fd82287e9ea13b07369e439638b1c372dd01','','','','','UTC',5,'minutes',NULL,NULL,NULL,NULL,0,3600000,10000,'print(1)
',5);
INSERT INTO "versions" VALUES(5,'69016185219d04ae74f4ac8ab880bfd987f172dd','','','ada','mail','UTC',5,'minutes',NULL,NULL,NULL,NULL,1,3600000,10000,'print("hello")
',7);
INSERT INTO "versions" VALUES(6,'3f0c68ca0abc8d02f741c6cb6f839c458c454742','','','','','UTC',1,'days',NULL,NULL,NULL,NULL,0,3600000,10000,'import time
print("slow", flush=True)
time.sleep(100)
',5);
CREATE INDEX tasks_due ON tasks (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX problems_of_file ON problems (file);
CREATE INDEX runs_running ON runs (task) WHERE status = 'running';
CREATE INDEX runs_of_task ON runs (task, id);
CREATE TRIGGER runs_end_once BEFORE UPDATE OF status ON runs
WHEN OLD.status <> NEW.status AND OLD.status <> 'running'
BEGIN
    SELECT RAISE(ABORT, 'a run that has ended stays as it is');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',9);
COMMIT;
