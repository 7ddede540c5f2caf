/** How credentials of other systems look that are no bearer tokens by RFC 6750. */
export type ForeignShapes = {
  /** Schemes of `Authorization` that they come with, in lower case. */
  readonly schemes: readonly string[]
  /** May this be one of them? */
  readonly admits: (credential: string) => boolean
}
