/** The samples of `/metrics`: `name{label="value"}` as it was exposed, and its value. */
export type Samples = ReadonlyMap<string, number>;

/** Returns the text of `/metrics` of a service. */
export async function scrapeText(service: {
  readonly adminPort: number | null;
}): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${service.adminPort}/metrics`);
  if (response.status !== 200) {
    throw new Error(`/metrics responded with ${response.status}`);
  }
  return response.text();
}

export function parseSamples(text: string): Samples {
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ");
        const value = line.slice(at + 1);
        return [
          line.slice(0, at),
          value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
        ];
      }),
  );
}

export async function scrape(service: {
  readonly adminPort: number | null;
}): Promise<Samples> {
  return parseSamples(await scrapeText(service));
}
