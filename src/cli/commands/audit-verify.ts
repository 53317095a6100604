import { createReadStream, statSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { TrailReport } from "../../audit/verify/trail-report.ts";
import {
  createTrailVerifier,
  type VerifyOptions,
} from "../../audit/verify/verify-trail.ts";
import type { ChainHead } from "../../audit/chain.ts";
import { asError, UsageError } from "../../errors.ts";
import { linesOf } from "../input/lines.ts";
import { collect } from "../options/parse.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { readPublicKeyOption } from "../options/public-key.ts";
import { judge, showReport } from "../ui/verify-report.ts";
import { configuredKey, verifyStore } from "../store/verify-store.ts";

interface Options {
  file?: readonly string[];
  publicKey?: readonly string[];
  head?: readonly ChainHead[];
  partial?: true;
  json?: true;
}

export function addAuditVerify(audit: Command): void {
  audit
    .command("verify")
    .description(
      "check that nothing in the audit trail was changed, dropped or added",
    )
    .argument("[files...]", "same as --file")
    .option(
      "--file <file>",
      "check these lines (- = standard input); several in their order",
      collect,
    )
    .option(
      "--public-key <key>",
      "that checkpoints must be signed with: as they name it, or a PEM file; may be repeated",
      readPublicKeyOption,
    )
    .option(
      "--head <writer:seq:hash>",
      "an entry known from elsewhere that must be there; may be repeated",
      parseHead,
    )
    .option(
      "--partial",
      "the lines are a part of the trail, or several streams in one: writers may begin late",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nWithout files it checks the store.\nExit status: 0 intact, 1 tampered with, 2 cannot be told.",
    )
    .action(async (files: readonly string[], options: Options) => {
      const read = [...(options.file ?? []), ...files];
      if (options.partial && read.length === 0) {
        throw new UsageError("--partial is for files and -; a store is whole");
      }
      const given: VerifyOptions = {
        heads: options.head ?? [],
        publicKeys: options.publicKey ?? [],
        partial: options.partial ?? false,
      };
      const report =
        read.length === 0
          ? await verifyStore(given)
          : await verifyFiles(read, given);
      // Of files from elsewhere the key that signs here says nothing.
      const knownKeys =
        options.publicKey ?? (read.length === 0 ? configuredKey() : []);
      const verdict = judge(report, knownKeys);
      showReport(report, verdict, { json: options.json ?? false });
      process.exitCode = verdict.exit;
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

async function verifyFiles(
  files: readonly string[],
  options: VerifyOptions,
): Promise<TrailReport> {
  const verifier = createTrailVerifier(options);
  const bar = createProgressBar(sizeOf(files), { unit: "bytes" });
  for (const file of files) {
    const input = file === "-" ? process.stdin : createReadStream(file);
    try {
      for await (const line of linesOf(input, bar.advance)) {
        verifier.line(line);
      }
    } catch (thrown) {
      throw new UsageError(`cannot read ${file}: ${asError(thrown).message}`);
    }
  }
  bar.done();
  return verifier.finish();
}

/** Null when that is not known. */
function sizeOf(files: readonly string[]): number | null {
  const sizes = files.map((file) =>
    file === "-"
      ? Number.NaN
      : (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
  );
  const size = sizes.reduce((sum, one) => sum + one, 0);
  return Number.isNaN(size) ? null : size;
}
