import type { AttemptRecord, DeliveryStatus } from "./delivery.ts";

/** A stored event with its deliveries, without its body. */
export interface EventStatus {
  /** The number of the event. Numbers increase in the order of acceptance. */
  readonly seq: number;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly bodyBytes: number;
  readonly deliveries: readonly DeliveryStatus[];
}

/** A stored event with everything except its body: deliveries, attempts and headers. */
export interface EventDetail extends EventStatus {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  /** 64 hex digits. */
  readonly bodySha256: string;
  readonly deliveries: readonly (DeliveryStatus & {
    readonly attempts: readonly AttemptRecord[];
  })[];
}
