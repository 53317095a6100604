/** The columns of a due delivery that a claim reads. */
export interface DueRow {
  readonly id: number;
  readonly event_seq: number;
  readonly destination: string;
  readonly attempt: number;
  readonly uncounted: number;
  readonly crashes: number;
  readonly leased: number;
  readonly claimed_at: number | null;
  readonly order_key: string | null;
}

export const DUE_COLUMNS =
  "id, event_seq, destination, attempt, uncounted, crashes, leased, claimed_at, order_key";
