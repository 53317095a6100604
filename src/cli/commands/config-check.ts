import type { Command } from "commander";
import { configuredRoutes } from "../../app/configured-routes.ts";
import {
  type Config,
  loadConfig,
  readEnvironment,
} from "../../config/load-config.ts";
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
on stderr for each error.`,
    )
    .action(async (options: Options) => {
      const env = readEnvironment(io.env);
      const loaded = loadConfig(env);
      const routes = await configuredRoutes(env);
      const report = reportOf(
        loaded,
        routes.map(({ name }) => name),
      );
      await print(
        io.stdout,
        options.json ? JSON.stringify(report) : textOf(report),
      );
    });
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
