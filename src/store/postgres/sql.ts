/**
 * A statement that PostgreSQL prepares once for each connection, under its name. Without a name it is planned at each call,
 * so that the planner can skip the partitions of other days.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Returns a statement without a name. */
export const unprepared = (text: string): Statement => ({ name: "", text });

/** Turns rows into columns, for `unnest`. There must be a row. */
export function columnsOf(rows: readonly (readonly unknown[])[]): unknown[][] {
  const [first = []] = rows;
  return first.map((_, column) => rows.map((row) => row[column]));
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
