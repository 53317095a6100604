import type { StoredEvent } from "../../domain/event.ts";

/** The columns that name an event, with texts from outside as bytes. */
export interface EventNameRow {
  readonly source: string;
  readonly eventId: Buffer;
  readonly type: Buffer;
}

/** Selects these columns from `event`. */
export const EVENT_NAME = `source, event.id AS "eventId", type`;

export function eventNameOf({
  source,
  eventId,
  type,
}: EventNameRow): Pick<StoredEvent, "source" | "id" | "type"> {
  return { source, id: eventId.toString(), type: type.toString() };
}
