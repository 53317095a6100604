-- Deliveries that are counted, ordered, redelivered and kept an account of.

-- Attempts that RETRY_SCHEDULE does not count: those that a stop or a death of the process cut off, and all before the
-- last redelivery.
ALTER TABLE delivery ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
-- How often the process died during an attempt, since the last redelivery.
ALTER TABLE delivery ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN claimed_at INTEGER; -- unix ms, of the latest attempt
-- At most one delivery of a destination and key is due; the others have due_at = 9007199254740991 until it is their turn.
ALTER TABLE delivery ADD COLUMN order_key TEXT;

CREATE INDEX delivery_event ON delivery (event_seq);
CREATE INDEX delivery_suspect ON delivery (destination, due_at) WHERE state = 'pending' AND crashes > 0;
CREATE INDEX delivery_order ON delivery (destination, order_key, id) WHERE state = 'pending' AND order_key IS NOT NULL;
CREATE INDEX delivery_exhausted ON delivery (event_seq) WHERE state = 'exhausted';
CREATE INDEX delivery_exhausted_to ON delivery (destination) WHERE state = 'exhausted';

-- How each attempt ended. The one that is under way is in its delivery alone.
CREATE TABLE attempt (
  delivery_id INTEGER NOT NULL REFERENCES delivery (id),
  attempt INTEGER NOT NULL,
  started_at INTEGER, -- unix ms
  ended_at INTEGER, -- unix ms; null = the process died
  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
  status INTEGER, -- of the answer, where there was one
  reason TEXT,
  detail TEXT,
  PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;

-- Destinations that an operator has paused.
CREATE TABLE paused_destination (
  name TEXT PRIMARY KEY,
  paused_at INTEGER NOT NULL, -- unix ms
  paused_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
