import type { Command } from "commander";
import { configuredRoutes } from "../../app/configured-routes.ts";
import {
  type Config,
  loadConfig,
  readEnvironment,
} from "../../config/load-config.ts";
import { ConfigError } from "../../errors.ts";
import { asciiJson } from "../../json/ascii.ts";
import { print } from "../ui/print.ts";
import type { Io } from "../io.ts";

interface Options {
  readonly json?: true;
}

export function addConfigCheck(config: Command, io: Io): void {
  config
    .command("check")
    .description("check the configuration without starting the service")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
It reads the environment, .env, HEXHOOK_CONFIG, all secrets and the handlers
module, as serve does. It opens no port and no store.
Exit status: 0 valid, also with warnings; 78 wrong configuration, with a line
on stderr for each error. With --json, they are also in the object.`,
    )
    .action(async (options: Options) => {
      const report = await check(io).catch(async (thrown: unknown) => {
        if (options.json && thrown instanceof ConfigError) {
          const { errors } = thrown;
          await print(io.stdout, asciiJson({ ok: false, errors }));
        }
        throw thrown;
      });
      await print(io.stdout, options.json ? asciiJson(report) : textOf(report));
    });
}

/** Throws ConfigError for a wrong configuration. */
async function check(io: Io): Promise<Report> {
  const env = readEnvironment(io.env);
  const loaded = loadConfig(env);
  const routes = await configuredRoutes(env);
  return reportOf(
    loaded,
    routes.map(({ name }) => name),
  );
}

interface Report {
  readonly ok: true;
  readonly sources: readonly {
    readonly name: string;
    readonly scheme: string;
    readonly secrets: number;
    readonly disabled: boolean;
  }[];
  readonly destinations: readonly string[];
  readonly warnings: readonly string[];
}

function reportOf(config: Config, destinations: readonly string[]): Report {
  const sources = config.sources.map(
    ({ name, scheme, secrets, isDisabled }) => ({
      name,
      scheme: scheme.name,
      secrets: secrets.length,
      disabled: isDisabled,
    }),
  );
  return { ok: true, sources, destinations, warnings: config.warnings };
}

function textOf({ sources, destinations, warnings }: Report): string {
  return [
    ...warnings.map((warning) => `warning: ${warning}`),
    ...sources.map(
      ({ name, scheme, secrets, disabled }) =>
        `source ${name}: scheme ${scheme}, ${secrets} ${secrets === 1 ? "secret" : "secrets"}${disabled ? ", disabled" : ""}`,
    ),
    ...destinations.map((name) => `destination ${name}`),
    "the configuration is valid",
  ].join("\n");
}
