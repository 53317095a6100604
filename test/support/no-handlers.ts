import { writeFileSync } from "node:fs";
import path from "node:path";

/** A handlers module without functions in the folder, as a value of HANDLERS: events go to the configured destinations alone. */
export function noHandlers(folder: string): string {
  const file = path.join(folder, "none.mjs");
  writeFileSync(file, "export default {};\n");
  return file;
}
