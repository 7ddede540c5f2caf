import { InvalidInputError } from '../../errors.js'
import type { TokenFormat } from '../../model/format.js'
import type { MaybePromise } from '../../model/json.js'
import { callback, someText, wholeNumber } from '../../policy/option-kinds.js'
import { objectOf, oneOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { textIn } from './lib/columns.js'
import { type FormatOptions, formatFields, readShapeOf, type ShapeOptions, shapeFields, shapeOf } from './lib/shape.js'

/** Options of `bcryptTokens`. */
export type BcryptTokensOptions = FormatOptions &
  ShapeOptions & {
    /** The function `compare` of your bcrypt library, such as `bcryptjs` or `bcrypt`. */
    readonly compare: (text: string, hash: string) => MaybePromise<boolean>
    /** How many leading characters of a token the key column contains, prefix included. */
    readonly keyLength: number
    /** The column that contains these characters. They must be unique for each token. @default 'prefix' */
    readonly keyColumn?: string | undefined
    /** The column that contains the hashes. @default 'hash' */
    readonly column?: string | undefined
    /** The part that was hashed: the whole token, or the part after the key. @default 'whole' */
    readonly hashed?: 'whole' | 'without_key' | undefined
  }

const given = objectOf({
  ...formatFields,
  ...shapeFields,
  compare: callback<BcryptTokensOptions['compare']>('must be the compare function of your bcrypt library'),
  keyLength: wholeNumber(4, 128),
  keyColumn: someText('must be the name of a column').default('prefix'),
  column: someText('must be the name of a column').default('hash'),
  hashed: oneOf(['whole', 'without_key'], "must be 'whole' or 'without_key'").default('whole'),
})

const HASH = /^\$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{53}$/
/** bcrypt ignores all further bytes, so it cannot distinguish longer secrets that begin with the same bytes. A credential has only ASCII characters. */
const BCRYPT_BYTES = 72

/**
 * Creates a format for tokens that a table stores as bcrypt hashes, with a column of their first characters.
 *
 * Without that column, finding a row would mean comparing all of them, at a tenth of a second each, so the table cannot be imported.
 *
 * bcrypt compares only the first 72 bytes, so tokens whose hashed text is longer are refused.
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
  const longest = BCRYPT_BYTES + (hashed === 'whole' ? 0 : keyLength)
  const [least = 0] = [length ?? 0].flat()
  if (least > longest) {
    throw new InvalidInputError(
      'length',
      `must be at most ${longest}: bcrypt compares only ${BCRYPT_BYTES} bytes, so longer tokens cannot be distinguished`,
    )
  }
  const secretOf = (credential: string): string => (hashed === 'whole' ? credential : credential.slice(keyLength))
  return {
    name,
    ...(until !== undefined && { until }),
    ...shapeOf(shape),
    read(credential) {
      if (!shape.matches(credential) || credential.length <= keyLength || credential.length > longest) return undefined
      return { key: credential.slice(0, keyLength), proof: defaultEngine.sha256(secretOf(credential)) }
    },
    row(row) {
      const hash = textIn(row, column).trimEnd()
      if (!HASH.test(hash)) throw new InvalidInputError([column], 'must be a bcrypt hash, such as $2b$10$…')
      const key = textIn(row, keyColumn)
      if (key.length !== keyLength || !key.startsWith(shape.prefix)) {
        throw new InvalidInputError([keyColumn], `must be the first ${keyLength} characters of the token, beginning with its prefix`)
      }
      // PHP writes $2y$ where all other implementations write $2b$.
      return { key, hash: hash.replace(/^\$2y\$/, '$2b$') }
    },
    verify: (credential, hash) => compare(secretOf(credential), hash),
  }
}
