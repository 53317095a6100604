/** The location of a store: a parsed DATABASE_URL. */
export interface StoreUrl {
  readonly driver: "sqlite";
  /** The path of the database file. */
  readonly file: string;
}

/** Parses `sqlite:FILE` or `sqlite:///ABSOLUTE/FILE`. Returns undefined for anything else, such as a database in memory. */
export function parseStoreUrl(text: string): StoreUrl | undefined {
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1];
  return file === undefined || file === ":memory:" || file.endsWith("/")
    ? undefined
    : { driver: "sqlite", file };
}
