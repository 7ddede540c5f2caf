import { InvalidInputError } from '../../errors.js'
import { checksum } from '../../token/checksum.js'
import { portableEngine } from '../../token/hash.js'
import { isPrefix } from '../../token/parse.js'

const ID = 'EXAMPLE0EXAMPLE0'
const SECRET = 'thisTokenIsAnExampleForTheDocumentationOnly'

/**
 * A token for documentation: of the right form, the same at every call, with a checksum that is wrong on purpose.
 *
 * Scanners that look at the checksum pass it over, and no server of this library takes it for one of its own.
 *
 * @throws InvalidInputError `invalid_input`, for something that is no prefix
 */
export function exampleToken(prefix: string): string {
  if (!isPrefix(prefix)) throw new InvalidInputError('prefix', 'must be the prefix of your tokens, such as acme_live')
  const body = `${prefix}_${ID}_${SECRET}`
  const right = checksum(portableEngine.sha256(body))
  return body + (right === 'WRONG0' ? 'WRONG1' : 'WRONG0')
}
