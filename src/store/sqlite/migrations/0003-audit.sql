-- Audit entries that sinks are fed with, and that are purged when they are old.

-- How far each sink of the trail has come. Everything up to `position` was taken; up to `sending` it may have been: what
-- lies between is handed over again, and as one.
CREATE TABLE audit_sink (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL,
  sending INTEGER NOT NULL,
  saved_at INTEGER NOT NULL -- unix ms
) STRICT, WITHOUT ROWID;

-- When a writer last wrote, or said that it lives: unix ms.
ALTER TABLE audit_writer ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
-- The last entry of it that was purged, 0 = none; one that was purged to its end stays for a while, to be told of.
ALTER TABLE audit_writer ADD COLUMN purged_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_writer ADD COLUMN purged_hash TEXT;
ALTER TABLE audit_writer ADD COLUMN purged_at INTEGER; -- unix ms
-- Where the trail says so.
ALTER TABLE audit_writer ADD COLUMN purged_told INTEGER; -- a position
