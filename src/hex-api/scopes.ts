/** Scopes of Hex API keys: what a call needs, what is granted, and what an environment permits. */

export const ENVIRONMENTS = ["development", "staging", "production"] as const;

/** Where a service runs; it decides which scopes its keys may have. */
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

const SCOPE = /^(?:read|write):(?:\*|limited|[a-z0-9_.-]+)$/;

/** What `write:limited` stands for beside itself. */
const LIMITED = ["write:audit"];

/** What calls are judged by. `granted` null = nobody has said, so that every call passes. */
export interface ScopeRules {
  readonly environment: EnvironmentName;
  readonly granted: readonly string[] | null;
  /** What production really needs; null = nobody has said. */
  readonly required: readonly string[] | null;
}

export function isScope(text: string): boolean {
  return SCOPE.test(text);
}

/** `read:*` and `write:*` cover all of their kind, `write:limited` covers `write:audit`, and each covers itself. */
export function coversScope(scope: string, needed: string): boolean {
  return (
    scope === needed ||
    (scope.endsWith(":*") && needed.startsWith(scope.slice(0, -1))) ||
    (scope === "write:limited" && LIMITED.includes(needed))
  );
}

/** What the keys of an environment may have at most. In production that is what it requires, and no `*`. */
function permits(
  { environment, required }: ScopeRules,
  scope: string,
): boolean {
  switch (environment) {
    case "development":
      return coversScope("read:*", scope);
    case "staging":
      return ["read:*", "write:limited"].some((most) =>
        coversScope(most, scope),
      );
    case "production":
      return !isWide(scope) && (required ?? [scope]).includes(scope);
  }
}

const isWide = (scope: string): boolean => scope.endsWith(":*");

/**
 * Why a call must not be made, or null: `not_granted`, or `not_permitted` where only a scope covers it that staging or
 * production does not permit. In development the policy is advice, which `doctor` gives.
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

/** What is wrong with the granted scopes, one line each, naming the variable to change. */
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
      .map((scope) => `HEX_REQUIRED_SCOPES: ${scope} is too wide; list each scope separately`),
    ...required
      .filter((scope) => !granted.includes(scope))
      .map((scope) => `HEX_SCOPES: ${scope} is required but not granted`),
  ];
}
