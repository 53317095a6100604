import { processIo } from "./process-io.ts";
import { run } from "./program.ts";
import { endWhenReaderLeaves } from "./ui/report.ts";

/** Runs the command that the arguments of the process name. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const io = processIo();
  if (args[0] !== "serve") {
    endWhenReaderLeaves(io);
  }
  await run(args, io);
}
