-- A claim is a function, so that its lock is held for one statement and never while a process waits for the network. Each of
-- its statements sees what was committed before it, so the counts are right after the wait for the lock.

-- Whether a delivery with an order key may be attempted now: of the deliveries of its key with a due time, it has the oldest
-- event, and no attempt of another one is in flight.
CREATE FUNCTION hexhook_is_first(one pending_delivery) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT EXISTS (
    SELECT FROM pending_delivery other
    WHERE other.destination = one.destination AND other.order_key = one.order_key
      AND other.due_at < 9007199254740991 AND other.id <> one.id
      AND (other.leased_by IS NOT NULL OR (other.event_seq, other.id) < (one.event_seq, one.id)))
$$;

-- Takes due deliveries of a destination under a lease. A row without an id means that leases have ended: nothing was taken,
-- and the caller must record the lost attempts first, or claim with `p_past_lost`.
--   p_excluded: deliveries that are not taken
--   p_reclaims: an earlier claim of this writer may have been committed without its answer. What it took is due again,
--     except `p_holding`, the deliveries that the caller is attempting.
--   p_rate, p_rate_ms: the maximum number of attempts that start in any period of this length; null = no limit
-- The other parameters are those of ClaimRequest.
CREATE FUNCTION hexhook_claim(
  p_destination text, p_writer text, p_now bigint, p_due_until bigint, p_lease_until bigint, p_limit integer,
  p_concurrency integer, p_rate integer, p_rate_ms bigint, p_crashed text, p_probed bigint[], p_max_probe_due integer,
  p_max_probe_candidates integer, p_max_bytes bigint, p_holding bigint[], p_excluded bigint[], p_reclaims boolean,
  p_past_lost boolean
) RETURNS TABLE (
  id bigint, attempt integer, uncounted integer, crashes integer, event_seq bigint, source text, event_id bytea, type bytea,
  received_at bigint, content_type text, headers text, body bytea
) LANGUAGE plpgsql
-- The tables grow faster than their statistics. Every step here finds a few rows by an index, in the order of the index.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_room integer;
  v_start bigint := p_now;
  v_ids bigint[] := '{}';
BEGIN
  LOOP
    PERFORM FROM claim_lock WHERE destination = p_destination FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO claim_lock (destination) VALUES (p_destination) ON CONFLICT DO NOTHING;
  END LOOP;

  IF p_reclaims THEN
    UPDATE pending_delivery SET leased_by = NULL, due_at = p_now, attempt = attempt - 1
    WHERE destination = p_destination AND leased_by = p_writer AND id <> ALL (p_holding);
  END IF;

  IF NOT p_past_lost AND EXISTS (
    SELECT FROM pending_delivery
    WHERE destination = p_destination AND leased_by IS NOT NULL AND due_at <= p_now AND id <> ALL (p_holding)
  ) THEN
    RETURN NEXT;
    RETURN;
  END IF;

  v_room := least(p_limit, p_concurrency - (
    SELECT count(*) FROM pending_delivery
    WHERE destination = p_destination AND leased_by IS NOT NULL AND due_at > p_now));
  IF p_rate IS NOT NULL THEN
    DELETE FROM attempt_start WHERE destination = p_destination AND at <= p_now - p_rate_ms;
    -- A start that is further ahead than the period was stored by a clock that was wrong. A start that is a little ahead was
    -- stored by another process whose claim got the lock first.
    SELECT least(v_room, p_rate - coalesce(sum(attempts), 0)), greatest(p_now, max(at)) INTO v_room, v_start
    FROM attempt_start WHERE destination = p_destination AND at <= p_now + p_rate_ms;
  END IF;
  IF v_room <= 0 THEN
    RETURN;
  END IF;

  IF p_probed IS NOT NULL THEN
    v_ids := ARRAY (
      SELECT id FROM pending_delivery
      WHERE leased_by IS NULL AND id = (
        WITH latest AS (
          SELECT id, day, event_seq FROM pending_delivery one
          WHERE destination = p_destination AND due_at <= p_due_until AND leased_by IS NULL AND (order_key IS NULL OR hexhook_is_first(one))
            AND crashes <= CASE p_crashed WHEN 'any' THEN 2147483647 ELSE 0 END AND id <> ALL (p_excluded)
          ORDER BY due_at DESC, id DESC LIMIT p_max_probe_due),
        candidate AS (
          SELECT * FROM latest ORDER BY event_seq = ANY (p_probed), event_seq DESC LIMIT p_max_probe_candidates),
        -- The events of earlier probes whose deliveries are pending. That is enough: a probe that ended well closes the breaker.
        earlier AS (
          SELECT source, type FROM pending_delivery JOIN event ON seq = event_seq AND event.day = pending_delivery.day
          WHERE event_seq = ANY (p_probed))
        SELECT candidate.id FROM candidate JOIN event ON seq = event_seq AND event.day = candidate.day
        ORDER BY event_seq = ANY (p_probed), (source, type) IN (SELECT source, type FROM earlier), event_seq DESC
        LIMIT 1)
      FOR UPDATE SKIP LOCKED);
  END IF;

  IF v_ids = '{}' AND p_crashed = 'repeatedly' THEN
    -- With `crashes > 0` the partial index can be used.
    v_ids := ARRAY (
      SELECT id FROM pending_delivery one
      WHERE destination = p_destination AND due_at <= p_due_until AND leased_by IS NULL AND crashes > 1 AND crashes > 0
        AND id <> ALL (p_excluded) AND (order_key IS NULL OR hexhook_is_first(one))
      ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED);
  END IF;
  -- A probe, and a delivery that crashed repeatedly, are attempted alone.
  IF v_ids = '{}' THEN
    IF p_crashed IN ('once', 'repeatedly') THEN
      v_ids := ARRAY (
        SELECT id FROM pending_delivery one
        WHERE destination = p_destination AND due_at <= p_due_until AND leased_by IS NULL AND crashes = 1 AND crashes > 0
          AND id <> ALL (p_excluded) AND (order_key IS NULL OR hexhook_is_first(one))
        ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED);
    END IF;
    v_ids := v_ids || ARRAY (
      SELECT id FROM pending_delivery one
      WHERE destination = p_destination AND due_at <= p_due_until AND leased_by IS NULL
        AND (p_crashed = 'any' OR crashes = 0) AND id <> ALL (p_excluded) AND (order_key IS NULL OR hexhook_is_first(one))
      ORDER BY due_at, id LIMIT v_room - cardinality(v_ids) FOR UPDATE SKIP LOCKED);
  END IF;

  -- A delivery is taken if the bodies before it are within the limit.
  v_ids := ARRAY (
    SELECT id FROM (
      SELECT one.id, place, sum(octet_length(body)) OVER (ORDER BY place) - octet_length(body) AS bytes_before
      FROM unnest(v_ids) WITH ORDINALITY AS chosen (id, place) JOIN pending_delivery one ON one.id = chosen.id
        JOIN event ON seq = one.event_seq AND event.day = one.day) AS sized
    WHERE bytes_before <= p_max_bytes ORDER BY place);
  IF v_ids = '{}' THEN
    RETURN;
  END IF;
  IF p_rate IS NOT NULL THEN
    INSERT INTO attempt_start (destination, at, attempts) VALUES (p_destination, v_start, cardinality(v_ids))
    ON CONFLICT (destination, at) DO UPDATE SET attempts = attempt_start.attempts + excluded.attempts;
  END IF;

  UPDATE pending_delivery SET attempt = attempt + 1, leased_by = p_writer, due_at = p_lease_until, claimed_at = p_now
  FROM unnest(v_ids) AS chosen (id) WHERE pending_delivery.id = chosen.id;
  RETURN QUERY
    SELECT one.id, attempt, uncounted, crashes, event_seq, source, event.id, type, received_at, content_type, headers, body
    FROM unnest(v_ids) WITH ORDINALITY AS chosen (id, place) JOIN pending_delivery one ON one.id = chosen.id
      JOIN event ON seq = event_seq AND event.day = one.day
    ORDER BY place;
END $$;
