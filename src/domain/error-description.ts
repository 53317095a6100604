/** A description of a thrown value, as text of limited length. Reading it runs no code of the thrown object. */
export interface ErrorDescription {
  /** The name of the error, such as `TypeError`, or the type of a value that is not an error. */
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
  /** The first errors of an AggregateError. */
  readonly errors?: readonly ErrorDescription[];
  /** The thrown value, if it is an object without a message. */
  readonly value?: unknown;
}
