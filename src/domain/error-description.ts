/** A thrown value as plain, bounded text: reading it runs no code of the one who threw it. */
export interface ErrorDescription {
  /** The name of the error, such as `TypeError`; else the type of the value. */
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
  /** Those of an AggregateError, the first ones. */
  readonly errors?: readonly ErrorDescription[];
  /** What was thrown, when it is an object without a message. */
  readonly value?: unknown;
}
