import { it } from "@jest/globals";
import { spawnSync } from "node:child_process";

/** The beginning of a command line that makes file permissions apply to root. Empty for other users. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0
    ? [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
      ]
    : [];

const [setpriv, ...options] = UNPRIVILEGED;

/** Defines a test that needs file permissions to apply. It is skipped if root cannot drop its privilege. */
export const itUnprivileged =
  setpriv === undefined || spawnSync(setpriv, [...options, "true"]).status === 0
    ? it
    : it.skip;
