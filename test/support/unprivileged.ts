import { it } from "@jest/globals";
import { spawnSync } from "node:child_process";

/** Runs a command so that the rights of files hold for it: root may read and write anywhere else. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0
    ? ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    : [];

const [setpriv, ...options] = UNPRIVILEGED;

/** A test that needs it. Skipped for a root who cannot give up the privilege. */
export const itUnprivileged =
  setpriv === undefined || spawnSync(setpriv, [...options, "true"]).status === 0
    ? it
    : it.skip;
