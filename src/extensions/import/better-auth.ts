import type { TokenFormat } from '../../model/format.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { hashedFormat } from './hashed.js'
import { type FormatOptions, formatFields, type ShapeOptions, shapeFields } from './lib/shape.js'

/** Better Auth makes keys of 64 letters unless it is told otherwise. */
const KEY_LENGTH = 64

/** Options of `betterAuthKeys`. */
export type BetterAuthKeysOptions = FormatOptions & {
  /** The `defaultPrefix` of the plugin, if it has one. */
  readonly prefix?: ShapeOptions['prefix']
  /** How many characters keys have, prefix included, or at least and at most. @default 64 and the prefix */
  readonly length?: ShapeOptions['length']
}

const given = objectOf({ ...formatFields, ...shapeFields })

/**
 * Keys of Better Auth's API key plugin: rows of its table `apikey`, whose column `key` holds the SHA-256 of a key in base64url.
 *
 * Not for keys that were made with `disableKeyHashing` or a `customKeyGenerator` of another shape; `plainTokens` reads the former.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function betterAuthKeys(options: BetterAuthKeysOptions = {}): TokenFormat {
  const { name = 'better-auth', until, prefix, length } = readOption(given, options, 'betterAuthKeys()')
  return hashedFormat(
    {
      name,
      until,
      prefix,
      length: length ?? KEY_LENGTH + (prefix?.length ?? 0),
      column: 'key',
      encoding: 'base64url',
      mark: '',
      hashed: 'whole',
    },
    32,
    (text) => defaultEngine.sha256(text),
  )
}
