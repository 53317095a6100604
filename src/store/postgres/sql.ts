/** A statement that PostgreSQL prepares once for each connection, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/**
 * Runs statements. bigint columns are returned as numbers, bytea columns as Buffers. A statement that takes longer than its
 * deadline fails, and its connection is closed. Rejects with StoreError.
 */
export interface Sql {
  /** Returns the rows. */
  readonly query: <Row extends object>(
    statement: Statement,
    values?: readonly unknown[],
  ) => Promise<Row[]>;
  /** Returns the number of changed rows. */
  readonly execute: (
    statement: Statement,
    values?: readonly unknown[],
  ) => Promise<number>;
}
