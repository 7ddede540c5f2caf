import type { TokenFormat } from '../../model/format.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { hashedFormat } from './hashed.js'
import { escaped, type FormatOptions, formatFields, type ShapeOptions, shapeFields } from './lib/shape.js'

/** Better Auth creates keys of 64 letters by default. */
const KEY_LENGTH = 64

/** Options of `betterAuthKeys`. */
export type BetterAuthKeysOptions = FormatOptions & {
  /** The plugin's `defaultPrefix`, if it is set. */
  readonly prefix?: ShapeOptions['prefix']
  /** The length of the keys in characters, prefix included, or their minimum and maximum. @default 64 plus the prefix */
  readonly length?: ShapeOptions['length']
}

const given = objectOf({ ...formatFields, ...shapeFields })

/**
 * Creates a format for the keys of Better Auth's API key plugin: rows of its table `apikey`, whose column `key` contains the SHA-256 of a key in base64url.
 *
 * Not for keys created with `disableKeyHashing`, for which you can use `plainTokens`, or by a `customKeyGenerator` with another shape.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function betterAuthKeys(options: BetterAuthKeysOptions = {}): TokenFormat {
  const { name = 'better-auth', until, prefix, length } = readOption(given, options, 'betterAuthKeys()')
  const format = hashedFormat(
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
  // Text with this many letters and no digits can only be a key.
  return length === undefined ? { ...format, shape: `${escaped(prefix ?? '')}[A-Za-z]{${KEY_LENGTH},}`, distinct: true } : format
}
