-- Several sources. Processes of the older version, which had one source, may still run: they write the source of a claim, and
-- no `id_signed`.

-- Whether the idempotency key of an event is its id. Otherwise it is body_sha256.
ALTER TABLE event ADD COLUMN id_signed boolean NOT NULL DEFAULT true;
-- Also in the days whose deletion was interrupted.
DO $$ DECLARE name text; BEGIN
  FOR name IN
    SELECT relname FROM pg_class
    WHERE relname ~ '^event_[dx]-?\d+$' AND NOT relispartition AND relkind = 'r' AND relnamespace = to_regnamespace(current_schema())
  LOOP
    EXECUTE format('ALTER TABLE %I ADD COLUMN IF NOT EXISTS id_signed boolean NOT NULL DEFAULT true', name);
  END LOOP;
END $$;

-- The idempotency key of each stored event whose id is not signed. Its id is in event_id too.
CREATE TABLE unsigned_event (
  source text NOT NULL,
  body_sha256 bytea NOT NULL,
  id bytea NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (source, body_sha256)
) PARTITION BY HASH (source, body_sha256);

-- A claim counts for all sources with the same secret.
ALTER TABLE replay_claim DROP CONSTRAINT replay_claim_pkey;
ALTER TABLE replay_claim ADD PRIMARY KEY (signed_at, mac), ALTER COLUMN source SET DEFAULT '';

CREATE TABLE new_timeless_claim (
  mac bytea NOT NULL,
  source text NOT NULL DEFAULT '',
  claimed_at bigint NOT NULL
);
INSERT INTO new_timeless_claim SELECT DISTINCT ON (mac) mac, source, claimed_at FROM timeless_claim ORDER BY mac;
DROP TABLE timeless_claim;
CREATE TABLE timeless_claim (LIKE new_timeless_claim INCLUDING DEFAULTS, PRIMARY KEY (mac)) PARTITION BY HASH (mac);

DO $$ BEGIN
  FOR i IN 0..15 LOOP
    EXECUTE format('CREATE TABLE unsigned_event_%s PARTITION OF unsigned_event FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    EXECUTE format('CREATE TABLE timeless_claim_%s PARTITION OF timeless_claim FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
  END LOOP;
END $$;
INSERT INTO timeless_claim SELECT * FROM new_timeless_claim;
DROP TABLE new_timeless_claim;
CREATE INDEX timeless_claim_age ON timeless_claim (claimed_at);
