import { generateKeyPairSync, sign } from "node:crypto";

/** Creates a key and a self-signed certificate (X.509 version 1, RFC 5280 section 4.1). */
export function selfSigned(name: string): { key: string; cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
  });
  const ecdsaWithSha256 = der(0x30, Buffer.from("06082a8648ce3d040302", "hex"));
  const commonName = der(
    0x30,
    der(0x31, der(0x30, Buffer.from("0603550403", "hex"), der(0x0c, name))),
  );
  const signedPart = der(
    0x30,
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    commonName,
    der(0x30, der(0x17, "200101000000Z"), der(0x17, "491231235959Z")),
    commonName,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const signature = sign("sha256", signedPart, privateKey);
  const cert = der(
    0x30,
    signedPart,
    ecdsaWithSha256,
    der(0x03, Buffer.from([0]), signature),
  );
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${cert.toString("base64")}\n-----END CERTIFICATE-----\n`,
  };
}

/** Encodes one value of ASN.1 in DER: tag, length, content. */
function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = content;
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
