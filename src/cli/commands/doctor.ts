import { asciiJson } from "../../json/ascii.ts";
import path from "node:path";
import type { Command } from "commander";
import {
  loadConfig,
  loadHexApi,
  loadSources,
  readEnvironment,
  readVariables,
  type Environment,
} from "../../config/load-config.ts";
import { secretFilesOf } from "../../config/environment.ts";
import { displayOf } from "../../terminal/display.ts";
import { shown, wrapText } from "../../terminal/terminal-text.ts";
import {
  CHECKS,
  type CheckResult,
  type Finding,
} from "../../doctor/check-result.ts";
import type {
  DatabaseVerdict,
  TrailVerdict,
} from "../../doctor/doctor-deps.ts";
import { EXIT, StoreError } from "../../errors.ts";
import { checkServer, signingKeyFile, storeExists } from "../../store/open.ts";
import { describeStore, protectionOf } from "../../store/url.ts";
import { print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { configuredStore } from "../store/reader.ts";
import { verifiesOwnMessages } from "../check-source.ts";
import { configuredSecrets } from "../configured-secrets.ts";
import { faultLine, judge } from "../ui/verify-report.ts";
import { configuredKey, verifyStore } from "../store/verify-store.ts";
import { type Io, writeLine } from "../io.ts";

/** Maximum number of findings that are shown; --json lists all. */
const MAX_SHOWN = 50;

interface Options {
  readonly allow: string;
  readonly json?: true;
}

export function addDoctor(program: Command, io: Io): void {
  program
    .command("doctor")
    .description(
      "run the security checklist on this directory and its git history",
    )
    .option(
      "--allow <file>",
      "list of accepted findings, relative to the top of the repository",
      ".hexhook-allow",
    )
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
Each line of the list is FINGERPRINT YYYY-MM-DD REASON. After that day the
finding is reported again.
Exit status: 0 no check failed, 1 a check failed.`,
    )
    .action(async (options: Options) => {
      const results = await examine(io, options.allow);
      if (results.some(({ status }) => status === "fail")) {
        io.setExitCode(EXIT.checkFailed);
      }
      const width = displayOf(io.stdout, io.env).width();
      for (const result of results) {
        await print(
          io.stdout,
          options.json ? asciiJson(asJson(result)) : textOf(result, width),
        );
      }
      if (!options.json) {
        writeLine(io.stdout, summaryOf(results));
      }
    });
}

async function examine(io: Io, allowListFile: string): Promise<CheckResult[]> {
  // Imported here: secretlint's rules load slowly, and no other command needs them.
  const { runChecklist } = await import("../../doctor/checklist.ts");
  const env = readEnvironment(io.env);
  let bar = createProgressBar(io, null);
  const results = await runChecklist({
    folder: process.cwd(),
    env: io.env,
    allowListFile,
    hexApi: () => loadHexApi(env),
    sources: () => loadSources(env),
    wholeConfig: () => {
      loadConfig(env);
    },
    verifies: verifiesOwnMessages,
    database: () => databaseVerdict(io),
    auditSinks: () => sinksOf(env),
    trail: () => trailVerdict(io),
    configured: () => configuredSecrets(env),
    ownFiles: () =>
      [
        ...secretFilesOf(env),
        ...[signingKeyFile(configuredStore(io)) ?? []].flat(),
      ].map((file) => path.resolve(file)),
    now: Date.now,
    progress: {
      total: (count) => {
        bar = createProgressBar(io, count, {
          unit: "files and versions",
        });
      },
      done: () => {
        bar.advance();
      },
    },
  });
  bar.done();
  return results;
}

function sinksOf(env: Environment): string[] {
  const values = readVariables(env, [
    "AUDIT_STDOUT",
    "AUDIT_FILE",
    "AUDIT_ANALYTICS",
    "HEX_WRITE_KEY",
    "HEX_API_KEY",
  ]);
  const canWrite = (values.HEX_WRITE_KEY ?? values.HEX_API_KEY) !== null;
  return [
    ...(values.AUDIT_STDOUT === "off" ? [] : ["standard output"]),
    ...(values.AUDIT_FILE === null ? [] : ["AUDIT_FILE"]),
    ...(values.AUDIT_ANALYTICS !== "off" && canWrite ? ["Hex analytics"] : []),
  ];
}

async function databaseVerdict(io: Io): Promise<DatabaseVerdict | null> {
  const url = configuredStore(io);
  const found = await checkServer(url);
  return (
    found && {
      ...found,
      name: describeStore(url),
      protection: protectionOf(url),
    }
  );
}

async function trailVerdict(io: Io): Promise<TrailVerdict | null> {
  try {
    if (!(await storeExists(configuredStore(io)))) {
      return null;
    }
    const report = await verifyStore(io, {});
    const { exit, faults, doubts } = judge(report, configuredKey(io));
    return {
      intact: exit === EXIT.good,
      faults: faults.map(faultLine),
      doubts,
    };
  } catch (error) {
    // An unreadable store fails only this check. A newer schema ends every command.
    if (error instanceof StoreError && error.code !== "SCHEMA_TOO_NEW") {
      return { intact: false, faults: [error.message], doubts: [] };
    }
    throw error;
  }
}

function asJson(result: CheckResult): object {
  const { check, status, details, hint, findings = [] } = result;
  return { check, title: CHECKS[check], status, details, hint, findings };
}

function textOf(result: CheckResult, width: number): string {
  const { check, status, details, hint, findings = [] } = result;
  const texts = findings.slice(0, MAX_SHOWN).map(findingText);
  const more =
    findings.length > MAX_SHOWN
      ? [`and ${findings.length - MAX_SHOWN} more (--json lists all)`]
      : [];
  const lines = [
    ...texts,
    ...more,
    ...details.map((detail) => shown(detail.replaceAll("…", "..."))),
  ].flatMap((text) => wrapText(text, width - INDENT.length));
  const advice =
    status === "pass" || hint === ""
      ? []
      : wrapText(`-> ${hint}`, width - INDENT.length);
  return [
    `${status.toUpperCase().padEnd(4)}  ${CHECKS[check]}`,
    ...[...lines, ...advice].map((line) => INDENT + line),
  ].join("\n");
}

const INDENT = "      ";

function findingText({
  path: file,
  line,
  where,
  commit,
  rule,
  fingerprint,
}: Finding): string {
  const place = {
    tree: "",
    index: " (staged)",
    history: ` (in history${commit === null ? "" : `, commit ${commit}`})`,
  }[where];
  return `${shown(file)}:${line}${place}: ${rule}, fingerprint ${fingerprint}`;
}

function summaryOf(results: readonly CheckResult[]): string {
  const count = (wanted: CheckResult["status"]): number =>
    results.filter(({ status }) => status === wanted).length;
  return `${count("pass")} passed, ${count("warn")} warnings, ${count("fail")} failed, ${count("skip")} skipped`;
}
