-- Deliveries that an operator has discarded, and what the processes say of the destinations that they serve.

-- SQLite cannot change a CHECK, so the table is made again. The attempts refer to it, so theirs is too: then no step leaves a
-- reference without its row, and foreign keys stay on. A rename also renames the table in the references to it.
CREATE TABLE new_delivery (
  id INTEGER PRIMARY KEY,
  event_seq INTEGER NOT NULL REFERENCES event (seq),
  destination TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'exhausted', 'discarded')),
  attempt INTEGER NOT NULL, -- attempts started so far; fences late results
  leased INTEGER NOT NULL CHECK (leased IN (0, 1)),
  due_at INTEGER NOT NULL, -- unix ms
  -- Attempts that RETRY_SCHEDULE does not count: those that a stop or a crash of the process interrupted, and all before
  -- the last redelivery.
  uncounted INTEGER NOT NULL DEFAULT 0,
  -- How often the process died during an attempt, since the last redelivery.
  crashes INTEGER NOT NULL DEFAULT 0,
  claimed_at INTEGER, -- unix ms, of the latest attempt
  -- At most one delivery of a destination and key is due; the others have due_at = 9007199254740991 until it is their turn.
  order_key TEXT
) STRICT;
INSERT INTO new_delivery (id, event_seq, destination, state, attempt, leased, due_at, uncounted, crashes, claimed_at, order_key)
  SELECT id, event_seq, destination, state, attempt, leased, due_at, uncounted, crashes, claimed_at, order_key FROM delivery;

CREATE TABLE new_attempt (
  delivery_id INTEGER NOT NULL REFERENCES new_delivery (id),
  attempt INTEGER NOT NULL,
  started_at INTEGER, -- unix ms
  ended_at INTEGER, -- unix ms; null = the process died
  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
  status INTEGER, -- of the response, if there was one
  reason TEXT,
  detail TEXT,
  PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO new_attempt (delivery_id, attempt, started_at, ended_at, ok, status, reason, detail)
  SELECT delivery_id, attempt, started_at, ended_at, ok, status, reason, detail FROM attempt;

DROP TABLE attempt;
DROP TABLE delivery;
ALTER TABLE new_delivery RENAME TO delivery;
ALTER TABLE new_attempt RENAME TO attempt;

CREATE INDEX delivery_due ON delivery (destination, due_at) WHERE state = 'pending';
CREATE INDEX delivery_event ON delivery (event_seq);
CREATE INDEX delivery_suspect ON delivery (destination, due_at) WHERE state = 'pending' AND crashes > 0;
-- Those of a key go in the order of their events: a delivery may be made long after its event.
CREATE INDEX delivery_order ON delivery (destination, order_key, event_seq) WHERE state = 'pending' AND order_key IS NOT NULL;
CREATE INDEX delivery_exhausted ON delivery (event_seq) WHERE state = 'exhausted';
CREATE INDEX delivery_exhausted_to ON delivery (destination) WHERE state = 'exhausted';
CREATE INDEX delivery_discarded ON delivery (event_seq) WHERE state = 'discarded';

-- What a process run last said of the destinations that it serves: a JSON array, without anything secret.
CREATE TABLE process_status (
  writer TEXT PRIMARY KEY,
  published_at INTEGER NOT NULL, -- unix ms
  destinations TEXT NOT NULL
) STRICT, WITHOUT ROWID;
