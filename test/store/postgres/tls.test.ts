import { beforeAll, describe, expect, it } from "@jest/globals";
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect } from "../../../src/store/postgres/connection.ts";
import type { PostgresTls, PostgresUrl } from "../../../src/store/url.ts";
import {
  type Certificates,
  createCertificates,
} from "../../support/certificates.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { postgresUrl, startOwnServer } from "../../support/postgres.ts";

const IS_ENCRYPTED = {
  name: "",
  text: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
};

describe("a PostgreSQL with TLS", () => {
  let own: Certificates;
  let url: PostgresUrl;

  beforeAll(async () => {
    own = createCertificates();
    const server = await startOwnServer();
    await server.stop();
    const data = path.join(server.folder, "data");
    const { uid, gid } = statSync(data);
    for (const [name, text] of [
      ["server.crt", own.certificate],
      ["server.key", own.key],
    ] as const) {
      const file = path.join(data, name);
      writeFileSync(file, text);
      chmodSync(file, 0o600);
      chownSync(file, uid, gid);
    }
    await server.start({ ssl: "on" });
    url = postgresUrl(server.url());
  });

  async function isEncrypted(
    tls: PostgresTls | null,
    host = "localhost",
  ): Promise<boolean | undefined> {
    const connection = await connect({ ...url, host, tls });
    cleanUp(() => connection.close());
    const [row] = await connection.query<{ ssl: boolean }>(IS_ENCRYPTED);
    return row?.ssl;
  }

  it("is used with the certificate of its authority and its name", async () => {
    expect(await isEncrypted({ verify: "full", ca: own.ca })).toBe(true);
    expect(await isEncrypted(null)).toBe(false);
  });

  it("is refused with another authority, and without one", async () => {
    for (const ca of [createCertificates().ca, undefined]) {
      for (const verify of ["full", "ca"] as const) {
        await expect(isEncrypted({ verify, ca })).rejects.toMatchObject({
          code: "POSTGRES_TLS",
          message: expect.stringMatching(
            /the certificate of PostgreSQL is not trusted \(\w+\): check sslrootcert and the host name in DATABASE_URL$/,
          ),
        });
      }
    }
  });

  it("is refused with another name, unless the name is not checked", async () => {
    const tls = { verify: "full", ca: own.ca } as const;
    await expect(isEncrypted(tls, "127.0.0.1")).rejects.toThrow(
      "ERR_TLS_CERT_ALTNAME_INVALID",
    );
    expect(await isEncrypted({ ...tls, verify: "ca" }, "127.0.0.1")).toBe(true);
    const none = { verify: "none", ca: undefined } as const;
    expect(await isEncrypted(none, "127.0.0.1")).toBe(true);
  });
});

it("a PostgreSQL without TLS is refused if the URL asks for it", async () => {
  const server = await startOwnServer();
  const tls = { verify: "none", ca: undefined } as const;
  await expect(
    connect({ ...postgresUrl(server.url()), tls }),
  ).rejects.toMatchObject({
    code: "POSTGRES_TLS",
    message: expect.stringContaining("PostgreSQL does not offer TLS"),
  });
});
