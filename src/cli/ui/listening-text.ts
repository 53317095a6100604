import { isIPv6 } from "node:net";
import type { Service } from "../../app/service.ts";
import type { Config } from "../../config/load-config.ts";

/** Returns one line for a person that says where a service listens. */
export function listeningText(
  {
    host,
    adminHost,
    publicUrl,
    sources,
  }: Pick<Config, "host" | "adminHost" | "publicUrl" | "sources">,
  { port, adminPort }: Pick<Service, "port" | "adminPort">,
): string {
  const endpoints = (base: string): string =>
    sources.map(({ name }) => `${base}/webhooks/${name}`).join(", ");
  const others = [
    ...(publicUrl === null ? [] : [`public: ${endpoints(publicUrl)}`]),
    ...(adminPort === null
      ? []
      : [`management: ${urlOf(adminHost, adminPort)}`]),
  ];
  const also = others.length === 0 ? "" : ` (${others.join(", ")})`;
  return `Listening on ${endpoints(urlOf(host, port))}${also}`;
}

function urlOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
