import { AuditChain } from "../../audit/chain.ts";
import { createCheckpoints } from "../../audit/checkpoint.ts";
import { createCommitChanges, createCommitListeners } from "../commits.ts";
import { createOutage } from "../outage.ts";
import type { StoreDeps } from "../port.ts";
import { createAuditWriter } from "./audit-writer.ts";
import type { Connection } from "./connection.ts";
import { createAuditedTransaction } from "./audited-transaction.ts";
import { createLane } from "./lane.ts";
import { createLaneSession } from "./lane-session.ts";
import { createTransactions } from "./lane-transaction.ts";
import type { Partitions } from "./partitions.ts";
import { createProbe } from "./probe.ts";
import { createRecorder } from "./record.ts";

/** Creates everything that writes audit entries: the lane, and what runs on it in transactions of its own. */
export function createWriting(deps: {
  readonly store: Pick<StoreDeps, "writer" | "signingKey" | "now">;
  /** `withinMs`: the maximum time to connect. */
  readonly connect: (withinMs: number) => Promise<Connection>;
  readonly partitions: Pick<Partitions, "ensure" | "forget">;
  /** The difference between the database's clock and this process's, in milliseconds. */
  readonly clockOffset: () => number;
}) {
  const { connect, partitions, clockOffset } = deps;
  const { writer, signingKey, now } = deps.store;
  const checkpoints = createCheckpoints(signingKey);
  const chain = new AuditChain(writer, checkpoints);
  const audit = createAuditWriter(chain, now);
  const outage = createOutage(now);
  const changes = createCommitChanges();
  const listeners = createCommitListeners();
  const session = createLaneSession({ connect, start: chain.head(), now });
  const transact = createTransactions({
    session,
    chain,
    audit,
    outage,
    changes,
    onCommit: listeners.notify,
    forgetPartitions: partitions.forget,
    now,
  });
  const auditedTransaction = createAuditedTransaction({
    session,
    audit,
    changes,
    partitions,
  });
  const lane = createLane({ session, transact, auditedTransaction, outage });
  return {
    lane,
    recorder: createRecorder({
      lane,
      auditedTransaction,
      session,
      audit,
      changes,
      partitions,
      clockOffset,
    }),
    probe: createProbe({ lane, session, now }),
    onCommit: listeners.add,
    publicKey: checkpoints.publicKey,
  };
}
