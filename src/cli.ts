#!/usr/bin/env node
// Signals are handled before the rest of the program is loaded.
import { closeDebugger, handleEarlySignals } from "./cli/early-signals.ts";
import { closeLostTerminalsAtExit } from "./cli/lost-terminals.ts";

handleEarlySignals(process.argv[2] === "serve");
closeLostTerminalsAtExit();
await closeDebugger();
const { main } = await import("./cli/main.ts");
await closeDebugger();
await main();
