/** This program, of `src` or of `dist`: as a folder's URL and as its path. */
const PROGRAM = new URL("../../", import.meta.url);
const PROGRAM_PLACES = [PROGRAM.href, decodeURI(PROGRAM.pathname)];

/** The one folder of it that is the user's. */
const BUILT_IN_HANDLERS = "handlers/";

const MAX_STACK = 20_000;

/**
 * Whose code an error comes from, by the frames of its stack: `handler` when a frame is in a file outside of this program, of
 * Node and of packages; else `program` when one is in this program; else `unknown`: no stack, or frames of Node and packages
 * alone. Never throws.
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
