import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** A certificate authority, and a server certificate for `localhost` that it has signed. All in PEM format. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Creates certificates that are valid for a day. */
export function createCertificates(): Certificates {
  const folder = temporaryFolder().path;
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, {
      cwd: folder,
      encoding: "utf8",
    });
    if (status !== 0) {
      throw new Error(`openssl failed: ${stderr}`);
    }
  };
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  const request = (...args: string[]): void => {
    openssl("req", ...newKey.split(" "), ...args);
  };
  request(
    "-x509",
    "-days",
    "1",
    "-subj",
    "/CN=test CA",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  request(
    "-subj",
    "/CN=localhost",
    "-keyout",
    "server.key",
    "-out",
    "server.csr",
  );
  writeFileSync(path.join(folder, "names"), "subjectAltName=DNS:localhost");
  openssl(
    ..."x509 -req -days 1 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem".split(
      " ",
    ),
  );
  const read = (name: string): string =>
    readFileSync(path.join(folder, name), "utf8");
  return {
    ca: read("ca.pem"),
    certificate: read("server.pem"),
    key: read("server.key"),
  };
}
