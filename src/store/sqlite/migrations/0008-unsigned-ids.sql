-- Several sources. Some senders do not sign the id of a message: their events are unique by the body.
ALTER TABLE event ADD COLUMN id_signed INTEGER NOT NULL DEFAULT 1; -- 0: the idempotency key is body_sha256, not the id
CREATE UNIQUE INDEX event_unsigned_body ON event (source, body_sha256) WHERE id_signed = 0;

-- A claim counts for all sources with the same secret.
CREATE TABLE new_replay_claim (
  signed_at INTEGER NOT NULL, -- unix seconds, or -1
  mac BLOB NOT NULL,
  claimed_at INTEGER NOT NULL, -- unix ms
  PRIMARY KEY (signed_at, mac)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO new_replay_claim (signed_at, mac, claimed_at)
  SELECT signed_at, mac, claimed_at FROM replay_claim;
DROP TABLE replay_claim;
ALTER TABLE new_replay_claim RENAME TO replay_claim;
CREATE INDEX replay_claim_timeless ON replay_claim (claimed_at) WHERE signed_at = -1;
