/** How old the answer of a read may be. */
export type ReadAge = {
  /** A position of the feed: what is found is as it was there, or later. A token that was not there then is looked for in the primary. */
  readonly notBefore: string
  /** Told of a fault that the answer does not suffer from, such as a replica that was passed over. */
  readonly onFault?: (error: unknown) => void
}
