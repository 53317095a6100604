import { processUser } from "../store/write-access.ts";
import { asError, errorCode } from "../errors.ts";
import type { ReloadOutcome } from "./await-reload.ts";
import type { ReplacedFile } from "./replace-file.ts";

/** The steps of a rotation, in order. */
export type RotationStep = "prove" | "write" | "reload" | "prove_again";

export interface RotationDeps {
  /** Checks that the Hex API accepts the key. Rejects if it does not. */
  readonly prove: (key: string) => Promise<unknown>;
  /** Replaces the old key with the new one. If it rejects, nothing has changed. */
  readonly replace: (key: string) => Promise<ReplacedFile>;
  /** Reads the key from its file. Throws if there is none. */
  readonly read: () => string;
  /** Waits until the running service has reloaded. Null = no service is running, and the next start reads the key. */
  readonly reloaded: (() => Promise<ReloadOutcome>) | null;
  /** Aborted when the operator interrupts the rotation. The old key is then kept or restored. */
  readonly signal: AbortSignal;
  /** Called after each step. */
  readonly onStep: (step: RotationStep, detail: string) => void;
}

/** The result of a rotation. `inForce` is the key in the file; `another` = another process has replaced it. */
export type RotationResult =
  | { readonly ok: true; readonly inForce: "new" }
  | {
      readonly ok: false;
      readonly inForce: "old" | "new" | "another";
      readonly step: RotationStep;
      /** One line, without secrets. */
      readonly why: string;
    };

/** A step that failed; the message says why. */
class StepFailed extends Error {
  readonly step: RotationStep;
  constructor(step: RotationStep, why: string) {
    super(why);
    this.step = step;
  }
}

/**
 * Rotates a key: checks the new key, writes it to its file, waits until the service has reloaded, and checks the key in the file.
 * If a step fails, the old key is kept or restored. Never throws.
 */
export async function rotateKey(
  deps: RotationDeps,
  newKey: string,
): Promise<RotationResult> {
  const { prove, replace, read, reloaded, signal, onStep } = deps;
  /** `replaced` stays set if the step that replaced the file is interrupted afterwards, so that the old key can be restored. */
  const place: { replaced: ReplacedFile | null } = { replaced: null };

  async function step<T>(
    name: RotationStep,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await work();
      if (signal.aborted) {
        throw new StepFailed(name, "the rotation was interrupted");
      }
      return result;
    } catch (thrown) {
      throw thrown instanceof StepFailed
        ? thrown
        : new StepFailed(name, reasonOf(thrown));
    }
  }

  try {
    await step("prove", () => prove(newKey));
    onStep("prove", "the Hex API accepts the new key");

    await step("write", async () => {
      place.replaced = await replace(newKey);
    });
    onStep("write", "the new key is written to its file");

    const detail = await step("reload", async () => {
      const outcome = await (reloaded?.() ?? null);
      if (outcome?.outcome === "unconfirmed") {
        throw new StepFailed("reload", UNCONFIRMED);
      }
      if (outcome?.outcome === "rejected") {
        const errors = outcome.errors.join("; ");
        throw new StepFailed("reload", `the service rejected it: ${errors}`);
      }
      return outcome === null
        ? "no service is running; the next start reads the new key"
        : `the service uses the new key (writer ${outcome.writer})`;
    });
    onStep("reload", detail);

    await step("prove_again", async () => {
      const inFile = read();
      if (inFile !== newKey) {
        throw new StepFailed(
          "prove_again",
          "the file now contains another key",
        );
      }
      await prove(inFile);
    });
    onStep("prove_again", "the Hex API accepts the key in the file");
  } catch (thrown) {
    const { step: failed, message } = thrown as StepFailed;
    return restoreOldKey(place.replaced, failed, message);
  }
  await place.replaced?.keep().catch(() => undefined);
  return { ok: true, inForce: "new" };
}

const OVERTAKEN =
  "another rotation has replaced the key in the file meanwhile, and that key was kept";

const UNCONFIRMED =
  "the service did not confirm the new key. Check that it uses this store and this key file. If no service is running, use --offline";

async function restoreOldKey(
  replaced: ReplacedFile | null,
  step: RotationStep,
  why: string,
): Promise<RotationResult> {
  try {
    return (await replaced?.restore()) === false
      ? { ok: false, inForce: "another", step, why: `${why}; ${OVERTAKEN}` }
      : { ok: false, inForce: "old", step, why };
  } catch (thrown) {
    const failed = `${why}; the old key could not be restored (${reasonOf(thrown)}), so the file keeps the new key, which the API accepts`;
    return { ok: false, inForce: "new", step, why: failed };
  }
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full (ENOSPC)",
  EDQUOT: "the quota is used up (EDQUOT)",
  EACCES: `${processUser()} cannot write to the directory of the key file (EACCES); run the command as a user that can`,
  EPERM: `${processUser()} cannot write to the directory of the key file, or cannot preserve its owner (EPERM); run the command as its owner`,
  EROFS:
    "the file is on a read-only mount (EROFS); rotate the key where the file is managed",
  EBUSY: "the file is a mount point (EBUSY); mount its directory instead",
  ENOENT: "the file does not exist (ENOENT)",
};

function reasonOf(thrown: unknown): string {
  const code = errorCode(thrown);
  return FILE_ERRORS[code ?? ""] ?? code ?? asError(thrown).message;
}
