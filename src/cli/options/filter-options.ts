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
  readonly until?: number;
  readonly unrouted?: true;
}

/** Adds the filter options that several commands share. `states`: the values of `--state`. */
export function addFilterOptions(
  command: Command,
  states: readonly DeliveryStateName[],
): Command {
  return command
    .addOption(
      new Option(
        "--state <state>",
        "only events with a delivery in this state",
      ).choices(states),
    )
    .option("--source <name>", "only events of this source")
    .option(
      "--type <glob>",
      "only events of this type, such as invoice.paid or 'invoice.*'",
    )
    .option(
      "--destination <name>",
      "only events with a delivery to this destination",
    )
    .option(
      "--since <when>",
      "only events received since then: 15m, 2h or 3d ago, or an ISO time",
      parseSinceOption,
    )
    .option(
      "--until <when>",
      "only events received until then, in the same forms",
      parseSinceOption,
    );
}

export function unroutedOption(): Option {
  return new Option(
    "--unrouted",
    "only events without deliveries, which no destination matched",
  );
}
