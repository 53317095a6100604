import { readFileSync } from "node:fs";
import { parse, parseAllDocuments } from "yaml";
import { parseEnvFile } from "../../src/config/env-file.ts";
import { inProject } from "./project.ts";

/** The connections of a replica that are not in its pool. */
export const CONNECTIONS_BESIDES_POOL = 2;
/** PostgreSQL keeps these for superusers. */
export const RESERVED_CONNECTIONS = 3;

type Values = Readonly<Record<string, string>>;

/** A document of Kubernetes, as far as the tests read it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name: string };
  readonly [key: string]: unknown;
}

/** The pod of a Deployment, as far as the tests read it. */
interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsUser: number };
  readonly containers: readonly {
    readonly image: string;
    readonly ports: readonly { name: string; containerPort: number }[];
    readonly env: readonly { name: string; value: string }[];
    readonly volumeMounts: readonly { name: string; mountPath: string }[];
  }[];
}

interface ComposeService {
  readonly environment: Values;
  readonly stop_grace_period: string;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly ulimits?: { readonly nofile: number };
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<
    Record<string, { ipam?: { config: { subnet: string }[] } }>
  >;
  readonly volumes: Readonly<Record<string, null>>;
  readonly secrets: Readonly<Record<string, { file: string }>>;
}

/** Returns the text of a file in `deploy`. */
export const deployFile = (name: string): string =>
  readFileSync(inProject("deploy", name), "utf8");

export const compose = (): Compose =>
  parse(deployFile("compose.yaml"), { merge: true }) as Compose;

/** Returns the documents of a file in `deploy/kubernetes`. */
export const manifests = (name: string): Manifest[] =>
  parseAllDocuments(deployFile(`kubernetes/${name}`)).map(
    (document) => document.toJS() as Manifest,
  );

/** Returns the pod of a Deployment. */
export function podOf(documents: readonly Manifest[]): Pod {
  const deployment = documents.find(({ kind }) => kind === "Deployment");
  return (deployment!["spec"] as { template: { spec: Pod } }).template.spec;
}

/** Returns the settings of a file with lines NAME=VALUE. Throws if one is not valid. */
export function envFile(name: string): Values {
  const { entries, errors } = parseEnvFile(deployFile(name));
  if (errors.length > 0) {
    throw new Error(JSON.stringify(errors));
  }
  return Object.fromEntries(
    entries.map(({ name: key, value }) => [key, value]),
  );
}

/** Returns the last value of a directive in a file whose lines are `directive value`, such as `timeout server` of HAProxy. */
export function directive(text: string, name: string): string {
  const found = [...text.matchAll(new RegExp(`^\\s*${name}[ =](.*)$`, "gm"))];
  const [, value] = found.at(-1) ?? [];
  if (value === undefined) {
    throw new Error(`no ${name}`);
  }
  return value;
}

/** Returns the seconds of a time such as `5s` or `500ms`. */
export function seconds(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|min)$/.exec(text) ?? [];
  if (amount === undefined) {
    throw new Error(`not a time: ${text}`);
  }
  return (
    Number(amount) * { ms: 0.001, s: 1, min: 60 }[unit as "ms" | "s" | "min"]
  );
}
