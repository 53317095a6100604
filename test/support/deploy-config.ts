import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  type Config,
  type Environment,
  loadConfig,
} from "../../src/config/load-config.ts";
import { VARIABLES } from "../../src/config/variables.ts";
import { compose, deployFile, envFile, manifests, podOf } from "./deploy.ts";
import { SECRET, SIGNING_KEY, TODAY } from "./fixtures.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const unit = deployFile("systemd/hexhook.service");
const base = envFile("kubernetes/base/hexhook.env");

/** The variables of a replica in compose.yaml. */
export const composeEnv: Environment = {
  ...compose().services["hexhook-1"]!.environment,
  HEX_SECRET_CREATED_AT: TODAY,
};
/** The variables of a pod in kubernetes/base. */
export const kubernetesEnv: Environment = {
  ...base,
  ...Object.fromEntries(
    podOf(manifests("base/deployment.yaml")).containers[0]!.env.map(
      ({ name, value }) => [name, value],
    ),
  ),
};
/** The variables of the pod in kubernetes/sqlite. */
export const sqliteEnv: Environment = {
  ...kubernetesEnv,
  DATABASE_URL: "sqlite:/data/hexhook.db",
  DATABASE_URL_FILE: undefined,
};
/** The variables of hexhook.service, without those of its EnvironmentFile. */
export const unitEnv: Environment = {
  ...Object.fromEntries(
    [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [
      name!,
      value!,
    ]),
  ),
  HEX_SECRET_CREATED_AT: TODAY,
};

const SECRETS: Readonly<Record<string, string>> = {
  "database-url": "postgres://hexhook:0123456789abcdef@postgres:5432/hexhook",
  "hex-secret": SECRET,
  "audit-signing-key": SIGNING_KEY.export({
    type: "pkcs8",
    format: "pem",
  }) as string,
};

/** Loads the configuration of a deployment. The secret files are replaced by files with valid secrets. */
export function configOf(env: Environment): Config {
  const folder = temporaryFolder().path;
  const local = Object.entries(env).map(([name, value]) => {
    if (!value || !name.endsWith("_FILE") || Object.hasOwn(VARIABLES, name)) {
      return [name, value] as const;
    }
    const secret = path.basename(value);
    const file = path.join(folder, secret);
    writeFileSync(file, SECRETS[secret]!);
    return [name, file] as const;
  });
  return loadConfig(Object.fromEntries(local));
}
