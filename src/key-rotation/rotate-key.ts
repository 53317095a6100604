import { processUser } from "../store/write-access.ts";
import { asError, errorCode } from "../errors.ts";
import type { ReloadOutcome } from "./await-reload.ts";
import type { ReplacedFile } from "./replace-file.ts";

/** The steps of a rotation, in their order. */
export type RotationStep = "prove" | "write" | "reload" | "prove_again";

export interface RotationDeps {
  /** Proves that the Hex API takes the key. Rejects when it does not. */
  readonly prove: (key: string) => Promise<unknown>;
  /** Puts the new key in the place of the old one. Rejects when nothing was changed. */
  readonly replace: (key: string) => Promise<ReplacedFile>;
  /** The key that is in its place. Throws when there is none. */
  readonly read: () => string;
  /** What the running service makes of it; null = none is running, and the next start will read it. */
  readonly reloaded: (() => Promise<ReloadOutcome>) | null;
  /** Aborts when the operator wants out: the old key stays, or comes back. */
  readonly signal: AbortSignal;
  /** Told of each step that is done. */
  readonly onStep: (step: RotationStep, detail: string) => void;
}

/** How a rotation ended. `inForce` is the key that is in its place now; `another` = somebody else has replaced it. */
export type RotationResult =
  | { readonly ok: true; readonly inForce: "new" }
  | {
      readonly ok: false;
      readonly inForce: "old" | "new" | "another";
      readonly step: RotationStep;
      /** One line, without anything secret. */
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
 * Rotates a key: proves the new one, puts it in its place, has the service take it, and proves what is there now. When a
 * step fails, the old key stays in force, or comes back. Never throws.
 */
export async function rotateKey(
  deps: RotationDeps,
  newKey: string,
): Promise<RotationResult> {
  const { prove, replace, read, reloaded, signal, onStep } = deps;
  /** What was put in place, whatever comes of the step that did it. */
  const place: { replaced: ReplacedFile | null } = { replaced: null };

  async function step<T>(
    name: RotationStep,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await work();
      if (signal.aborted) {
        throw new StepFailed(name, "it was interrupted");
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
    onStep("prove", "the Hex API takes the new key");

    await step("write", async () => {
      place.replaced = await replace(newKey);
    });
    onStep("write", "the new key is in its file");

    const how = await step("reload", async () => {
      const outcome = await (reloaded?.() ?? null);
      if (outcome?.outcome === "silent") {
        throw new StepFailed("reload", SILENT);
      }
      if (outcome?.outcome === "refused") {
        const errors = outcome.errors.join("; ");
        throw new StepFailed("reload", `the service refused it: ${errors}`);
      }
      return outcome === null
        ? "no service is running: the next start reads it"
        : `the service has taken it (writer ${outcome.writer})`;
    });
    onStep("reload", how);

    await step("prove_again", async () => {
      const inPlace = read();
      if (inPlace !== newKey) {
        throw new StepFailed("prove_again", "its file holds another key now");
      }
      await prove(inPlace);
    });
    onStep("prove_again", "the Hex API takes the key that is in its file");
  } catch (thrown) {
    const { step: failed, message } = thrown as StepFailed;
    return takeBack(place.replaced, failed, message);
  }
  await place.replaced?.keep().catch(() => undefined);
  return { ok: true, inForce: "new" };
}

const OVERTAKEN =
  "and its file holds another key by now, which was left there: another rotation is at work";

const SILENT =
  "the service has not said that it took it; is it running, on this store, with this file? (--offline when none is)";

async function takeBack(
  replaced: ReplacedFile | null,
  step: RotationStep,
  why: string,
): Promise<RotationResult> {
  try {
    return (await replaced?.restore()) === false
      ? { ok: false, inForce: "another", step, why: `${why}; ${OVERTAKEN}` }
      : { ok: false, inForce: "old", step, why };
  } catch (thrown) {
    const failed = `${why}; and the old key could not be put back (${reasonOf(thrown)}): the new one, which the API took, stays in its file`;
    return { ok: false, inForce: "new", step, why: failed };
  }
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full (ENOSPC)",
  EDQUOT: "the quota is used up (EDQUOT)",
  EACCES: `${processUser()} may not write to the folder of the key's file (EACCES); run this as a user that may`,
  EPERM: `${processUser()} may not write to the folder of the key's file, or keep its owner (EPERM); run this as its owner`,
  EROFS:
    "the file is on a read-only mount (EROFS); rotate it where it comes from",
  EBUSY: "the file is a mount of its own (EBUSY); mount its folder instead",
  ENOENT: "the file is not there (ENOENT)",
};

function reasonOf(thrown: unknown): string {
  const code = errorCode(thrown);
  return FILE_ERRORS[code ?? ""] ?? code ?? asError(thrown).message;
}
