import type { TokenFormat } from '../../model/format.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { defaultEngine } from '../../token/hash.js'
import { hashIn, textIn } from './lib/columns.js'
import { type FormatOptions, formatFields } from './lib/shape.js'

/** Options of `sanctumTokens`. */
export type SanctumTokensOptions = FormatOptions

const given = objectOf(formatFields)

/** The ID of the row (a number, a UUID or a ULID), a bar, and the secret. Sanctum's secrets have at least 40 characters, plus `token_prefix` and a checksum. */
const TOKEN = /^([0-9A-Za-z-]{1,40})\|([!#-+\--~]{20,256})$/

/**
 * Creates a format for the tokens of Laravel Sanctum, `id|secret`: rows of its table `personal_access_tokens`, whose column `token` contains the SHA-256 of the
 * secret.
 *
 * RFC 6750 does not allow a vertical bar in a bearer token; the guard accepts it for tokens of this shape.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function sanctumTokens(options: SanctumTokensOptions = {}): TokenFormat {
  const { name = 'sanctum', until } = readOption(given, options, 'sanctumTokens()')
  return {
    name,
    ...(until !== undefined && { until }),
    // In a URL, the bar is percent-encoded.
    shape: '[0-9A-Za-z-]{1,40}(?:\\||%7[Cc])[!#-+\\--~]{20,}',
    distinct: true,
    read(credential) {
      const [, id, secret] = TOKEN.exec(credential) ?? []
      return id === undefined || secret === undefined ? undefined : { key: id, proof: defaultEngine.sha256(secret) }
    },
    row: (row) => ({ key: textIn(row, 'id'), proof: hashIn(row, 'token', 32, 'hex', '') }),
  }
}
