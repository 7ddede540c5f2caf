import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { InvalidInputError } from '../../errors.js'
import type { TokenFormat } from '../../model/format.js'
import { someText } from '../../policy/option-kinds.js'
import { objectOf, oneOf, passing, readOption, string } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { type HashEncoding, hashIn, textIn } from './lib/columns.js'
import { type FormatOptions, formatFields, readShapeOf, type Shape, type ShapeOptions, shapeFields, shapeOf } from './lib/shape.js'

/** Options of `plainTokens`. */
export type PlainTokensOptions = FormatOptions &
  ShapeOptions & {
    /** The column that contains the tokens. @default 'token' */
    readonly column?: string | undefined
  }

/** Options of `sha256Tokens` and `sha512Tokens`. */
export type HashedTokensOptions = FormatOptions &
  ShapeOptions & {
    /** The column that contains the hashes, as text or as bytes. @default 'hash' */
    readonly column?: string | undefined
    /** The encoding of the column. @default 'hex' */
    readonly encoding?: 'hex' | 'base64' | 'base64url' | undefined
    /** Text before each hash in the column, such as `sha256:`. @default '' */
    readonly mark?: string | undefined
    /** The part that was hashed: the whole token, or the part after its prefix. @default 'whole' */
    readonly hashed?: 'whole' | 'without_prefix' | undefined
  }

/** Options of `hmacTokens`. */
export type HmacTokensOptions = HashedTokensOptions & {
  /** The key of the HMAC. Text is encoded as UTF-8. */
  readonly secret: string | Uint8Array
  /** @default 'sha256' */
  readonly algorithm?: 'sha256' | 'sha512' | undefined
}

const hashedFields = {
  ...formatFields,
  ...shapeFields,
  column: someText('must be the name of a column').default('hash'),
  encoding: oneOf(['hex', 'base64', 'base64url'], "must be 'hex', 'base64' or 'base64url'").default('hex'),
  mark: string('must be text').default(''),
  hashed: oneOf(['whole', 'without_prefix'], "must be 'whole' or 'without_prefix'").default('whole'),
}

const plainShape = objectOf({ ...formatFields, ...shapeFields, column: someText('must be the name of a column').default('token') })
const hashedShape = objectOf(hashedFields)
const hmacShape = objectOf({
  ...hashedFields,
  secret: passing<string | Uint8Array>((value) => typeof value === 'string' || value instanceof Uint8Array, 'must be text or bytes').and(
    (value) => value.length > 0,
    'must not be empty',
  ),
  algorithm: oneOf(['sha256', 'sha512'], "must be 'sha256' or 'sha512'").default('sha256'),
})

/**
 * Creates a format for tokens that a table stores as plain text. latchkey does not store their text.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * const old = plainTokens({ prefix: 'key_', column: 'api_key' })
 * ```
 */
export function plainTokens(options: PlainTokensOptions): TokenFormat {
  const { name = 'plain', until, column, ...shape } = readOption(plainShape, options, 'plainTokens()')
  return plainFormat({ name, until, shape: readShapeOf(shape), column })
}

/** Creates a format for tokens in plain text. */
export function plainFormat({
  name,
  until,
  scheme,
  shape,
  column,
}: {
  readonly name: string
  readonly until: number | undefined
  readonly scheme?: string
  readonly shape: Shape
  readonly column: string
}): TokenFormat {
  const claim = (token: string): { key: string; proof: string } => {
    const hash = defaultEngine.sha256(token)
    return { key: hash, proof: hash }
  }
  return {
    name,
    ...(until !== undefined && { until }),
    ...(scheme !== undefined && { scheme }),
    ...shapeOf(shape),
    read: (credential) => (shape.matches(credential) ? claim(credential) : undefined),
    row(row) {
      const token = textIn(row, column)
      if (!shape.matches(token)) throw new InvalidInputError([column], `does not match the format ${name}, so it would never be recognized`)
      return { ...claim(token), token }
    },
  }
}

/**
 * Creates a format for tokens that a table stores as SHA-256 hashes.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * const old = sha256Tokens({ prefix: 'sk_', column: 'token_hash' })
 * const tokens = latchkey({ prefix: 'acme_live', store, scopes, imports: { key: process.env.IMPORT_KEY, formats: [old] } })
 * await tokens.system.import(rows, { format: old, map: (row) => ({ name: row.label, scopes: ['stock:read'], ownerId: row.user_id }) })
 * ```
 */
export function sha256Tokens(options: HashedTokensOptions): TokenFormat {
  const { name = 'sha256', ...given } = readOption(hashedShape, options, 'sha256Tokens()')
  return hashedFormat({ ...given, name }, 32, (text) => defaultEngine.sha256(text))
}

/**
 * Creates a format for tokens that a table stores as SHA-512 hashes.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function sha512Tokens(options: HashedTokensOptions): TokenFormat {
  const { name = 'sha512', ...given } = readOption(hashedShape, options, 'sha512Tokens()')
  return hashedFormat({ ...given, name }, 64, (text) => bytesToHex(sha512(utf8ToBytes(text))))
}

/**
 * Creates a format for tokens that a table stores as HMACs, with a key that you still have.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function hmacTokens(options: HmacTokensOptions): TokenFormat {
  const { name = 'hmac', secret, algorithm, ...given } = readOption(hmacShape, options, 'hmacTokens()')
  const bytes = typeof secret === 'string' ? utf8ToBytes(secret) : new Uint8Array(secret)
  const hash = algorithm === 'sha256' ? sha256 : sha512
  return hashedFormat({ ...given, name }, algorithm === 'sha256' ? 32 : 64, (text) => bytesToHex(hmac(hash, bytes, utf8ToBytes(text))))
}

type Given = {
  readonly name: string
  readonly until?: number | undefined
  readonly prefix?: string | undefined
  readonly length?: number | readonly number[] | undefined
  readonly column: string
  readonly encoding: HashEncoding
  readonly mark: string
  readonly hashed: 'whole' | 'without_prefix'
}

/** Creates a format whose tokens are stored as fast hashes: the hash of a credential both finds its row and proves it. */
export function hashedFormat(given: Given, size: number, hashOf: (text: string) => string): TokenFormat {
  const { name, until, column, encoding, mark, hashed, prefix, length } = given
  const shape = readShapeOf({ prefix, length })
  if (hashed === 'without_prefix' && shape.prefix === '')
    throw new InvalidInputError('hashed', "'without_prefix' requires the prefix option: the part of the token that was not hashed")
  return {
    name,
    ...(until !== undefined && { until }),
    ...shapeOf(shape),
    read(credential) {
      if (!shape.matches(credential)) return undefined
      const hash = hashOf(hashed === 'whole' ? credential : credential.slice(shape.prefix.length))
      return { key: hash, proof: hash }
    },
    row(row) {
      const hash = hashIn(row, column, size, encoding, mark)
      return { key: hash, proof: hash }
    },
  }
}
