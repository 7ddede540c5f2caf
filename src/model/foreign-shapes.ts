/** The shapes of other systems' credentials that are not bearer tokens as defined by RFC 6750. */
export type ForeignShapes = {
  /** Their `Authorization` schemes, in lower case. */
  readonly schemes: readonly string[]
  /** Returns whether this could be a credential of those systems. */
  readonly admits: (credential: string) => boolean
}
