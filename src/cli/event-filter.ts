import { type Command, Option } from "commander";
import { createGlob } from "../core/glob.ts";
import { type DeliveryState } from "../core/model.ts";
import { type EventFilter } from "../core/store.ts";
import { parseSinceOption } from "./parse.ts";

/** The options that choose events, for the commands that share them. */
export interface FilterOptions {
  readonly state?: DeliveryState["state"];
  readonly source?: string;
  readonly type?: string;
  readonly destination?: string;
  readonly since?: number;
}

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--state <state>", "with a delivery in this state").choices([
        "pending",
        "succeeded",
        "exhausted",
      ]),
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

export function filterOf(options: FilterOptions): EventFilter {
  return {
    state: options.state ?? null,
    source: options.source ?? null,
    destination: options.destination ?? null,
    type: options.type === undefined ? null : createGlob(options.type),
    since: options.since ?? null,
  };
}
