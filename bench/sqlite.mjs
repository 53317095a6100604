// The SQLite driver that is there: Node's own, or the package that the service uses on Node 20.
export const { DatabaseSync } = await import("node:sqlite").catch(
  () => import("@photostructure/sqlite"),
);
