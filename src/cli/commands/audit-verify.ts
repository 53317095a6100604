import { createReadStream, statSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { TrailReport } from "../../audit/verify/trail-report.ts";
import {
  createTrailVerifier,
  type VerifyOptions,
} from "../../audit/verify/verify-trail.ts";
import type { ChainHead } from "../../audit/chain.ts";
import { readHead } from "../../audit/head-text.ts";
import { asError, UsageError } from "../../errors.ts";
import { linesOf } from "../input/lines.ts";
import { collect } from "../options/parse.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { readPublicKeyOption } from "../options/public-key.ts";
import { judge, showReport } from "../ui/verify-report.ts";
import { configuredKey, verifyStore } from "../store/verify-store.ts";
import type { Input, Io } from "../io.ts";

interface Options {
  file?: readonly string[];
  publicKey?: readonly string[];
  head?: readonly ChainHead[];
  anchors?: readonly string[];
  json?: true;
}

export function addAuditVerify(audit: Command, io: Io): void {
  audit
    .command("verify")
    .description(
      "check that no entry of the audit trail was changed, removed or added",
    )
    .argument("[files...]", "same as --file")
    .option(
      "--file <file>",
      "check the lines of this file (- = standard input); may be repeated, oldest first",
      collect,
    )
    .option(
      "--public-key <key>",
      "the key that checkpoints must be signed with: base64 as in the trail, or a PEM file; may be repeated",
      readPublicKeyOption,
    )
    .option(
      "--head <writer:seq:hash>",
      "a known entry that must be in the trail; may be repeated",
      parseHead,
    )
    .option(
      "--anchors <file>",
      "the file that AUDIT_ANCHOR_FILE names (- = standard input); its entries must be in the trail; may be repeated, oldest first",
      collect,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nWithout files, the command checks the store.\nExit status: 0 intact, 1 tampered with, 2 undecidable.",
    )
    .action(async (files: readonly string[], options: Options) => {
      const read = [...(options.file ?? []), ...files];
      const given: VerifyOptions = {
        heads: options.head ?? [],
        anchors: await readAnchors(io.stdin, options.anchors ?? []),
        publicKeys: options.publicKey ?? [],
      };
      const report =
        read.length === 0
          ? await verifyStore(io, given)
          : await verifyFiles(io, read, given);
      // Files may come from another installation, so they are not compared with the key that is configured here.
      const knownKeys =
        options.publicKey ?? (read.length === 0 ? configuredKey(io) : []);
      const verdict = judge(report, knownKeys);
      io.setExitCode(verdict.exit);
      showReport(io, report, verdict, { json: options.json ?? false });
    });
}

function parseHead(
  text: string,
  earlier: readonly ChainHead[] = [],
): ChainHead[] {
  const head = readHead(text);
  if (head === null) {
    throw new InvalidArgumentError(
      "It must be WRITER:SEQ:HASH, with the hash in 64 hex digits.",
    );
  }
  return [...earlier, head];
}

/** Reads the anchors in these files, a list for each file. Skips incomplete lines, which a full disk may leave. */
async function readAnchors(
  stdin: Input,
  files: readonly string[],
): Promise<ChainHead[][]> {
  const all: ChainHead[][] = [];
  for (const file of files) {
    const anchors: ChainHead[] = [];
    await forEachLine(stdin, file, (line) => {
      const anchor = readHead(line);
      if (anchor !== null) {
        anchors.push(anchor);
      }
    });
    if (anchors.length === 0) {
      throw new UsageError(
        `--anchors ${file}: has no line WRITER:SEQ:HASH; give the file that AUDIT_ANCHOR_FILE names`,
      );
    }
    all.push(anchors);
  }
  return all;
}

async function verifyFiles(
  io: Io,
  files: readonly string[],
  options: VerifyOptions,
): Promise<TrailReport> {
  const verifier = createTrailVerifier(options);
  const bar = createProgressBar(io, sizeOf(files), { unit: "bytes" });
  for (const file of files) {
    await forEachLine(io.stdin, file, verifier.line, bar.advance);
  }
  bar.done();
  return verifier.finish();
}

async function forEachLine(
  stdin: Input,
  file: string,
  take: (line: string) => void,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  const input = file === "-" ? stdin : createReadStream(file);
  try {
    for await (const lines of linesOf(input, onBytes)) {
      lines.forEach(take);
    }
  } catch (thrown) {
    throw new UsageError(`cannot read ${file}: ${asError(thrown).message}`);
  }
}

/** Returns the size of the files in bytes; null with standard input. */
function sizeOf(files: readonly string[]): number | null {
  const sizes = files.map((file) =>
    file === "-"
      ? Number.NaN
      : (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
  );
  const size = sizes.reduce((sum, one) => sum + one, 0);
  return Number.isNaN(size) ? null : size;
}
