/**
 * The features that the store needs and that servers with PostgreSQL's protocol may lack, each with statements that use it.
 * They run in a transaction that is rolled back.
 */
export const PROBES: readonly {
  readonly feature: string;
  readonly text: string;
}[] = [
  {
    feature: "advisory locks",
    text: "SELECT pg_try_advisory_xact_lock_shared(1212504136, 0)",
  },
  {
    feature: "sequences",
    text: "CREATE TEMPORARY SEQUENCE hexhook_probe; SELECT nextval('hexhook_probe')",
  },
  {
    feature: "range partitions",
    text: `CREATE TEMPORARY TABLE hexhook_probe (n integer PRIMARY KEY) PARTITION BY RANGE (n);
      CREATE TEMPORARY TABLE hexhook_probe_1 (LIKE hexhook_probe INCLUDING ALL);
      ALTER TABLE hexhook_probe ATTACH PARTITION hexhook_probe_1 FOR VALUES FROM (0) TO (1)`,
  },
  {
    feature: "hash partitions",
    text: `CREATE TEMPORARY TABLE hexhook_probe (n integer PRIMARY KEY) PARTITION BY HASH (n);
      CREATE TEMPORARY TABLE hexhook_probe_0 PARTITION OF hexhook_probe FOR VALUES WITH (MODULUS 16, REMAINDER 0)`,
  },
  {
    // It cannot be used in a transaction. PostgreSQL stores its progress in this column.
    feature: "DETACH PARTITION CONCURRENTLY",
    text: "SELECT inhdetachpending FROM pg_inherits LIMIT 0",
  },
  {
    feature: "SKIP LOCKED",
    text: "CREATE TEMPORARY TABLE hexhook_probe (n integer); SELECT n FROM hexhook_probe FOR UPDATE SKIP LOCKED",
  },
  {
    feature: "PL/pgSQL",
    text: "DO $$ BEGIN PERFORM 1; END $$ LANGUAGE plpgsql",
  },
];
