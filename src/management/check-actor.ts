import { InvalidInputError } from '../errors.js'
import { internalsOf } from '../instance.js'
import { supplied } from '../policy/option-reader.js'
import { unknownName } from '../policy/read-input.js'
import { closest } from '../policy/suggest.js'

/**
 * Checks the arguments of `management` as far as the adapters share them, before they are split up.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function checkActor(tokens: unknown, options: unknown): void {
  internalsOf(tokens, 'management(tokens, { actor })')
  if (typeof options === 'function') throw new InvalidInputError('actor', 'must be passed as an option: management(tokens, { actor })')
  const actor = supplied<{ actor?: unknown }, 'actor'>(Object(options), 'actor')
  const slip = actor === undefined ? Object.keys(Object(options)).find((name) => closest(name, ['actor']) !== undefined) : undefined
  if (slip !== undefined) throw new InvalidInputError(slip, unknownName(slip, ['actor']))
  if (typeof actor !== 'function') {
    throw new InvalidInputError('actor', 'must be a function that returns the person who sends the request')
  }
}
