import { destination, type Logger, pino } from "pino";
import { type ValueOf } from "./config/variables.ts";

/** Lines that stderr has not taken yet are dropped beyond this, so that a stuck reader cannot fill the memory. */
const MAX_QUEUED_BYTES = 1_048_576;

/** The operational log: pino's JSON lines on stderr. stdout belongs to the audit trail. */
export function createLogger(level: ValueOf<"LOG_LEVEL">): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ dest: 2, sync: false, maxLength: MAX_QUEUED_BYTES }),
  );
}
