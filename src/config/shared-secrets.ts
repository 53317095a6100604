import { isDeepStrictEqual } from "node:util";
import { outboundKey } from "../delivery/http/standard-webhooks.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import type { DestinationConfig } from "./destinations.ts";
import { lineAt } from "./errors.ts";
import type { NotifyConfig } from "./notifications.ts";
import { formsOf } from "./secret-forms.ts";

/** A shorter key is found in a header value only as a whole word. Otherwise it could be there by chance. */
const MIN_CONTAINED_BYTES = 16;

/** The forms of the secrets of one source. */
interface SourceForms {
  readonly source: Source;
  readonly secrets: readonly ReadonlySet<string>[];
  readonly verifyToken: ReadonlySet<string> | null;
}

/**
 * Returns the sources with `sharesSecretWith`. Adds an error for each secret that a source shares with one of another scheme: a
 * message signed under one scheme could be valid under the other. Adds an error for each handshake token that is also a
 * signing secret, because it is sent in a URL.
 */
export function withSharedSecrets(
  sources: readonly Source[],
  errors: string[],
): readonly Source[] {
  const all = sources.map((source): SourceForms => ({
    source,
    secrets: source.secrets.map(formsOf),
    verifyToken: source.verifyToken && formsOf(source.verifyToken),
  }));
  const users = usersOfForms(all);
  return sources.map((source, position) => {
    const { secrets, verifyToken } = all[position] ?? {
      secrets: [],
      verifyToken: null,
    };
    const sharing = new Set<Source>();
    for (const [index, forms] of secrets.entries()) {
      const others = usersOf(forms, users).filter((one) => one !== source);
      const other = others.find(
        (one) => !isDeepStrictEqual(one.scheme, source.scheme),
      );
      // Reported once, for the later one.
      if (other !== undefined && sources.indexOf(other) < position) {
        errors.push(
          at(
            source,
            index,
            `is also a secret of source ${other.name}, which has another scheme; use separate secrets`,
          ),
        );
      }
      for (const one of others) {
        sharing.add(one);
      }
    }
    const [signing] = verifyToken === null ? [] : usersOf(verifyToken, users);
    if (signing !== undefined) {
      errors.push(
        lineAt(
          ["sources", source.name, "handshake", "verifyToken"],
          `is also a signing secret of source ${signing.name}; use separate secrets`,
        ),
      );
    }
    return sharing.size === 0
      ? source
      : Object.freeze({
          ...source,
          sharesSecretWith: Object.freeze([...sharing].map(({ name }) => name)),
        });
  });
}

/** Formats a message about a secret of a source. */
function at(source: Source, index: number, text: string): string {
  const name = source.secrets[index]?.name ?? "";
  return name.startsWith("secrets[")
    ? lineAt(["sources", source.name, "secrets", index], text)
    : `${name}: ${text}`;
}

function usersOfForms(
  all: readonly SourceForms[],
): ReadonlyMap<string, readonly Source[]> {
  const users = new Map<string, Source[]>();
  for (const { source, secrets } of all) {
    for (const form of new Set(secrets.flatMap((forms) => [...forms]))) {
      const list = users.get(form) ?? [];
      list.push(source);
      users.set(form, list);
    }
  }
  return users;
}

function usersOf(
  forms: ReadonlySet<string>,
  users: ReadonlyMap<string, readonly Source[]>,
): Source[] {
  return [...new Set([...forms].flatMap((form) => users.get(form) ?? []))];
}

/**
 * Returns an error for each destination whose secret or header contains the signing key of a source. A receiver of its
 * attempts could forge events with the key, and a message signed under one scheme could be valid under the other.
 */
export function sharedWithDestinations(
  destinations: readonly DestinationConfig[],
  sources: readonly Source[],
): string[] {
  const signing = signingSecrets(sources);
  return destinations.flatMap((destination) => {
    if (destination.kind !== "http") {
      return [];
    }
    const path = ["destinations", destination.name];
    const errors = (destination.headers ?? []).flatMap((header) => {
      const found = signing.find(({ secret }) =>
        containsKey(header.value, secret),
      );
      return found === undefined
        ? []
        : [lineAt([...path, "headers", header.name], sharedText(found))];
    });
    const found = signingWith(destination.secret, signing);
    if (found !== undefined) {
      errors.push(
        destination.name === "forward"
          ? `FORWARD_SECRET: ${sharedText(found)}`
          : lineAt([...path, "secret"], sharedText(found)),
      );
    }
    return errors;
  });
}

/** Returns an error if NOTIFY_SECRET is also the signing key of a source. */
export function sharedWithNotifications(
  notify: NotifyConfig | null,
  sources: readonly Source[],
): string[] {
  const found = signingWith(notify?.secret ?? null, signingSecrets(sources));
  return found === undefined ? [] : [`NOTIFY_SECRET: ${sharedText(found)}`];
}

/** A secret that signs the messages of a source. */
interface SigningForms {
  /** The name of the source. */
  readonly name: string;
  readonly secret: SigningSecret;
  readonly forms: ReadonlySet<string>;
}

function signingSecrets(sources: readonly Source[]): readonly SigningForms[] {
  return sources.flatMap(({ name, secrets }) =>
    secrets
      // A public key verifies, and cannot sign.
      .filter(({ publicKey }) => publicKey === null)
      .map((secret) => ({ name, secret, forms: formsOf(secret) })),
  );
}

/** Returns the signing secret that an outbound secret equals, if any. */
function signingWith(
  text: string | null,
  signing: readonly SigningForms[],
): SigningForms | undefined {
  if (text === null) {
    return undefined;
  }
  const own = formsOf({ text, key: outboundKey(text), publicKey: null });
  return signing.find(({ forms }) => [...own].some((form) => forms.has(form)));
}

function sharedText({ name }: SigningForms): string {
  return `is also a signing secret of source ${name}; use separate secrets`;
}

/** Whether a header value contains a secret, for example after `Bearer `. */
function containsKey(value: string, { text, key }: SigningSecret): boolean {
  const bytes = Buffer.from(value, "utf8");
  return [Buffer.from(text, "utf8"), key].some((one) =>
    one.length < MIN_CONTAINED_BYTES
      ? value.split(/[\s:,;="]+/).includes(one.toString("utf8"))
      : bytes.includes(one),
  );
}
