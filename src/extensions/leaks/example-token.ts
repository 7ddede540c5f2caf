import { InvalidInputError } from '../../errors.js'
import { checksum } from '../../token/checksum.js'
import { portableEngine } from '../../token/hash.js'
import { isPrefix } from '../../token/parse.js'

const ID = 'EXAMPLE0EXAMPLE0'
const SECRET = 'thisTokenIsAnExampleForTheDocumentationOnly'

/**
 * Returns a token for documentation: well-formed, the same on every call, and with a deliberately wrong checksum.
 *
 * Scanners that check the checksum ignore it, and no latchkey instance recognizes it as its own.
 *
 * @throws InvalidInputError `invalid_input`, for an invalid prefix
 */
export function exampleToken(prefix: string): string {
  if (!isPrefix(prefix)) throw new InvalidInputError('prefix', 'must be the prefix of your tokens, such as acme_live')
  const body = `${prefix}_${ID}_${SECRET}`
  const right = checksum(portableEngine.sha256(body))
  return body + (right === 'WRONG0' ? 'WRONG1' : 'WRONG0')
}
