import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type Command, InvalidArgumentError } from "commander";
import {
  createTrailVerifier,
  type TrailReport,
  type TrailVerifier,
} from "../audit/verify.ts";
import { type ChainHead } from "../core/audit-chain.ts";
import { asError, EXIT, type ExitCode, UsageError } from "../errors.ts";
import { rowsOf, withReader } from "./reader.ts";

interface Options {
  file?: string;
  head?: readonly ChainHead[];
  json?: true;
}

export function addAuditVerify(audit: Command): void {
  audit
    .command("verify")
    .description("check that nothing in the audit trail was changed or dropped")
    .argument("[file]", "same as --file")
    .option("--file <file>", "check these lines (- = standard input)")
    .option(
      "--head <writer:seq:hash>",
      "an entry known from elsewhere that must be there; may be repeated",
      parseHead,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit status: 0 intact, 1 tampered with, 2 cannot be told.",
    )
    .action(async (argument: string | undefined, options: Options) => {
      const file = options.file ?? argument;
      const report =
        file === undefined
          ? await verifyStore(options.head ?? [])
          : await verifyFile(file, options.head ?? []);
      process.exitCode = show(report, options);
    });
}

function parseHead(
  text: string,
  earlier: readonly ChainHead[] = [],
): ChainHead[] {
  const match = /^([^:]+):(\d{1,15}):([0-9a-f]{64})$/i.exec(text);
  const [, writer, seq, hash] = match ?? [];
  if (writer === undefined || seq === undefined || hash === undefined) {
    throw new InvalidArgumentError(
      "It must be WRITER:SEQ:HASH, the hash in 64 hex digits.",
    );
  }
  return [...earlier, { writer, seq: Number(seq), hash: hash.toLowerCase() }];
}

async function verifyStore(heads: readonly ChainHead[]): Promise<TrailReport> {
  return withReader(async (trail) => {
    const verifier = createTrailVerifier(heads);
    // Heads of before, so that what a running service appends meanwhile is no fault; and of after, for one that started.
    const before = await trail.heads();
    for await (const { line } of rowsOf(trail)) {
      verifier.entry(line);
    }
    return verifier.finish({ before, after: await trail.heads() });
  });
}

async function verifyFile(
  file: string,
  heads: readonly ChainHead[],
): Promise<TrailReport> {
  const verifier = createTrailVerifier(heads);
  await feed(file, verifier);
  return verifier.finish();
}

async function feed(file: string, verifier: TrailVerifier): Promise<void> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  try {
    // Only \n ends a line of the trail; readline also takes \r, which no entry holds.
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      verifier.line(line);
    }
  } catch (thrown) {
    throw new UsageError(`--file: ${asError(thrown).message}`);
  }
}

function show(report: TrailReport, options: Options): ExitCode {
  const { writers, entries, skipped } = report;
  const faults = writers.flatMap(({ fault }) => fault ?? []);
  const exit =
    faults.length > 0
      ? EXIT.checkFailed
      : entries === 0
        ? EXIT.cannotTell
        : EXIT.good;
  if (options.json) {
    const verdict = { [EXIT.good]: "intact", [EXIT.checkFailed]: "tampered" };
    console.log(
      JSON.stringify({
        verdict: exit === EXIT.cannotTell ? "cannot be told" : verdict[exit],
        ...report,
      }),
    );
    return exit;
  }
  for (const { writer, seq, what } of faults) {
    console.log(`TAMPERED: writer ${writer}, seq ${seq}: ${what}`);
  }
  if (exit === EXIT.cannotTell) {
    console.log("cannot be told: there is no entry");
  } else if (exit === EXIT.good) {
    console.log(
      `intact: ${entries} entries by ${writers.length} ${writers.length === 1 ? "writer" : "writers"}`,
    );
  }
  if (skipped > 0) {
    console.log(`${skipped} other lines were skipped`);
  }
  return exit;
}
