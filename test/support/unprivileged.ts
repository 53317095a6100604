import { it } from "@jest/globals";
import { spawnSync } from "node:child_process";

/** Runs a command for which file permissions apply. Without it, root may read and write every file. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0
    ? ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    : [];

const [setpriv, ...options] = UNPRIVILEGED;

/** A test that needs this. It is skipped if root cannot drop the privilege. */
export const itUnprivileged =
  setpriv === undefined || spawnSync(setpriv, [...options, "true"]).status === 0
    ? it
    : it.skip;
