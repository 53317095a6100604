import { BUSINESS_SAMPLES } from "./business.ts";
import { COMMERCE_SAMPLES } from "./commerce.ts";
import { DEVELOPMENT_SAMPLES } from "./development.ts";
import { MESSAGING_SAMPLES } from "./messaging.ts";
import { PLAIN_SAMPLES } from "./plain.ts";
import type { Sample } from "./sample.ts";

/** A sample for each scheme with a fixed format. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  ...PLAIN_SAMPLES,
  "hex-body": PLAIN_SAMPLES.hex,
  ...DEVELOPMENT_SAMPLES,
  ...COMMERCE_SAMPLES,
  ...MESSAGING_SAMPLES,
  ...BUSINESS_SAMPLES,
};

/** Returns the sample of a scheme; null if its configuration decides the format. */
export function sampleOf(scheme: string): Sample | null {
  return Object.hasOwn(SAMPLES, scheme) ? (SAMPLES[scheme] ?? null) : null;
}
