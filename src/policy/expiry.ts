import { InvalidInputError } from '../errors.js'

/** How long tokens may live, as the rest of the library reads it. */
export type Expiry = { readonly defaultSeconds?: number; readonly maxSeconds?: number; readonly required: boolean }

/**
 * Checks the option `expiry` as a whole.
 *
 * @throws InvalidInputError `invalid_input`, field `expiry.default`
 */
export function readExpiry(given: { default?: number | undefined; max?: number | undefined; required: boolean }): Expiry {
  const { default: defaultSeconds, max: maxSeconds, required } = given
  if (defaultSeconds !== undefined && maxSeconds !== undefined && defaultSeconds > maxSeconds) {
    throw new InvalidInputError('expiry.default', `is ${defaultSeconds} seconds, more than expiry.max (${maxSeconds} seconds)`)
  }
  return Object.freeze({
    ...(defaultSeconds !== undefined && { defaultSeconds }),
    ...(maxSeconds !== undefined && { maxSeconds }),
    required,
  })
}
