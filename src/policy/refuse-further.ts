import { InvalidInputError } from '../errors.js'

/**
 * Refuses additional arguments of a store function, which would otherwise be ignored.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseFurther(further: readonly unknown[], write: string): void {
  if (further.some((value) => value !== undefined)) throw new InvalidInputError('options', write)
}
