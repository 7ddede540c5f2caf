/** How old the result of a read may be. */
export type ReadAge = {
  /** A position in the feed: results reflect that position or a later one. A token that is not found is looked up in the primary. */
  readonly notBefore: string
  /** Called with a fault that does not affect the result, such as a replica that was bypassed. */
  readonly onFault?: (error: unknown) => void
}
