import { describe, expect, it } from "@jest/globals";
import { AuditChain } from "../../../../src/audit/chain.ts";
import {
  createStdoutSink,
  type StdoutFormat,
} from "../../../../src/audit/sinks/stdout-sink.ts";
import { PLAIN_DISPLAY } from "../../../../src/terminal/display.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { Sink } from "../../../support/service.ts";
import { draft } from "../../../support/trails.ts";

const { line } = new AuditChain("w", CHECKPOINTS).append({
  ...draft(0),
  metadata: { eventId: "\u001b[2Jevil" },
});

async function written(
  format: StdoutFormat,
  lines: readonly string[],
  display = PLAIN_DISPLAY,
): Promise<string> {
  const stdout = new Sink();
  const rows = lines.map((one, i) => ({ position: i + 1, line: one }));
  await createStdoutSink(stdout, { format, display }).write(
    rows,
    new AbortController().signal,
  );
  return stdout.text;
}

describe("the stdout sink", () => {
  it.each<[StdoutFormat, string]>([
    ["json", `${line}\n`],
    ["prefixed", `[AUDIT] ${line}\n`],
    ["pretty", "2027-01-15 08:00:00Z ok   webhook.accepted \\u001b[2Jevil\n"],
  ])("writes the format %s", async (format, expected) => {
    expect(await written(format, [line])).toBe(expected);
  });

  it("writes pretty lines with the colours and the width of its display", async () => {
    const display = { ...PLAIN_DISPLAY, colours: true, width: () => 50 };
    expect(await written("pretty", [line], display)).toBe(
      "2027-01-15 08:00:00Z \u001b[32mok  \u001b[0m webhook.accepted\n    \\u001b[2Jevil\n",
    );
  });

  it("escapes a line that is not an entry", async () => {
    expect(await written("pretty", ["no\u001b entry"])).toBe(
      "no\\u001b entry\n",
    );
  });
});
