-- One verified message. `seq` is the order of acceptance. `body` is the exact bytes that were signed.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  received_at INTEGER NOT NULL, -- unix ms
  content_type TEXT NOT NULL,
  headers TEXT NOT NULL, -- JSON object, without credentials and signatures
  body_sha256 BLOB NOT NULL,
  mac BLOB NOT NULL, -- the replay claim of the request that was accepted
  body BLOB NOT NULL -- last: a scan of the other columns need not follow its overflow pages
) STRICT;
CREATE UNIQUE INDEX event_source_id ON event (source, id);

-- The replay guard: the MACs of further requests for an event that is there already. The first one's stands in its
-- event: a MAC covers the event id, so a request that was seen before always finds its event. Keyed by the signed
-- second first, so that old claims are dropped as one range. A scheme that signs no time claims under -1.
CREATE TABLE replay_claim (
  signed_at INTEGER NOT NULL, -- unix seconds, or -1
  mac BLOB NOT NULL,
  source TEXT NOT NULL,
  claimed_at INTEGER NOT NULL, -- unix ms
  PRIMARY KEY (signed_at, mac, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_claim_timeless ON replay_claim (claimed_at) WHERE signed_at = -1;

-- The duty to bring one event to one destination. While an attempt runs (leased = 1), due_at is the end of its
-- lease; otherwise the time of the next attempt.
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY,
  event_seq INTEGER NOT NULL REFERENCES event (seq),
  destination TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'exhausted')),
  attempt INTEGER NOT NULL, -- attempts started so far; fences late results
  leased INTEGER NOT NULL CHECK (leased IN (0, 1)),
  due_at INTEGER NOT NULL -- unix ms
) STRICT;
CREATE INDEX delivery_due ON delivery (destination, due_at) WHERE state = 'pending';

-- The audit trail: whole lines, in the order of their commits.
CREATE TABLE audit_entry (
  position INTEGER PRIMARY KEY,
  writer TEXT NOT NULL,
  line TEXT NOT NULL
) STRICT;

-- The last entry of each writer, so that a trail whose end was cut off is noticed.
CREATE TABLE audit_writer (
  ordinal INTEGER PRIMARY KEY,
  writer TEXT NOT NULL UNIQUE,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
