import { ENVIRONMENTS } from "../hex-api/scopes.ts";
import { HEX_SCHEME_NAMES } from "../signature/schemes.ts";
import {
  adminToken,
  apiKey,
  auditSigningKey,
  baseUrl,
  duration,
  durations,
  httpUrl,
  integer,
  isoDate,
  MAX_BODY_BYTES,
  oneOf,
  outboundSecret,
  scopes,
  signingSecret,
  storeUrl,
  text,
  trustProxy,
} from "./values.ts";

/**
 * Every variable, with its schema and its default as text. `secret: true` = NAME_FILE is read too. `reload: true` = a reload
 * applies a new value; other variables need a restart. A test compares docs/configuration.md, .env.example and docs/secrets.md with this.
 */
export const VARIABLES = {
  HOST: { kind: text, default: "0.0.0.0" },
  PORT: { kind: integer(0, 65_535), default: "3000" },
  ADMIN_HOST: { kind: text, default: "127.0.0.1" },
  ADMIN_PORT: { kind: integer(0, 65_535), default: "3001" },
  ADMIN_TOKEN: { kind: adminToken, secret: true, reload: true },
  PUBLIC_URL: { kind: baseUrl, reload: true },
  /** A secret, because it may contain a password. */
  DATABASE_URL: {
    kind: storeUrl,
    default: "sqlite:data/hexhook.db",
    secret: true,
  },
  DATABASE_POOL: { kind: integer(2, 100), default: "10" },
  HEX_SECRET: {
    kind: signingSecret,
    secret: true,
    required: true,
    reload: true,
  },
  HEX_SECRET_CREATED_AT: { kind: isoDate, reload: true },
  HEX_SECRET_PREVIOUS: { kind: signingSecret, secret: true, reload: true },
  HEX_SECRET_PREVIOUS_EXPIRES_AT: { kind: isoDate, reload: true },
  HEX_SIGNATURE_SCHEME: {
    kind: oneOf(HEX_SCHEME_NAMES),
    default: "hex",
    reload: true,
  },
  HEX_API_URL: { kind: httpUrl, default: "https://api.hex.com", reload: true },
  HEX_API_KEY: { kind: apiKey, secret: true, reload: true },
  HEX_READ_KEY: { kind: apiKey, secret: true, reload: true },
  HEX_WRITE_KEY: { kind: apiKey, secret: true, reload: true },
  HEXHOOK_ENV: { kind: oneOf(ENVIRONMENTS), reload: true },
  HEX_SCOPES: { kind: scopes, reload: true },
  HEX_REQUIRED_SCOPES: { kind: scopes, reload: true },
  REPLAY_WINDOW_SECONDS: {
    kind: integer(1, 900),
    default: "300",
    reload: true,
  },
  EVENT_RETENTION_DAYS: { kind: integer(1, 36_500), default: "30" },
  AUDIT_RETENTION_DAYS: { kind: integer(1, 36_500), default: "400" },
  MAX_BODY_BYTES: {
    kind: integer(1, MAX_BODY_BYTES),
    default: "1048576",
    reload: true,
  },
  FORWARD_URL: { kind: httpUrl, reload: true },
  FORWARD_SECRET: { kind: outboundSecret, secret: true, reload: true },
  NOTIFY_URL: { kind: httpUrl, reload: true },
  NOTIFY_SECRET: { kind: outboundSecret, secret: true, reload: true },
  HANDLERS: { kind: text },
  RETRY_SCHEDULE: {
    kind: durations,
    default: "5s,30s,2m,10m,30m,1h,3h,6h,12h",
  },
  ATTEMPT_TIMEOUT: { kind: duration, default: "10s" },
  TRUST_PROXY: { kind: trustProxy, default: "0" },
  /** Not set: `pretty` on a terminal, else `prefixed`. */
  AUDIT_STDOUT: { kind: oneOf(["prefixed", "json", "pretty", "off"]) },
  AUDIT_FILE: { kind: text },
  /** 0 is rejected because it is ambiguous: it could mean "none" or "no limit". */
  AUDIT_UNVERIFIED_MB_PER_DAY: { kind: integer(1, 1_000_000), default: "64" },
  AUDIT_ANCHOR_FILE: { kind: text },
  AUDIT_SIGNING_KEY: { kind: auditSigningKey, secret: true },
  AUDIT_ANALYTICS: { kind: oneOf(["on", "off"]) },
  LOG_LEVEL: {
    kind: oneOf(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
    default: "info",
  },
  /** Not set: `pretty` on a terminal, else `json`. */
  LOG_FORMAT: { kind: oneOf(["pretty", "json"]) },
  MAX_CONNECTIONS: { kind: integer(1, 1_000_000) },
  KEEP_ALIVE_SECONDS: { kind: integer(1, 3600), default: "65" },
  DRAIN_SECONDS: { kind: integer(0, 3600), default: "3" },
  /** If not set: DRAIN_SECONDS plus SHUTDOWN_SECONDS_AFTER_DRAIN. */
  SHUTDOWN_SECONDS: { kind: integer(1, 3600) },
  HEXHOOK_CONFIG: { kind: text, reload: true },
} as const;

/** With the default of DRAIN_SECONDS, a shutdown takes at most 9 s. `docker stop` kills the process after 10 s. */
export const SHUTDOWN_SECONDS_AFTER_DRAIN = 6;

export type VariableName = keyof typeof VARIABLES;

type KindOf<N extends VariableName> = (typeof VARIABLES)[N]["kind"]["_output"];

/** The value of a variable; null if it is not set and has no default. */
export type ValueOf<N extends VariableName> = (typeof VARIABLES)[N] extends
  { default: string } | { required: true }
  ? KindOf<N>
  : KindOf<N> | null;
