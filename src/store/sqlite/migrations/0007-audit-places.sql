-- The starts and checkpoints of each writer: the retention looks for those that prove what it deletes.
CREATE INDEX audit_entry_place ON audit_entry (writer, position)
  WHERE substr(line, 51, 14) IN ('server.started', 'audit.checkpoi');
