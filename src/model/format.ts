import type { MaybePromise } from './json.js'

/** How a presented credential is looked up, and what it proves. Both are derived from the credential alone. */
export type FormatClaim = {
  /** Identifies the row that the credential must belong to. */
  readonly key: string
  /** A value that only the holder of the credential can produce. */
  readonly proof: string
}

/**
 * The contents of an imported row: the key by which its credential is looked up, and either the proof that the credential produces, or a
 * slow hash that only `verify` can compare with it.
 */
export type FormatRow =
  | {
      readonly key: string
      readonly proof: string
      readonly hash?: undefined
      /** The token itself, if the table contains it. The mapped fields of the row must not contain it. */
      readonly token?: string
    }
  | { readonly key: string; readonly hash: string; readonly proof?: undefined }

/**
 * The format of tokens that another system issued: what they look like when presented, and how its table stores them.
 *
 * Create one with a function of `latchkey/import`.
 */
export type TokenFormat = {
  /** Names the format in records and in `import`: lowercase letters, digits, `_` and `-`, at most 32 characters. */
  readonly name: string
  /** The instant, in milliseconds since the epoch, from which its tokens are refused. Absent: none. */
  readonly until?: number
  /** An `Authorization` scheme that its tokens use in addition to `Bearer`, such as `Token`. */
  readonly scheme?: string
  /**
   * A regular expression for its tokens, as text. The page uses it to remove a token that was pasted into a field. Absent: its tokens cannot be
   * recognized.
   */
  readonly shape?: string
  /**
   * Set if no other text has this shape: then text with this shape is never stored in a name, a reason or metadata, nor repeated in an error. Absent: such
   * text may be anything.
   */
  readonly distinct?: true
  /** Reads a presented credential. Returns `undefined` if it is not in this format. */
  readonly read: (credential: string) => FormatClaim | undefined
  /**
   * Reads a row's data about its token.
   *
   * @throws InvalidInputError `invalid_input`, with the column as `field`
   */
  readonly row: (row: unknown) => FormatRow
  /** Compares a credential with a slow hash. Absent: the format has none. */
  readonly verify?: (credential: string, hash: string) => MaybePromise<boolean>
}
