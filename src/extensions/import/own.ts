import type { TokenFormat } from '../../model/format.js'
import type { MaybePromise } from '../../model/json.js'
import { callback, someText } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { textIn } from './lib/columns.js'
import { type FormatOptions, formatFields } from './lib/shape.js'

/** Options of `ownTokens`. */
export type OwnTokensOptions = Omit<FormatOptions, 'name'> & {
  /** Names the format in records: lower-case letters, digits, `_` and `-`. */
  readonly name: string
  /** The part of a presented credential that names its row, and tells nothing of the secret; `undefined` where it is no token of this format. */
  readonly key: (credential: string) => string | undefined
  /** Was this hash made from this credential? Called at a token's first use, a few at a time, and only where a row with its key exists. */
  readonly verify: (credential: string, hash: string) => MaybePromise<boolean>
  /** The column that holds the keys. @default 'key' */
  readonly keyColumn?: string | undefined
  /** The column that holds the hashes. @default 'hash' */
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
 * A format of your own, by two functions: one finds the row of a credential, the other compares the two.
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
      // The two functions are the host's: an answer that is no text is told by whoever asked.
      return { key: found as string, proof: defaultEngine.sha256(credential) }
    },
    row: (row) => ({ key: textIn(row, keyColumn), hash: textIn(row, column) }),
    verify,
  }
}
