#!/usr/bin/env node
// Before all the rest is loaded: a SIGHUP that comes so early must not end a service that is about to start.
if (process.argv[2] === "serve") {
  process.on("SIGHUP", () => undefined);
}
await import("./cli/main.ts");
