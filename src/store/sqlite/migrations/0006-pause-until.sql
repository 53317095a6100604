-- Deliveries that are given up by their age, and destinations that are paused for a time.

-- Since when a delivery is pending: the acceptance of its event, or the latest redelivery. Unix ms; null = unknown, it
-- ended before this column was added.
ALTER TABLE delivery ADD COLUMN pending_since INTEGER;
UPDATE delivery SET pending_since = (SELECT received_at FROM event WHERE seq = event_seq) WHERE state = 'pending';
CREATE INDEX delivery_pending_since ON delivery (destination, pending_since) WHERE state = 'pending';

ALTER TABLE paused_destination ADD COLUMN paused_until INTEGER; -- unix ms; null = until an operator resumes it
