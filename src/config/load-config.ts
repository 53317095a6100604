import type { Source } from "../domain/source.ts";
import type { KeyObject } from "node:crypto";
import {
  type DestinationEntry,
  readDestinationEntries,
} from "./destination-entry.ts";
import {
  type DestinationConfig,
  fileDestinations,
  forwardDestination,
  type HandlersConfig,
  handlersOf,
} from "./destinations.ts";
import {
  type Environment,
  kubernetesWarnings,
  readVariables,
  secretFilesOf,
  settingsOf,
  unknownNames,
  VARIABLE_NAMES,
} from "./environment.ts";
import { collecting, SIGNING_KEY_REQUIRED } from "./errors.ts";
import { type ConfigFile, openConfigFile } from "./file.ts";
import { HEX_API_VARIABLES, type HexApiConfig, hexApiOf } from "./hex-api.ts";
import { HEX_VARIABLES, type HexVariable } from "./hex-variables.ts";
import { type NotifyConfig, notifyOf } from "./notifications.ts";
import type { ReferredSecret } from "./secret-reference.ts";
import {
  sharedWithDestinations,
  sharedWithNotifications,
  withSharedSecrets,
} from "./shared-secrets.ts";
import { readSourceEntries, type SourceEntry } from "./source-entry.ts";
import { buildSources } from "./sources.ts";
import { storeUrlWarnings } from "./store-url.ts";
import {
  SHUTDOWN_SECONDS_AFTER_DRAIN,
  type ValueOf,
  type VariableName,
} from "./variables.ts";
import type { StoreUrl } from "../store/url.ts";
import { schemeOf } from "../signature/schemes.ts";
import { ConfigError } from "../errors.ts";

export {
  type Environment,
  mergeEnvironments,
  readEnvironment,
  readVariables,
} from "./environment.ts";

const BYTES_PER_MB = 1_000_000;

/** The configuration of `serve`. Frozen. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  /** 0 = the management listener is off. */
  readonly adminPort: number;
  /** The bearer token of `/api/*`; null = `/api/*` is off. */
  readonly adminToken: string | null;
  readonly databaseUrl: StoreUrl;
  /** The maximum number of connections to a database server. */
  readonly databasePool: number;
  readonly sources: readonly Source[];
  readonly replayWindowSeconds: number;
  readonly eventRetentionDays: number;
  readonly maxBodyBytes: number;
  /** Destinations with a name. Other functions of the handlers module are in `handlers`. */
  readonly destinations: readonly DestinationConfig[];
  readonly handlers: HandlersConfig;
  /** Where notifications are posted; null = nowhere. */
  readonly notify: NotifyConfig | null;
  readonly retryScheduleMs: readonly number[];
  readonly attemptTimeoutMs: number;
  readonly trustProxy: ValueOf<"TRUST_PROXY">;
  /** Null: depends on whether stdout is a terminal. */
  readonly auditStdout: ValueOf<"AUDIT_STDOUT">;
  readonly auditFile: string | null;
  readonly auditUnverifiedBytesPerDay: number;
  readonly auditAnchorFile: string | null;
  /** Null = the key file in the directory of the store. */
  readonly auditSigningKey: KeyObject | null;
  readonly auditRetentionDays: number;
  readonly hexApi: HexApiConfig;
  /** Whether audit entries are sent to Hex analytics. */
  readonly auditAnalytics: boolean;
  readonly logLevel: ValueOf<"LOG_LEVEL">;
  /** Null: depends on whether stderr is a terminal. */
  readonly logFormat: ValueOf<"LOG_FORMAT">;
  /** Maximum connections of the public listener; null: derived from the descriptor limit. */
  readonly maxConnections: number | null;
  readonly keepAliveSeconds: number;
  readonly drainSeconds: number;
  readonly shutdownSeconds: number;
  /** Paths of the files that secrets were read from. */
  readonly secretFiles: readonly string[];
  /** The text of all set variables that are not secrets. */
  readonly settings: Readonly<Record<string, string>>;
  /** Valid but suspicious settings, one line each. */
  readonly warnings: readonly string[];
}

const isHexVariable = (name: VariableName): name is HexVariable =>
  (HEX_VARIABLES as readonly string[]).includes(name);

const OTHER_VARIABLES = VARIABLE_NAMES.filter(
  (name): name is Exclude<VariableName, HexVariable> => !isHexVariable(name),
);

/** Reads and validates the whole configuration of `serve`. Throws one ConfigError that lists every error. */
export function loadConfig(env: Environment): Config {
  const errors: string[] = [];
  const warnings: string[] = [];
  const values = collecting(errors, () => readVariables(env, OTHER_VARIABLES));
  const file = openConfigFile(env, errors);
  const { sources, entries: sourceEntries } = readSources(file, env, {
    errors,
    warnings,
  });
  const entries = readDestinationEntries(file, env, errors);
  const destinations = [
    ...fileDestinations(entries, sourceEntries, warnings),
    ...(values === null
      ? []
      : forwardDestination(values, sourceEntries, warnings)),
  ];
  errors.push(...sharedWithDestinations(destinations, sources));
  const notify = values === null ? null : notifyOf(values, warnings);
  errors.push(...sharedWithNotifications(notify, sources));
  const hexApi =
    values === null ? null : hexApiOf(env, values, errors, warnings);
  if (values?.AUDIT_ANALYTICS === "on" && hexApi?.writeKey === null) {
    errors.push(
      "AUDIT_ANALYTICS: is on, but no write key is set; set HEX_WRITE_KEY or HEX_API_KEY",
    );
  }
  if (
    values?.DATABASE_URL.driver === "postgres" &&
    values.AUDIT_SIGNING_KEY === null
  ) {
    errors.push(SIGNING_KEY_REQUIRED);
  }
  if (values === null || hexApi === null || errors.length > 0) {
    // Some variables are read twice.
    throw new ConfigError([...new Set(errors)]);
  }
  warnings.push(
    ...storeUrlWarnings(values.DATABASE_URL),
    ...kubernetesWarnings(env),
  );
  const referred = referredSecrets(sourceEntries, entries);
  warnings.push(
    ...unknownNames(
      env,
      new Set(referred.flatMap(({ variable }) => variable ?? [])),
    ),
  );
  return Object.freeze({
    host: values.HOST,
    port: values.PORT,
    adminHost: values.ADMIN_HOST,
    adminPort: values.ADMIN_PORT,
    adminToken: values.ADMIN_TOKEN,
    databaseUrl: values.DATABASE_URL,
    databasePool: values.DATABASE_POOL,
    sources,
    replayWindowSeconds: values.REPLAY_WINDOW_SECONDS,
    eventRetentionDays: values.EVENT_RETENTION_DAYS,
    maxBodyBytes: values.MAX_BODY_BYTES,
    destinations: Object.freeze(destinations),
    handlers: handlersOf(values.HANDLERS, sourceEntries),
    notify,
    retryScheduleMs: values.RETRY_SCHEDULE,
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT,
    trustProxy: values.TRUST_PROXY,
    auditStdout: values.AUDIT_STDOUT,
    auditFile: values.AUDIT_FILE,
    auditUnverifiedBytesPerDay:
      values.AUDIT_UNVERIFIED_MB_PER_DAY * BYTES_PER_MB,
    auditAnchorFile: values.AUDIT_ANCHOR_FILE,
    auditSigningKey: values.AUDIT_SIGNING_KEY,
    auditRetentionDays: values.AUDIT_RETENTION_DAYS,
    hexApi,
    auditAnalytics:
      values.AUDIT_ANALYTICS !== "off" && hexApi.writeKey !== null,
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT,
    maxConnections: values.MAX_CONNECTIONS,
    keepAliveSeconds: values.KEEP_ALIVE_SECONDS,
    drainSeconds: values.DRAIN_SECONDS,
    shutdownSeconds:
      values.SHUTDOWN_SECONDS ??
      values.DRAIN_SECONDS + SHUTDOWN_SECONDS_AFTER_DRAIN,
    secretFiles: Object.freeze([
      ...secretFilesOf(env),
      ...referred.flatMap(({ file }) => file ?? []),
    ]),
    settings: settingsOf(env),
    warnings: Object.freeze(warnings),
  });
}

/** Reads only the sources, for the commands that sign and verify. Ignores errors in destinations. Throws ConfigError. */
export function loadSources(env: Environment): readonly Source[] {
  const errors: string[] = [];
  const file = openConfigFile(env, errors);
  const { sources } = readSources(file, env, { errors, warnings: [] });
  if (errors.length > 0) {
    throw new ConfigError(errors);
  }
  return sources;
}

/** Reads the sources of the file, or source `hex` of the environment. */
function readSources(
  file: ConfigFile | null,
  env: Environment,
  reports: { errors: string[]; warnings: string[] },
): { sources: readonly Source[]; entries: readonly SourceEntry[] } {
  const { errors } = reports;
  // Each on its own, so that an error in one of them hides no error in a source.
  const scheme = collecting(errors, () =>
    readVariables(env, ["HEX_SIGNATURE_SCHEME"]),
  );
  const window = collecting(errors, () =>
    readVariables(env, ["REPLAY_WINDOW_SECONDS"]),
  );
  const limit = collecting(errors, () =>
    readVariables(env, ["MAX_BODY_BYTES"]),
  );
  const base = collecting(errors, () => readVariables(env, ["PUBLIC_URL"]));
  const hexScheme = schemeOf(scheme?.HEX_SIGNATURE_SCHEME ?? "hex");
  const entries = readSourceEntries(file, env, hexScheme, errors);
  const defaults = {
    hexScheme,
    replayWindowSeconds: window?.REPLAY_WINDOW_SECONDS ?? 0,
    maxBodyBytes: limit?.MAX_BODY_BYTES ?? 0,
    publicBase: base?.PUBLIC_URL ?? null,
  };
  const sources = buildSources(env, entries, defaults, reports);
  return {
    sources: Object.freeze(withSharedSecrets(sources, errors)),
    entries,
  };
}

/** Whether an environment configures destinations. */
export function configuresDestinations(env: Environment): boolean {
  return ["HEXHOOK_CONFIG", "HANDLERS", "FORWARD_URL"].some(
    (name) => (env[name] ?? "") !== "",
  );
}

/** Reads only the destinations, for commands. Throws ConfigError. */
export function loadDestinations(
  env: Environment,
): Pick<Config, "destinations" | "handlers"> {
  const errors: string[] = [];
  const values = collecting(errors, () =>
    readVariables(env, ["FORWARD_URL", "FORWARD_SECRET", "HANDLERS"]),
  );
  const file = openConfigFile(env, errors);
  const sources = readSourceEntries(file, env, schemeOf("hex"), errors);
  const entries = readDestinationEntries(file, env, errors);
  if (values === null || errors.length > 0) {
    throw new ConfigError(errors);
  }
  return {
    destinations: [
      ...fileDestinations(entries, sources, []),
      ...forwardDestination(values, sources, []),
    ],
    handlers: handlersOf(values.HANDLERS, sources),
  };
}

/** Reads only the Hex API configuration, for commands. Throws ConfigError. */
export function loadHexApi(env: Environment): HexApiConfig {
  const errors: string[] = [];
  const values = readVariables(env, HEX_API_VARIABLES);
  const config = hexApiOf(env, values, errors, []);
  if (errors.length > 0) {
    throw new ConfigError(errors);
  }
  return config;
}

function referredSecrets(
  sources: readonly SourceEntry[],
  entries: ReadonlyMap<string, DestinationEntry>,
): ReferredSecret[] {
  return [
    ...sources.flatMap(({ settings: { secrets = [], handshake } }) => [
      ...secrets,
      ...(handshake?.verifyToken ? [handshake.verifyToken] : []),
    ]),
    ...[...entries.values()].flatMap((entry) =>
      entry.handler === undefined
        ? [
            ...(entry.secret ? [entry.secret] : []),
            ...(entry.headers ?? []).flatMap(({ secret }) => secret ?? []),
          ]
        : [],
    ),
  ];
}
