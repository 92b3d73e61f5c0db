-- The commits that were looked at for signatures, as `repo.trust` writes them; '' where none are asked for.
ALTER TABLE catalog ADD COLUMN seen TEXT NOT NULL DEFAULT '';
