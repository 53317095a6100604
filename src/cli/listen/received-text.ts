import { coloured } from "../../terminal/colours.ts";
import {
  shown,
  shownTime,
  visible,
  wrapText,
} from "../../terminal/terminal-text.ts";
import { bodyLines } from "./body-text.ts";
import type { Received } from "./received.ts";

const INDENT = "    ";

/** Headers that every request has, or that only describe the way of the request. */
const DULL =
  /^(?:host|content-(?:type|length)|user-agent|accept(?:-.*)?|via|forwarded|x-forwarded-.*|x-real-ip|traceparent|tracestate|cache-control|sec-.*)$/;

/** Maximum number of characters of a header's value. */
const MAX_VALUE = 200;

/** Formats a request for a person. Text from the sender is escaped, so that it cannot control the terminal. */
export function receivedText(
  received: Received,
  { colours, width }: { colours: boolean; width: number },
): string {
  const { n, at, isGood, event, headers, contentType } = received;
  const result = isGood ? "ok  " : "FAIL";
  const facts = [
    `${received.method} ${received.path} from ${received.ip}`,
    sizeOf(received),
    ...(event === null ? [] : [`key ${event.keyId}`]),
    ...(event?.skewSeconds === undefined
      ? []
      : [`skew ${event.skewSeconds} s`]),
  ];
  return [
    [
      `#${n} ${shownTime(at)}`,
      colours ? coloured(isGood ? "green" : "red", result) : result,
      shown(received.verdict),
      ...(event === null ? [] : [shown(event.type), shown(event.id)]),
    ].join(" "),
    ...indented(wrapText(shown(facts.join(", ")), width - INDENT.length)),
    ...indented(
      adviceOf(received).flatMap((hint) =>
        wrapText(`! ${visible(hint)}`, width - INDENT.length),
      ),
    ),
    ...indented(headerLines(headers)),
    ...indented(bodyLines(received.body, contentType)),
  ].join("\n");
}

/** Formats a request as one JSON object, in ASCII. The body is in base64. */
export function receivedFields(received: Received): Record<string, unknown> {
  const { body, at, event, ...rest } = received;
  return {
    ...rest,
    at: new Date(at).toISOString(),
    ...event,
    body: body.toString("base64"),
  };
}

function adviceOf({
  source,
  verificationToken: token,
  hints,
}: Received): readonly string[] {
  return token === null
    ? hints
    : [
        `the verification token of ${source} is: ${token}`,
        `paste it where ${source} asks for it, and set it as the signing secret`,
        ...hints,
      ];
}

function sizeOf({ body, contentType }: Received): string {
  const size = `${body.length} bytes`;
  return contentType === undefined ? size : `${size} of ${contentType}`;
}

function headerLines(headers: Received["headers"]): string[] {
  return Object.entries(headers)
    .filter(([name]) => !DULL.test(name))
    .map(([name, value]) =>
      shown(
        value.length > MAX_VALUE
          ? `${name}: ${value.slice(0, MAX_VALUE)}…`
          : `${name}: ${value}`,
      ),
    );
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => INDENT + line);
}
