import { type InputPlace, InvalidInputError, isInvalidInput } from '../errors.js'

/**
 * Reads an input that may be hostile: an error thrown by its getters or proxies refuses the field.
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
