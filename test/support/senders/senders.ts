import { BODY_SIGNERS } from "./body-signers.ts";
import { SENDERS_BY_PACKAGE } from "./by-package.ts";
import { OTHER_SIGNERS } from "./other-signers.ts";
import type { Sender } from "./sender.ts";
import { TIMED_SIGNERS } from "./timed-signers.ts";
import { TOKEN_SENDERS } from "./token-senders.ts";

/** Senders of every scheme. Some schemes have several, where the sender has several forms. */
export const SENDERS: readonly Sender[] = [
  ...SENDERS_BY_PACKAGE,
  ...BODY_SIGNERS,
  ...TIMED_SIGNERS,
  ...OTHER_SIGNERS,
  ...TOKEN_SENDERS,
];
