/** Rules for the scopes of Hex API keys: which ones a call needs, which are granted, and which an environment permits. */

export const ENVIRONMENTS = ["development", "staging", "production"] as const;

/** The environment that a service runs in. It decides which scopes its keys may have. */
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

const SCOPE = /^(?:read|write):(?:\*|limited|[a-z0-9_.-]+)$/;

/** The scopes that `write:limited` covers besides itself. */
const LIMITED = ["write:audit"];

/** The scopes that calls are checked against. `granted` null = HEX_SCOPES is not set, so no call is checked. */
export interface ScopeRules {
  readonly environment: EnvironmentName;
  readonly granted: readonly string[] | null;
  /** The scopes that production needs; null = HEX_REQUIRED_SCOPES is not set. */
  readonly required: readonly string[] | null;
}

export function isScope(text: string): boolean {
  return SCOPE.test(text);
}

/** Whether a scope covers another. `read:*` covers every `read:…`, `write:*` every `write:…`, and `write:limited` `write:audit`. */
export function coversScope(scope: string, needed: string): boolean {
  return (
    scope === needed ||
    (scope.endsWith(":*") && needed.startsWith(scope.slice(0, -1))) ||
    (scope === "write:limited" && LIMITED.includes(needed))
  );
}

/** Whether an environment permits a scope. Production permits only the required scopes, and no `*`. */
function permits(
  { environment, required }: ScopeRules,
  scope: string,
): boolean {
  switch (environment) {
    case "development":
      return coversScope("read:*", scope);
    case "staging":
      return ["read:*", "write:limited"].some((widest) =>
        coversScope(widest, scope),
      );
    case "production":
      return !isWide(scope) && (required ?? [scope]).includes(scope);
  }
}

const isWide = (scope: string): boolean => scope.endsWith(":*");

/**
 * Returns why a call must not be sent, or null. `not_granted`: no granted scope covers it. `not_permitted`: staging or production
 * does not permit any scope that covers it. In development the policy prevents no call, but startup and `doctor` report it.
 */
export function denialOf(
  rules: ScopeRules,
  needed: string,
): "not_granted" | "not_permitted" | null {
  if (rules.granted === null) {
    return null;
  }
  const covering = rules.granted.filter((scope) => coversScope(scope, needed));
  if (covering.length === 0) {
    return "not_granted";
  }
  return rules.environment === "development" ||
    covering.some((scope) => permits(rules, scope))
    ? null
    : "not_permitted";
}

const POLICIES: Readonly<Record<EnvironmentName, string>> = {
  development: "development permits only read:*",
  staging: "staging permits read:* and write:limited",
  production: "production permits only HEX_REQUIRED_SCOPES, without *",
};

/** Checks the granted scopes against the policy of the environment. Each error names the variable to change. */
export function scopeErrors(rules: ScopeRules): string[] {
  const { environment, granted, required } = rules;
  if (granted === null) {
    return ["HEX_SCOPES: is not set, so calls are not checked against scopes"];
  }
  const wide = granted
    .filter((scope) => !permits(rules, scope))
    .map(
      (scope) => `HEX_SCOPES: ${scope} is too wide: ${POLICIES[environment]}`,
    );
  if (environment !== "production") {
    return wide;
  }
  if (required === null) {
    return [
      ...wide,
      "HEX_REQUIRED_SCOPES: is not set; list the scopes that production needs",
    ];
  }
  return [
    ...wide,
    ...required
      .filter(isWide)
      .map(
        (scope) =>
          `HEX_REQUIRED_SCOPES: ${scope} is too wide; list each scope separately`,
      ),
    ...required
      .filter((scope) => !granted.includes(scope))
      .map((scope) => `HEX_SCOPES: ${scope} is required but not granted`),
  ];
}
