/* The limits of the reads that prove old audit entries, for all drivers. */

/** The same expression as in the index `audit_entry_place`, so that the database uses that index. */
export const IS_START_OR_CHECKPOINT =
  "substr(line, 51, 14) IN ('server.started', 'audit.checkpoi')";

/** The maximum number of later writers to read. One start can name fewer, about 60. */
export const MAX_LATER = 100;

/**
 * How many positions after a checkpoint are searched. This is enough for the writer's entries and those of other writers
 * between them.
 */
export const MAX_TAIL = 5000;

/** How many positions are searched after an entry that reports a deletion. Its checkpoint is in the same transaction. */
export const MAX_REPORT = 100;
