import type { MaybePromise } from './json.js'

/** How a presented credential is looked up, and what it proves: both follow from the credential alone. */
export type FormatClaim = {
  /** Names the row that the credential must be of. */
  readonly key: string
  /** What only the holder of the credential can give. */
  readonly proof: string
}

/**
 * What a row of the table that is imported holds: the key that its credential is looked up by, and either the proof that the credential gives, or a
 * slow hash that only `verify` can compare with it.
 */
export type FormatRow =
  | {
      readonly key: string
      readonly proof: string
      readonly hash?: undefined
      /** The token itself, where the table holds it. The terms of the row must not. */
      readonly token?: string
    }
  | { readonly key: string; readonly hash: string; readonly proof?: undefined }

/**
 * The format of tokens that another system made: how they look when they are presented, and how its table keeps them.
 *
 * Make one with a function of `latchkey/import`.
 */
export type TokenFormat = {
  /** Names the format in records and in `import`: lower-case letters, digits, `_` and `-`, at most 32 characters. */
  readonly name: string
  /** The instant, in milliseconds since the epoch, from which its tokens are refused. Absent: none. */
  readonly until?: number
  /** A scheme of `Authorization` that its tokens come with beside `Bearer`, such as `Token`. */
  readonly scheme?: string
  /** A regular expression of its tokens, as text, by which the page cuts one that was pasted into a field. Absent: it cannot be told. */
  readonly shape?: string
  /** Reads a presented credential; `undefined` where it is none of this format. */
  readonly read: (credential: string) => FormatClaim | undefined
  /**
   * Reads what a row keeps of its token.
   *
   * @throws InvalidInputError `invalid_input`, with the column as `field`
   */
  readonly row: (row: unknown) => FormatRow
  /** Compares a credential with a slow hash. Absent: the format has none. */
  readonly verify?: (credential: string, hash: string) => MaybePromise<boolean>
}
