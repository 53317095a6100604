/* The advisory locks of this program. The first number is "HEXH", so that no other program in the database uses them. */

const NAMESPACE = 0x48_45_58_48;

/** Held by the process that migrates. */
export const MIGRATION_LOCK = [NAMESPACE, 1] as const;

/** Held while partitions are created or dropped. */
export const PARTITION_LOCK = [NAMESPACE, 2] as const;
