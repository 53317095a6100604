-- What operators see of a running service, and of its keys.

ALTER TABLE process_status ADD COLUMN service TEXT; -- JSON: the facts of the process besides its destinations; null = an older version

-- When each key of a source last signed an accepted message.
CREATE TABLE key_use (
  source TEXT NOT NULL,
  key_id TEXT NOT NULL,
  used_at INTEGER NOT NULL, -- unix ms
  PRIMARY KEY (source, key_id)
) STRICT, WITHOUT ROWID;
