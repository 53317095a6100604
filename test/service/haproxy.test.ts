import { expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { cleanUp } from "../support/cleanup.ts";
import { deployFile } from "../support/deploy.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { environment, freePort, serve } from "../support/processes.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeWith, withTool } from "../support/tools.ts";

/** A client that connects through HAProxy is at this address. */
const CLIENT = "127.0.0.1";

/** Starts HAProxy with the file of `deploy`, before replicas on these ports. Returns its URL. */
async function startHaproxy(
  folder: string,
  replicas: readonly number[],
): Promise<string> {
  const port = await freePort();
  const file = path.join(folder, "haproxy.cfg");
  const text = replicas.reduce(
    (config, replica, index) =>
      config.replace(`hexhook-${index + 1}:3000`, `127.0.0.1:${replica}`),
    deployFile("haproxy.cfg")
      .replace(":8080", `127.0.0.1:${port}`)
      // A replica on a slow machine is not taken for one that is down.
      .replace("timeout check 1s", "timeout check 30s"),
  );
  writeFileSync(file, text);
  const child = spawn("haproxy", ["-db", "-f", file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment({}),
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      log += chunk.toString();
    });
  }
  const ended = once(child, "close");
  cleanUp(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) {
      throw new Error(`haproxy ended early: ${log}`);
    }
    return fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return url;
}

const acceptedIn = async (store: string): Promise<ParsedEntry[]> =>
  (await readTrail(store)).filter(
    ({ action }) => action === "webhook.accepted",
  );

/** Starts two replicas on one store, and HAProxy before them. */
async function startReplicas() {
  const folder = temporaryFolder().path;
  const env = { TRUST_PROXY: "127.0.0.0/8", AUDIT_STDOUT: "json" };
  const first = await serve(folder, { ...env, DRAIN_SECONDS: "100" });
  const second = await serve(folder, env);
  const url = await startHaproxy(folder, [first.port, second.port]);
  let sent = 0;
  return {
    store: path.join(folder, "hexhook.db"),
    first,
    second,
    /** Sends an event, and returns the status and the id. */
    send: async (headers: Record<string, string> = {}) => {
      sent += 1;
      const id = `evt_${sent}`;
      const body = eventBody(id);
      const response = await fetch(`${url}/webhooks/hex`, {
        method: "POST",
        headers: { ...signed(body), ...headers },
        body: new Uint8Array(body),
      });
      return {
        id,
        status: response.status,
        text: await response.text(),
        response,
      };
    },
  };
}

describeWith("haproxy")(
  withTool("haproxy", "two replicas after deploy/haproxy.cfg"),
  () => {
    it("share the requests, and see the address of the client", async () => {
      const { store, send } = await startReplicas();
      const accepted = await eventually(async () => {
        // HAProxy replaces an address that the sender claims.
        const { status } = await send({ "x-forwarded-for": "192.0.2.99" });
        expect(status).toBe(200);
        const entries = await acceptedIn(store);
        const writers = new Set(entries.map(({ chain }) => chain.writer));
        return writers.size === 2 ? entries : null;
      });
      expect(new Set(accepted.map(({ metadata }) => metadata["ip"]))).toEqual(
        new Set([CLIENT]),
      );
    });

    it("lose no request when one of them drains and ends", async () => {
      const { store, first, send } = await startReplicas();
      const results: { id: string; status: number }[] = [];
      let enough = false;
      cleanUp(() => {
        enough = true;
      });
      const senders = Array.from({ length: 4 }, async () => {
        while (!enough) {
          results.push(await send());
        }
      });
      await eventually(() => results.length > 20);
      first.child.kill("SIGTERM");
      // HAProxy notices that the replica drains, long before the replica closes its listener.
      await eventually(async () => {
        const newest = (await acceptedIn(store)).slice(-20);
        return new Set(newest.map(({ chain }) => chain.writer)).size === 1;
      });
      expect(first.child.exitCode).toBeNull();
      // So even an end without the rest of the shutdown fails no request.
      first.child.kill("SIGTERM");
      await first.exited;
      const known = results.length;
      await eventually(() => results.length > known + 20);
      enough = true;
      await Promise.all(senders);
      expect(results.filter(({ status }) => status !== 200)).toEqual([]);
      const accepted = await acceptedIn(store);
      expect(
        accepted.map(({ metadata }) => metadata["eventId"]).sort(),
      ).toEqual(results.map(({ id }) => id).sort());
    });

    it("are replaced by a 503 of HAProxy when none of them is ready", async () => {
      const { first, second, send } = await startReplicas();
      await Promise.all([first.stop("SIGKILL"), second.stop("SIGKILL")]);
      let answer = await send();
      await eventually(async () => {
        answer = await send();
        return answer.status === 503;
      });
      const { response, text } = answer;
      expect(response.headers.get("retry-after")).toBe("5");
      expect(response.headers.get("content-type")).toBe(
        "application/problem+json",
      );
      expect(JSON.parse(text)).toEqual({
        title: "Service Unavailable",
        status: 503,
        code: "unavailable",
      });
    });
  },
);
