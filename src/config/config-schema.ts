import { isDeepStrictEqual } from "node:util";
import type { Scheme } from "../domain/scheme.ts";
import { customScheme, tokenScheme } from "../signature/custom-scheme.ts";
import { SCHEME_NAMES, schemeOf } from "../signature/schemes.ts";
import { destinationJson } from "./destination-entry.ts";
import { NAME } from "./file-values.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { sourceSettings } from "./source-entry.ts";

/** What a source must look like if it has one of some schemes. */
interface SchemeRule {
  readonly schemes: string[];
  readonly then: JsonSchema;
}

/**
 * Returns the JSON Schema (draft-07, which every editor knows) of the configuration file, for editors. It is derived from the schemas that the loader
 * uses. It accepts every valid file, but cannot find all errors: it does not read secrets, and does not compare names.
 */
export function configJsonSchema(): JsonSchema {
  const names = { pattern: NAME.source };
  const hex = sourceJson("hex");
  const source = sourceJson("source");
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Configuration file of Hexhook",
    type: "object",
    properties: {
      sources: {
        description:
          "The senders, by name. A source receives at /webhooks/NAME",
        type: "object",
        properties: { hex },
        additionalProperties: source,
        propertyNames: names,
        minProperties: 1,
      },
      destinations: {
        description: "Where events are delivered, by name",
        type: "object",
        additionalProperties: destinationJson(),
        propertyNames: names,
      },
    },
    additionalProperties: false,
  };
}

/** Returns the JSON Schema of a source: the keys of all schemes, and what differs between schemes. */
function sourceJson(name: string): JsonSchema {
  const base = jsonOf(name, null);
  const rules: SchemeRule[] = [];
  for (const scheme of SCHEME_NAMES) {
    const then = difference(base, jsonOf(name, sampleOf(scheme)));
    const same = rules.find((rule) => isDeepStrictEqual(rule.then, then));
    if (same !== undefined) {
      same.schemes.push(scheme);
    } else if (Object.keys(then).length > 0) {
      rules.push({ schemes: [scheme], then });
    }
  }
  return {
    ...base,
    allOf: rules.map(({ schemes, then }) => ({
      if: { properties: { scheme: { enum: schemes } }, required: ["scheme"] },
      then,
    })),
  };
}

interface ObjectJson extends JsonSchema {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

function jsonOf(name: string, scheme: Scheme | null): ObjectJson {
  return jsonSchemaOf(sourceSettings({}, name, scheme, [])) as ObjectJson;
}

/** Returns what a map must satisfy in addition to `base`, so that it satisfies `own`. */
function difference(base: ObjectJson, own: ObjectJson): JsonSchema {
  const properties = Object.entries(base.properties).flatMap(([key, json]) => {
    const ownJson = own.properties[key];
    return isDeepStrictEqual(json, ownJson) ? [] : [[key, ownJson ?? false]];
  });
  const required = (own.required ?? []).filter(
    (key) => !(base.required ?? []).includes(key),
  );
  return {
    ...(properties.length === 0
      ? {}
      : { properties: Object.fromEntries(properties) as JsonSchema }),
    ...(required.length === 0 ? {} : { required }),
  };
}

/** Returns a scheme with this name. The settings of `custom` and `token` are examples. */
function sampleOf(name: string): Scheme {
  const read =
    name === "custom"
      ? customScheme({
          signature: { header: "x-signature", encoding: "hex" },
          algorithm: "sha256",
          signed: "{timestamp}.{body}",
          timestamp: { header: "x-timestamp", unit: "s" },
        })
      : name === "token"
        ? tokenScheme({ header: "x-token" })
        : schemeOf(name);
  if ("errors" in read) {
    throw new TypeError(`the example of scheme ${name} is not valid`);
  }
  return read;
}
