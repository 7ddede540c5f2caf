import { type InputPlace, InvalidInputError, isInvalidInput } from '../errors.js'

/**
 * Runs a reader over an input that may be hostile: what its getters and proxies throw becomes a refusal of the field.
 *
 * @throws InvalidInputError (`invalid_input`)
 */
export function reading<T>(place: InputPlace, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw isInvalidInput(error) ? error : new InvalidInputError(place, 'could not be read', error)
  }
}
