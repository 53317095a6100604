import type { Command } from "commander";
import { loadHexApi, readEnvironment } from "../../config/load-config.ts";
import { createTrailSearch } from "../../audit/search/search-trail.ts";
import { createScopeUse, type ScopeUse } from "../../hex-api/scope-use.ts";
import type { AuditReader } from "../../store/port.ts";
import { parseSinceOption } from "../options/parse.ts";
import { note, print } from "../ui/print.ts";
import { withReader } from "../store/reader.ts";
import { type Io, writeLine } from "../io.ts";

const STEP = 1000;

interface Options {
  readonly since?: number;
  readonly until?: number;
  readonly json?: true;
}

export function addAuditScopes(audit: Command, io: Io): void {
  audit
    .command("scopes")
    .description(
      "compare the granted scopes with the used ones, and say which to drop",
    )
    .option(
      "--since <when>",
      "only calls since then: 30d or 12h ago, or an ISO time (default: all)",
      parseSinceOption,
    )
    .option(
      "--until <when>",
      "only calls until then, in the same forms",
      parseSinceOption,
    )
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      "\nHEX_SCOPES lists the granted scopes. The used scopes are those that the calls of\nthe Hex API in the audit trail needed.",
    )
    .action(async (options: Options) => {
      const { granted } = loadHexApi(readEnvironment(io.env));
      const judged = await withReader(io, (trail) =>
        scopeUse(trail, options, granted ?? []),
      );
      for (const use of judged) {
        await print(
          io.stdout,
          options.json ? JSON.stringify(use) : textOf(use),
        );
      }
      if (granted === null) {
        note(
          io,
          "HEX_SCOPES is not set, so the granted scopes are unknown: list the scopes of the keys there",
        );
      } else if (judged.length === 0 && !options.json) {
        writeLine(io.stdout, "no scope is granted, and no scope was used");
      }
    });
}

async function scopeUse(
  trail: AuditReader,
  { since, until }: Options,
  granted: readonly string[],
): Promise<ScopeUse[]> {
  const use = createScopeUse();
  const search = await createTrailSearch(trail, {
    action: "hex.api.*",
    since,
    until,
  });
  let from: number | null = 0;
  while (from !== null) {
    const step: Awaited<ReturnType<typeof search.step>> = await search.step({
      order: "oldest",
      from,
      limit: STEP,
    });
    for (const { entry } of step.found) {
      use.entry(entry);
    }
    from = step.next;
  }
  return use.judge(granted);
}

function textOf(use: ScopeUse): string {
  const { scope, calls, denied, lastAt } = use;
  const used =
    calls === 0 ? "never used" : `${calls} calls, last ${lastAt ?? ""}`;
  const deniedText = denied === 0 ? "" : `, ${denied} denied`;
  return `${scope.padEnd(16)} ${used}${deniedText}\n    ${adviceText(use)}`;
}

function adviceText({ advice, needed, denied }: ScopeUse): string {
  switch (advice) {
    case "keep":
      return "keep it";
    case "drop":
      return "drop it: the other scopes cover every call";
    case "narrow":
      return `narrow it to ${needed.join(", ")}: no call needed more`;
    case "grant":
      return denied > 0
        ? "not granted: grant it, or remove the calls that need it"
        : "calls needed it, but HEX_SCOPES does not list it";
  }
}
