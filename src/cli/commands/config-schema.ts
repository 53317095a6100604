import type { Command } from "commander";
import { configJsonSchema } from "../../config/config-schema.ts";
import { print } from "../ui/print.ts";
import type { Io } from "../io.ts";

export function addConfigSchema(config: Command, io: Io): void {
  config
    .command("schema")
    .description("print the JSON Schema of the configuration file, for editors")
    .addHelpText(
      "after",
      `
To check a file while you edit it, save the output and name it in the first line
of the file:
  # yaml-language-server: $schema=./config.schema.json`,
    )
    .action(async () => {
      await print(io.stdout, JSON.stringify(configJsonSchema(), null, 2));
    });
}
