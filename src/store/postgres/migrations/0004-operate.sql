-- What operators see of a running service, and of its keys. Processes of the older version may still run: they publish no
-- `service`.

ALTER TABLE process_status ADD COLUMN service text; -- JSON: the facts of the process besides its destinations

-- When each key of a source last signed an accepted message.
CREATE TABLE key_use (
  source text NOT NULL,
  key_id text NOT NULL,
  used_at bigint NOT NULL, -- unix milliseconds
  PRIMARY KEY (source, key_id)
) WITH (fillfactor = 50);
