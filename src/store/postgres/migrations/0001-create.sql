-- Times are unix milliseconds (bigint), by the database's clock where they decide when work is done. `day` is the number of
-- UTC days since 1970 of an event's acceptance or an entry's writing. Texts from outside (ids, types, order keys) are UTF-8
-- bytes, because a text of PostgreSQL cannot contain U+0000.

CREATE SEQUENCE event_seq;
CREATE SEQUENCE delivery_id;
CREATE SEQUENCE audit_position;

-- One verified message. `body` is the exact bytes that were signed. Partitions: one a day; day -1 holds the events that
-- were still pending when their day was dropped.
CREATE TABLE event (
  day integer NOT NULL,
  seq bigint NOT NULL,
  source text NOT NULL,
  id bytea NOT NULL,
  type bytea NOT NULL,
  received_at bigint NOT NULL,
  content_type text NOT NULL,
  headers text NOT NULL, -- JSON object, without credentials and signatures
  body_sha256 bytea NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (seq, day)
) PARTITION BY RANGE (day);
ALTER TABLE event ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE event_kept PARTITION OF event FOR VALUES FROM (-1) TO (0);

-- The idempotency key of each stored event.
CREATE TABLE event_id (
  source text NOT NULL,
  id bytea NOT NULL,
  day integer NOT NULL,
  seq bigint NOT NULL,
  body_sha256 bytea NOT NULL,
  PRIMARY KEY (source, id)
) PARTITION BY HASH (source, id);

-- The replay guard. Partitions: one for each hour of the signed time.
CREATE TABLE replay_claim (
  signed_at bigint NOT NULL, -- unix seconds
  mac bytea NOT NULL,
  source text NOT NULL,
  claimed_at bigint NOT NULL,
  PRIMARY KEY (signed_at, mac, source)
) PARTITION BY RANGE (signed_at);

-- The replay guard of schemes that sign no time.
CREATE TABLE timeless_claim (
  mac bytea NOT NULL,
  source text NOT NULL,
  claimed_at bigint NOT NULL,
  PRIMARY KEY (mac, source)
) PARTITION BY HASH (mac, source);
CREATE INDEX timeless_claim_age ON timeless_claim (claimed_at);

-- The pending deliveries, and no others. While an attempt runs (leased_by is set), due_at is the end of its lease;
-- otherwise it is the time of the next attempt.
CREATE TABLE pending_delivery (
  id bigint PRIMARY KEY,
  day integer NOT NULL, -- of the event
  event_seq bigint NOT NULL,
  destination text NOT NULL,
  attempt integer NOT NULL DEFAULT 0, -- attempts started so far; fences late results
  leased_by text, -- the writer whose process makes the attempt
  due_at bigint NOT NULL,
  uncounted integer NOT NULL DEFAULT 0, -- attempts that the retry schedule does not count
  crashes integer NOT NULL DEFAULT 0, -- how often the process died during an attempt, since the last redelivery
  claimed_at bigint, -- of the latest attempt
  order_key bytea, -- the first delivery of a key has a due time; the others wait with due_at = 9007199254740991
  pending_since bigint NOT NULL
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000,
  autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX pending_delivery_due ON pending_delivery (destination, due_at, id);
CREATE INDEX pending_delivery_event ON pending_delivery (event_seq);
CREATE INDEX pending_delivery_crashed ON pending_delivery (destination, due_at, id) WHERE crashes > 0;
CREATE INDEX pending_delivery_leased ON pending_delivery (destination, due_at) WHERE leased_by IS NOT NULL;
-- The deliveries of each order key that have a due time (normally one), and those that wait for it.
CREATE INDEX pending_delivery_first ON pending_delivery (destination, order_key, event_seq, id)
  WHERE order_key IS NOT NULL AND due_at < 9007199254740991;
CREATE INDEX pending_delivery_waiting ON pending_delivery (destination, order_key, event_seq, id)
  WHERE order_key IS NOT NULL AND due_at = 9007199254740991;
CREATE INDEX pending_delivery_since ON pending_delivery (destination, pending_since);

-- The deliveries that are not pending.
CREATE TABLE ended_delivery (
  day integer NOT NULL, -- of the event
  id bigint NOT NULL,
  event_seq bigint NOT NULL,
  destination text NOT NULL,
  state text NOT NULL CHECK (state IN ('succeeded', 'exhausted', 'discarded')),
  attempt integer NOT NULL,
  uncounted integer NOT NULL,
  crashes integer NOT NULL,
  claimed_at bigint,
  order_key bytea,
  PRIMARY KEY (id, day) -- the id first, because an operator names a delivery without its day
) PARTITION BY RANGE (day);
CREATE INDEX ended_delivery_event ON ended_delivery (event_seq);
CREATE INDEX ended_delivery_exhausted ON ended_delivery (destination) WHERE state = 'exhausted';
CREATE INDEX ended_delivery_unsuccessful ON ended_delivery (state, event_seq) WHERE state <> 'succeeded';
CREATE TABLE ended_delivery_kept PARTITION OF ended_delivery FOR VALUES FROM (-1) TO (0);

-- How each attempt ended. The attempt in flight is only in its delivery.
CREATE TABLE attempt (
  day integer NOT NULL, -- of the event
  delivery_id bigint NOT NULL,
  attempt integer NOT NULL,
  started_at bigint,
  ended_at bigint, -- null = the process died
  ok boolean NOT NULL,
  status integer,
  reason text,
  detail text,
  PRIMARY KEY (day, delivery_id, attempt)
) PARTITION BY RANGE (day);
CREATE TABLE attempt_kept PARTITION OF attempt FOR VALUES FROM (-1) TO (0);

-- The days whose events are expired, until their partitions have been dropped. Reads leave them out as soon as the entry
-- about the deletion is written. Each stage goes through the rows of the day in batches.
CREATE TABLE expired_day (
  day integer PRIMARY KEY,
  stage text NOT NULL CHECK (stage IN ('count_events', 'count_deliveries', 'count_attempts', 'reported', 'detached')),
  after bigint NOT NULL DEFAULT 0, -- the last row that this stage has gone through
  events bigint NOT NULL DEFAULT 0,
  deliveries bigint NOT NULL DEFAULT 0,
  attempts bigint NOT NULL DEFAULT 0
);

-- All deliveries, for people and for reads of one event.
CREATE VIEW delivery AS
  SELECT id, day, event_seq, destination, 'pending' AS state, attempt, leased_by, due_at, uncounted, crashes, claimed_at,
    order_key, pending_since FROM pending_delivery
  UNION ALL
  SELECT id, day, event_seq, destination, state, attempt, NULL, 0, uncounted, crashes, claimed_at, order_key, NULL
    FROM ended_delivery;

-- The audit trail: whole lines. Positions increase, but transactions of several processes may commit in another order.
CREATE TABLE audit_entry (
  day integer NOT NULL, -- of the writing, by the clock of the writer's process
  position bigint NOT NULL,
  writer text NOT NULL,
  seq bigint NOT NULL,
  line text NOT NULL,
  PRIMARY KEY (position, day)
) PARTITION BY RANGE (day);
ALTER TABLE audit_entry ALTER COLUMN line SET STORAGE MAIN;
CREATE INDEX audit_entry_writer ON audit_entry (writer, position);
CREATE INDEX audit_entry_place ON audit_entry (writer, position)
  WHERE substr(line, 51, 14) IN ('server.started', 'audit.checkpoi');

-- The last entry of each writer. `fence` changes when a connection was lost, so that a statement of the lost connection
-- cannot commit any more.
CREATE TABLE audit_writer (
  writer text PRIMARY KEY,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  fence integer NOT NULL DEFAULT 0,
  seq bigint NOT NULL,
  hash text NOT NULL,
  seen_at bigint NOT NULL,
  purged_seq bigint NOT NULL DEFAULT 0, -- the last purged entry; 0 = none
  purged_hash text,
  purged_at bigint,
  purged_by text, -- the writer of the entry that reports the purge
  purged_told bigint -- a position before that entry; the writer has no other entry between them
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- How far each sink of the trail has come.
CREATE TABLE audit_sink (
  name text PRIMARY KEY,
  position bigint NOT NULL,
  sending bigint NOT NULL,
  degraded_since bigint,
  saved_at bigint NOT NULL
);

CREATE TABLE paused_destination (
  name text PRIMARY KEY,
  paused_at bigint NOT NULL,
  paused_by text NOT NULL,
  paused_until bigint -- null = until an operator resumes it
);

-- The status that each process run published last: a JSON array, without anything secret; null = none yet. A process that
-- makes deliveries keeps `alive_until` in the future, by the database's clock.
CREATE TABLE process_status (
  writer text PRIMARY KEY,
  published_at bigint NOT NULL,
  destinations text,
  alive_until bigint NOT NULL
) WITH (fillfactor = 50);

-- Work that one process does for all: its holder, and until when.
CREATE TABLE lease (
  name text PRIMARY KEY,
  holder text NOT NULL,
  held_until bigint NOT NULL
);

-- One row for each destination with a claim so far. A claim locks it, so that concurrency, rate limits and order hold over
-- all processes.
CREATE TABLE claim_lock (
  destination text PRIMARY KEY
);

-- How many attempts started when, for the destinations with a rate limit. Older rows are deleted by the next claim.
CREATE TABLE attempt_start (
  destination text NOT NULL,
  at bigint NOT NULL,
  attempts integer NOT NULL,
  PRIMARY KEY (destination, at)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Fails the statement with this SQLSTATE unless the condition holds. HX001: another process has written one of the keys
-- meanwhile. HX002: the head of the writer is not the expected one, or its fence has changed.
CREATE FUNCTION hexhook_require(condition boolean, code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF condition IS NOT TRUE THEN
    RAISE EXCEPTION 'hexhook: a condition of the statement does not hold' USING ERRCODE = code;
  END IF;
END $$;

DO $$ BEGIN
  FOR i IN 0..15 LOOP
    EXECUTE format('CREATE TABLE event_id_%s PARTITION OF event_id FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    EXECUTE format('CREATE TABLE timeless_claim_%s PARTITION OF timeless_claim FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
  END LOOP;
END $$;
