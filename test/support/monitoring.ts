import { parse } from "yaml";
import { deployFile } from "./deploy.ts";

/* Reads the files in `deploy` that are made for Prometheus and Grafana. */

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly (
      AlertRule | { readonly record: string; readonly expr: string }
    )[];
  }[];
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly { readonly expr: string }[];
}

const rules = () =>
  (parse(deployFile("prometheus-rules.yaml")) as Rules).groups.flatMap(
    (group) => group.rules,
  );

export const alertRules = (): AlertRule[] =>
  rules().filter((rule) => "alert" in rule);

/** Returns the expressions of all rules, also of those that record. */
export const ruleExpressions = (): string[] => rules().map(({ expr }) => expr);

/** Returns the panels of the dashboard, also the rows. */
export const dashboardPanels = (): readonly Panel[] =>
  (JSON.parse(deployFile("grafana-dashboard.json")) as { panels: Panel[] })
    .panels;

/** Returns the queries of the dashboard, with values for its variables. */
export const dashboardQueries = (): string[] =>
  dashboardPanels()
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) =>
      expr.replaceAll("$__rate_interval", "5m").replaceAll("$job", "hexhook"),
    );
