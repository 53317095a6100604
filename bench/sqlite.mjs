// Loads the SQLite driver of Node, or on Node 20 the package that the service uses.
export const { DatabaseSync } = await import("node:sqlite").catch(
  () => import("@photostructure/sqlite"),
);
