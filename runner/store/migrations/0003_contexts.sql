-- The contexts of runner.yaml as a JSON list; '' where there are none.
ALTER TABLE catalog ADD COLUMN contexts TEXT NOT NULL DEFAULT '';
-- The name of the context of a task; '' where it has none.
ALTER TABLE versions ADD COLUMN context TEXT NOT NULL DEFAULT '';
-- JSON objects: the context of an attempt, and what a rehearsal would have changed. NULL where there is none.
ALTER TABLE attempts ADD COLUMN context TEXT;
ALTER TABLE attempts ADD COLUMN rehearsal TEXT;
