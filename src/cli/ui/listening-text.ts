import { isIPv6 } from "node:net";
import type { Service } from "../../app/service.ts";
import type { Config } from "../../config/load-config.ts";
import type { Source } from "../../domain/source.ts";

/** Returns where a service listens, for a person: one line, and one more for each source if there are several. */
export function listeningText(
  {
    host,
    adminHost,
    sources,
  }: Pick<Config, "host" | "adminHost"> & {
    readonly sources: readonly Pick<
      Source,
      "name" | "publicUrl" | "isDisabled"
    >[];
  },
  { port, adminPort }: Pick<Service, "port" | "adminPort">,
): string {
  const base = urlOf(host, port);
  const management =
    adminPort === null ? [] : [`management: ${urlOf(adminHost, adminPort)}`];
  const enabled = sources.filter(({ isDisabled }) => !isDisabled);
  const [only] = enabled;
  if (only !== undefined && enabled.length === 1) {
    const { name, publicUrl } = only;
    const address = publicUrl === null ? [] : [`public: ${publicUrl}`];
    return `Listening on ${base}/webhooks/${name}${inBrackets([...address, ...management])}`;
  }
  return [
    `Listening on ${base}${inBrackets(management)}`,
    ...enabled.map(
      ({ name, publicUrl }) =>
        `  ${name}: ${publicUrl ?? `${base}/webhooks/${name}`}`,
    ),
  ].join("\n");
}

function inBrackets(facts: readonly string[]): string {
  return facts.length === 0 ? "" : ` (${facts.join(", ")})`;
}

function urlOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
