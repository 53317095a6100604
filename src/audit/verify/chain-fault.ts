/** The first thing that is wrong with the chain of a writer. */
export interface ChainFault {
  readonly writer: string;
  readonly seq: number;
  readonly what:
    | "edited"
    | "missing"
    | "doubled"
    | "reordered"
    | "inserted"
    | "re-hashed but not re-signed"
    | "not signed"
    | "signed with another key"
    | "cut off"
    | "gone with all its entries"
    | "without a head in the store"
    | "unreadable";
  /** The first entry that may be meant, where what is known of `seq` does not vouch for those before it. */
  readonly from?: number;
  /** Which line it is, where nothing can be told of its place. */
  readonly line?: number;
}
