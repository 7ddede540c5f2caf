import type { TokenFormat } from '../../model/format.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { plainFormat } from './hashed.js'
import { type FormatOptions, formatFields } from './lib/shape.js'

/** Options of `djangoTokens`. */
export type DjangoTokensOptions = FormatOptions

const given = objectOf(formatFields)

/** 20 random bytes in hexadecimal. */
const KEY = /^[0-9a-f]{40}$/

/**
 * Creates a format for the tokens of Django REST framework's `authtoken`: rows of its table `authtoken_token`, whose column `key` contains them as plain text.
 * Clients send them as `Authorization: Token …`, which the guard then accepts in addition to `Bearer`.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function djangoTokens(options: DjangoTokensOptions = {}): TokenFormat {
  const { name = 'django', until } = readOption(given, options, 'djangoTokens()')
  return plainFormat({
    name,
    until,
    scheme: 'Token',
    shape: { prefix: '', matches: (credential) => KEY.test(credential), expression: '[0-9a-f]{40}' },
    column: 'key',
  })
}
