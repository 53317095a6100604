import { PROGRAM_FOLDER } from "../../program-folder.ts";

/** The directory of this program, as a URL and as a path. */
const PROGRAM_PLACES = [
  PROGRAM_FOLDER.href,
  decodeURI(PROGRAM_FOLDER.pathname),
];

/** The subdirectory that contains the user's code. */
const BUILT_IN_HANDLERS = "handlers/";

const MAX_STACK = 20_000;

/**
 * Returns whose code threw an error, judged by the frames of its stack:
 * - `handler`: a frame is in a file outside of this program, Node and packages
 * - `program`: otherwise, when a frame is in this program
 * - `unknown`: there is no stack, or all frames are in Node and packages
 *
 * Never throws.
 */
export function stackOrigin(
  thrown: unknown,
): "handler" | "program" | "unknown" {
  const places = framesOf(thrown).map(placeOf);
  return places.includes("handler")
    ? "handler"
    : places.includes("program")
      ? "program"
      : "unknown";
}

function framesOf(thrown: unknown): string[] {
  try {
    const { stack } = thrown as { stack?: unknown };
    return typeof stack === "string"
      ? stack.slice(0, MAX_STACK).split("\n").filter(isFrame)
      : [];
  } catch {
    return [];
  }
}

function isFrame(line: string): boolean {
  return /^ +at .*:\d+:\d+\)?$/.test(line);
}

function placeOf(frame: string): "handler" | "program" | "other" {
  for (const place of PROGRAM_PLACES) {
    const at = frame.indexOf(place);
    if (at !== -1) {
      return frame.startsWith(BUILT_IN_HANDLERS, at + place.length)
        ? "handler"
        : "program";
    }
  }
  const isFile = /(?:^ +at |\()(?:async )?(?:file:\/\/|\/|[A-Za-z]:\\)/.test(
    frame,
  );
  return isFile && !frame.includes("node_modules") ? "handler" : "other";
}
