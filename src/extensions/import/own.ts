import type { TokenFormat } from '../../model/format.js'
import type { MaybePromise } from '../../model/json.js'
import { callback, someText } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { textIn } from './lib/columns.js'
import { type FormatOptions, formatFields } from './lib/shape.js'

/** Options of `ownTokens`. */
export type OwnTokensOptions = Omit<FormatOptions, 'name'> & {
  /** Names the format in records: lowercase letters, digits, `_` and `-`. */
  readonly name: string
  /**
   * Returns the part of a presented credential that identifies its row and reveals nothing about the secret, or `undefined` if it is not a token of
   * this format.
   */
  readonly key: (credential: string) => string | undefined
  /**
   * Checks whether this hash was made from this credential. Called when a token is first used, a few at a time, and only if a row with its key
   * exists.
   */
  readonly verify: (credential: string, hash: string) => MaybePromise<boolean>
  /** The column that contains the keys. @default 'key' */
  readonly keyColumn?: string | undefined
  /** The column that contains the hashes. @default 'hash' */
  readonly column?: string | undefined
}

const given = objectOf({
  ...formatFields,
  name: someText('must be a name'),
  key: callback<OwnTokensOptions['key']>(),
  verify: callback<OwnTokensOptions['verify']>(),
  keyColumn: someText('must be the name of a column').default('key'),
  column: someText('must be the name of a column').default('hash'),
})

/**
 * Your own format, defined by two functions: one returns the key of a credential's row, the other compares the credential with the row's hash.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * const old = ownTokens({
 *   name: 'scrypt',
 *   key: (credential) => /^k_([0-9a-f]{8})_/.exec(credential)?.[1],
 *   verify: (credential, hash) => compareScrypt(credential, hash),
 * })
 * ```
 */
export function ownTokens(options: OwnTokensOptions): TokenFormat {
  const { name, until, key, verify, keyColumn, column } = readOption(given, options, 'ownTokens()')
  return {
    name,
    ...(until !== undefined && { until }),
    read(credential) {
      const found: unknown = key(credential)
      if (found === undefined) return undefined
      // The host provides both functions. If the key is not a string, the caller reports it.
      return { key: found as string, proof: defaultEngine.sha256(credential) }
    },
    row: (row) => ({ key: textIn(row, keyColumn), hash: textIn(row, column) }),
    verify,
  }
}
