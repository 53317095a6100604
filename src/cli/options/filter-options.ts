import type { DeliveryStateName } from "../../domain/delivery.ts";
import { type Command, Option } from "commander";
import { DELIVERY_STATES } from "../../events/event-filter.ts";
import { parseSinceOption } from "./parse.ts";

/** The options that choose events, for the commands that share them. */
export interface FilterOptions {
  readonly state?: DeliveryStateName;
  readonly source?: string;
  readonly type?: string;
  readonly destination?: string;
  readonly since?: number;
  readonly unrouted?: true;
}

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--state <state>", "with a delivery in this state").choices(
        DELIVERY_STATES,
      ),
    )
    .option("--source <name>", "of one source")
    .option("--type <glob>", "such as invoice.paid or 'invoice.*'")
    .option("--destination <name>", "with a delivery to this destination")
    .option("--unrouted", "that no destination matched: without any delivery")
    .option(
      "--since <when>",
      "15m, 2h, 3d ago, or an ISO time",
      parseSinceOption,
    );
}
