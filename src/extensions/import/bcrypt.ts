import { InvalidInputError } from '../../errors.js'
import type { TokenFormat } from '../../model/format.js'
import type { MaybePromise } from '../../model/json.js'
import { callback, someText, wholeNumber } from '../../policy/option-kinds.js'
import { objectOf, oneOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { textIn } from './lib/columns.js'
import { type FormatOptions, formatFields, readShapeOf, type ShapeOptions, shapeFields } from './lib/shape.js'

/** Options of `bcryptTokens`. */
export type BcryptTokensOptions = FormatOptions &
  ShapeOptions & {
    /** The function `compare` of your bcrypt library, such as `bcryptjs` or `bcrypt`. */
    readonly compare: (text: string, hash: string) => MaybePromise<boolean>
    /** How many of a token's first characters, prefix included, the column of the keys holds. */
    readonly keyLength: number
    /** The column that holds these characters. They must differ from token to token. @default 'prefix' */
    readonly keyColumn?: string | undefined
    /** The column that holds the hashes. @default 'hash' */
    readonly column?: string | undefined
    /** What was hashed: the whole token, or what follows the characters of the key. @default 'whole' */
    readonly hashed?: 'whole' | 'without_key' | undefined
  }

const given = objectOf({
  ...formatFields,
  ...shapeFields,
  compare: callback<BcryptTokensOptions['compare']>("must be your bcrypt library's function compare"),
  keyLength: wholeNumber(4, 128),
  keyColumn: someText('must be the name of a column').default('prefix'),
  column: someText('must be the name of a column').default('hash'),
  hashed: oneOf(['whole', 'without_key'], "must be 'whole' or 'without_key'").default('whole'),
})

const HASH = /^\$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{53}$/
/** bcrypt does not look further. */
const BCRYPT_BYTES = 72

/**
 * Tokens that a table keeps by bcrypt, beside a column with their first characters.
 *
 * Without such a column a row cannot be found but by comparing all of them, which takes a tenth of a second each: such a table cannot be imported.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * import { compare } from 'bcryptjs'
 *
 * const old = bcryptTokens({ compare, prefix: 'sk_', keyLength: 11 })
 * ```
 */
export function bcryptTokens(options: BcryptTokensOptions): TokenFormat {
  const read = readOption(given, options, 'bcryptTokens()')
  const { name = 'bcrypt', until, prefix, length, compare, keyLength, keyColumn, column, hashed } = read
  const shape = readShapeOf({ prefix, length })
  const secretOf = (credential: string): string => (hashed === 'whole' ? credential : credential.slice(keyLength))
  return {
    name,
    ...(until !== undefined && { until }),
    shape: shape.expression,
    read(credential) {
      if (!shape.matches(credential) || credential.length <= keyLength) return undefined
      // What bcrypt takes for equal proves the same: else whoever added a character would keep the holder out.
      return { key: credential.slice(0, keyLength), proof: defaultEngine.sha256(secretOf(credential).slice(0, BCRYPT_BYTES)) }
    },
    row(row) {
      const hash = textIn(row, column).trimEnd()
      if (!HASH.test(hash)) throw new InvalidInputError([column], 'must be a bcrypt hash, such as $2b$10$…')
      const key = textIn(row, keyColumn)
      if (key.length !== keyLength || !key.startsWith(shape.prefix)) {
        throw new InvalidInputError([keyColumn], `must be the first ${keyLength} characters of the token, beginning with its prefix`)
      }
      // PHP writes $2y$ for what everybody else calls $2b$.
      return { key, hash: hash.replace(/^\$2y\$/, '$2b$') }
    },
    verify: (credential, hash) => compare(secretOf(credential), hash),
  }
}
