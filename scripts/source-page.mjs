// The page of one sender, from its entry in docs/sources/senders.json and its signature scheme.
import { code, list, steps, table, wrap } from "./markdown.mjs";
import { checksOf, notSigned } from "./scheme-facts.mjs";

const HOST = "https://hooks.example.com";

/** Commands that make a key pair, and print the public key as the scheme reads it. */
const MAKE_KEYS = {
  ed25519: [
    "openssl genpkey -algorithm ed25519 -out test-key.pem",
    "openssl pkey -in test-key.pem -pubout -outform DER | tail -c 32 | xxd -p -c 32",
  ],
  "ecdsa-p256": [
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out test-key.pem",
    "openssl pkey -in test-key.pem -pubout -outform DER | base64 -w 0",
  ],
};

const variableOf = (name, part) =>
  `${name.toUpperCase().replaceAll("-", "_")}_${part}`;

const isUrlSigned = ({ signed }) =>
  typeof signed !== "string" || signed.includes("url}");

const isBodySigned = ({ signed }) =>
  typeof signed !== "string" || signed.includes("{body}");

/** The entry of the sender in the configuration file. */
function entryOf({ name, scheme: schemeName, tokenHeader }, scheme) {
  return [
    "sources:",
    `  ${name}:`,
    `    scheme: ${schemeName}`,
    `    secrets: [{ env: ${variableOf(name, "SECRET")} }]`,
    ...(tokenHeader === undefined
      ? []
      : [`    token: { header: ${tokenHeader} }`]),
    ...(isUrlSigned(scheme) ? [`    publicUrl: ${HOST}/webhooks/${name}`] : []),
    ...(scheme.handshake === "meta"
      ? [
          `    handshake: { verifyToken: { env: ${variableOf(name, "VERIFY_TOKEN")} } }`,
        ]
      : []),
  ];
}

/** Makes a sentence the continuation of another one. */
const continued = (sentence) =>
  sentence.replace(/^(?:Add|As|For|In|On|Open|The|Under|With)\b/, (word) =>
    word.toLowerCase(),
  );

function receiveSection({ name, secret, register, ...sender }, scheme) {
  const key = scheme.algorithm in MAKE_KEYS ? "public key" : "secret";
  const age =
    key === "secret"
      ? " Write the day on which the secret was created after `env`, such as `createdAt: 2026-11-26`, and Hexhook warns when it is too old:"
      : "";
  const [, chosen] = /^You choose it: (.*)/.exec(secret) ?? [];
  return steps([
    [
      chosen === undefined
        ? `Find the ${key}: ${continued(secret)}`
        : `Choose a random secret (\`hexhook secrets generate\`), and enter it at the sender: ${continued(chosen)}`,
    ],
    [
      `Put it into the variable \`${variableOf(name, "SECRET")}\`, and add the source to the [configuration file](../configuration-file.md#sources).${age}`,
      code("yaml", entryOf({ name, ...sender }, scheme)),
    ],
    ["Reload the service with SIGHUP, or restart it."],
    [
      `Register the URL \`${HOST}/webhooks/${name}\` with your own host: ${continued(register)}`,
    ],
  ]);
}

function listenCommand(name, schemeName, scheme) {
  // The first request of Notion brings the secret.
  const parts =
    scheme.handshake === "notion"
      ? []
      : scheme.handshake === "meta"
        ? ["SECRET", "VERIFY_TOKEN"]
        : ["SECRET"];
  return [
    ...parts.map((part) => `${variableOf(name, part)}=…`),
    `hexhook listen --scheme ${schemeName}`,
    ...(isUrlSigned(scheme) ? [`--url ${HOST}/webhooks/${name}`] : []),
  ].join(" ");
}

function trySection({ name, scheme: schemeName }, scheme) {
  const send = `hexhook send --source ${name} --sample`;
  const { [scheme.algorithm]: makeKeys } = MAKE_KEYS;
  if (makeKeys !== undefined) {
    return [
      wrap(
        "Only the sender has the private key. To try the source, make a key pair. Set the public key, which the second command prints, as the secret of the source. Then send a realistic message:",
      ),
      code("sh", [...makeKeys, `${send} --private-key test-key.pem`]),
    ];
  }
  const isToken = scheme.algorithm === "token";
  const part = isBodySigned(scheme) && !isToken ? "body" : "signature";
  return [
    wrap(
      `Start the service. Send a realistic message with a valid signature, then one with a changed ${isToken ? "token" : part}. The responses are 200 and 401:`,
    ),
    code("sh", [send, `${send} --tamper ${part}`]),
    ...(schemeName === "token"
      ? []
      : [
          wrap(
            "To see the requests of the sender before you configure a source, start this command behind the registered URL. It stores nothing:",
          ),
          code("sh", [listenCommand(name, schemeName, scheme)]),
        ]),
  ];
}

function confirmationSection({ sources, notRead }, checked) {
  return [
    ...(sources.length === 0
      ? []
      : [
          `Read on ${checked}:`,
          list(sources.map(({ url, about }) => `<${url}>: ${about}`)),
        ]),
    ...(notRead.length === 0
      ? []
      : [
          "The sender's documentation, not read for this page. Compare it before you rely on a detail:",
          list(notRead.map((url) => `<${url}>`)),
        ]),
  ];
}

/** Returns the page. `checked` is the date of its facts. */
export function sourcePage(sender, scheme, checked) {
  const { title, answer, retries, notes } = sender;
  return [
    "<!-- Written by scripts/source-pages.mjs from docs/sources/senders.json. -->",
    `# ${title}`,
    `## To receive from ${title}`,
    receiveSection(sender, scheme),
    "## To try it",
    ...trySection(sender, scheme),
    "## What Hexhook checks",
    table(["check", "rule"], checksOf(scheme, sender)),
    "## What is not signed",
    list(notSigned(scheme)),
    "## Responses and retries",
    list([
      `**The sender expects:** ${answer}`,
      `**Retries:** ${retries ?? "Not confirmed for this page."}`,
      `Hexhook responds with 200${scheme.wantsEmptyResponses ? ", without a body," : ""} when the event is stored, also to a retry, and with 503 if it cannot store the event.`,
    ]),
    ...(notes.length === 0 ? [] : ["## Notes", list(notes)]),
    "## Where this was confirmed",
    ...confirmationSection(sender, checked),
    wrap(
      "If a signature is rejected, see [verify --explain](../verify-explain.md). All senders are in [sources.md](../sources.md).",
    ),
  ]
    .join("\n\n")
    .concat("\n");
}
