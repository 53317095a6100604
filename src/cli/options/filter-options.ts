import type { DeliveryStateName } from "../../domain/delivery.ts";
import { type Command, Option } from "commander";
import { parseSinceOption } from "./parse.ts";

/** The options that choose events. */
export interface FilterOptions {
  readonly state?: DeliveryStateName;
  readonly source?: string;
  readonly type?: string;
  readonly destination?: string;
  readonly since?: number;
  readonly unrouted?: true;
}

/** Adds those that all commands share; `states`: what `--state` may be. */
export function addFilterOptions(
  command: Command,
  states: readonly DeliveryStateName[],
): Command {
  return command
    .addOption(
      new Option("--state <state>", "with a delivery in this state").choices(
        states,
      ),
    )
    .option("--source <name>", "of one source")
    .option("--type <glob>", "such as invoice.paid or 'invoice.*'")
    .option("--destination <name>", "with a delivery to this destination")
    .option(
      "--since <when>",
      "15m, 2h, 3d ago, or an ISO time",
      parseSinceOption,
    );
}

export function unroutedOption(): Option {
  return new Option(
    "--unrouted",
    "that no destination matched: without any delivery",
  );
}
