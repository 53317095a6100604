import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { inProject } from "./project.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/* Lets Prometheus' own test tool judge what real services exposed. Only the time between the scrapes is not real. */

/** The text of `/metrics` of each target at the same time; null = the target did not answer. */
export type Scrape = Readonly<Record<string, Exposed | null>>;

export interface Exposed {
  readonly text: string;
  /** Unix seconds of the clock of the service. */
  readonly at: number;
}

/** A scrape at a minute of the timeline. Its values stay the same until the next one. */
export type Timeline = readonly (readonly [minute: number, scrape: Scrape])[];

/** What a query must return at a minute: the labels and the value of each series. */
export interface Expectation {
  readonly minute: number;
  readonly query: string;
  readonly series: readonly (readonly [
    labels: Readonly<Record<string, string>>,
    value: number,
  ])[];
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/** Returns the value of each series of one target at a minute, with the labels that Prometheus adds. */
function samplesOf(
  instance: string,
  exposed: Exposed | null,
  minute: number,
): [string, string][] {
  const target = `job="hexhook",instance="${instance}"`;
  const up: [string, string] = [`up{${target}}`, exposed === null ? "0" : "1"];
  if (exposed === null) {
    return [up];
  }
  const samples = exposed.text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line): [string, string] => {
      const [, name, labels, value] = SAMPLE.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error(`not a sample: ${line}`);
      }
      const all = labels === undefined ? target : `${target},${labels}`;
      // promtool's clock starts at 0.
      const shifted = name.endsWith("_timestamp_seconds")
        ? String(Number(value) - exposed.at + minute * 60)
        : value;
      return [`${name}{${all}}`, shifted];
    });
  return [up, ...samples];
}

/** Returns the series of a timeline in the notation of promtool, with a value every `step` minutes up to the last minute. */
function inputSeries(
  timeline: Timeline,
  last: number,
  step: number,
): { series: string; values: string }[] {
  const series = new Map<string, string[]>();
  timeline.forEach(([minute, scrape], index) => {
    const next = timeline[index + 1]?.[0] ?? last + step;
    const samples = new Map(
      Object.entries(scrape).flatMap(([instance, exposed]) =>
        samplesOf(instance, exposed, minute),
      ),
    );
    for (const name of new Set([...series.keys(), ...samples.keys()])) {
      const values =
        series.get(name) ?? (minute > 0 ? [`_x${minute / step}`] : []);
      const value = samples.get(name);
      const more = (next - minute) / step - 1;
      if (value === undefined) {
        values.push("stale", ...(more > 0 ? [`_x${more}`] : []));
      } else {
        values.push(more > 0 ? `${value}+0x${more}` : value);
      }
      series.set(name, values);
    }
  });
  return [...series].map(([name, values]) => ({
    series: name,
    values: values.join(" "),
  }));
}

const labelSet = (labels: Readonly<Record<string, string>>): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",")}}`;

/**
 * Evaluates the rules of `deploy/prometheus-rules.yaml` on a timeline, every `step` minutes. All minutes must be multiples of it.
 * Returns what promtool printed about queries with another result; empty = all are as expected.
 */
export function differences(
  timeline: Timeline,
  expectations: readonly Expectation[],
  step = 1,
): string {
  const last = Math.max(...expectations.map(({ minute }) => minute));
  const file = path.join(temporaryFolder().path, "rules-test.yaml");
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [inProject("deploy", "prometheus-rules.yaml")],
      evaluation_interval: `${step}m`,
      tests: [
        {
          interval: `${step}m`,
          input_series: inputSeries(timeline, last, step),
          promql_expr_test: expectations.map(({ minute, query, series }) => ({
            expr: query,
            eval_time: `${minute}m`,
            exp_samples: series.map(([labels, value]) => ({
              labels: labelSet(labels),
              value,
            })),
          })),
        },
      ],
    }),
  );
  const { status, stdout, stderr } = spawnSync(
    "promtool",
    ["test", "rules", file],
    { encoding: "utf8" },
  );
  return status === 0 ? "" : `${stdout}${stderr}`;
}

/** The labels of an alert, with its name and without `severity`. */
export type Alert = Readonly<Record<string, string>>;

/** Expects exactly these alerts to fire at a minute. */
export const firing = (minute: number, ...alerts: Alert[]): Expectation => ({
  minute,
  query:
    'sum without (job, severity, alertstate) (ALERTS{alertstate="firing"})',
  series: alerts.map((alert) => [alert, 1]),
});
