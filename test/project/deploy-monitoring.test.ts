import { describe, expect, it } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { deployFile } from "../support/deploy.ts";
import { hexhook } from "../support/hexhook.ts";
import { anchors, codeBlocks } from "../support/markdown.ts";
import {
  alertRules,
  dashboardPanels,
  dashboardQueries,
} from "../support/monitoring.ts";
import { inProject, ROOT } from "../support/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeWith, runTool, withTool } from "../support/tools.ts";

const runbook = readFileSync(inProject("docs", "runbook.md"), "utf8");

/** Checks a text as a file of rules. */
function checkRules(text: string): { code: number | null; output: string } {
  const file = path.join(temporaryFolder().path, "rules.yaml");
  writeFileSync(file, text);
  return runTool("promtool", [
    "check",
    "rules",
    "--lint=all",
    "--lint-fatal",
    file,
  ]);
}

describeWith("promtool")(
  withTool("promtool", "the files of Prometheus"),
  () => {
    it("are accepted by promtool: the rules", () => {
      const { code, output } = checkRules(deployFile("prometheus-rules.yaml"));
      expect([code, output]).toEqual([0, expect.stringContaining("SUCCESS")]);
    });

    it("are checked for errors in expressions and templates", () => {
      const text = deployFile("prometheus-rules.yaml");
      expect(checkRules(text.replace("max by (", "maxby (")).code).not.toBe(0);
      expect(
        checkRules(text.replace("{{ $labels.source }}", "{{ $labls.source }}"))
          .code,
      ).not.toBe(0);
    });

    it("are accepted by promtool: the queries of the dashboard", () => {
      const queries = dashboardQueries();
      expect(queries.length).toBeGreaterThan(20);
      const rules = queries.map((expr, n) => ({ record: `query_${n}`, expr }));
      const { code, output } = checkRules(
        JSON.stringify({ groups: [{ name: "dashboard", rules }] }),
      );
      expect([code, output]).toEqual([0, expect.stringContaining("SUCCESS")]);
    });
  },
);

describe("each alert", () => {
  const rules = alertRules();

  it("has a severity, a summary and a description", () => {
    for (const { alert, labels, annotations } of rules) {
      expect([alert, labels.severity]).toEqual([
        alert,
        expect.stringMatching(/^(critical|warning)$/),
      ]);
      expect(annotations.summary.length).toBeLessThan(100);
      expect(annotations.description).toMatch(/\.$/);
    }
  });

  it("names only labels that its expression keeps", () => {
    for (const { alert, expr, annotations } of rules) {
      const text = `${annotations.summary} ${annotations.description}`;
      const used = [...text.matchAll(/\$labels\.(\w+)/g)].map(([, n]) => n!);
      // `up` keeps all of its labels, and the recorded silence those of its rule.
      const kept = [
        ...(/^up\{/.test(expr) ? ["instance"] : []),
        ...(expr.startsWith("hexhook:source_silence_seconds")
          ? ["source"]
          : []),
        ...(/ by \(([^)]*)\)/.exec(expr)?.[1] ?? "").split(", "),
      ];
      expect([alert, used.filter((name) => !kept.includes(name))]).toEqual([
        alert,
        [],
      ]);
    }
  });

  it("has a section in docs/runbook.md to which it refers, and no other alert has one", () => {
    const sections = [...runbook.matchAll(/^## (Hexhook\w+)$/gm)].map(
      ([, name]) => name!,
    );
    expect(sections).toEqual([...new Set(sections)]);
    expect(sections.sort()).toEqual(rules.map(({ alert }) => alert).sort());
    for (const { annotations } of rules) {
      const [file, anchor] = annotations.runbook_url.split("#");
      expect(file).toBe("docs/runbook.md");
      expect(anchors(runbook)).toContain(anchor);
    }
  });

  it("never adds gauges that every replica reports for the whole store", () => {
    for (const { alert, expr } of rules) {
      for (const [, added] of expr.matchAll(/sum by \([^)]*\) \(([^;]*)/g)) {
        expect([alert, added]).toEqual([
          alert,
          expect.stringMatching(/^\s*(?:rate|increase)\(/),
        ]);
      }
    }
  });
});

describe("docs/runbook.md", () => {
  it("has only commands and options that exist", async () => {
    // The blocks are indented, because they belong to steps.
    const lines = codeBlocks(runbook.replaceAll(/^ {3}/gm, ""), "sh")
      .flatMap((block) => block.split("\n"))
      .filter((line) => line.startsWith("hexhook "));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) {
      const words = line.split(" ").slice(1);
      const nested = ["audit", "destinations", "events", "keys", "secrets"];
      const command = words.slice(0, nested.includes(words[0]!) ? 2 : 1);
      const { code, stdout } = await hexhook([...command, "--help"], {
        cwd: ROOT,
      });
      expect([line, code, stdout]).toEqual([
        line,
        0,
        expect.stringContaining(`Usage: hexhook ${command.join(" ")} `),
      ]);
      for (const option of words.filter((word) => /^-/.test(word))) {
        expect([line, stdout.split(/[ ,]+/)]).toEqual([
          line,
          expect.arrayContaining([option]),
        ]);
      }
    }
  });

  it("names only panels of the dashboard that exist", () => {
    const titles = dashboardPanels().map(({ title }) => title);
    const [, sections = ""] = runbook.split("## HexhookDown\n");
    const named = [...sections.matchAll(/\*\*([^*]+)\*\*/g)].map(
      ([, title]) => title!,
    );
    expect(named.length).toBeGreaterThan(5);
    expect(titles).toEqual(expect.arrayContaining(named));
  });
});

describe("deploy/grafana-dashboard.json", () => {
  const panels = dashboardPanels();

  it("lets the user choose the data source, and has none of its own", () => {
    const sources = [
      ...deployFile("grafana-dashboard.json").matchAll(/"uid": "([^"]+)"/g),
    ].map(([, uid]) => uid);
    expect([...new Set(sources)].sort()).toEqual(["${datasource}", "hexhook"]);
  });

  it("has panels in a grid of 24 columns that do not overlap", () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => {
        expect(x + w).toBeLessThanOrEqual(24);
        return `${x + (n % w)},${y + Math.floor(n / w)}`;
      }),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  it("has a title, and a query, for each panel", () => {
    for (const { title, type, targets } of panels) {
      expect(title).not.toBe("");
      expect((targets?.length ?? 0) > 0).toBe(type !== "row");
    }
  });
});
