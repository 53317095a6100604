import type { Scheme } from "../domain/scheme.ts";
import { variantsOf } from "./compiled-scheme.ts";
import { macOf } from "./mac.ts";
import { formatTimestamp } from "./timestamps.ts";

/** Signs a body and returns the headers to send with it. `timestamp` is in unix seconds. */
export function signHeaders(
  scheme: Scheme,
  key: Buffer,
  body: Buffer,
  timestamp: number,
): Record<string, string> {
  const [variant] = variantsOf(scheme);
  const [signatureHeader] = variant?.signatureHeaders ?? [];
  if (variant === undefined || signatureHeader === undefined) {
    throw new TypeError(`scheme ${scheme.name} cannot be signed`);
  }
  const { timestamp: format } = variant.scheme;
  const text =
    format === null ? "" : formatTimestamp(timestamp * 1000, format.unit);
  const signed = variant.template.fill({
    id: "",
    timestamp: text,
    method: "POST",
    url: "",
    body,
  });
  return {
    ...(format !== null && "header" in format.from
      ? { [format.from.header]: text }
      : {}),
    [signatureHeader]: macOf("hmac-sha256", key, signed).toString("hex"),
  };
}
