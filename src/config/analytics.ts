import { type ValueOf } from "./variables.ts";

/** The Hex API that audit entries are sent to, and the key that may write there. */
export interface AnalyticsConfig {
  readonly apiUrl: string;
  readonly writeKey: string;
}

/** Null when entries are not sent. What is wrong goes into `faults`, what is odd without being wrong into `warnings`. */
export function analyticsOf(
  values: {
    HEX_API_URL: ValueOf<"HEX_API_URL">;
    HEX_API_KEY: ValueOf<"HEX_API_KEY">;
    HEX_WRITE_KEY: ValueOf<"HEX_WRITE_KEY">;
    AUDIT_ANALYTICS: ValueOf<"AUDIT_ANALYTICS">;
  },
  faults: string[],
  warnings: string[],
): AnalyticsConfig | null {
  const writeKey = values.HEX_WRITE_KEY ?? values.HEX_API_KEY;
  if (values.AUDIT_ANALYTICS === "off") {
    return null;
  }
  if (writeKey === null) {
    if (values.AUDIT_ANALYTICS === "on") {
      faults.push(
        "AUDIT_ANALYTICS: is on, but there is no key to write with; set HEX_WRITE_KEY (or HEX_API_KEY)",
      );
    }
    return null;
  }
  const { protocol, hostname } = new URL(values.HEX_API_URL);
  if (protocol === "http:" && !isLoopback(hostname)) {
    warnings.push(
      "HEX_API_URL: is not https, so the key goes over the network for everyone to read",
    );
  }
  return Object.freeze({ apiUrl: values.HEX_API_URL, writeKey });
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
