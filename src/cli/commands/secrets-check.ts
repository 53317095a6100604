import type { Command } from "commander";
import {
  loadHexApi,
  loadSources,
  readEnvironment,
} from "../../config/load-config.ts";
import { howToDate, type KeyAge } from "../../domain/key-age.ts";
import { lastUseOf } from "../../audit/search/key-use.ts";
import type { AuditReader } from "../../store/port.ts";
import { EXIT } from "../../errors.ts";
import { publishedSource } from "../../status/published-source.ts";
import { reportSource } from "../../status/source-report.ts";
import { secretJson } from "../../status/status-json.ts";
import { print } from "../ui/print.ts";
import { storeExists } from "../../store/open.ts";
import { configuredStore, withReader } from "../store/reader.ts";
import type { Io } from "../io.ts";

interface Options {
  readonly json?: true;
}

/** Facts about a secret or key, without its value. Times are in ISO format. */
interface SecretStatus {
  /** The variable or the place in the configuration file. */
  readonly name: string;
  readonly keyId: string;
  /** The source whose messages it signs; null for a key of the Hex API. */
  readonly source: string | null;
  /** `current` is what senders should sign with; `previous` is accepted until it expires; `api` is a key of the Hex API. */
  readonly role: "current" | "previous" | "api";
  readonly createdAt: string | null;
  readonly ageDays: number | null;
  readonly age: KeyAge["verdict"] | null;
  readonly expiresAt: string | null;
  readonly expired: boolean;
  /** Null: never, according to the audit trail. */
  readonly lastUsedAt: string | null;
}

export function addSecretsCheck(secrets: Command, io: Io): void {
  secrets
    .command("check")
    .description("show the age and the last use of each secret")
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      "\nA previous secret that is no longer used can be removed.\nFrom 75 days on, a secret is reported as due for rotation.\nExit status: 0 no secret is too old, 1 a secret is 90 days old or its age is\nunknown, 78 a secret is missing or weak.",
    )
    .action(async (options: Options) => {
      const statuses = await secretStatuses(io);
      const failed = statuses.some(
        ({ age }) => age === "overdue" || age === "unknown",
      );
      if (failed) {
        io.setExitCode(EXIT.checkFailed);
      }
      for (const status of statuses) {
        await print(
          io.stdout,
          options.json ? JSON.stringify(status) : textOf(status),
        );
      }
    });
}

async function secretStatuses(io: Io): Promise<SecretStatus[]> {
  const env = readEnvironment(io.env);
  const sources = loadSources(env);
  const { keys } = loadHexApi(env);
  const now = Date.now();
  const read = async (trail: AuditReader | null): Promise<SecretStatus[]> => {
    const lastUsedAt = async (
      keyId: string,
      kind: "webhook" | "hex.api",
    ): Promise<string | null> =>
      trail === null ? null : lastUseOf(trail, keyId, kind);
    const signing = sources
      .map((source) => reportSource(publishedSource(source), [], now))
      .flatMap(({ name: source, secrets }) =>
        secrets.map(async (secret): Promise<SecretStatus> => {
          const { name, keyId, ...facts } = secretJson(secret);
          const last = await lastUsedAt(keyId, "webhook");
          return { name, keyId, source, ...facts, lastUsedAt: last };
        }),
      );
    const api = keys.map(
      async ({ variable, keyId }): Promise<SecretStatus> => ({
        name: variable,
        keyId,
        source: null,
        role: "api",
        createdAt: null,
        ageDays: null,
        age: null,
        expiresAt: null,
        expired: false,
        lastUsedAt: await lastUsedAt(keyId, "hex.api"),
      }),
    );
    return Promise.all([...signing, ...api]);
  };
  // Before the first start there is no audit trail, so no secret was used.
  return (await storeExists(configuredStore(io)))
    ? withReader(io, read)
    : read(null);
}

const AGES: Readonly<Record<Exclude<KeyAge["verdict"], "unknown">, string>> = {
  fresh: "ok",
  due: "due for rotation; overdue from 90 days",
  overdue: "OVERDUE: generate a new one (hexhook secrets generate)",
};

function textOf(status: SecretStatus): string {
  const { name, keyId, source, role, ageDays, age, lastUsedAt } = status;
  const lines = [
    `${name} ${keyId}${source === null ? "" : ` of source ${source}`}`,
  ];
  if (age !== null) {
    lines.push(
      age === "unknown"
        ? `AGE UNKNOWN: ${howToDate(name)} to the day it was created`
        : `${ageDays ?? 0} days old: ${AGES[age]}`,
    );
  }
  if (role === "previous") {
    lines.push(endOf(status));
  }
  lines.push(
    lastUsedAt === null
      ? "never used, according to the audit trail"
      : `last used ${lastUsedAt}`,
  );
  return lines.join("\n    ");
}

function endOf({ expired, expiresAt }: SecretStatus): string {
  if (expiresAt === null) {
    return "accepted indefinitely: set HEX_SECRET_PREVIOUS_EXPIRES_AT, or expiresAt in the file";
  }
  return expired
    ? `expired at ${expiresAt}: remove it`
    : `accepted until ${expiresAt}`;
}
