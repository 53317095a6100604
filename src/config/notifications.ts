/** Where notifications are posted. */
export interface NotifyConfig {
  readonly url: string;
  /** The secret that signs notifications; null = they are not signed. */
  readonly secret: string | null;
}

/** Returns where notifications are posted; null = nowhere. */
export function notifyOf(
  values: { NOTIFY_URL: string | null; NOTIFY_SECRET: string | null },
  warnings: string[],
): NotifyConfig | null {
  const { NOTIFY_URL: url, NOTIFY_SECRET: secret } = values;
  if (url === null) {
    if (secret !== null) {
      warnings.push("NOTIFY_SECRET: is ignored because NOTIFY_URL is not set");
    }
    return null;
  }
  if (secret === null) {
    warnings.push(
      "NOTIFY_URL: notifications are not signed because NOTIFY_SECRET is not set",
    );
  }
  return Object.freeze({ url, secret });
}
