import { describe, expect, it } from "@jest/globals";
import { AuditChain } from "../../../../src/audit/chain.ts";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import {
  createEntryFilter,
  textsOf,
} from "../../../../src/audit/search/entry-filter.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { draft } from "../../../support/trails.ts";

describe("the filter of the trail", () => {
  const { line } = new AuditChain("w", CHECKPOINTS).append({
    ...draft(0),
    metadata: { source: "hex", eventId: "evt_0" },
  });
  const entry = parseEntry(line)!;

  it.each([
    [{}, true],
    [{ action: "webhook.*" }, true],
    [{ action: "*accepted" }, true],
    [{ action: "webhook" }, false],
    [{ action: "webhookXaccepted" }, false],
    [{ action: "webhook?accepted" }, false],
    [{ result: "success" }, true],
    [{ result: "failure" }, false],
    [{ source: "hex" }, true],
    [{ source: "github" }, false],
    [{ since: Date.parse(entry.timestamp) }, true],
    [{ since: Date.parse(entry.timestamp) + 1 }, false],
    [{ event: "evt_0" }, true],
    [{ event: "hex/evt_0" }, true],
    [{ event: "github/evt_0" }, false],
    [{ event: "evt_" }, false],
  ] as const)("%j matches the entry: %s", (filter, matches) => {
    expect(createEntryFilter(filter)(entry)).toBe(matches);
    // A store that searches only for these texts must find each matching entry.
    const found = textsOf(filter).every((text) => line.includes(text));
    expect(found || !matches).toBe(true);
  });
});
