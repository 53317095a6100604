// What a signature scheme checks and what it leaves open, in words.

const ALGORITHMS = {
  "hmac-sha1": "HMAC-SHA1",
  "hmac-sha256": "HMAC-SHA256",
  "hmac-sha512": "HMAC-SHA512",
  ed25519: "Ed25519",
  "ecdsa-p256": "ECDSA P-256 with SHA-256",
  token: "equality, compared in constant time",
};

const KEYS = {
  text: "the UTF-8 bytes of the secret",
  hex: "the secret, decoded from hex",
  base64: "the secret, decoded from base64",
  whsec: "base64 after `whsec_`; after `whpk_` an Ed25519 public key in base64",
  "ed25519-hex": "a public key, 64 hex digits",
  "ed25519-base64": "a public key of 32 bytes in base64",
  spki: "a public key, SPKI in base64 or PEM",
};

const UNITS = {
  s: "unix seconds",
  ms: "unix milliseconds",
  rfc3339: "an RFC 3339 date",
};

const HANDSHAKES = {
  slack: "a signed `url_verification` gets its challenge",
  zoom: "a signed `endpoint.url_validation` gets the token and its HMAC",
  discord:
    'a signed PING gets `{"type":1}` (interactions) or 204 (webhook events)',
  twitch: "a signed verification gets its challenge",
  meta: "GET with the right verify token gets its challenge",
  intercom: "HEAD gets 200",
  woocommerce: "an unsigned form with only `webhook_id` gets 200",
  notion: "an unsigned `verification_token` gets 200, and is not recorded",
};

const MEDIA_TYPES = {
  json: "`application/json`",
  form: "`application/x-www-form-urlencoded`",
};

/** Says where a value is. Header names are those of the family that the scheme tries first. */
function placeOf(place, { prefixes: [prefix] = [""] }, word = "or") {
  const header = (name) => `\`${name.replace("*", prefix)}\``;
  if ("header" in place) {
    return `header ${header(place.header)}`;
  }
  if ("headers" in place) {
    const [first, ...others] = place.headers.map(header);
    return `header ${first} ${others.length > 1 ? "to" : word} ${others.at(-1)}`;
  }
  if ("pair" in place) {
    return `\`${place.pair}\` in the signature header`;
  }
  return "pointer" in place
    ? `\`${place.pointer}\` in the body`
    : `form field ${place.fields.map((field) => `\`${field}\``).join(" or ")}`;
}

/** Says how signatures are written in their header or member. */
function syntaxOf({ syntax, encoding }) {
  switch (syntax.kind) {
    case "raw":
      return [
        ...(syntax.prefix === undefined ? [] : [`after \`${syntax.prefix}\``]),
        ...(encoding === "text" ? [] : [`in ${encoding}`]),
      ];
    case "pairs":
      return [`each \`${syntax.key}=\``, `in ${encoding}`];
    case "list":
      return [
        `each \`${Object.keys(syntax.versions).join(",` or `")},\``,
        `in ${encoding}`,
      ];
  }
}

function idOf(scheme) {
  const { from, isSigned, withDigest } = scheme.id;
  return from === null
    ? "the SHA-256 of the body"
    : [
        placeOf(from, scheme),
        ...(withDigest ? ["`:` and 12 hex digits of the body's SHA-256"] : []),
        isSigned ? "signed" : "not signed",
      ].join(", ");
}

function signedBytesOf({ signed }) {
  return typeof signed === "string"
    ? `\`${signed}\``
    : "the public URL with the sorted form fields, or with the hash of the body";
}

/** Returns the rows of the table of what Hexhook checks. */
export function checksOf(scheme, { scheme: name, tokenHeader }) {
  const { algorithm, secret, signature, timestamp, type } = scheme;
  const [firstPrefix, ...otherPrefixes] = scheme.prefixes ?? [];
  const place =
    tokenHeader === undefined ? signature.from : { header: tokenHeader };
  return [
    [
      "scheme",
      name === scheme.name
        ? `\`${name}\``
        : `\`${name}\`, another name of \`${scheme.name}\``,
    ],
    [
      "signature",
      [placeOf(place, scheme, "and"), ...syntaxOf(signature)].join(", "),
    ],
    ...otherPrefixes.map((prefix) => [
      "or",
      `headers with \`${prefix}\` instead of \`${firstPrefix}\``,
    ]),
    ["algorithm", ALGORITHMS[algorithm]],
    ...(algorithm === "token"
      ? []
      : [
          ["key", KEYS[secret.format]],
          ["signed bytes", signedBytesOf(scheme)],
        ]),
    ...(timestamp === null
      ? []
      : [
          [
            "time",
            `${placeOf(timestamp.from, scheme)}, ${UNITS[timestamp.unit]}, ±${timestamp.windowSeconds} s`,
          ],
        ]),
    ["event id", idOf(scheme)],
    [
      "event type",
      type.from.length === 0
        ? "always `event`"
        : [
            ...type.from.map((from) => placeOf(from, scheme)),
            "else `event`",
          ].join(", "),
    ],
    ["media types", scheme.media.map((media) => MEDIA_TYPES[media]).join(", ")],
    ...(scheme.handshake === undefined
      ? []
      : [["handshake", HANDSHAKES[scheme.handshake]]]),
  ];
}

/** Returns what an attacker with a captured request can change, and what limits the damage. */
export function notSigned(scheme) {
  const { algorithm, id, type, timestamp, signed } = scheme;
  if (algorithm === "token") {
    return [
      "**Nothing is signed.** The sender repeats the secret in each request, so anyone who reads one request can send others. Use HTTPS up to the service, and `allowFrom` if the sender has fixed addresses.",
    ];
  }
  const covers = (part) => typeof signed !== "string" || signed.includes(part);
  const isUrlSigned = covers("url}");
  const typeHeaders = type.from.filter((from) => "header" in from);
  return [
    ...(covers("{body}")
      ? []
      : [
          "**The event itself.** The signature covers only a time and a token. Anyone who reads one request can send another event with them until the replay window ends. Use HTTPS up to the service, and `allowFrom` if the sender has fixed addresses.",
        ]),
    ...(timestamp === null
      ? [
          "**The time.** A captured request is valid as long as the secret. Hexhook recognises it as a replay as long as it keeps the event (`EVENT_RETENTION_DAYS`).",
        ]
      : []),
    ...(id.from === null
      ? [
          "**An event id.** The sender has none for a request. Two messages with the same body are one event.",
        ]
      : id.isSigned
        ? []
        : [
            `**The event id** (${placeOf(id.from, scheme)}). It never decides whether an event is new: the SHA-256 of the body does. If another event has the same id, Hexhook appends \`~\` and 12 hex digits.`,
          ]),
    ...(typeHeaders.length === 0
      ? []
      : [
          `**The event type** (${typeHeaders.map((from) => placeOf(from, scheme)).join(", ")}). Before a handler relies on it, compare it with the body.`,
        ]),
    isUrlSigned
      ? "**All other headers.**"
      : "**The URL and all other headers.**",
  ];
}
