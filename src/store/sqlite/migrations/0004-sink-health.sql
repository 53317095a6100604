-- Since when a sink that all processes share takes no entries, as the trail tells; null = it takes them. unix ms.
ALTER TABLE audit_sink ADD COLUMN degraded_since INTEGER;
