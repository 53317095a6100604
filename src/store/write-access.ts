import { accessSync, constants, statSync } from "node:fs";
import { errorCode } from "../errors.ts";

/** Returns the user that this process runs as, for messages about files. */
export function processUser(): string {
  const uid = process.getuid?.();
  return uid === undefined ? "this user" : `uid ${uid}`;
}

/** Returns why this process may not write to a file or directory, and what to do. Null: it may, or nothing exists there. */
export function writeObstacle(place: string): string | null {
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) {
    return null;
  }
  try {
    accessSync(
      place,
      stat.isDirectory() ? constants.W_OK | constants.X_OK : constants.W_OK,
    );
    return null;
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    const user = processUser();
    if (code === "EROFS") {
      return `${place} is on a read-only file system (${code}): mount it writable`;
    }
    return stat.uid === process.getuid?.()
      ? `${user} may not write to ${place} (${code}): run \`chmod -R u+rwX ${place}\``
      : `${user} may not write to ${place}, which belongs to uid ${stat.uid} (${code}): run \`chown -R ${owner()} ${place}\` as root`;
  }
}

function owner(): string {
  return `${process.getuid?.() ?? ""}:${process.getgid?.() ?? ""}`;
}
