import { writeFileSync } from "node:fs";
import path from "node:path";

/** Creates a handlers module without functions, as a value of HANDLERS. Events then go only to configured destinations. */
export function noHandlers(folder: string): string {
  const file = path.join(folder, "none.mjs");
  writeFileSync(file, "export default {};\n");
  return file;
}
