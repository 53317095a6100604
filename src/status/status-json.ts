import { isoTime } from "../events/event-json.ts";
import type { DestinationReport } from "./destination-report.ts";
import type { SecretReport, SourceReport } from "./source-report.ts";
import type { StatusReport } from "./status-report.ts";

/* The status as the management API and `--json` show it. Times are in ISO 8601. */

export function statusJson(status: StatusReport) {
  return {
    at: isoTime(status.at),
    processes: status.processes.map(
      ({ publishedAt, startedAt, ...process }) => ({
        ...process,
        startedAt: isoTime(startedAt),
        publishedAt: isoTime(publishedAt),
      }),
    ),
    lastMinute: status.lastMinute,
    pending: status.pending,
    oldestPendingSince: isoTime(status.oldestPendingSince),
    exhausted: status.exhausted,
    destinations: status.destinations.map(destinationJson),
    sources: status.sources.map(sourceJson),
    sinks: status.sinks.map(({ name, lag, degradedSince }) => ({
      name,
      lag,
      degradedSince: isoTime(degradedSince),
    })),
  };
}

export function destinationJson(report: DestinationReport) {
  const { paused, breaker } = report;
  return {
    name: report.name,
    configured: report.isConfigured,
    kind: report.kind,
    place: report.place,
    sources: report.sources,
    events: report.events,
    orderBy: report.orderBy,
    concurrency: report.concurrency,
    paused: paused !== null,
    pausedAt: isoTime(paused?.pausedAt ?? null),
    pausedBy: paused?.pausedBy ?? null,
    pausedUntil: isoTime(paused?.pausedUntil ?? null),
    breaker:
      breaker === null
        ? null
        : { ...breaker, probeAt: isoTime(breaker.probeAt) },
    rateLimitedUntil: isoTime(report.rateLimitedUntil),
    inFlight: report.inFlight,
    pending: report.pending,
    oldestPendingSince: isoTime(report.oldestPendingSince),
    exhausted: report.exhausted,
  };
}

export function sourceJson(source: SourceReport) {
  return {
    name: source.name,
    scheme: source.scheme,
    disabled: source.isDisabled,
    lastUsedAt: isoTime(source.lastUsedAt),
    secrets: source.secrets.map((secret) => ({
      ...secretJson(secret),
      lastUsedAt: isoTime(secret.lastUsedAt),
    })),
  };
}

export function secretJson(secret: Omit<SecretReport, "lastUsedAt">) {
  const { name, keyId, role, createdAt, ageDays, age } = secret;
  return {
    name,
    keyId,
    role,
    createdAt: isoTime(createdAt),
    ageDays,
    age,
    expiresAt: isoTime(secret.expiresAt),
    expired: secret.isExpired,
  };
}
